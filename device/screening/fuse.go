package screening

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/watchpost/watchpost/device/biometric/fusion"
)

// fuser adds up the scores of candidates.
type fuser struct {
	fpir   float64 // budget of an alarm, 0 = none
	people int     // searched
}

// searched is how many records were searched: lists that several sources hold
// count once.
func searched(coverage []Coverage) int {
	most := map[string]int{}
	for _, c := range coverage {
		most[c.List] = max(most[c.List], c.Records)
	}
	n := 0
	for _, records := range most {
		n += records
	}
	return n
}

// kinds are the scores that can be added up. A document number is equal or
// not; it is no matter of chance.
var kinds = map[Modality]fusion.Kind{Face: fusion.Face, Finger: fusion.Fingers, Name: fusion.Biography}

// evidence is a score as a part of the sum. A source that does not state a
// ratio has it made of its false match rate.
func (s Score) evidence() (fusion.Evidence, bool) {
	kind, ok := kinds[s.Modality]
	if !ok {
		return nil, false
	}
	llr := s.LLR
	if llr == 0 && s.FMR > 0 {
		llr = fusion.FromRate(s.FMR)
	}
	return fusion.Scored{Kind: kind, LLR: llr}, true
}

// fuse adds up a candidate's scores and tells by what it is ranked.
func (f fuser) fuse(c *Candidate) (llr float64) {
	var all []fusion.Evidence
	for _, s := range c.Scores {
		if s.Modality == Document {
			llr = math.Inf(1)
		}
		if e, ok := s.evidence(); ok {
			all = append(all, e)
		}
	}
	r := fusion.Fuse(all...)
	c.Fused = nil
	if len(r.Parts) > 1 {
		var parts []string
		for _, p := range r.Parts {
			parts = append(parts, fmt.Sprintf("%s %+.1f", p.Kind, p.LLR))
		}
		c.Fused = &Fused{LLR: r.LLR, FMR: r.FMR(), FPIR: r.FPIR(f.people), Explain: "log-likelihood ratio: " + strings.Join(parts, ", ")}
		if c.Fused.FPIR <= f.fpir && r.MayAlarm() {
			c.Alarm = true
		}
	}
	return max(llr, r.LLR)
}

// strongest orders candidates and keeps the first most. A record that several
// sources hold is there once, in its latest edition, with all scores.
func strongest(all []Candidate, most int, f fuser) []Candidate {
	type ranked struct {
		Candidate
		llr float64
	}
	var out []ranked
	for _, c := range all {
		at := slices.IndexFunc(out, func(o ranked) bool { return o.List == c.List && o.Record == c.Record })
		if at < 0 {
			out = append(out, ranked{Candidate: c})
			continue
		}
		scores, alarm := slices.Concat(out[at].Scores, c.Scores), out[at].Alarm || c.Alarm
		if c.Edition > out[at].Edition {
			out[at].Candidate = c
		}
		out[at].Scores, out[at].Alarm = dedupe(scores), alarm
	}
	for i := range out {
		slices.SortStableFunc(out[i].Scores, func(a, b Score) int { return cmp.Compare(a.FMR, b.FMR) })
		out[i].llr = f.fuse(&out[i].Candidate)
	}
	slices.SortStableFunc(out, func(a, b ranked) int {
		if a.Alarm != b.Alarm {
			if a.Alarm {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(b.llr, a.llr), cmp.Compare(lowest(a.Candidate), lowest(b.Candidate)),
			cmp.Compare(a.List, b.List), cmp.Compare(a.Record, b.Record))
	})
	best := make([]Candidate, 0, min(len(out), most))
	for _, r := range out[:min(len(out), most)] {
		best = append(best, r.Candidate)
	}
	return best
}

// dedupe drops scores that two sources made of the same record.
func dedupe(scores []Score) []Score {
	var out []Score
	for _, s := range scores {
		if !slices.ContainsFunc(out, func(o Score) bool { return o.Modality == s.Modality && o.Value == s.Value }) {
			out = append(out, s)
		}
	}
	return out
}

// lowest is the lowest false match rate of a candidate's scores.
func lowest(c Candidate) float64 {
	rate := 1.0
	for _, s := range c.Scores {
		rate = min(rate, s.FMR)
	}
	return rate
}
