// Package demographic measures how error rates differ between groups of
// people: ISO/IEC 19795-10:2024, "Quantifying biometric system performance
// variation across demographic groups". Non-matched comparisons are counted
// within a group, as an impostor would choose himself a person like him.
package demographic

import (
	"math"
	"math/rand/v2"
	"slices"
	"sort"

	"github.com/watchpost/watchpost/device/fault"
)

// ErrNoComparison is returned where there is nothing to measure.
var ErrNoComparison = &fault.Error{Code: "report.empty"}

// Comparison is one pair of samples. Subjects are numbered from 0; the two
// are the same number where the pair is mated.
type Comparison struct {
	SubjectA, SubjectB int
	GroupA, GroupB     string
	Score              float64 // higher is more alike
}

// Rate is a share with its 95 % interval. Of is how many comparisons it is
// counted on; where that is 0, nothing is known and the interval is 0 to 1.
type Rate struct {
	Value, Low, High float64
	Of               int
}

// Group is what was measured on one group.
type Group struct {
	Name     string
	Subjects int
	FNMR     Rate // mated pairs with a score below the threshold
	FMR      Rate // non-mated pairs of the group with a score of at least it
}

// Report holds the groups by name, and everybody together: there non-mated
// pairs of two groups count too.
type Report struct {
	Threshold float64
	Groups    []Group
	All       Group
}

// Replicates of the bootstrap; more change the intervals by less than their
// own last digit.
const replicates = 1000

// Measure counts at a threshold. Intervals are percentiles of a bootstrap over
// subjects, not over pairs, since a person's pairs err together (Bolle, Ratha
// and Pankanti, "Error analysis of pattern recognition systems", CVIU 93,
// 2004). Where no error was seen the upper end is the exact one for as many
// independent trials as there are subjects, or disjoint pairs of them. The
// same input gives the same report.
func Measure(all []Comparison, threshold float64) (Report, error) {
	if len(all) == 0 {
		return Report{}, fault.New(ErrNoComparison.Code, "no pair could be compared")
	}
	subjects := 0
	names := map[string]bool{}
	for _, c := range all {
		subjects = max(subjects, c.SubjectA+1, c.SubjectB+1)
		names[c.GroupA], names[c.GroupB] = true, true
	}
	r := Report{Threshold: threshold, All: measure(all, subjects, threshold)}
	for name := range names {
		if name == "" {
			continue // in no group
		}
		var in []Comparison
		for _, c := range all {
			if c.GroupA == name && c.GroupB == name {
				in = append(in, c)
			}
		}
		g := measure(in, subjects, threshold)
		g.Name = name
		r.Groups = append(r.Groups, g)
	}
	sort.Slice(r.Groups, func(i, j int) bool { return r.Groups[i].Name < r.Groups[j].Name })
	return r, nil
}

// Hold returns the lowest threshold at which no group's FMR, as counted, is
// above fmr, at least the given one.
func Hold(all []Comparison, threshold, fmr float64) float64 {
	scores := map[string][]float64{}
	for _, c := range all {
		if c.SubjectA != c.SubjectB && c.GroupA == c.GroupB && c.GroupA != "" {
			scores[c.GroupA] = append(scores[c.GroupA], c.Score)
		}
	}
	for _, s := range scores {
		slices.Sort(s)
		// As many as may pass stand at the end; the threshold is just above the
		// one before them.
		if i := len(s) - 1 - int(fmr*float64(len(s))); i >= 0 {
			threshold = max(threshold, math.Nextafter(s[i], math.Inf(1)))
		}
	}
	return threshold
}

func measure(in []Comparison, subjects int, threshold float64) Group {
	var g Group
	seen := make(map[int]bool)
	mated := make([]bool, len(in))
	wrong := make([]bool, len(in))
	inMated, inOther := make(map[int]bool), make(map[int]bool)
	for i, c := range in {
		seen[c.SubjectA], seen[c.SubjectB] = true, true
		mated[i] = c.SubjectA == c.SubjectB
		wrong[i] = mated[i] == (c.Score < threshold)
		if mated[i] {
			inMated[c.SubjectA] = true
		} else {
			inOther[c.SubjectA], inOther[c.SubjectB] = true, true
		}
	}
	g.Subjects = len(seen)
	count := func(weight func(i int) float64) (fnmr, fmr float64, of [2]float64) {
		var n, bad [2]float64
		for i := range in {
			k := 1
			if mated[i] {
				k = 0
			}
			w := weight(i)
			n[k] += w
			if wrong[i] {
				bad[k] += w
			}
		}
		return bad[0] / n[0], bad[1] / n[1], n
	}
	fnmr, fmr, of := count(func(int) float64 { return 1 })
	var misses, alarms []float64
	rng := rand.New(rand.NewPCG(uint64(len(in)), 19795))
	who := make([]int, 0, len(seen))
	for s := range seen {
		who = append(who, s)
	}
	slices.Sort(who)
	times := make([]float64, subjects)
	for range replicates {
		clear(times)
		for range who {
			times[who[rng.IntN(len(who))]]++
		}
		a, b, n := count(func(i int) float64 {
			if mated[i] {
				return times[in[i].SubjectA]
			}
			return times[in[i].SubjectA] * times[in[i].SubjectB]
		})
		if n[0] > 0 {
			misses = append(misses, a)
		}
		if n[1] > 0 {
			alarms = append(alarms, b)
		}
	}
	g.FNMR = interval(fnmr, int(of[0]), misses, len(inMated))
	g.FMR = interval(fmr, int(of[1]), alarms, len(inOther)/2)
	return g
}

// interval makes a rate of a value and its replicates; independent is how many
// of the trials have nobody in common.
func interval(value float64, of int, replicated []float64, independent int) Rate {
	if of == 0 || len(replicated) == 0 {
		return Rate{Low: 0, High: 1, Of: of}
	}
	slices.Sort(replicated)
	at := func(q float64) float64 { return replicated[int(q*float64(len(replicated)-1)+0.5)] }
	r := Rate{Value: value, Low: at(0.025), High: at(0.975), Of: of}
	// One-sided exact bounds where every replicate is alike.
	edge := 1 - math.Pow(0.05, 1/float64(max(independent, 1)))
	switch value {
	case 0:
		r.High = max(r.High, edge)
	case 1:
		r.Low = min(r.Low, 1-edge)
	}
	return r
}
