package central_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nkeys"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/screening"
	"github.com/watchpost/watchpost/device/uplink"
	"github.com/watchpost/watchpost/sdk/central/store"
	linkv1 "github.com/watchpost/watchpost/sdk/proto/link/v1"
	screeningv1 "github.com/watchpost/watchpost/sdk/proto/screening/v1"
)

// TestAttackEnrolment: one person, however placed, makes no post.
func TestAttackEnrolment(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	s := w.c.Store
	notThere := func(t *testing.T, b *box) {
		t.Helper()
		if _, err := s.DeviceByID(ctx, b.name); !errors.Is(err, store.ErrDevice) {
			t.Errorf("the post is registered: %v", err)
		}
	}
	ends := func(t *testing.T, err error, code fault.Code) {
		t.Helper()
		if fault.CodeOf(err) != code {
			t.Fatalf("ended in %v, must be %s", err, code)
		}
	}
	t.Run("approved by one", func(t *testing.T) {
		b := w.box()
		if approved, err := w.approve(b.propose(), "anna"); err != nil || approved {
			t.Fatal(approved, err)
		}
		_, err := s.DeviceByID(ctx, b.name)
		ends(t, err, "link.device")
	})
	t.Run("the same approver twice", func(t *testing.T) {
		b := w.box()
		p := b.propose()
		if _, err := w.approve(p, "anna"); err != nil {
			t.Fatal(err)
		}
		_, err := w.approve(p, "anna")
		ends(t, err, "approve.same_operator")
		notThere(t, b)
	})
	t.Run("the same key under a second name", func(t *testing.T) {
		ends(t, s.AddOperator(ctx, "anna-2", keyOf("anna").Public().(ed25519.PublicKey), nil, "test"), "central.operator_exists")
	})
	t.Run("somebody who may not", func(t *testing.T) {
		b := w.box()
		_, err := w.approve(b.propose(), "mallory")
		ends(t, err, "approve.unknown_operator")
		notThere(t, b)
	})
	t.Run("in another's name", func(t *testing.T) {
		b := w.box()
		p := b.propose()
		_, err := s.Approve(ctx, p.ID, "boris", linkv1.SignApproval("enrolment", p.Content, keyOf("mallory")), time.Hour)
		ends(t, err, "approve.signature")
	})
	t.Run("a signature for another request", func(t *testing.T) {
		p, other := w.box().propose(), w.box().propose()
		_, err := s.Approve(ctx, p.ID, "anna", linkv1.SignApproval("enrolment", other.Content, keyOf("anna")), time.Hour)
		ends(t, err, "approve.signature")
	})
	t.Run("a signature for another kind", func(t *testing.T) {
		p := w.box().propose()
		_, err := s.Approve(ctx, p.ID, "anna", linkv1.SignApproval("list", p.Content, keyOf("anna")), time.Hour)
		ends(t, err, "approve.signature")
	})
	t.Run("an operator who has left", func(t *testing.T) {
		if err := s.AddOperator(ctx, "dora", keyOf("dora").Public().(ed25519.PublicKey), nil, "test"); err != nil {
			t.Fatal(err)
		}
		if err := s.RetireOperator(ctx, "dora", "test"); err != nil {
			t.Fatal(err)
		}
		_, err := w.approve(w.box().propose(), "dora")
		ends(t, err, "approve.unknown_operator")
	})
	t.Run("with somebody who has left since", func(t *testing.T) {
		if err := s.AddOperator(ctx, "emil", keyOf("emil").Public().(ed25519.PublicKey), nil, "test"); err != nil {
			t.Fatal(err)
		}
		b := w.box()
		p := b.propose()
		if _, err := w.approve(p, "emil"); err != nil {
			t.Fatal(err)
		}
		if err := s.RetireOperator(ctx, "emil", "test"); err != nil { // his key was stolen, say
			t.Fatal(err)
		}
		if done, err := w.approve(p, "anna"); err != nil || done {
			t.Fatalf("the word of who has left counts: %v, %v", done, err)
		}
		notThere(t, b)
		if done, err := w.approve(p, "boris"); err != nil || !done {
			t.Fatalf("two do not suffice: %v, %v", done, err)
		}
	})
	t.Run("too late", func(t *testing.T) {
		b := w.box()
		p := b.propose()
		w.exec("UPDATE proposals SET expires = now() - interval '1 second' WHERE id = $1", p.ID)
		_, err := w.approve(p, "anna")
		ends(t, err, "approve.expired")
	})
	t.Run("withdrawn before", func(t *testing.T) {
		p := w.box().propose()
		if err := s.Withdraw(ctx, p.ID, "anna", "a mistake"); err != nil {
			t.Fatal(err)
		}
		_, err := w.approve(p, "boris")
		ends(t, err, "approve.not_waiting")
	})
	t.Run("approved a third time", func(t *testing.T) {
		b := w.box()
		p := b.propose()
		for _, name := range []string{"anna", "boris"} {
			if _, err := w.approve(p, name); err != nil {
				t.Fatal(err)
			}
		}
		_, err := w.approve(p, "carla")
		ends(t, err, "approve.not_waiting")
	})
	t.Run("a request with another name written in", func(t *testing.T) {
		b := w.box()
		raw := []byte(b.request)
		raw[5] ^= 1
		_, err := s.ProposeEnrolment(ctx, string(raw), "new desk", "anna")
		ends(t, err, "enrol.request")
	})
	t.Run("a request without its key's signature", func(t *testing.T) {
		b := w.box()
		other, err := nkeys.CreateUser()
		if err != nil {
			t.Fatal(err)
		}
		raw := make([]byte, 32)
		forged, err := linkv1.NewEnrolmentRequest(b.name, raw, b.recipient, time.Now(), other.Sign)
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.ProposeEnrolment(ctx, forged, "new desk", "anna")
		ends(t, err, "enrol.request")
	})
	t.Run("a name that is another's", func(t *testing.T) {
		b := w.box().enrol()
		thief := w.boxNamed(b.name)
		p := thief.propose()
		if _, err := w.approve(p, "anna"); err != nil {
			t.Fatal(err)
		}
		_, err := w.approve(p, "boris")
		ends(t, err, "central.device_exists")
		d, err := s.DeviceByID(ctx, b.name)
		if err != nil || *d.Certificate != 1 {
			t.Errorf("%+v, %v", d, err)
		}
	})
	t.Run("a retired post again", func(t *testing.T) {
		b := w.box().enrol()
		if err := s.RetireDevice(ctx, b.name, "test", ""); err != nil {
			t.Fatal(err)
		}
		b.show()
		p := b.propose()
		if _, err := w.approve(p, "anna"); err != nil {
			t.Fatal(err)
		}
		_, err := w.approve(p, "boris")
		ends(t, err, "central.device_exists")
	})
}

// TestAttackIdentity: posts that are not, or are no longer, who they say.
func TestAttackIdentity(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	s := w.c.Store
	question := &linkv1.Call{What: &linkv1.Call_Ask{Ask: &screeningv1.AskRequest{Encounter: "e", Officer: "o", Purpose: "p"}}}
	ask := func(b *box) fault.Code {
		return b.call(linkv1.AskSubject(b.name), &linkv1.Call{What: question.What})
	}
	is := func(t *testing.T, got, want fault.Code) {
		t.Helper()
		if got != want {
			t.Fatalf("ended in %q, must be %q", got, want)
		}
	}
	incidents := func(b *box) (n int) {
		all, err := s.Incidents(ctx, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range all {
			if i.Device == b.name && i.Code == "device.cloned" {
				n++
			}
		}
		return n
	}
	t.Run("revoked device", func(t *testing.T) {
		b := w.box().enrol()
		l := b.link()
		if err := s.RetireDevice(ctx, b.name, "test", ""); err != nil {
			t.Fatal(err)
		}
		_, err := l.Ask(ctx, screening.Question{Encounter: "e", Officer: "o", Purpose: "p", Documents: []screening.DocumentProbe{{Number: "X"}}})
		is(t, fault.CodeOf(err), "link.device")
	})
	t.Run("missing device", func(t *testing.T) {
		b := w.box().enrol()
		if err := s.SetMissing(ctx, b.name, true, "test", ""); err != nil {
			t.Fatal(err)
		}
		is(t, b.hello(says(1, 1, 1)), "link.missing")
	})
	t.Run("cloned device: two runs of one start", func(t *testing.T) {
		b := w.box().enrol()
		is(t, b.hello(says(3, 1, 1)), "")
		is(t, b.hello(says(3, 2, 1)), "post.counter")
		is(t, b.hello(says(3, 1, 2)), "post.counter") // both are marked
		is(t, ask(b), "post.counter")
		if incidents(b) != 1 {
			t.Errorf("%d incidents", incidents(b))
		}
	})
	t.Run("cloned device: the copy has started once more", func(t *testing.T) {
		b := w.box().enrol()
		is(t, b.hello(says(3, 1, 1)), "")
		is(t, b.hello(says(4, 2, 1)), "") // it could be the same box, started again
		is(t, b.hello(says(3, 1, 2)), "post.counter")
		is(t, b.hello(says(4, 2, 2)), "post.counter")
		if incidents(b) != 1 {
			t.Errorf("%d incidents", incidents(b))
		}
	})
	t.Run("cloned device: a copy of its memory", func(t *testing.T) {
		b := w.box().enrol()
		is(t, b.hello(says(3, 1, 7)), "")
		is(t, b.hello(says(3, 1, 8)), "")
		is(t, b.hello(says(3, 1, 8)), "post.counter")
	})
	t.Run("an old disk image put back", func(t *testing.T) {
		b := w.box().enrol()
		is(t, b.hello(says(9, 1, 1)), "")
		is(t, b.hello(says(8, 2, 1)), "post.counter")
	})
	t.Run("expired certificate", func(t *testing.T) {
		b := w.box().enrol()
		l := b.link()
		w.exec("UPDATE devices SET expires = now() - interval '1 day' WHERE id = $1", b.name)
		_, err := l.Ask(ctx, screening.Question{Encounter: "e", Officer: "o", Purpose: "p", Documents: []screening.DocumentProbe{{Number: "X"}}})
		is(t, fault.CodeOf(err), "link.expired")
	})
	t.Run("certificate expired for a year", func(t *testing.T) {
		b := w.box().enrol()
		w.exec("UPDATE devices SET expires = now() - interval '1 year' WHERE id = $1", b.name)
		is(t, b.hello(says(1, 1, 1)), "link.expired")
		b.show() // a new request of the same keys, and two who approve it
		b.enrol()
		is(t, b.hello(says(1, 1, 2)), "")
	})
	t.Run("unsigned presence", func(t *testing.T) {
		b := w.box().enrol()
		stranger, err := nkeys.CreateUser()
		if err != nil {
			t.Fatal(err)
		}
		b.signer = stranger // it connects as itself and signs as another
		is(t, b.hello(says(1, 1, 1)), "call.invalid")
	})
	t.Run("presence in another's name", func(t *testing.T) {
		a, b := w.box().enrol(), w.box().enrol()
		is(t, a.call(linkv1.HelloSubject(a.name), &linkv1.Call{Post: b.name, What: &linkv1.Call_Hello{Hello: says(1, 1, 1)}}), "call.invalid")
	})
	t.Run("wrong device subject", func(t *testing.T) {
		a, b := w.box().enrol(), w.box().enrol()
		a.speaksFor(t, b)
	})
	t.Run("a question on the hello's subject", func(t *testing.T) {
		b := w.box().enrol()
		is(t, b.call(linkv1.HelloSubject(b.name), &linkv1.Call{What: question.What}), "call.invalid")
	})
	t.Run("a hello on the question's subject", func(t *testing.T) {
		b := w.box().enrol()
		is(t, b.call(linkv1.AskSubject(b.name), &linkv1.Call{What: &linkv1.Call_Hello{Hello: says(1, 1, 1)}}), "call.invalid")
	})
	for name, change := range map[string]func(h *linkv1.HelloRequest){
		"hello without a run":        func(h *linkv1.HelloRequest) { h.Run = nil },
		"hello with no starts":       func(h *linkv1.HelloRequest) { h.Starts = 0 },
		"hello with too many lists":  func(h *linkv1.HelloRequest) { h.Lists = make([]*linkv1.HeldList, linkv1.MaxHeld+1) },
		"hello with a list unnamed":  func(h *linkv1.HelloRequest) { h.Lists = []*linkv1.HeldList{{}} },
		"hello with endless text":    func(h *linkv1.HelloRequest) { h.Version = string(make([]byte, 65)) },
		"receipts without end":       func(h *linkv1.HelloRequest) { h.Receipts = make([]*linkv1.CommandReceipt, linkv1.MaxReceipts+1) },
		"a receipt for no order":     func(h *linkv1.HelloRequest) { h.Receipts = []*linkv1.CommandReceipt{{Number: 1}} },
		"a digest of another length": func(h *linkv1.HelloRequest) { h.AuditSha256 = make([]byte, 31) },
	} {
		t.Run(name, func(t *testing.T) {
			b := w.box().enrol()
			h := says(1, 1, 1)
			change(h)
			is(t, b.hello(h), "call.invalid")
		})
	}
}

// TestAttackOrders: orders at central.
func TestAttackOrders(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	s := w.c.Store
	a, b := w.box().enrol(), w.box().enrol()
	recall := func(devices ...string) store.Proposal {
		t.Helper()
		o := &linkv1.Order{ExpiresMs: time.Now().Add(time.Hour).UnixMilli(), Reason: "test", What: &linkv1.Order_Recall{Recall: &linkv1.RecallRecord{List: "l", Record: "r"}}}
		p, err := s.ProposeOrder(ctx, o, devices, "l/r", "anna")
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	both := func(p store.Proposal) error {
		_, err := w.approve(p, "anna")
		if err == nil {
			_, err = w.approve(p, "boris")
		}
		return err
	}
	state := func(p store.Proposal, device string) string {
		t.Helper()
		all, err := s.OrderStates(ctx, p.ID)
		at := slices.IndexFunc(all, func(o store.OrderState) bool { return o.Device == device })
		if err != nil || at < 0 {
			t.Fatalf("%v, %v", all, err)
		}
		return all[at].State
	}
	t.Run("approved by one goes to nobody", func(t *testing.T) {
		p := recall()
		if _, err := w.approve(p, "anna"); err != nil {
			t.Fatal(err)
		}
		if due, err := s.Hello(ctx, a.name, says(1, 1, 1)); err != nil || len(due.Orders) != 0 {
			t.Fatalf("%v, %v", due.Orders, err)
		}
		if _, err := w.approve(p, "anna"); !errors.Is(err, store.ErrSameOperator) {
			t.Fatalf("the same approver twice: %v", err)
		}
	})
	t.Run("overtaken by a later one", func(t *testing.T) {
		early, late := recall(a.name, b.name), recall(b.name)
		if err := both(late); err != nil {
			t.Fatal(err)
		}
		if err := both(early); !errors.Is(err, store.ErrOvertaken) {
			t.Fatalf("ended in %v, must be order.overtaken", err)
		}
		if state(early, a.name) != "proposed" {
			t.Error("half of it was sent")
		}
	})
	t.Run("another post's receipt", func(t *testing.T) {
		p := recall(a.name)
		if err := both(p); err != nil {
			t.Fatal(err)
		}
		h := says(1, 1, 1)
		h.Receipts = []*linkv1.CommandReceipt{{Number: 1, OrderSha256: linkv1.OrderDigest(p.Content)}}
		if code := b.hello(h); code != "" {
			t.Fatal(code)
		}
		if got := state(p, a.name); got != "sent" {
			t.Fatalf("the order is %s at the other post", got)
		}
	})
	t.Run("a receipt changed afterwards", func(t *testing.T) {
		p := recall(a.name)
		if err := both(p); err != nil {
			t.Fatal(err)
		}
		for i, code := range []string{"", "command.expired"} {
			h := says(1, 1, uint64(2+i))
			h.Receipts = []*linkv1.CommandReceipt{{Number: 1, OrderSha256: linkv1.OrderDigest(p.Content), Code: code}}
			if code := a.hello(h); code != "" {
				t.Fatal(code)
			}
		}
		if got := state(p, a.name); got != "done" {
			t.Fatalf("the order is %s", got)
		}
	})
	t.Run("for a post that is not there", func(t *testing.T) {
		o := &linkv1.Order{ExpiresMs: time.Now().Add(time.Hour).UnixMilli(), Reason: "test", What: &linkv1.Order_Wipe{Wipe: &linkv1.WipePost{}}}
		if _, err := s.ProposeOrder(ctx, o, []string{a.name, "nobody"}, "x", "anna"); !errors.Is(err, store.ErrDevice) {
			t.Fatal(err)
		}
	})
	t.Run("no order at all", func(t *testing.T) {
		o := &linkv1.Order{ExpiresMs: time.Now().Add(time.Hour).UnixMilli(), Reason: "test"}
		if _, err := s.ProposeOrder(ctx, o, nil, "x", "anna"); fault.CodeOf(err) != "order.form" {
			t.Fatal(err)
		}
	})
}

// TestFleet: a post is enrolled, seen with what it holds, ordered and
// receipted, and has its certificate renewed after a long absence.
func TestFleet(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	b := w.box().enrol()
	certificates := make(chan string, 4)
	took := make(chan *linkv1.SignedOrder, 4)
	c := uplink.Contact{
		Link: b.link(), Starts: 1, Run: make([]byte, 16), Every: time.Hour, Log: quiet,
		Tell: func() uplink.Presence {
			return uplink.Presence{Version: "1.2", Lists: []*linkv1.HeldList{{List: "l", Generation: 4}}, AuditNumber: 7, AuditLines: 90, Waiting: 3}
		},
		Orders: taker{took}, Renewed: func(s string, _ uint64) { certificates <- s },
	}
	keep, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- c.Keep(keep) }()
	select {
	case <-certificates: // the first: it had none
	case <-time.After(wait):
		t.Fatal("no certificate")
	}
	o := &linkv1.Order{ExpiresMs: time.Now().Add(time.Hour).UnixMilli(), Reason: "test", What: &linkv1.Order_Recall{Recall: &linkv1.RecallRecord{List: "l", Record: "r"}}}
	p, err := w.c.Store.ProposeOrder(ctx, o, nil, "l/r", "anna")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"boris", "carla"} {
		if _, err := w.approve(p, name); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case s := <-took: // the poke brought it: the next hello is an hour away
		if len(s.Signatures) != 2 || s.Signatures[0].By != "boris" {
			t.Errorf("%v", s.Signatures)
		}
	case <-time.After(wait):
		t.Fatal("the order did not come")
	}
	w.again(func() error {
		all, err := w.c.Store.OrderStates(ctx, p.ID)
		if err != nil || len(all) != 1 || all[0].State != "done" {
			return errors.Join(err, errors.New("no receipt"))
		}
		return nil
	})
	fleet, err := w.c.Store.Fleet(ctx)
	if err != nil || len(fleet) != 1 {
		t.Fatal(fleet, err)
	}
	if f := fleet[0]; f.Version != "1.2" || len(f.Lists) != 1 || f.Lists[0].Generation != 4 || f.AuditNumber != 7 || f.AuditLines != 90 || f.Waiting != 3 || f.Told == nil || f.Orders != 0 {
		t.Errorf("%+v", f)
	}
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}

	// A winter in a store: the certificate has run out, and is renewed by the
	// first hello; then the post may do all again.
	w.exec("UPDATE devices SET expires = now() - interval '30 days' WHERE id = $1", b.name)
	l := b.link()
	again := uplink.Contact{Link: l, Starts: 2, Run: make([]byte, 16), Every: time.Hour, Log: quiet, Renewed: func(s string, _ uint64) { certificates <- s }}
	keep, stop = context.WithCancel(ctx)
	defer stop()
	go func() { done <- again.Keep(keep) }()
	select {
	case <-certificates:
	case <-time.After(wait):
		t.Fatal("the certificate was not renewed")
	}
	w.again(func() error {
		_, err := l.Ask(ctx, screening.Question{Encounter: "e", Officer: "o", Purpose: "p", Documents: []screening.DocumentProbe{{Number: "X"}}})
		if fault.CodeOf(err) != "source.unavailable" { // central holds no list
			return errors.Join(err, errors.New("not as before"))
		}
		return nil
	})
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

type taker struct{ took chan *linkv1.SignedOrder }

func (t taker) Last() uint64   { return 0 }
func (t taker) Locked() uint64 { return 0 }
func (t taker) Take(_ context.Context, s *linkv1.SignedOrder) (*linkv1.CommandReceipt, error) {
	t.took <- s
	return &linkv1.CommandReceipt{Number: 1, OrderSha256: linkv1.OrderDigest(s.Content)}, nil
}
