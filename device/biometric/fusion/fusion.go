// Package fusion adds up what face, fingers, name and birth date say about one
// question, whether a person is the subject of a record, and states how often
// such a sum comes of two different people.
//
// Each part is a log-likelihood ratio L (natural logarithm) that keeps one
// promise: over comparisons of different people the mean of exp(L) is at most
// 1. Then
//
//   - the sum over independent parts keeps it (means multiply),
//   - a part cut off at a largest value keeps it,
//   - of dependent parts, whatever their dependence, the mean of their exp(L)
//     keeps it, which is what a group is given,
//   - of different people at most exp(-t) reach a sum of t (Markov's
//     inequality), which is the rate stated.
//
// These are e-values (Vovk and Wang, Annals of Statistics 49, 2021). A missing
// part is 0: it says nothing, for or against.
package fusion

import (
	"math"
	"slices"
	"strings"
)

// Kind is of what a part is made.
type Kind string

// Kinds.
const (
	Face      Kind = "face"
	Fingers   Kind = "fingers"
	Biography Kind = "name and birth date"
)

// Part is the evidence of one kind. It is made by the functions of this
// package.
type Part struct {
	Kind Kind
	// LLR keeps the promise of the package.
	LLR float64
	// Several says that the evidence has independent pieces, each of which
	// speaks for itself: fingers of different positions.
	Several bool
}

// Evidence is anything that yields a part: a face's score, fingers, a name
// with a birth date. ok is false where it says nothing.
type Evidence interface {
	Part() (p Part, ok bool)
}

// Result is what the parts say together.
type Result struct {
	LLR   float64
	Parts []Part // one a kind, strongest first
}

// Fuse adds up evidence. Several pieces of one kind are taken as fully
// dependent: two sources that scored the same face know nothing more together.
func Fuse(all ...Evidence) Result {
	kinds := make(map[Kind][]Part)
	for _, e := range all {
		if p, ok := e.Part(); ok && !math.IsNaN(p.LLR) {
			kinds[p.Kind] = append(kinds[p.Kind], p)
		}
	}
	var r Result
	for _, parts := range kinds {
		r.Parts = append(r.Parts, together(parts))
	}
	slices.SortFunc(r.Parts, func(a, b Part) int {
		switch {
		case a.LLR > b.LLR:
			return -1
		case a.LLR < b.LLR:
			return 1
		}
		return strings.Compare(string(a.Kind), string(b.Kind))
	})
	for _, p := range r.Parts {
		r.LLR += p.LLR
	}
	return r
}

// together is the mean of the likelihood ratios of parts of one kind.
func together(parts []Part) Part {
	out := Part{Kind: parts[0].Kind}
	largest := math.Inf(-1)
	for _, p := range parts {
		largest = max(largest, p.LLR)
		out.Several = out.Several || p.Several
	}
	sum := 0.0
	for _, p := range parts {
		sum += math.Exp(p.LLR - largest)
	}
	out.LLR = largest + math.Log(sum/float64(len(parts)))
	return out
}

// FMR bounds how often a comparison of two different people gives such a sum.
func (r Result) FMR() float64 { return min(1, math.Exp(-r.LLR)) }

// FPIR bounds the chance that a search among n people gives such a sum by
// accident.
func (r Result) FPIR(n int) float64 { return min(1, float64(max(n, 1))*math.Exp(-r.LLR)) }

// least is what a part must say to count as a second one: likelier by ten.
var least = math.Log(10)

// MayAlarm tells whether the sum rests on more than one thing. A face alone
// and a single finger alone never carry an alarm through fusion, and neither
// do a name and a birth date (design section 10): two kinds must speak for
// it, or fingers of several positions.
func (r Result) MayAlarm() bool {
	strong, biometric := 0, false
	for _, p := range r.Parts {
		if p.LLR < least {
			continue
		}
		strong++
		biometric = biometric || p.Kind != Biography
		if p.Kind == Fingers && p.Several {
			return true
		}
	}
	return strong > 1 && biometric
}
