package local

import (
	"context"
	"fmt"
	"math"

	"github.com/watchpost/watchpost/device/biometric/finger"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/screening"
	"github.com/watchpost/watchpost/device/watchlist/fingers"
)

// Fingers that agree: one alone never alarms (design section 10), whatever
// its score; a second counts where one comparison in a hundred of different
// fingers looks as alike at most.
const (
	alarmFingers  = 2
	alarmEachRate = 1e-2
)

// persons is how many people's fingers are searched over all lists.
func (s *Source) persons() int {
	n := 0
	for _, l := range s.lists {
		n += len(l.fingers.Records)
	}
	return n
}

// fingerProbes reads the probes of a question. Their records come of the
// capture process: one that cannot be read is told, and the others searched.
func fingerProbes(all []screening.FingerProbe) (probes []fingers.Probe, problem error) {
	for i, f := range all {
		views, err := finger.ParseRecord(f.Template)
		if err == nil && (f.Position < 0 || f.Position > fingers.MaxPosition) {
			err = fault.New(finger.ErrRecord.Code, "position %d", f.Position)
		}
		if err == nil && len(probes) == finger.MaxFingers {
			err = fault.New(finger.ErrRecord.Code, "more than %d fingers", finger.MaxFingers)
		}
		if err != nil {
			problem = fault.New(fault.CodeOf(err), "finger %d: %w", i, err)
			continue
		}
		t := views[0].Template
		if f.Quality > 0 {
			t.Quality = f.Quality
		}
		position := f.Position
		if position == 0 {
			position = int(min(views[0].Position, fingers.MaxPosition))
		}
		probes = append(probes, fingers.Probe{Position: position, Template: t})
	}
	return probes, problem
}

// searchFingers searches the list's prints. A candidate's rate is that of a
// whole search: over all people of all lists.
func (a *answer) searchFingers(ctx context.Context) error {
	in := a.list.fingers
	probes, problem := fingerProbes(a.q.Fingers)
	if problem != nil {
		a.coverage.NotAsked[screening.Finger] = string(fault.CodeOf(problem))
	}
	if len(probes) == 0 || len(in.Records) == 0 {
		return nil
	}
	hits, err := in.Index.Search(ctx, fingers.Query{Probes: probes, Top: a.source.limits.MaxCandidates})
	if err != nil {
		return err
	}
	all := float64(a.source.persons()) / float64(len(in.Records))
	for _, h := range hits {
		fpir := -math.Expm1(all * math.Log1p(-min(h.FPIR, 1-1e-15)))
		if fpir > a.source.limits.FPIR {
			continue
		}
		r, err := a.list.generation.Get(in.Records[h.Person])
		if err != nil {
			return err
		}
		a.add(r, screening.Score{
			Modality: screening.Finger, Value: h.Score, FMR: finger.SumFMR(h.Score, len(h.Fingers)), FPIR: fpir,
			Explain: fmt.Sprintf("%d of %d fingers agree, log-likelihood ratio %.1f, list of %d people", agreeing(h), len(h.Fingers), h.Score, len(in.Records)),
		}, agreeing(h) >= alarmFingers)
	}
	return nil
}

// agreeing counts the fingers that by themselves look like one finger. A
// record's prints of unknown position may all be of one: they count once.
func agreeing(h fingers.Hit) int {
	positions := map[int]bool{}
	for _, f := range h.Fingers {
		if finger.SumFMR(f.Score, 1) <= alarmEachRate {
			positions[f.Position] = true
		}
	}
	return len(positions)
}
