package screening

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/watchpost/watchpost/device/fault"
)

// Rules say which answers count. They come from the signed policy.
type Rules struct {
	// Required sources: without a whole answer of each nothing is clear.
	Required []string
	// Lists that must have been searched, by any source; empty asks for at
	// least one list of each required source.
	Lists []string
	// Performed are the modalities that each required source must have
	// searched where the question has them. Names join them once their engine
	// is in the post.
	Performed []Modality
	// MaxListAge: an older list covers nothing that could be clear.
	MaxListAge time.Duration
	// MaxCandidates bounds the candidates of an answer.
	MaxCandidates int
	// FPIR is the chance that a search of all lists may alarm wrongly on what
	// several scores say together; 0 lets them rank candidates only.
	FPIR float64
	// LateBy is how long after the deadline a source may still answer.
	LateBy time.Duration
}

// Screener asks sources. It is safe for concurrent use.
type Screener struct {
	rules   Rules
	sources []Source
	now     func() time.Time
	asking  sync.WaitGroup
}

// New returns a screener. It refuses rules that cannot be met: a required
// source that is not there, two sources of one name, no room for candidates.
func New(rules Rules, now func() time.Time, sources ...Source) (*Screener, error) {
	names := map[string]bool{}
	for _, s := range sources {
		if names[s.Name()] {
			return nil, fault.New("screening.rules", "two sources are named %s", s.Name())
		}
		names[s.Name()] = true
	}
	for _, r := range rules.Required {
		if !names[r] {
			return nil, fault.New("screening.rules", "the required source %s is not there", r)
		}
	}
	if len(rules.Required) == 0 || rules.MaxCandidates < 1 || rules.MaxListAge <= 0 {
		return nil, fault.New("screening.rules", "rules name at least one required source, a largest age and room for candidates")
	}
	return &Screener{rules: rules, sources: sources, now: now}, nil
}

// Wait returns when no source is being asked any more. Cancelled contexts end
// questions; their deadlines do not, for late hits.
func (s *Screener) Wait() { s.asking.Wait() }

// Screen asks every source at once and answers when all have replied or ctx
// ends, with what it has; what is missing is said and keeps the answer from
// being clear. Replies after ctx's deadline go to late, from another
// goroutine, for at most LateBy; a ctx that is cancelled ends the asking.
func (s *Screener) Screen(ctx context.Context, q Question, late func(Reply)) Result {
	replies := make(chan Reply, len(s.sources))
	asked, stop := context.WithCancel(context.WithoutCancel(ctx))
	var each sync.WaitGroup
	for _, src := range s.sources {
		s.asking.Add(1)
		each.Go(func() {
			defer s.asking.Done()
			replies <- ask(asked, src, q)
		})
	}
	s.asking.Add(1)
	go func() {
		defer s.asking.Done()
		each.Wait()
		close(replies)
	}()

	got := gather(ctx, replies, len(s.sources))
	if len(got) == len(s.sources) {
		stop()
		return s.judge(q, got)
	}
	wait := s.rules.LateBy
	if late == nil || errors.Is(ctx.Err(), context.Canceled) {
		wait = 0
	}
	s.asking.Add(1)
	timer := time.AfterFunc(wait, stop)
	go func() {
		defer s.asking.Done()
		defer stop()
		defer timer.Stop()
		for r := range replies {
			if r.Err == nil && late != nil {
				late(r)
			}
		}
	}()
	return s.judge(q, got)
}

// gather takes n replies, or those that have come when ctx ends: after a stop of
// the machine both may be due, and who has answered has answered.
func gather(ctx context.Context, replies <-chan Reply, n int) (got []Reply) {
	for len(got) < n {
		select {
		case r := <-replies:
			got = append(got, r)
			continue
		case <-ctx.Done():
		}
		select {
		case r := <-replies:
			got = append(got, r)
		default:
			return got
		}
	}
	return got
}

func ask(ctx context.Context, src Source, q Question) Reply {
	r, err := src.Ask(ctx, q)
	r.Source = src.Name()
	r.Err = err
	return r
}

// judge makes one answer of the replies.
func (s *Screener) judge(q Question, replies []Reply) Result {
	res := Result{}
	listed := map[string]bool{}
	for _, src := range s.sources {
		at := slices.IndexFunc(replies, func(r Reply) bool { return r.Source == src.Name() })
		required := slices.Contains(s.rules.Required, src.Name())
		miss := func(what string) {
			if required {
				res.Missing = append(res.Missing, src.Name()+": "+what)
			}
		}
		switch {
		case at < 0:
			miss("source.deadline")
			continue
		case replies[at].Err != nil:
			miss(string(fault.CodeOf(replies[at].Err)))
		case len(replies[at].Coverage) == 0:
			miss("no list")
		}
		// A source that failed covers nothing, but what it found still counts.
		res.Candidates = append(res.Candidates, replies[at].Candidates...)
		for _, c := range replies[at].Coverage {
			c.Source = src.Name()
			age := s.now().Sub(c.Issued)
			// A list from the future is as little to be trusted as an old one:
			// one of the two clocks is wrong.
			c.Stale = c.Stale || age > s.rules.MaxListAge || age < -clockSlack
			res.Coverage = append(res.Coverage, c)
			lacks := s.lacking(q, c)
			for _, what := range lacks {
				miss(c.List + " " + what)
			}
			if replies[at].Err == nil && len(lacks) == 0 {
				listed[c.List] = true
			}
		}
	}
	for _, l := range s.rules.Lists {
		if !listed[l] {
			res.Missing = append(res.Missing, "list "+l+": not searched")
		}
	}
	for _, m := range []Modality{Face, Finger, Name, Document} {
		if why, ok := q.Withheld[m]; ok {
			res.Missing = append(res.Missing, string(m)+": "+why)
		}
	}
	if len(q.asks()) == 0 {
		res.Missing = append(res.Missing, "question: empty")
	}
	res.Candidates = strongest(res.Candidates, s.rules.MaxCandidates, fuser{s.rules.FPIR, searched(res.Coverage)})
	switch {
	case len(res.Candidates) > 0:
		res.Answer = Candidates
	case len(res.Missing) > 0:
		res.Answer = NotVerified
	default:
		res.Answer = Clear
	}
	return res
}

// clockSlack is how far a list's date may lie ahead of the post's clock.
const clockSlack = 10 * time.Minute

// lacking says why a list's coverage does not allow a clear.
func (s *Screener) lacking(q Question, c Coverage) []string {
	var out []string
	if c.Stale {
		out = append(out, "stale")
	}
	if c.Shards < 1 || c.Answered != c.Shards {
		out = append(out, "partial")
	}
	for _, m := range q.asks() {
		if !slices.Contains(s.rules.Performed, m) {
			continue
		}
		if why, not := c.NotAsked[m]; not {
			out = append(out, string(m)+" "+why)
		} else if !slices.Contains(c.Asked, m) {
			out = append(out, string(m)+" not_asked")
		}
	}
	return out
}

// asks returns what the question can be searched by.
func (q Question) asks() []Modality {
	var out []Modality
	for _, m := range []struct {
		modality Modality
		has      bool
	}{{Face, q.Face != nil}, {Finger, len(q.Fingers) > 0}, {Name, q.Name != nil}, {Document, len(q.Documents) > 0}} {
		if _, withheld := q.Withheld[m.modality]; m.has && !withheld {
			out = append(out, m.modality)
		}
	}
	return out
}

// Asks tells whether a source is to search by m: the question has it and it is
// not withheld.
func (q Question) Asks(m Modality) bool { return slices.Contains(q.asks(), m) }
