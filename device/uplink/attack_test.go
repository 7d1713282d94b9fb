package uplink

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/encounter"
	"github.com/watchpost/watchpost/device/encounter/store"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/screening"
	linkv1 "github.com/watchpost/watchpost/sdk/proto/link/v1"
	screeningv1 "github.com/watchpost/watchpost/sdk/proto/screening/v1"
)

const us = "desk-1"

var quiet = slog.New(slog.DiscardHandler)

// wait is long: nothing here is about how fast.
const wait = 20 * time.Second

// hostile is a broker that is its attacker's: it lets everybody in and answers
// as the test wants.
type hostile struct {
	t       *testing.T
	link    *Link
	nc      *nats.Conn // the attacker's
	central *linkv1.Central
	other   *linkv1.Central // another central's keys
	post    ed25519.PublicKey
}

func identity(t *testing.T, name string) *linkv1.Central {
	t.Helper()
	seed := sha256.Sum256([]byte(name))
	key, err := linkv1.KEM().DeriveKeyPair(seed[:])
	if err != nil {
		t.Fatal(err)
	}
	return &linkv1.Central{SignWith: ed25519.NewKeyFromSeed(seed[:]), OpenWith: key}
}

func newHostile(t *testing.T) *hostile {
	t.Helper()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true, MaxPayload: 8 << 20, MaxPending: 64 << 20, AlwaysEnableNonce: true})
	if err != nil {
		t.Fatal(err)
	}
	go s.Start()
	if !s.ReadyForConnections(wait) {
		t.Fatal("the broker is not ready")
	}
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	h := &hostile{t: t, central: identity(t, "central"), other: identity(t, "another")}
	h.link = h.open(s.ClientURL())
	if h.nc, err = nats.Connect(s.ClientURL(), nats.Timeout(wait)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.nc.Close)
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	defer cancel()
	if err := h.link.waitUp(ctx); err != nil {
		t.Fatal("the link does not come up")
	}
	return h
}

func (h *hostile) open(url string) *Link {
	h.t.Helper()
	key, err := nkeys.CreateUser()
	if err != nil {
		h.t.Fatal(err)
	}
	public, err := key.PublicKey()
	if err != nil {
		h.t.Fatal(err)
	}
	raw, err := nkeys.Decode(nkeys.PrefixByteUser, []byte(public))
	if err != nil {
		h.t.Fatal(err)
	}
	h.post = raw
	l, err := Open(Options{
		Post: us, URL: url, Key: key, Budget: wait, Log: quiet,
		SignKey: h.central.SignWith.Public().(ed25519.PublicKey), SealKey: h.central.OpenWith.PublicKey().Bytes(),
	})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { l.Close() })
	return l
}

// answer has every call answered by f, which gets it opened with central's own
// key: the attacker may have it all but what it takes to sign.
func (h *hostile) answer(f func(m *nats.Msg, call *linkv1.Call, r *linkv1.Respond)) {
	h.t.Helper()
	_, err := h.nc.Subscribe("edge.*.*", func(m *nats.Msg) {
		if m.Reply == "" {
			return
		}
		call, r, err := h.central.Open(m.Subject, m.Data, func(string) (ed25519.PublicKey, error) { return h.post, nil })
		if err != nil {
			h.t.Error(err)
			return
		}
		f(m, call, r)
	})
	if err != nil {
		h.t.Fatal(err)
	}
	if err := h.nc.Flush(); err != nil {
		h.t.Fatal(err)
	}
}

func (h *hostile) reply(m *nats.Msg, r *linkv1.Respond, a *linkv1.Answer) {
	wire, err := r.Seal(a)
	if err == nil {
		err = m.Respond(wire)
	}
	if err != nil {
		h.t.Error(err)
	}
}

func (h *hostile) ask(within time.Duration) error {
	ctx, cancel := context.WithTimeout(h.t.Context(), within)
	defer cancel()
	_, err := h.link.Ask(ctx, screening.Question{Encounter: "e", Officer: "o", Purpose: "p", Documents: []screening.DocumentProbe{{Number: "X"}}})
	return err
}

func nothingFound() *linkv1.Answer {
	return &linkv1.Answer{What: &linkv1.Answer_Ask{Ask: &screeningv1.AskResponse{Coverage: []*screeningv1.Coverage{{List: "l", Shards: 1, Answered: 1}}}}}
}

// TestAttackBroker: whatever a hostile broker makes of a question ends in its
// code and never in an answer.
func TestAttackBroker(t *testing.T) {
	short := 300 * time.Millisecond // where nothing comes, the deadline is the point
	for name, c := range map[string]struct {
		code   fault.Code
		within time.Duration
		answer func(h *hostile) func(m *nats.Msg, call *linkv1.Call, r *linkv1.Respond)
	}{
		"dropped": {"source.deadline", short, func(*hostile) func(*nats.Msg, *linkv1.Call, *linkv1.Respond) {
			return func(*nats.Msg, *linkv1.Call, *linkv1.Respond) {}
		}},
		"noise for an answer": {"link.reply", wait, func(h *hostile) func(*nats.Msg, *linkv1.Call, *linkv1.Respond) {
			return func(m *nats.Msg, _ *linkv1.Call, _ *linkv1.Respond) { _ = m.Respond([]byte{0xff, 0xff, 0xff}) }
		}},
		"an empty answer": {"link.reply", wait, func(h *hostile) func(*nats.Msg, *linkv1.Call, *linkv1.Respond) {
			return func(m *nats.Msg, _ *linkv1.Call, _ *linkv1.Respond) { _ = m.Respond(nil) }
		}},
		"the question for an answer": {"link.reply", wait, func(h *hostile) func(*nats.Msg, *linkv1.Call, *linkv1.Respond) {
			return func(m *nats.Msg, _ *linkv1.Call, _ *linkv1.Respond) { _ = m.Respond(m.Data) }
		}},
		"a clear that another central has signed": {"link.reply", wait, func(h *hostile) func(*nats.Msg, *linkv1.Call, *linkv1.Respond) {
			return func(m *nats.Msg, _ *linkv1.Call, _ *linkv1.Respond) {
				forger := &linkv1.Central{SignWith: h.other.SignWith, OpenWith: h.central.OpenWith}
				_, r, err := forger.Open(m.Subject, m.Data, func(string) (ed25519.PublicKey, error) { return h.post, nil })
				if err != nil {
					h.t.Error(err)
					return
				}
				h.reply(m, r, nothingFound())
			}
		}},
		"a bit of the answer turned": {"link.reply", wait, func(h *hostile) func(*nats.Msg, *linkv1.Call, *linkv1.Respond) {
			return func(m *nats.Msg, _ *linkv1.Call, r *linkv1.Respond) {
				wire, err := r.Seal(nothingFound())
				if err != nil {
					h.t.Error(err)
					return
				}
				wire[len(wire)-1] ^= 1
				_ = m.Respond(wire)
			}
		}},
		"an answer cut short": {"link.reply", wait, func(h *hostile) func(*nats.Msg, *linkv1.Call, *linkv1.Respond) {
			return func(m *nats.Msg, _ *linkv1.Call, r *linkv1.Respond) {
				wire, err := r.Seal(nothingFound())
				if err != nil {
					h.t.Error(err)
					return
				}
				_ = m.Respond(wire[:len(wire)/2])
			}
		}},
		"oversize": {"link.reply", wait, func(h *hostile) func(*nats.Msg, *linkv1.Call, *linkv1.Respond) {
			return func(m *nats.Msg, _ *linkv1.Call, _ *linkv1.Respond) { _ = m.Respond(make([]byte, linkv1.MaxMessage+1)) }
		}},
		"the answer to another kind of call": {"link.reply", wait, func(h *hostile) func(*nats.Msg, *linkv1.Call, *linkv1.Respond) {
			return func(m *nats.Msg, _ *linkv1.Call, r *linkv1.Respond) {
				h.reply(m, r, &linkv1.Answer{What: &linkv1.Answer_Hello{Hello: &linkv1.HelloResponse{}}})
			}
		}},
		"no answer in the answer": {"link.reply", wait, func(h *hostile) func(*nats.Msg, *linkv1.Call, *linkv1.Respond) {
			return func(m *nats.Msg, _ *linkv1.Call, r *linkv1.Respond) { h.reply(m, r, &linkv1.Answer{}) }
		}},
		"a code that is none": {"link.reply", wait, func(h *hostile) func(*nats.Msg, *linkv1.Call, *linkv1.Respond) {
			return func(m *nats.Msg, _ *linkv1.Call, r *linkv1.Respond) {
				h.reply(m, r, &linkv1.Answer{Code: "all.right\nclear"})
			}
		}},
		"endless candidates": {"link.reply", wait, func(h *hostile) func(*nats.Msg, *linkv1.Call, *linkv1.Respond) {
			return func(m *nats.Msg, _ *linkv1.Call, r *linkv1.Respond) {
				a := nothingFound()
				for range maxCandidates + 1 {
					a.GetAsk().Candidates = append(a.GetAsk().Candidates, &screeningv1.Candidate{List: "l", Record: "r"})
				}
				h.reply(m, r, a)
			}
		}},
		"the answer to an earlier question": {"link.reply", wait, func(h *hostile) func(*nats.Msg, *linkv1.Call, *linkv1.Respond) {
			var mu sync.Mutex
			var first []byte
			return func(m *nats.Msg, _ *linkv1.Call, r *linkv1.Respond) {
				mu.Lock()
				defer mu.Unlock()
				wire, err := r.Seal(nothingFound())
				if err != nil {
					h.t.Error(err)
					return
				}
				if first == nil {
					first = wire
				}
				_ = m.Respond(first)
			}
		}},
		"nobody behind the broker": {"source.unavailable", wait, nil},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHostile(t)
			if c.answer != nil {
				h.answer(c.answer(h))
			}
			err := h.ask(c.within)
			if name == "the answer to an earlier question" {
				if err != nil {
					t.Fatal("the first has its own answer")
				}
				err = h.ask(c.within)
			}
			if fault.CodeOf(err) != c.code {
				t.Fatalf("ended in %v, must be %s", err, c.code)
			}
		})
	}
}

// one is an outbox with one outcome that must stay.
type one struct {
	t         *testing.T
	delivered bool
}

func (o *one) Outbox(int) ([]store.Waiting, error) {
	m, err := json.Marshal(encounter.Message{
		Version: 1, ID: "e-1", Post: us, Purpose: "test", Answer: "clear", Decision: encounter.Decision{Outcome: encounter.Admitted, Officer: "o", Time: time.Unix(1e9, 0)},
	})
	return []store.Waiting{{Seq: 1, Message: m}}, err
}
func (o *one) Delivered(int64, audit.Line) error { o.delivered = true; return nil }

// TestAttackReceipts: an outcome leaves the outbox by central's receipt for
// exactly this outcome and by nothing else.
func TestAttackReceipts(t *testing.T) {
	for name, forge := range map[string]func(h *hostile, d *screeningv1.DeliverRequest, sum []byte) (*linkv1.Central, *linkv1.Receipt){
		"signed by another": func(h *hostile, d *screeningv1.DeliverRequest, sum []byte) (*linkv1.Central, *linkv1.Receipt) {
			return h.other, &linkv1.Receipt{Post: us, Id: d.Id, RequestSha256: sum}
		},
		"for another post": func(h *hostile, d *screeningv1.DeliverRequest, sum []byte) (*linkv1.Central, *linkv1.Receipt) {
			return h.central, &linkv1.Receipt{Post: "gate-7", Id: d.Id, RequestSha256: sum}
		},
		"for another outcome": func(h *hostile, d *screeningv1.DeliverRequest, sum []byte) (*linkv1.Central, *linkv1.Receipt) {
			return h.central, &linkv1.Receipt{Post: us, Id: "e-2", RequestSha256: sum}
		},
		"for another content": func(h *hostile, d *screeningv1.DeliverRequest, sum []byte) (*linkv1.Central, *linkv1.Receipt) {
			return h.central, &linkv1.Receipt{Post: us, Id: d.Id, RequestSha256: bytes.Repeat([]byte{1}, 32)}
		},
		"for nothing": func(h *hostile, _ *screeningv1.DeliverRequest, _ []byte) (*linkv1.Central, *linkv1.Receipt) {
			return h.central, &linkv1.Receipt{}
		},
		"none": func(*hostile, *screeningv1.DeliverRequest, []byte) (*linkv1.Central, *linkv1.Receipt) {
			return nil, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHostile(t)
			h.answer(func(m *nats.Msg, call *linkv1.Call, r *linkv1.Respond) {
				sum, err := linkv1.Digest(call.GetDeliver())
				if err != nil {
					h.t.Error(err)
					return
				}
				out := &screeningv1.DeliverResponse{CommittedMs: 1}
				if by, receipt := forge(h, call.GetDeliver(), sum); by != nil {
					if out.Receipt, out.Signature, err = by.SignReceipt(receipt); err != nil {
						h.t.Error(err)
						return
					}
				}
				h.reply(m, r, &linkv1.Answer{What: &linkv1.Answer_Deliver{Deliver: out}})
			})
			box := &one{t: t}
			waiting, err := box.Outbox(1)
			if err != nil {
				t.Fatal(err)
			}
			err = NewSender(h.link, box, time.Now, quiet).deliver(t.Context(), waiting[0])
			if fault.CodeOf(err) != "link.receipt" || box.delivered {
				t.Fatalf("ended in %v, must be link.receipt; taken out: %v", err, box.delivered)
			}
		})
	}
}

// TestAttackEndless: a broker that announces more than a message may have is
// left before anything is set aside for it.
func TestAttackEndless(t *testing.T) {
	for name, says := range map[string]string{
		"a message of two gigabytes": "MSG edge.desk-1.inbox.x 1 2147483647\r\n",
		"with headers":               "HMSG edge.desk-1.inbox.x 1 12 2147483647\r\n",
		"a length that is none":      "MSG edge.desk-1.inbox.x 1 99999999999999999999\r\n",
		"a negative length":          "MSG edge.desk-1.inbox.x 1 -1\r\n",
		"a line without an end":      strings.Repeat("x", maxLine+1),
	} {
		t.Run(name, func(t *testing.T) {
			near, far := net.Pipe()
			g := &guarded{Conn: near}
			go func() { _, _ = io.WriteString(far, "PONG\r\nMSG a 1 3\r\nMSG\r\n"+says); far.Close() }()
			var err error
			for buf := make([]byte, 700); err == nil; {
				_, err = g.Read(buf)
			}
			if fault.CodeOf(err) != "link.too_large" {
				t.Fatalf("ended in %v, must be link.too_large", err)
			}
		})
	}
}

// orders counts what is handed to it.
type orders struct {
	mu   sync.Mutex
	took []string
	err  error
}

func (o *orders) Last() uint64   { return 0 }
func (o *orders) Locked() uint64 { return 0 }
func (o *orders) Take(_ context.Context, s *linkv1.SignedOrder) (*linkv1.CommandReceipt, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.took = append(o.took, string(s.Content))
	return &linkv1.CommandReceipt{Number: 1, OrderSha256: linkv1.OrderDigest(s.Content)}, o.err
}

// TestContact: orders come with a hello, receipts go with the next, and what
// ends the post ends the contact after its receipt had a chance.
func TestContact(t *testing.T) {
	h := newHostile(t)
	ends := errors.New("a wipe")
	var mu sync.Mutex
	var hellos []*linkv1.HelloRequest
	left := [][]string{{"a", "b"}, {"c"}}
	h.answer(func(m *nats.Msg, call *linkv1.Call, r *linkv1.Respond) {
		mu.Lock()
		defer mu.Unlock()
		hellos = append(hellos, call.GetHello())
		out := &linkv1.HelloResponse{}
		if len(left) > 0 {
			for _, c := range left[0] {
				out.Orders = append(out.Orders, &linkv1.SignedOrder{Content: []byte(c)})
			}
			left = left[1:]
		}
		h.reply(m, r, &linkv1.Answer{What: &linkv1.Answer_Hello{Hello: out}})
	})
	o := &orders{}
	c := Contact{Link: h.link, Starts: 1, Run: make([]byte, 16), Orders: o, Ends: func(err error) bool { return errors.Is(err, ends) }, Every: time.Hour, Log: quiet,
		lastWord: wait} // its chance, also on a machine that stands still for longer than a post may wait
	done := make(chan error, 1)
	go func() { done <- c.Keep(t.Context()) }()
	until(t, func() bool { mu.Lock(); defer mu.Unlock(); return len(hellos) == 3 })
	mu.Lock()
	if len(hellos[0].Receipts) != 0 || len(hellos[1].Receipts) != 2 || len(hellos[2].Receipts) != 1 || hellos[2].Count != 3 {
		t.Errorf("hellos: %v", hellos)
	}
	left = [][]string{{"d"}}
	mu.Unlock()
	o.mu.Lock()
	o.err = ends
	o.mu.Unlock()
	// A poke, as anybody at the broker can make one.
	until(t, func() bool {
		if err := h.nc.Publish(linkv1.PokeSubject(us), nil); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		defer mu.Unlock()
		return len(hellos) >= 5
	})
	select {
	case err := <-done:
		if !errors.Is(err, ends) {
			t.Fatalf("ended in %v", err)
		}
	case <-time.After(wait):
		t.Fatal("the contact goes on")
	}
	if got := fmt.Sprint(o.took); got != "[a b c d]" {
		t.Errorf("orders taken: %s", got)
	}
}

// TestAttackFeed: what comes as a bundle is handed on within bounds, one at a
// time, and a flood takes no more room than is kept for it.
func TestAttackFeed(t *testing.T) {
	h := newHostile(t)
	var mu sync.Mutex
	got := map[string]bool{}
	most, now := 0, 0
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- h.link.Follow(ctx, func(_ context.Context, b []byte) error {
			mu.Lock()
			if now++; now > most {
				most = now
			}
			mu.Unlock()
			mu.Lock()
			defer mu.Unlock()
			now--
			got[fmt.Sprintf("%d", len(b))] = true
			return fault.New("listfeed.signatures", "noise")
		})
	}()
	until(t, func() bool {
		for _, size := range []int{linkv1.MaxMessage + 1, 5, 6, 7} {
			if err := h.nc.Publish(linkv1.BundleSubject, make([]byte, size)); err != nil {
				t.Fatal(err)
			}
		}
		mu.Lock()
		defer mu.Unlock()
		return got["5"] && got["6"] && got["7"]
	})
	cancel()
	if err := <-done; err != nil { // what came is looked at when nothing more comes
		t.Fatal(err)
	}
	t.Run("oversize", func(t *testing.T) {
		if got[fmt.Sprint(linkv1.MaxMessage+1)] {
			t.Error("a bundle above the limit was handed on")
		}
	})
	t.Run("one at a time", func(t *testing.T) {
		if most != 1 {
			t.Errorf("%d at once", most)
		}
	})
}

func until(t *testing.T, holds func() bool) {
	t.Helper()
	deadline := time.After(wait)
	for !holds() {
		select {
		case <-deadline:
			t.Fatal("did not come to pass")
		case <-time.After(5 * time.Millisecond):
		}
	}
}
