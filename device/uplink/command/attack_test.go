package command

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"log/slog"
	"math"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/encounter/store"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/screening"
	"github.com/watchpost/watchpost/device/vault"
	linkv1 "github.com/watchpost/watchpost/sdk/proto/link/v1"
)

const post = "desk-1"

var begun = time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)

// keyOf is a signer's key, the same in every run.
func keyOf(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func public(name string) ed25519.PublicKey { return keyOf(name).Public().(ed25519.PublicKey) }

// box is a post with its post.db, which outlives the ledger.
type box struct {
	t      *testing.T
	dir    string
	seal   sealer
	store  *store.Store
	ledger *Ledger
	now    time.Time
	keys   map[string][]byte // lists whose key was replaced
	fails  error             // of Rekey
}

type sealer struct{ key *vault.Key }

func (s sealer) Seal(identity, plain []byte) ([]byte, error) { return s.key.Seal(nil, plain, identity) }
func (s sealer) Open(identity, sealed []byte) ([]byte, error) {
	return s.key.Open(nil, sealed, identity)
}

func newBox(t *testing.T) *box {
	t.Helper()
	ring := vault.NewRing()
	t.Cleanup(ring.Close)
	key, err := ring.Random()
	if err != nil {
		t.Fatal(err)
	}
	b := &box{t: t, dir: t.TempDir(), seal: sealer{key}, now: begun, keys: map[string][]byte{}}
	b.start()
	t.Cleanup(func() { b.store.Close() })
	return b
}

func (b *box) start() {
	b.t.Helper()
	var err error
	if b.store, err = store.Open(b.dir, b.seal); err != nil {
		b.t.Fatal(err)
	}
	b.ledger, err = Open(Options{
		Post: post, Central: public("central"), Owners: map[string]ed25519.PublicKey{"anna": public("anna"), "boris": public("boris")},
		Store: b.store, Sealer: b.seal, Now: func() time.Time { return b.now }, Log: slog.New(slog.DiscardHandler),
		Rekey: func(_ context.Context, list string, wrapped map[string][]byte) error {
			if b.fails != nil {
				return b.fails
			}
			w, ok := wrapped["us"]
			if !ok {
				return ErrNoKey
			}
			b.keys[list] = w
			return nil
		},
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

// restart is a daemon that ends and starts again on what it wrote.
func (b *box) restart() {
	b.t.Helper()
	if err := b.store.Close(); err != nil {
		b.t.Fatal(err)
	}
	b.start()
}

func (b *box) take(s *linkv1.SignedOrder) (*linkv1.CommandReceipt, error) {
	return b.ledger.Take(b.t.Context(), s)
}

func (b *box) must(s *linkv1.SignedOrder) {
	b.t.Helper()
	if r, err := b.take(s); err != nil || r.Code != "" {
		b.t.Fatalf("%v, %v", r, err)
	}
}

// recalling is an order that recalls record r of list l at the post.
func recalling(number uint64, r string) *linkv1.Order {
	return &linkv1.Order{
		Id: bytes.Repeat([]byte{byte(number)}, 16), Targets: []*linkv1.OrderTarget{{Post: "gate-7", Number: 90}, {Post: post, Number: number}},
		IssuedMs: begun.UnixMilli(), ExpiresMs: begun.Add(time.Hour).UnixMilli(), Reason: "released by the court",
		What: &linkv1.Order_Recall{Recall: &linkv1.RecallRecord{List: "l", Record: r}},
	}
}

func signed(o *linkv1.Order, by ...string) *linkv1.SignedOrder {
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(o)
	if err != nil {
		panic(err)
	}
	s := &linkv1.SignedOrder{Content: raw}
	for _, name := range by {
		s.Signatures = append(s.Signatures, &linkv1.OrderSignature{By: name, Signature: linkv1.SignOrder(raw, keyOf(name))})
	}
	return s
}

func both(o *linkv1.Order) *linkv1.SignedOrder { return signed(o, "anna", "boris") }

// TestAttack: what a hostile broker, a hostile central or one owner alone can
// make of orders ends in its code and changes nothing.
func TestAttack(t *testing.T) {
	for name, c := range map[string]struct {
		code   fault.Code
		before func(b *box)
		order  func(b *box) *linkv1.SignedOrder
	}{
		"replayed": {"command.replayed", func(b *box) { b.must(both(recalling(5, "A"))) }, func(*box) *linkv1.SignedOrder { return both(recalling(5, "A")) }},
		"replayed after a restart": {"command.replayed", func(b *box) { b.must(both(recalling(5, "A"))); b.restart() },
			func(*box) *linkv1.SignedOrder { return both(recalling(5, "A")) }},
		"replayed with its signatures in another order": {"command.replayed", func(b *box) { b.must(both(recalling(5, "A"))) },
			func(*box) *linkv1.SignedOrder { return signed(recalling(5, "A"), "boris", "anna") }},
		"another order under a number taken": {"command.replayed", func(b *box) { b.must(both(recalling(5, "A"))) },
			func(*box) *linkv1.SignedOrder { return both(recalling(5, "B")) }},
		"out of order": {"command.order", func(b *box) { b.must(both(recalling(5, "A"))) }, func(*box) *linkv1.SignedOrder { return both(recalling(4, "B")) }},
		"out of order after a restart": {"command.order", func(b *box) { b.must(both(recalling(5, "A"))); b.restart() },
			func(*box) *linkv1.SignedOrder { return both(recalling(4, "B")) }},
		"for another device": {"command.other_post", nil, func(*box) *linkv1.SignedOrder {
			o := recalling(5, "A")
			o.Targets = o.Targets[:1]
			return both(o)
		}},
		"expired": {"command.expired", func(b *box) { b.now = begun.Add(time.Hour) }, func(*box) *linkv1.SignedOrder { return both(recalling(5, "A")) }},
		"expired, with another expiry written in": {"command.signature", func(b *box) { b.now = begun.Add(time.Hour) }, func(*box) *linkv1.SignedOrder {
			s, o := both(recalling(5, "A")), recalling(5, "A")
			o.ExpiresMs += time.Hour.Milliseconds()
			s.Content = both(o).Content
			return s
		}},
		"from the future": {"command.not_yet", func(b *box) { b.now = begun.Add(-11 * time.Minute) }, func(*box) *linkv1.SignedOrder { return both(recalling(5, "A")) }},
		"unsigned":        {"command.too_few", nil, func(*box) *linkv1.SignedOrder { return signed(recalling(5, "A")) }},
		"signed by one":   {"command.too_few", nil, func(*box) *linkv1.SignedOrder { return signed(recalling(5, "A"), "anna") }},
		"signed by one owner and central": {"command.too_few", nil,
			func(*box) *linkv1.SignedOrder { return signed(recalling(5, "A"), "anna", "central") }},
		"recall by central alone": {"command.too_few", nil, func(*box) *linkv1.SignedOrder { return signed(recalling(5, "A"), "central") }},
		"wipe by central alone": {"command.too_few", nil, func(*box) *linkv1.SignedOrder {
			o := recalling(5, "")
			o.What = &linkv1.Order_Wipe{Wipe: &linkv1.WipePost{}}
			return signed(o, "central")
		}},
		"lock by one owner alone": {"command.too_few", nil, func(*box) *linkv1.SignedOrder {
			o := recalling(5, "")
			o.What = &linkv1.Order_Lock{Lock: &linkv1.LockPost{}}
			return signed(o, "anna")
		}},
		"the same signer twice": {"command.same_owner", nil, func(*box) *linkv1.SignedOrder { return signed(recalling(5, "A"), "anna", "anna") }},
		"a stranger beside one owner": {"command.unknown_owner", nil,
			func(*box) *linkv1.SignedOrder { return signed(recalling(5, "A"), "anna", "mallory") }},
		"a stranger under an owner's name": {"command.signature", nil, func(*box) *linkv1.SignedOrder {
			s := signed(recalling(5, "A"), "anna", "mallory")
			s.Signatures[1].By = "boris"
			return s
		}},
		"forged recall: another record under the signatures": {"command.signature", nil, func(*box) *linkv1.SignedOrder {
			s := both(recalling(5, "A"))
			s.Content = bytes.Replace(s.Content, []byte("\x12\x01A"), []byte("\x12\x01B"), 1)
			return s
		}},
		"a receipt's signature for an order's": {"command.signature", nil, func(*box) *linkv1.SignedOrder {
			s := both(recalling(5, "A"))
			for i, name := range []string{"anna", "boris"} {
				s.Signatures[i].Signature = ed25519.Sign(keyOf(name), append([]byte("watchpost/link/1/receipt\x00"), s.Content...))
			}
			return s
		}},
		"the largest number": {"command.form", nil, func(*box) *linkv1.SignedOrder { return both(recalling(math.MaxUint64, "A")) }},
		"number zero":        {"command.form", nil, func(*box) *linkv1.SignedOrder { return both(recalling(0, "A")) }},
		"two numbers for one post": {"command.form", nil, func(*box) *linkv1.SignedOrder {
			o := recalling(5, "A")
			o.Targets = append(o.Targets, &linkv1.OrderTarget{Post: post, Number: 6})
			return both(o)
		}},
		"an order to do nothing": {"command.form", nil, func(*box) *linkv1.SignedOrder {
			o := recalling(5, "A")
			o.What = nil
			return both(o)
		}},
		"an order without an end": {"command.form", nil, func(*box) *linkv1.SignedOrder {
			o := recalling(5, "A")
			o.ExpiresMs = 0
			return both(o)
		}},
		"oversize": {"command.form", nil, func(*box) *linkv1.SignedOrder {
			o := recalling(5, "A")
			o.ProtoReflect().SetUnknown(append([]byte{0xfa, 0x3f, 0x80, 0x80, 0x24}, make([]byte, 36<<14)...))
			return both(o)
		}},
		"nine signatures": {"command.form", nil, func(*box) *linkv1.SignedOrder {
			return signed(recalling(5, "A"), "anna", "boris", "3", "4", "5", "6", "7", "8", "9")
		}},
		"content that is none": {"command.form", nil, func(*box) *linkv1.SignedOrder {
			s := &linkv1.SignedOrder{Content: []byte{0xff, 0xff}}
			for _, name := range []string{"anna", "boris"} {
				s.Signatures = append(s.Signatures, &linkv1.OrderSignature{By: name, Signature: linkv1.SignOrder(s.Content, keyOf(name))})
			}
			return s
		}},
		"a new key that is wrapped for others": {"command.no_key", nil, func(*box) *linkv1.SignedOrder {
			o := recalling(5, "A")
			o.What = &linkv1.Order_Rekey{Rekey: &linkv1.NewListKey{List: "l", Wrapped: map[string][]byte{"them": {1}}}}
			return both(o)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t)
			if c.before != nil {
				c.before(b)
			}
			recalls := b.ledger.Recalls()
			r, err := b.take(c.order(b))
			if fault.CodeOf(err) != c.code {
				t.Fatalf("ended in %v, must be %s", err, c.code)
			}
			if (c.code == "command.not_yet") != (r == nil) {
				t.Errorf("receipt %v", r)
			}
			if b.ledger.Recalls() != recalls || len(b.keys) != 0 || errors.Is(err, ErrWiped) || errors.Is(err, ErrLocked) {
				t.Error("it had an effect all the same")
			}
			// What was refused stands in nobody's way.
			b.now = begun
			if last := b.ledger.Last(); last < 5 {
				b.must(both(recalling(6, "C")))
			}
		})
	}
}

func TestOrders(t *testing.T) {
	b := newBox(t)
	b.must(both(recalling(1, "A")))
	o := recalling(3, "B") // numbers may leave gaps
	o.GetRecall().Edition = 4
	b.must(both(o))
	reply := func() []string {
		var left []string
		all := []screening.Candidate{{List: "l", Record: "A", Edition: 9}, {List: "l", Record: "B", Edition: 4}, {List: "l", Record: "B", Edition: 5}, {List: "m", Record: "A"}}
		for _, c := range b.ledger.Without(screening.Reply{Candidates: all}).Candidates {
			left = append(left, c.List+c.Record)
		}
		return left
	}
	if got := reply(); !slices.Equal(got, []string{"lB", "mA"}) {
		t.Fatalf("left of the candidates: %v", got)
	}
	b.restart()
	if got := reply(); !slices.Equal(got, []string{"lB", "mA"}) || b.ledger.Last() != 3 {
		t.Fatalf("after a restart: %v, last %d", got, b.ledger.Last())
	}

	o = recalling(4, "")
	o.What = &linkv1.Order_Rekey{Rekey: &linkv1.NewListKey{List: "l", Wrapped: map[string][]byte{"us": {7}, "them": {8}}}}
	// The disk's trouble is not the order's: it may come again.
	b.fails = fault.New("store.full", "no room")
	if r, err := b.take(both(o)); r != nil || fault.CodeOf(err) != "store.full" || b.ledger.Last() != 3 {
		t.Fatalf("%v, %v", r, err)
	}
	b.fails = nil
	b.must(both(o))
	if string(b.keys["l"]) != "\x07" {
		t.Fatal("the list's key was not replaced")
	}

	o = recalling(5, "")
	o.What = &linkv1.Order_Lock{Lock: &linkv1.LockPost{}}
	if r, err := b.take(signed(o, "central")); !errors.Is(err, ErrLocked) || r == nil || r.Code != "" {
		t.Fatalf("%v, %v", r, err)
	}
	o = recalling(6, "")
	o.What = &linkv1.Order_Wipe{Wipe: &linkv1.WipePost{}}
	if r, err := b.take(both(o)); !errors.Is(err, ErrWiped) || r == nil || r.Code != "" {
		t.Fatalf("%v, %v", r, err)
	}
	// It is written down before it is done: after a power cut it is not done again by itself.
	b.restart()
	if r, err := b.take(both(o)); !errors.Is(err, ErrReplayed) || r == nil || r.Code != "" {
		t.Fatalf("a receipt that was lost is given again: %v, %v", r, err)
	}

	lines := map[string]int{}
	for line, err := range audit.Lines(b.store.AuditLines) {
		if err != nil {
			t.Fatal(err)
		}
		if line.Action == audit.CommandTaken {
			lines[line.Facts["command"]]++
		}
	}
	if lines["recall"] != 2 || lines["rekey"] != 1 || lines["lock"] != 1 || lines["wipe"] != 1 {
		t.Errorf("audit lines: %v", lines)
	}
}

// TestDamaged: a ledger that cannot be read lets nothing begin.
func TestDamaged(t *testing.T) {
	b := newBox(t)
	b.must(both(recalling(1, "A")))
	if err := b.store.SetCursor(cursor, []byte("not sealed by us, and long enough to be"), audit.Line{Action: audit.PostStarted}); err != nil {
		t.Fatal(err)
	}
	_, err := Open(b.ledger.o)
	if fault.CodeOf(err) != "command.ledger" {
		t.Fatal(err)
	}
}

// FuzzTake feeds a post what central's key could have sealed to it.
func FuzzTake(f *testing.F) {
	raw, err := proto.Marshal(both(recalling(5, "A")))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Fuzz(func(t *testing.T, raw []byte) {
		s := new(linkv1.SignedOrder)
		if proto.Unmarshal(raw, s) != nil {
			return
		}
		if _, _, err := linkv1.OpenOrder(s, post, func(by string) ed25519.PublicKey {
			return map[string]ed25519.PublicKey{"anna": public("anna"), "boris": public("boris")}[by]
		}); err == nil && len(s.Signatures) < 2 {
			t.Fatal("an order that two did not sign was opened")
		}
	})
}
