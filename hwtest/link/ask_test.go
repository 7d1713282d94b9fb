package link_test

import (
	"context"
	"crypto/ed25519"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/screening"
	"github.com/watchpost/watchpost/device/uplink"
	"github.com/watchpost/watchpost/hwtest/wire"
	linkv1 "github.com/watchpost/watchpost/sdk/proto/link/v1"
	screeningv1 "github.com/watchpost/watchpost/sdk/proto/screening/v1"
)

// nothing is a source that holds one list and finds nobody.
type nothing struct{}

func (nothing) Name() string { return "local" }
func (nothing) Ask(context.Context, screening.Question) (screening.Reply, error) {
	return screening.Reply{Coverage: []screening.Coverage{{List: "own", Issued: time.Now(), Shards: 1, Answered: 1, Asked: []screening.Modality{screening.Document}}}}, nil
}

// screener puts the link beside the local source, as a post does.
func screener(t *testing.T, l *uplink.Link) *uplink.Patient {
	t.Helper()
	s, err := screening.New(screening.Rules{
		Required: []string{"local", uplink.Name}, Performed: []screening.Modality{screening.Document},
		MaxListAge: 24 * time.Hour, MaxCandidates: 20, LateBy: 20 * time.Second,
	}, time.Now, nothing{}, l)
	if err != nil {
		t.Fatal(err)
	}
	return &uplink.Patient{Screener: s, Link: l, LateBy: 20 * time.Second}
}

// ask screens as a post does, with a second, and returns how long it took.
func ask(t *testing.T, s *uplink.Patient, number string, late func(screening.Reply)) (screening.Result, time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	took := watch()
	r := s.Screen(ctx, question(number), late)
	return r, took()
}

// watch begins to measure a time without what the machine stood still
// meanwhile: the timers of the product are late then by as much as ours.
func watch() (took func() time.Duration) {
	const tick, usual = 10 * time.Millisecond, 15 * time.Millisecond
	begun := time.Now()
	stop, stood := make(chan struct{}), make(chan time.Duration, 1)
	go func() {
		still, last := time.Duration(0), begun
		for ended := false; !ended; {
			select {
			case <-time.After(tick):
			case <-stop:
				ended = true
			}
			now := time.Now()
			still += max(0, now.Sub(last)-usual)
			last = now
		}
		stood <- still
	}()
	return func() time.Duration {
		took := time.Since(begun)
		close(stop)
		return took - <-stood
	}
}

// TestQuestions walks one post through a link that is up, cut, stalled and
// restored.
func TestQuestions(t *testing.T) {
	w := newWorld(t)
	changes := make(chan bool, 100)
	l := w.link(t, func(o *uplink.Options) { o.Changed = func(up bool) { changes <- up } })
	until(t, time.Minute, "up", l.Up)
	if up := <-changes; !up {
		t.Fatal("the link was told to be down first")
	}
	s := screener(t, l)

	const atOnce = 400 * time.Millisecond // no budget of central's has run
	late := make(chan screening.Reply, 10)
	found := func(t *testing.T) {
		t.Helper()
		r, took := ask(t, s, listed, nil)
		if r.Answer != screening.Candidates || len(r.Candidates) != 1 || r.Candidates[0].Record != "W-1" || r.Candidates[0].Source != uplink.Name {
			t.Fatalf("answer %v, %v, missing %v", r.Answer, r.Candidates, r.Missing)
		}
		t.Logf("found by central in %s", took)
	}
	notVerified := func(t *testing.T, code string, within time.Duration) {
		t.Helper()
		r, took := ask(t, s, listed, func(r screening.Reply) { late <- r })
		if r.Answer != screening.NotVerified || !slices.Contains(r.Missing, "central: "+code) {
			t.Fatalf("answer %v, missing %v; must be not-verified for central: %s", r.Answer, r.Missing, code)
		}
		if took > within {
			t.Errorf("the answer took %s, must take at most %s", took, within)
		}
	}
	lateHit := func(t *testing.T) {
		t.Helper()
		select {
		case r := <-late:
			if r.Source != uplink.Name || len(r.Candidates) != 1 || r.Candidates[0].Record != "W-1" {
				t.Fatalf("late reply %+v", r)
			}
		case <-time.After(time.Minute):
			t.Fatal("no late hit within a minute")
		}
	}

	t.Run("up: found by central alone, and clear with its coverage", func(t *testing.T) {
		found(t)
		r, _ := ask(t, s, "Y7654321", nil)
		if r.Answer != screening.Clear || !slices.ContainsFunc(r.Coverage, func(c screening.Coverage) bool {
			return c.Source == uplink.Name && c.List == "wanted" && c.Shards == 1 && c.Answered == 1
		}) {
			t.Fatalf("answer %v, missing %v, coverage %+v", r.Answer, r.Missing, r.Coverage)
		}
	})
	t.Run("cut: not asked, at once; late hit when it is back", func(t *testing.T) {
		w.wire.Set(wire.Cut)
		until(t, time.Minute, "down", func() bool { return !l.Up() })
		notVerified(t, "link.not_asked", atOnce)
		w.wire.Set(wire.Open)
		lateHit(t)
		found(t)
	})
	t.Run("stalled: the answer keeps its second; late hit when it is back", func(t *testing.T) {
		w.wire.Set(wire.Stalled)
		notVerified(t, "source.deadline", 950*time.Millisecond)
		until(t, time.Minute, "known to be down", func() bool { return !l.Up() })
		notVerified(t, "link.not_asked", atOnce)
		w.wire.Set(wire.Open)
		lateHit(t)
		lateHit(t)
	})
	t.Run("broken in mid-question: the question is asked again", func(t *testing.T) {
		until(t, time.Minute, "up", l.Up)
		w.wire.Set(wire.Stalled)
		go func() { time.Sleep(100 * time.Millisecond); w.wire.Break(); w.wire.Set(wire.Open) }()
		r, took := ask(t, s, listed, func(r screening.Reply) { late <- r })
		if took > 950*time.Millisecond {
			t.Errorf("the answer took %s", took)
		}
		if r.Answer != screening.Candidates {
			lateHit(t)
		}
	})
	t.Run("central away behind a broker that is up", func(t *testing.T) {
		if err := w.central.Close(); err != nil {
			t.Fatal(err)
		}
		w.central = nil
		until(t, time.Minute, "down", func() bool { return !l.Up() })
		notVerified(t, "link.not_asked", atOnce)
		w.start(t)
		lateHit(t)
	})
	t.Run("closed with questions under way", func(t *testing.T) {
		w.wire.Set(wire.Stalled)
		notVerified(t, "source.deadline", 950*time.Millisecond)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		s.Wait() // ends although LateBy has not passed
		notVerified(t, "link.not_asked", atOnce)
		s.Wait()
	})
}

// TestRetired: a post that is retired is refused from its next call on.
func TestRetired(t *testing.T) {
	w := newPost(t)
	l := w.link(t)
	until(t, time.Minute, "up", l.Up)
	if _, err := l.Ask(t.Context(), question(listed)); err != nil {
		t.Fatal(err)
	}
	if err := w.central.Store.RetireDevice(t.Context(), w.post, "test", ""); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Ask(t.Context(), question(listed)); fault.CodeOf(err) != "link.device" {
		t.Fatalf("a retired post was answered: %v", err)
	}
	again := w.link(t)
	select {
	case <-time.After(time.Second):
	case <-upOnce(again):
		t.Fatal("a retired post was let in")
	}
}

// upOnce is closed when the link comes up.
func upOnce(l *uplink.Link) <-chan struct{} {
	c := make(chan struct{})
	go func() {
		for range 400 {
			if l.Up() {
				close(c)
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
	}()
	return c
}

// TestStrangersAndNeighbours: who may connect, and what a post may touch.
func TestStrangersAndNeighbours(t *testing.T) {
	w := newPost(t)
	connect := func(key nkeys.KeyPair, o ...nats.Option) (*nats.Conn, error) {
		public, err := key.PublicKey()
		if err != nil {
			t.Fatal(err)
		}
		return nats.Connect(w.central.URL, append(o, nats.Nkey(public, key.Sign))...)
	}
	t.Run("no login", func(t *testing.T) {
		if nc, err := nats.Connect(w.central.URL); err == nil {
			nc.Close()
			t.Fatal("let in")
		}
	})
	t.Run("unregistered key", func(t *testing.T) {
		key, err := nkeys.CreateUser()
		if err != nil {
			t.Fatal(err)
		}
		if nc, err := connect(key); err == nil {
			nc.Close()
			t.Fatal("let in")
		}
	})
	t.Run("a registered key without its private half", func(t *testing.T) {
		public, err := w.key.PublicKey()
		if err != nil {
			t.Fatal(err)
		}
		other, err := nkeys.CreateUser()
		if err != nil {
			t.Fatal(err)
		}
		if nc, err := nats.Connect(w.central.URL, nats.Nkey(public, other.Sign)); err == nil {
			nc.Close()
			t.Fatal("let in")
		}
	})
	t.Run("a post touches nothing of another, and no shard", func(t *testing.T) {
		refused := make(chan string, 10)
		nc, err := connect(w.key, nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { refused <- err.Error() }))
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		for _, subject := range []string{"edge.>", "edge.desk-2.inbox.>", "search.0", ">", "_INBOX.>"} {
			if _, err := nc.SubscribeSync(subject); err != nil {
				t.Fatal(err)
			}
			wantRefused(t, nc, refused, subject)
		}
		for _, subject := range []string{"edge.desk-2.ask", "edge.desk-2.inbox.1", "search.0", "$SYS.REQ.SERVER.PING"} {
			if err := nc.Publish(subject, []byte("x")); err != nil {
				t.Fatal(err)
			}
			wantRefused(t, nc, refused, subject)
		}
	})
	t.Run("a reply that would go elsewhere is not sent", func(t *testing.T) {
		nc, err := connect(w.key)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		mine, err := nc.SubscribeSync(linkv1.InboxPrefix(w.post) + ".>")
		if err != nil {
			t.Fatal(err)
		}
		p := linkv1.Post{Name: w.post, Sign: w.key.Sign, Central: nil, SealTo: w.keys.OpenWith.PublicKey()}
		wire, _, err := p.Seal(linkv1.AskSubject(w.post), &linkv1.Call{Post: w.post, Id: linkv1.NewID(), What: &linkv1.Call_Deliver{}})
		if err != nil {
			t.Fatal(err)
		}
		if err := nc.PublishRequest(linkv1.AskSubject(w.post), "edge."+w.post+".ask", wire); err != nil {
			t.Fatal(err)
		}
		if err := nc.PublishRequest(linkv1.AskSubject(w.post), linkv1.InboxPrefix(w.post)+".a", wire); err != nil {
			t.Fatal(err)
		}
		m, err := mine.NextMsg(patience)
		if err != nil || m.Subject != linkv1.InboxPrefix(w.post)+".a" {
			t.Fatalf("%v, %v", m, err)
		}
	})
}

func wantRefused(t *testing.T, nc *nats.Conn, refused <-chan string, subject string) {
	t.Helper()
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	select {
	case text := <-refused:
		if !strings.Contains(strings.ToLower(text), "permissions violation") {
			t.Errorf("%s: %s", subject, text)
		}
	case <-time.After(patience):
		t.Errorf("%s was allowed", subject)
	}
}

// TestReplay: a broker that sends a question twice has it answered once.
func TestReplay(t *testing.T) {
	w := newPost(t)
	public, err := w.key.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	nc, err := nats.Connect(w.central.URL, nats.Nkey(public, w.key.Sign), nats.CustomInboxPrefix(linkv1.InboxPrefix(w.post)))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	p := linkv1.Post{Name: w.post, Sign: w.key.Sign, Central: w.keys.SignWith.Public().(ed25519.PublicKey), SealTo: w.keys.OpenWith.PublicKey()}
	sealed, pending, err := p.Seal(linkv1.AskSubject(w.post), &linkv1.Call{Post: w.post, Id: linkv1.NewID(), PatienceMs: 10_000, What: &linkv1.Call_Ask{
		Ask: &screeningv1.AskRequest{Encounter: "e", Officer: "o", Purpose: "p", Documents: []*screeningv1.DocumentProbe{{Type: "P", Issuer: "UTO", Number: listed}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"", "link.replayed"} {
		m, err := nc.Request(linkv1.AskSubject(w.post), sealed, patience)
		if err != nil {
			t.Fatal(err)
		}
		a, err := pending.Open(m.Data)
		if err != nil || a.Code != want || (want == "") != (len(a.GetAsk().GetCandidates()) == 1) {
			t.Fatalf("time %d: %v, %v", i+1, a, err)
		}
	}
	if n, err := w.central.Store.Searches(t.Context(), w.post); err != nil || n != 1 {
		t.Fatalf("%d searches recorded, %v", n, err)
	}
}
