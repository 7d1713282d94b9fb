// Package central is the service that posts ask and report to: it answers
// questions from lists that a post does not hold, and takes outcomes. Local
// answers never depend on it (design section 1.1).
//
// A question goes post → broker → Service → shards → Service → broker → post;
// an outcome post → broker → Service → PostgreSQL, and the signed receipt goes
// back after the commit.
package central

import (
	"context"
	"crypto/ed25519"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/watchpost/watchpost/device/audit/checkpoint"
	"github.com/watchpost/watchpost/device/audit/witness"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/sdk/central/metrics"
	"github.com/watchpost/watchpost/sdk/central/shard"
	"github.com/watchpost/watchpost/sdk/central/store"
	linkv1 "github.com/watchpost/watchpost/sdk/proto/link/v1"
	screeningv1 "github.com/watchpost/watchpost/sdk/proto/screening/v1"
)

// Limits of the service.
const (
	parallel     = 64                    // calls under way at once; more are dropped and come again
	parallelEach = 16                    // of them by one post: it sends 8 outcomes at once, and asks beside
	leastWait    = 50 * time.Millisecond // for a post that says less
	mostWait     = 10 * time.Second      // for a post that says more; none of ours does
	deliverLimit = 10 * time.Second      // one commit
	answerMargin = 20 * time.Millisecond // kept of a question's patience for the way back
	queue        = "central"             // several centrals share the work
	maxText      = 256                   // bytes of an id, officer or purpose
	maxMany      = 1000                  // adjudications or checks of an outcome
	drainLimit   = 5 * time.Second
)

// Records is the part of the store that the service uses.
type Records interface {
	Searched(ctx context.Context, s store.Search) error
	Answered(ctx context.Context, device string, call []byte, candidates int) error
	Deliver(ctx context.Context, device string, r *screeningv1.DeliverRequest) (store.Commit, error)
	TakeHead(ctx context.Context, device, key string, s witness.Submission) (checkpoint.Checkpoint, int64, error)
}

// Options of Serve.
type Options struct {
	Broker   *nats.Conn
	Identity *linkv1.Central
	KeyOf    func(post string) (ed25519.PublicKey, error)
	// BootKeyOf returns the key by which a post asks for a lease.
	BootKeyOf func(post string) (ed25519.PublicKey, error)
	// HelloKeyOf is KeyOf for hellos: a certificate that has run out does not
	// keep a post from having it renewed.
	HelloKeyOf func(post string) (ed25519.PublicKey, error)
	Posts      Posts
	Records    Records
	Shards     int        // that hold lists, from 0
	SearchKey  *vault.Key // under which searches go to workers
	// Certify writes a post's certificate; nil gives none.
	Certify         func(store.Device) (string, error)
	CertificateLife time.Duration
	Orders          Orders           // nil: nobody is told that an order waits, only asked
	Metrics         *metrics.Metrics // nil counts nothing
	Log             *slog.Logger
}

// Service is central at work. It is safe for concurrent use.
type Service struct {
	o     Options
	subs  []*nats.Subscription
	slots chan struct{}
	each  places
	work  sync.WaitGroup
	quiet func() error // ends the poking
}

// Serve takes calls until Close.
func Serve(o Options) (*Service, error) {
	s := &Service{o: o, slots: make(chan struct{}, parallel), each: places{taken: map[string]int{}}}
	for _, subject := range []string{linkv1.AskSubjects, linkv1.DeliverSubjects, linkv1.LeaseSubjects, linkv1.HelloSubjects} {
		sub, err := o.Broker.QueueSubscribe(subject, queue, s.take)
		if err != nil {
			return nil, fault.Wrap("central.broker", errors.Join(err, s.Close()))
		}
		s.subs = append(s.subs, sub)
	}
	if o.Orders != nil {
		s.quiet = s.poke(o.Orders)
	}
	return s, fault.Wrap("central.broker", o.Broker.Flush())
}

// Close takes no more calls and waits for those under way.
func (s *Service) Close() error {
	var errs []error
	if s.quiet != nil {
		errs = append(errs, s.quiet())
	}
	for _, sub := range s.subs {
		errs = append(errs, sub.Unsubscribe())
	}
	done := make(chan struct{})
	go func() { s.work.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(drainLimit):
		errs = append(errs, fault.New("central.drain", "calls are still under way after %s", drainLimit))
	}
	return errors.Join(errs...)
}

// take starts the work on one message. What is too much is dropped: the post
// asks again, and a full queue would only make every answer late.
func (s *Service) take(m *nats.Msg) {
	post, err := linkv1.PostOf(m.Subject) // the broker holds each to its own
	if err != nil || !s.each.take(post) {
		s.o.Log.Warn("call dropped", "code", "source.busy", "post", post)
		return
	}
	select {
	case s.slots <- struct{}{}:
	default:
		s.each.leave(post)
		s.o.Log.Warn("call dropped", "code", "source.busy")
		return
	}
	s.work.Go(func() {
		defer func() { <-s.slots; s.each.leave(post) }()
		s.answer(m, time.Now())
	})
}

func (s *Service) answer(m *nats.Msg, came time.Time) {
	post, err := linkv1.PostOf(m.Subject)
	if err != nil || !strings.HasPrefix(m.Reply, linkv1.InboxPrefix(post)+".") {
		// A reply elsewhere would be sent with our rights, not the post's.
		s.o.Log.Warn("call refused", "code", "call.invalid", "why", "reply subject")
		return
	}
	keyOf := s.o.KeyOf
	switch m.Subject {
	case linkv1.LeaseSubject(post):
		keyOf = s.o.BootKeyOf
	case linkv1.HelloSubject(post):
		keyOf = s.o.HelloKeyOf
	}
	call, respond, err := s.o.Identity.Open(m.Subject, m.Data, keyOf)
	if respond == nil {
		s.o.Log.Warn("call refused", "post", post, "code", "call.invalid", "cause", err)
		return
	}
	a := new(linkv1.Answer)
	if err == nil && ((call.GetLease() != nil) != (m.Subject == linkv1.LeaseSubject(post)) || (call.GetHello() != nil) != (m.Subject == linkv1.HelloSubject(post))) {
		// The boot key asks for leases and no other key does; what a subject
		// lets through is decided by its own key.
		err = fault.New("call.invalid", "a call on the subject of another")
	}
	if err == nil {
		err = s.do(call, a, came)
	}
	if err != nil {
		code := codeOf(err)
		a = &linkv1.Answer{Code: string(code), Retryable: fault.IsRetryable(err)}
		s.o.Metrics.Refused(code)
		s.o.Log.Warn("call failed", "post", post, "code", string(code), "cause", err)
	}
	wire, err := respond.Seal(a)
	if err == nil {
		err = m.Respond(wire)
	}
	if err != nil {
		s.o.Log.Warn("call not answered", "post", post, "cause", err)
	}
}

// places counts the calls of each post that are under way. Safe for concurrent
// use.
type places struct {
	mu    sync.Mutex
	taken map[string]int
}

// take reports whether a post may have one more.
func (p *places) take(post string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken[post] >= parallelEach {
		return false
	}
	p.taken[post]++
	return true
}

func (p *places) leave(post string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken[post]--; p.taken[post] == 0 {
		delete(p.taken, post)
	}
}

// waitOf is how long central works at a question of a post that waits so long.
func waitOf(patienceMS uint32) time.Duration {
	return min(max(leastWait, time.Duration(patienceMS)*time.Millisecond-answerMargin), mostWait)
}

// codeOf gives errors of the contract their published code.
func codeOf(err error) fault.Code {
	if errors.Is(err, linkv1.ErrForged) || errors.Is(err, linkv1.ErrForm) || errors.Is(err, linkv1.ErrSize) {
		return "call.invalid"
	}
	return fault.CodeOf(err)
}

func (s *Service) do(call *linkv1.Call, a *linkv1.Answer, came time.Time) error {
	switch what := call.What.(type) {
	case *linkv1.Call_Ask:
		ctx, cancel := context.WithDeadline(context.Background(), came.Add(waitOf(call.PatienceMs)))
		defer cancel()
		out, err := s.ask(ctx, call, what.Ask)
		s.o.Metrics.Searched(time.Since(came), coverage(out, err))
		a.What = &linkv1.Answer_Ask{Ask: out}
		return err
	case *linkv1.Call_Deliver:
		ctx, cancel := context.WithTimeout(context.Background(), deliverLimit)
		defer cancel()
		out, err := s.deliver(ctx, call.Post, what.Deliver)
		s.o.Metrics.Delivered(err)
		a.What = &linkv1.Answer_Deliver{Deliver: out}
		return err
	case *linkv1.Call_Head:
		ctx, cancel := context.WithTimeout(context.Background(), deliverLimit)
		defer cancel()
		out, err := s.takeHead(ctx, call.Post, what.Head)
		a.What = &linkv1.Answer_Head{Head: out}
		return err
	case *linkv1.Call_Lease:
		ctx, cancel := context.WithTimeout(context.Background(), deliverLimit)
		defer cancel()
		out, err := s.lease(ctx, call, what.Lease)
		a.What = &linkv1.Answer_Lease{Lease: out}
		return err
	case *linkv1.Call_Hello:
		ctx, cancel := context.WithTimeout(context.Background(), deliverLimit)
		defer cancel()
		out, err := s.hello(ctx, call.Post, what.Hello)
		a.What = &linkv1.Answer_Hello{Hello: out}
		return err
	}
	return fault.New("call.invalid", "no call that this central knows")
}

// coverage says how much of the lists answered, for the metrics.
func coverage(out *screeningv1.AskResponse, err error) string {
	if err != nil {
		return metrics.CoverageNone
	}
	for _, c := range out.Coverage {
		if c.Answered < c.Shards {
			return metrics.CoveragePartial
		}
	}
	return metrics.CoverageWhole
}

// ask records who asks before it searches: no search goes unrecorded, and a
// question that was seen before is not answered again.
func (s *Service) ask(ctx context.Context, call *linkv1.Call, q *screeningv1.AskRequest) (*screeningv1.AskResponse, error) {
	if _, err := shard.Question(q); err != nil {
		return nil, err
	}
	if s.o.Shards == 0 {
		return nil, fault.New("source.unavailable", "central holds no list")
	}
	err := s.o.Records.Searched(ctx, store.Search{Device: call.Post, Call: call.Id, Encounter: q.Encounter, Officer: q.Officer, Purpose: q.Purpose})
	if errors.Is(err, store.ErrUnavailable) {
		return nil, fault.Wrap("source.unavailable", err)
	}
	if err != nil {
		return nil, err
	}
	out, err := shard.Ask(ctx, s.o.Broker, s.o.Shards, s.o.SearchKey, q)
	if err != nil {
		return nil, err
	}
	// The answer does not wait for its count; who asked is recorded already.
	s.work.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), deliverLimit)
		defer cancel()
		if err := s.o.Records.Answered(ctx, call.Post, call.Id, len(out.Candidates)); err != nil {
			s.o.Log.Warn("count of candidates not recorded", "post", call.Post, "code", string(fault.CodeOf(err)))
		}
	})
	return out, nil
}

// deliver commits an outcome, then signs the receipt.
func (s *Service) deliver(ctx context.Context, post string, r *screeningv1.DeliverRequest) (*screeningv1.DeliverResponse, error) {
	if err := checkOutcome(post, r); err != nil {
		return nil, err
	}
	c, err := s.o.Records.Deliver(ctx, post, r)
	if errors.Is(err, store.ErrUnavailable) {
		return nil, fault.Wrap("sink.unavailable", err)
	}
	if err != nil {
		return nil, err
	}
	text, signature, err := s.o.Identity.SignReceipt(&linkv1.Receipt{Post: post, Id: r.Id, RequestSha256: c.SHA256, CommittedMs: c.MS})
	if err != nil {
		return nil, fault.Wrap("central.sign", err)
	}
	return &screeningv1.DeliverResponse{Receipt: text, CommittedMs: c.MS, Signature: signature}, nil
}

func checkOutcome(post string, r *screeningv1.DeliverRequest) error {
	if r.Post != post {
		return fault.New("call.invalid", "an outcome of another post")
	}
	if r.Id == "" || r.Encounter == "" || r.Officer == "" || r.ClosedMs <= 0 {
		return fault.New("call.invalid", "an outcome without id, encounter, officer or time")
	}
	for _, text := range []string{r.Id, r.Encounter, r.Officer, r.Second, r.Purpose} {
		if len(text) > maxText {
			return fault.New("call.invalid", "a field is longer than %d bytes", maxText)
		}
	}
	if len(r.Adjudications) > maxMany || len(r.Checks) > maxMany || len(r.Missing) > maxMany {
		return fault.New("call.invalid", "more than %d parts", maxMany)
	}
	if r.Outcome <= screeningv1.OutcomeKind_OUTCOME_KIND_UNKNOWN || r.Outcome > screeningv1.OutcomeKind_OUTCOME_KIND_EVACUATED {
		return fault.New("call.invalid", "no outcome")
	}
	return nil
}
