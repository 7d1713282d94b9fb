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
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"google.golang.org/protobuf/proto"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/screening"
	screeningv1 "github.com/watchpost/watchpost/sdk/proto/screening/v1"
)

// subject is where worker n listens. Posts cannot publish there.
func subject(n int) string { return fmt.Sprintf("search.%d", n) }

// codeHeader carries the code of an error.
const codeHeader = "Watchpost-Code"

// patienceHeader carries how long the asker waits, as time.Duration prints it.
const patienceHeader = "Watchpost-Patience"

// Searcher holds lists.
type Searcher interface {
	Ask(ctx context.Context, q screening.Question) (screening.Reply, error)
}

// Serve answers searches of shard n until the subscription is drained. At most
// parallel searches run at once; one more is refused with source.busy.
func Serve(nc *nats.Conn, n, parallel int, lists Searcher, log *slog.Logger) (*nats.Subscription, error) {
	slots := make(chan struct{}, parallel)
	sub, err := nc.Subscribe(subject(n), func(m *nats.Msg) {
		select {
		case slots <- struct{}{}:
		default:
			respond(m, nil, fault.New("source.busy", "%d searches under way", parallel), log)
			return
		}
		go func() {
			defer func() { <-slots }()
			out, err := search(m, lists)
			respond(m, out, err, log)
		}()
	})
	return sub, fault.Wrap("central.broker", err)
}

func search(m *nats.Msg, lists Searcher) (*screeningv1.AskResponse, error) {
	patience, err := time.ParseDuration(m.Header.Get(patienceHeader))
	if err != nil {
		return nil, fault.New("call.no_deadline", "a search without patience")
	}
	in := new(screeningv1.AskRequest)
	if proto.Unmarshal(m.Data, in) != nil {
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
	return response(r), nil
}

func respond(m *nats.Msg, out *screeningv1.AskResponse, err error, log *slog.Logger) {
	reply := nats.NewMsg(m.Reply)
	if err == nil {
		reply.Data, err = proto.Marshal(out)
	}
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
func Ask(ctx context.Context, nc *nats.Conn, n int, q *screeningv1.AskRequest) (*screeningv1.AskResponse, error) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return nil, fault.New("call.no_deadline", "a search needs a deadline")
	}
	raw, err := proto.Marshal(q)
	if err != nil {
		return nil, fault.Wrap("call.invalid", err)
	}
	answers, errs := make([]*screeningv1.AskResponse, n), make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { answers[i], errs[i] = one(ctx, nc, i, raw, time.Until(deadline)) })
	}
	all.Wait()
	answers = slices.DeleteFunc(answers, func(a *screeningv1.AskResponse) bool { return a == nil })
	if len(answers) == 0 {
		return nil, errors.Join(errs...)
	}
	return merge(answers, n), nil
}

func one(ctx context.Context, nc *nats.Conn, n int, question []byte, patience time.Duration) (*screeningv1.AskResponse, error) {
	m := nats.NewMsg(subject(n))
	m.Data = question
	m.Header.Set(patienceHeader, patience.String())
	reply, err := nc.RequestMsgWithContext(ctx, m)
	if err != nil {
		return nil, fault.New("source.unavailable", "shard %d: %w", n, err).AsRetryable()
	}
	if code := reply.Header.Get(codeHeader); code != "" {
		return nil, fault.New(fault.Code(code), "shard %d", n)
	}
	out := new(screeningv1.AskResponse)
	if err := proto.Unmarshal(reply.Data, out); err != nil {
		return nil, fault.New("source.unavailable", "shard %d: no answer of the form", n)
	}
	return out, nil
}

// merge joins answers of shards of the same lists.
func merge(answers []*screeningv1.AskResponse, shards int) *screeningv1.AskResponse {
	out := new(screeningv1.AskResponse)
	for _, a := range answers {
		out.Candidates = append(out.Candidates, a.Candidates...)
		for _, c := range a.Coverage {
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
