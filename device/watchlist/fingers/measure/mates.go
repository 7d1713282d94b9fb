package measure

import (
	"context"
	"syscall"
	"time"

	"github.com/watchpost/watchpost/device/biometric/finger"
	"github.com/watchpost/watchpost/device/watchlist/fingers"
)

// minutiaeOnly is what a record or a packed template keeps of a print.
func minutiaeOnly(t *finger.Template) *finger.Template {
	out := &finger.Template{}
	out.Unpack(t.AppendPacked(nil))
	out.Quality = t.Quality
	return out
}

// processorTime is what this process has used of all cores, 0 where the system
// does not tell.
func processorTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// mate is a person of real fingers, enrolled with one impression of each.
type mate struct {
	real []int // fingers
	at   []int // their positions
}

// measureRow runs the searches of one kind. People of real fingers go in for
// one impression after the other; all their other impressions are searched.
// Searches without a mate take real fingers whose owner is not in.
func measureRow(ctx context.Context, x *fingers.Index, s Setup, n int, known bool) (Row, error) {
	row := Row{Fingers: n, Known: known, Threshold: threshold(s.Persons, n, known)}
	var took, worked, scores []float64
	exhaustive, found, passed := 0, 0, 0
	each := fewest(s.Real)
	m := finger.NewMatcher()
	mates := matesOf(len(s.Real), n)
	for enrolled := 0; enrolled < each && row.Mates < s.Searches; enrolled++ {
		for i, p := range mates {
			if err := x.Insert(fingers.Person(mateBase+i), p.prints(s.Real, enrolled)); err != nil {
				return row, err
			}
		}
		for shown := 0; shown < each; shown++ {
			for i, p := range mates {
				if shown == enrolled || row.Mates >= s.Searches {
					continue
				}
				probes := p.probes(s.Real, shown, known)
				start, before := time.Now(), processorTime()
				hits, err := x.Search(ctx, fingers.Query{Probes: probes, Top: 50, Workers: s.Workers})
				if err != nil {
					return row, err
				}
				took = append(took, float64(time.Since(start).Microseconds())/1000)
				worked = append(worked, float64((processorTime()-before).Microseconds())/1000)
				row.Mates++
				direct := 0.0
				for k, f := range p.real {
					direct += finger.FingerScore(m.Score(probes[k].Template, minutiaeOnly(s.Real[f][enrolled])))
				}
				if direct >= row.Threshold {
					exhaustive++
				}
				score := -1e9
				for _, h := range hits {
					if h.Person == fingers.Person(mateBase+i) {
						score = h.Score
						passed++
						if score >= row.Threshold {
							found++
						}
					}
				}
				scores = append(scores, score)
			}
		}
		for i := range mates {
			x.Delete(fingers.Person(mateBase + i))
		}
		if s.Progress != nil {
			s.Progress("searches with a mate", row.Mates, s.Searches)
		}
	}
	total := float64(row.Mates)
	row.P50, row.P95, row.CPU = quantile(took, 0.5), quantile(took, 0.95), quantile(worked, 0.5)
	row.FNIR, row.FNIRExhaustive = 1-float64(found)/total, 1-float64(exhaustive)/total
	row.Loss, row.Passed = row.FNIR-row.FNIRExhaustive, float64(passed)/total
	if err := row.others(ctx, x, s, mates, scores); err != nil {
		return row, err
	}
	return row, nil
}

// others searches for people who are not in. Positions are turned through, so
// that the same finger meets other people.
func (row *Row) others(ctx context.Context, x *fingers.Index, s Setup, mates []mate, mateScores []float64) error {
	var top []float64
	each := fewest(s.Real)
	for turn := 0; row.Others < s.Others && turn < 10; turn++ {
		for shown := 0; shown < each; shown++ {
			for _, p := range mates {
				if row.Others >= s.Others {
					continue
				}
				probes := p.probes(s.Real, shown, row.Known)
				for k := range probes {
					if row.Known {
						probes[k].Position = (p.at[k]-1+turn)%10 + 1
					}
				}
				hits, err := x.Search(ctx, fingers.Query{Probes: probes, Top: 1, Workers: s.Workers})
				if err != nil {
					return err
				}
				row.Others++
				if len(hits) > 0 {
					top = append(top, hits[0].Score)
					if hits[0].Score >= row.Threshold {
						row.False++
					}
				}
			}
		}
		if !row.Known {
			break // it would be the same searches
		}
		if s.Progress != nil {
			s.Progress("searches without a mate", row.Others, s.Others)
		}
	}
	if len(top) == 0 {
		return nil
	}
	row.Measured = quantile(top, 1-wanted)
	missed := 0
	for _, v := range mateScores {
		if v <= row.Measured {
			missed++
		}
	}
	row.FNIRMeasured = float64(missed) / float64(len(mateScores))
	return nil
}

// fewest is how many impressions every finger has.
func fewest(real [][]*finger.Template) int {
	n := len(real[0])
	for _, f := range real {
		n = min(n, len(f))
	}
	return n
}

// matesOf groups real fingers into people of n; what is left over is left out.
func matesOf(real, n int) []mate {
	var out []mate
	for i := 0; i+n <= real; i += n {
		p := mate{}
		for k := range n {
			p.real, p.at = append(p.real, i+k), append(p.at, mated[k])
		}
		out = append(out, p)
	}
	return out
}

// prints are a mate's enrolled fingers, packed.
func (p *mate) prints(real [][]*finger.Template, impression int) []fingers.Print {
	out := make([]fingers.Print, len(p.real))
	for k, f := range p.real {
		out[k] = fingers.Print{Position: p.at[k], Packed: real[f][impression].AppendPacked(nil)}
	}
	return out
}

func (p *mate) probes(real [][]*finger.Template, impression int, known bool) []fingers.Probe {
	out := make([]fingers.Probe, len(p.real))
	for k, f := range p.real {
		out[k].Template = minutiaeOnly(real[f][impression])
		if known {
			out[k].Position = p.at[k]
		}
	}
	return out
}

// threshold is the sum from which on the stated FPIR is at most wanted.
func threshold(persons, n int, known bool) float64 {
	ways := 1.0
	if !known {
		for k := range n {
			ways *= float64(10 - k)
		}
	}
	for score := float64(n) * finger.FingerFloor; ; score += 0.05 {
		if finger.SumFMR(score, n)*float64(persons)*ways <= wanted {
			return score
		}
	}
}
