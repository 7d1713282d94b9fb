package command

import (
	"context"
	"maps"
	"slices"

	"github.com/watchpost/watchpost/device/screening"
)

// recalls are records that are not to be found any more: list, record and the
// highest edition that is meant, 0 for every one.
type recalls map[string]map[string]uint64

// with returns all and one more; of two of one record the wider holds.
func (all recalls) with(list, record string, edition uint64) recalls {
	out := maps.Clone(all)
	if out == nil {
		out = recalls{}
	}
	of := maps.Clone(out[list])
	if of == nil {
		of = map[string]uint64{}
	}
	if before, ok := of[record]; !ok || before != 0 && (edition == 0 || edition > before) {
		of[record] = edition
	}
	out[list] = of
	return out
}

func (all recalls) count() (n int) {
	for _, of := range all {
		n += len(of)
	}
	return n
}

// Recalled reports whether a candidate's record was recalled.
func (l *Ledger) Recalled(list, record string, edition uint64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	last, ok := l.state.Recalls[list][record]
	return ok && (last == 0 || edition <= last)
}

// Recalls is how many records are recalled.
func (l *Ledger) Recalls() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state.Recalls.count()
}

// Source is a source whose recalled records are not found. Whoever owns the
// list takes the record out with its next edition; until then the recall holds
// at every source that has the list, central's answers included.
type Source struct {
	screening.Source
	Ledger *Ledger
}

// Ask implements screening.Source.
func (s Source) Ask(ctx context.Context, q screening.Question) (screening.Reply, error) {
	r, err := s.Source.Ask(ctx, q)
	return s.Ledger.Without(r), err
}

// Without takes recalled records out of a reply.
func (l *Ledger) Without(r screening.Reply) screening.Reply {
	r.Candidates = slices.DeleteFunc(slices.Clone(r.Candidates), func(c screening.Candidate) bool {
		return l.Recalled(c.List, c.Record, c.Edition)
	})
	return r
}
