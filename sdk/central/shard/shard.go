// Package shard searches parts of a list on several workers at once and says
// which of them answered. A worker holds lists in clear and is run by their
// owner or by leave of it (design section 6).
package shard

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"
	"google.golang.org/protobuf/proto"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/screening"
	"github.com/watchpost/watchpost/device/vault"
	screeningv1 "github.com/watchpost/watchpost/sdk/proto/screening/v1"
)

// subject is where one of the workers of shard n takes a search. Posts cannot
// publish there.
func subject(n int) string { return fmt.Sprintf("search.%d", n) }

// subjectAll is where all workers of shard n take it.
func subjectAll(n int) string { return fmt.Sprintf("search.%d.all", n) }

// Subjects are those that workers of shard n listen to.
func Subjects(n int) (one, all string) { return subject(n), subjectAll(n) }

const (
	replicas = "replicas" // queue group of the workers of a shard

	// When one worker has not answered after a quarter of the patience, all are
	// asked; not sooner than a search of a full shard takes, and not so late
	// that a second could not answer.
	hedgePart  = 4
	hedgeLeast = 50 * time.Millisecond
	hedgeMost  = 250 * time.Millisecond
)

// workingHeader says that a worker is at a search, workerHeader whose an answer
// is: so an asker knows when nobody is left to wait for.
const (
	workingHeader = "Watchpost-Working"
	workerHeader  = "Watchpost-Worker"
)

// searchHeader carries the id of a search, the same for all workers.
const searchHeader = "Watchpost-Search"

// codeHeader carries the code of an error.
const codeHeader = "Watchpost-Code"

// patienceHeader carries how long the asker waits, as time.Duration prints it.
const patienceHeader = "Watchpost-Patience"

// Searcher holds lists.
type Searcher interface {
	Ask(ctx context.Context, q screening.Question) (screening.Reply, error)
}

// Worker is a shard that is being served. Close ends it.
type Worker struct{ subs []*nats.Subscription }

// Close takes no more searches; those under way are answered.
func (w *Worker) Close() error {
	var errs []error
	for _, s := range w.subs {
		errs = append(errs, s.Unsubscribe())
	}
	return errors.Join(errs...)
}

// Serve answers searches of shard n until the worker is closed. At most parallel
// searches run at once; one more is refused with source.busy. Workers of the
// same n are replicas: they hold the same, and a search goes to one of them. Who
// gets no answer in time asks all; a worker that is at the search already goes
// on and does not begin it twice. Questions and answers are sealed under key, as
// central seals them: a broker between the two neither reads nor makes one.
func Serve(nc *nats.Conn, at Place, parallel int, lists Searcher, key *vault.Key, log *slog.Logger) (*Worker, error) {
	n := at.Shard
	slots := make(chan struct{}, parallel)
	known := searches{under: map[string]bool{}}
	us := nuid.Next()
	take := func(m *nats.Msg) {
		id := m.Header.Get(searchHeader)
		begun, under := known.begin(id)
		if m.Subject == subjectAll(n) && (!begun || under) {
			at := nats.NewMsg(m.Reply)
			at.Header.Set(workingHeader, us)
			if err := m.RespondMsg(at); err != nil {
				log.Warn("search not answered", "shard", m.Subject, "cause", err)
			}
		}
		if begun {
			return
		}
		done := func() { known.end(id) }
		select {
		case slots <- struct{}{}:
		default:
			done()
			respond(m, us, nil, fault.New("source.busy", "%d searches under way", parallel), log)
			return
		}
		go func() {
			defer done()
			out, err := search(m, at, id, lists, key)
			<-slots // before the answer: whoever has it may ask the next
			respond(m, us, out, err, log)
		}()
	}
	w := new(Worker)
	for _, subscribe := range []func() (*nats.Subscription, error){
		func() (*nats.Subscription, error) { return nc.QueueSubscribe(subject(n), replicas, take) },
		func() (*nats.Subscription, error) { return nc.Subscribe(subjectAll(n), take) },
	} {
		sub, err := subscribe()
		if err != nil {
			return nil, fault.Wrap("central.broker", errors.Join(err, w.Close()))
		}
		w.subs = append(w.subs, sub)
	}
	return w, nil
}

// searches are those that a worker has begun. Safe for concurrent use.
type searches struct {
	mu    sync.Mutex
	under map[string]bool // by id: still under way
	ended []string        // the oldest first
}

// keptSearches bounds what is remembered: more than come within one's patience.
const keptSearches = 4096

// begin notes that a search begins, unless it was begun before.
func (s *searches) begin(id string) (begun, under bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	under, begun = s.under[id]
	if id == "" {
		return false, false
	}
	if !begun {
		s.under[id] = true
	}
	return begun, under
}

func (s *searches) end(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id == "" {
		return
	}
	s.under[id] = false
	if s.ended = append(s.ended, id); len(s.ended) > keptSearches {
		delete(s.under, s.ended[0])
		s.ended = s.ended[1:]
	}
}

// search answers one question, sealed.
func search(m *nats.Msg, at Place, id string, lists Searcher, key *vault.Key) ([]byte, error) {
	patience, err := time.ParseDuration(m.Header.Get(patienceHeader))
	if err != nil {
		return nil, fault.New("call.no_deadline", "a search without patience")
	}
	plain, err := unseal(key, at, toWorker, id, m.Data)
	if err != nil {
		return nil, err
	}
	in := new(screeningv1.AskRequest)
	if proto.Unmarshal(plain, in) != nil {
		return nil, fault.New("call.invalid", "no question")
	}
	q, err := Question(in)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	r, err := lists.Ask(ctx, q)
	if err != nil {
		return nil, err
	}
	out, err := proto.Marshal(response(r))
	if err != nil {
		return nil, fault.Wrap("call.invalid", err)
	}
	return seal(key, at, fromWorker, id, out)
}

func respond(m *nats.Msg, us string, out []byte, err error, log *slog.Logger) {
	reply := nats.NewMsg(m.Reply)
	reply.Header.Set(workerHeader, us)
	reply.Data = out
	if err != nil {
		reply.Header.Set(codeHeader, string(fault.CodeOf(err)))
		log.Warn("search failed", "shard", m.Subject, "code", string(fault.CodeOf(err)))
	}
	if err := m.RespondMsg(reply); err != nil {
		log.Warn("search not answered", "shard", m.Subject, "cause", err)
	}
}

// Ask asks shards 0 to n-1 together and makes one response of what comes
// before ctx ends. A list's coverage counts as many shards as there are and as
// many answers as came; a list that no answer names is not in the coverage.
// An error only if no shard answered.
func Ask(ctx context.Context, nc *nats.Conn, n int, key *vault.Key, q *screeningv1.AskRequest) (*screeningv1.AskResponse, error) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return nil, fault.New("call.no_deadline", "a search needs a deadline")
	}
	raw, err := proto.Marshal(q)
	if err != nil {
		return nil, fault.Wrap("call.invalid", err)
	}
	s := &searching{nc: nc, key: key, id: nuid.Next(), prefix: nc.NewInbox() + ".", shards: make([]asking, n), patience: time.Until(deadline)}
	for i := range s.shards {
		at := Place{i, n}
		sealed, err := seal(key, at, toWorker, s.id, raw)
		if err != nil {
			return nil, err
		}
		s.shards[i] = asking{search: s, at: at, question: sealed, replies: make(chan reply, keptReplies)}
	}
	// One subscription for all shards, and one goroutine that opens what comes:
	// the transport costs more than what it carries.
	sub, err := nc.Subscribe(s.prefix+"*", s.take)
	if err != nil {
		return nil, fault.New("source.unavailable", "%w", err).AsRetryable()
	}
	defer func() { _ = sub.Unsubscribe() }() // the connection may be gone
	answers, errs := make([]*screeningv1.AskResponse, n), make([]error, n)
	var all sync.WaitGroup
	for i := range s.shards {
		if errs[i] = s.shards[i].send(subject(i)); errs[i] == nil {
			all.Go(func() { answers[i], errs[i] = s.shards[i].wait(ctx) })
		}
	}
	all.Wait()
	answers = slices.DeleteFunc(answers, func(a *screeningv1.AskResponse) bool { return a == nil })
	if len(answers) == 0 {
		return nil, errors.Join(errs...)
	}
	return merge(answers, n), nil
}

// searching is one search of all shards.
type searching struct {
	nc       *nats.Conn
	key      *vault.Key
	id       string
	prefix   string // of the subjects of answers; a shard's number follows
	shards   []asking
	patience time.Duration
}

// asking is a search of one shard.
type asking struct {
	search   *searching
	at       Place
	question []byte // sealed for the shard
	replies  chan reply
}

// reply is what came of a shard: a worker that says that it is at the search,
// or an answer, or why there is none.
type reply struct {
	working string // the worker, where it only says that
	worker  string
	nobody  bool // the broker says that nobody listens
	answer  *screeningv1.AskResponse
	err     *fault.Error
}

// keptReplies of a shard wait to be read; of one that says more, the rest is
// thrown away.
const keptReplies = 16

// take opens a message and hands it to the shard that it is for.
func (s *searching) take(m *nats.Msg) {
	n, err := strconv.Atoi(m.Subject[len(s.prefix):])
	if err != nil || n < 0 || n >= len(s.shards) {
		return
	}
	r := reply{working: m.Header.Get(workingHeader), worker: m.Header.Get(workerHeader), nobody: noResponders(m)}
	if r.working == "" {
		r.answer, r.err = read(m, s.shards[n].at, s.id, s.key)
	}
	select {
	case s.shards[n].replies <- r:
	default:
	}
}

func (a *asking) send(subject string) error {
	m := nats.NewMsg(subject)
	m.Reply, m.Data = a.search.prefix+strconv.Itoa(a.at.Shard), a.question
	m.Header.Set(patienceHeader, a.search.patience.String())
	m.Header.Set(searchHeader, a.search.id)
	if err := a.search.nc.PublishMsg(m); err != nil {
		return unavailable(a.at.Shard, err)
	}
	return nil
}

// wait waits for one of the shard's workers, and asks all of them where that
// one fails, is gone or takes long. The first answer counts.
func (a *asking) wait(ctx context.Context) (*screeningv1.AskResponse, error) {
	n, patience := a.at.Shard, a.search.patience
	hedge := time.NewTimer(min(max(patience/hedgePart, hedgeLeast), hedgeMost))
	defer hedge.Stop()
	// A worker that has failed says so; one that is slow says nothing yet. So
	// nobody is given up for being silent, and a replica has half the patience to
	// say that it is at the search which another has failed.
	var settled <-chan time.Time
	askedAll, known, refused := false, false, false
	working := map[string]bool{}
	var failed *fault.Error
	for {
		all := false
		select {
		case r := <-a.replies:
			if r.working != "" {
				working[r.working] = true
				break
			}
			if r.err == nil {
				return r.answer, nil
			}
			failed, all = r.err, true
			delete(working, r.worker)
			refused = refused || !r.nobody
			if askedAll && r.nobody && len(working) == 0 {
				return nil, failed // the broker says that nobody is there
			}
		case <-settled:
			known = true
		case <-hedge.C:
			all = true
		case <-ctx.Done():
			if failed == nil {
				failed = fault.New("source.unavailable", "shard %d: no answer", n).AsRetryable()
			}
			return nil, failed
		}
		if all && !askedAll {
			askedAll, settled = true, time.After(patience/2)
			if err := a.send(subjectAll(n)); err != nil {
				return nil, err
			}
		}
		if known && refused && len(working) == 0 {
			return nil, failed // nobody is left
		}
	}
}

func unavailable(n int, err error) *fault.Error {
	return fault.New("source.unavailable", "shard %d: %w", n, err).AsRetryable()
}

// noResponders reports whether the broker says that nobody listens.
func noResponders(m *nats.Msg) bool { return len(m.Data) == 0 && m.Header.Get("Status") == "503" }

func read(m *nats.Msg, at Place, id string, key *vault.Key) (*screeningv1.AskResponse, *fault.Error) {
	n := at.Shard
	if noResponders(m) {
		return nil, unavailable(n, nats.ErrNoResponders)
	}
	if code := m.Header.Get(codeHeader); code != "" {
		return nil, fault.New(fault.Code(code), "shard %d", n)
	}
	plain, err := unseal(key, at, fromWorker, id, m.Data)
	out := new(screeningv1.AskResponse)
	if err != nil || proto.Unmarshal(plain, out) != nil {
		return nil, fault.New("source.unavailable", "shard %d: no answer of the form", n)
	}
	return out, nil
}

// merge joins answers of shards of the same lists.
func merge(answers []*screeningv1.AskResponse, shards int) *screeningv1.AskResponse {
	out := new(screeningv1.AskResponse)
	for _, a := range answers {
		for _, c := range a.Candidates {
			for _, s := range c.Scores { // stated for a part; the others could have found a stranger as well
				s.Fpir = min(1, s.Fpir*float64(shards))
			}
		}
		out.Candidates = append(out.Candidates, a.Candidates...)
		named := map[string]bool{}
		for _, c := range a.Coverage {
			if named[c.List] {
				continue // and once for each list
			}
			named[c.List] = true
			// A worker speaks for one shard, whatever it says.
			if c.Answered >= c.Shards && c.Shards > 0 {
				c.Answered = 1
			} else {
				c.Answered = 0
			}
			at := slices.IndexFunc(out.Coverage, func(k *screeningv1.Coverage) bool { return k.List == c.List })
			if at < 0 {
				c.Shards = uint32(shards)
				out.Coverage = append(out.Coverage, c)
				continue
			}
			join(out.Coverage[at], c)
		}
	}
	slices.SortStableFunc(out.Candidates, byEvidence)
	out.Candidates = out.Candidates[:min(len(out.Candidates), MaxCandidates)]
	return out
}

// join adds what another shard of the list covered; the weaker statement of
// the two holds for both.
func join(to, c *screeningv1.Coverage) {
	if c.Generation != to.Generation {
		to.Generation, to.IssuedMs = min(to.Generation, c.Generation), min(to.IssuedMs, c.IssuedMs)
	}
	to.Records += c.Records
	to.Answered += c.Answered
	to.Stale = to.Stale || c.Stale
	to.Asked = slices.DeleteFunc(to.Asked, func(m screeningv1.Modality) bool { return !slices.Contains(c.Asked, m) })
	to.NotAsked = append(to.NotAsked, c.NotAsked...)
}

// byEvidence puts alarms first, then the lowest false match rate.
func byEvidence(a, b *screeningv1.Candidate) int {
	if a.Alarm != b.Alarm {
		if a.Alarm {
			return -1
		}
		return 1
	}
	lowest := func(c *screeningv1.Candidate) float64 {
		least := 1.0
		for _, s := range c.Scores {
			least = min(least, s.Fmr)
		}
		return least
	}
	switch la, lb := lowest(a), lowest(b); {
	case la < lb:
		return -1
	case la > lb:
		return 1
	}
	return 0
}
