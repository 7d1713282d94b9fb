package shard

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"
	"google.golang.org/protobuf/proto"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/vault"
	screeningv1 "github.com/watchpost/watchpost/sdk/proto/screening/v1"
)

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
