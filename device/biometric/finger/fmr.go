package finger

import (
	"math"
	"sync"
)

// rate ties a score to a false match rate.
type rate struct{ score, log10 float64 }

// rates are measured: 23,040 comparisons of different fingers of three FVC
// sets, as they are, degraded and by other sensors, and of invented prints. All pairs of ten
// fingers a set are no independent trials; a deploying authority measures its
// own sensors with `watchpost finger score`.
var rates = []rate{{-1.90, -1}, {0.38, -2}, {1.96, -3}, {3.16, -4}}

// FMRFloor is the lowest false match rate that the measurement supports.
const FMRFloor = 1e-4

// FMR states the false match rate of a score of two extracted templates, 1
// down to FMRFloor: how often two different fingers score as high. It never
// rises with the score. NaN gives 1, the rate that says nothing.
func FMR(score float64) float64 {
	last := rates[len(rates)-1]
	switch {
	case math.IsNaN(score):
		return 1
	case score >= last.score:
		return FMRFloor
	}
	i := 0
	for i < len(rates)-2 && score >= rates[i+1].score {
		i++
	}
	a, b := rates[i], rates[i+1]
	return min(1, math.Pow(10, a.log10+(score-a.score)*(b.log10-a.log10)/(b.score-a.score)))
}

// FingerFloor is the least that one finger adds to a sum over fingers: prints
// are mixed up, bandaged and worn, so that one finger that does not match says
// little against a person.
const FingerFloor = -2.0

// FingerScore is what a comparison's score adds to a sum over fingers.
func FingerScore(score float64) float64 { return max(FingerFloor, score) }

// plainRates are measured like rates, by minutiae only (TestFVCPlain).
var plainRates = []rate{
	{-3.53, math.Log10(0.5)}, {-3.17, math.Log10(0.4)}, {-2.76, math.Log10(0.3)}, {-2.29, math.Log10(0.2)}, {-1.59, -1},
	{-0.46, math.Log10(0.03)}, {0.46, -2}, {1.49, math.Log10(0.003)}, {2.91, -3}, {3.99, math.Log10(0.0003)}, {4.86, -4},
}

// tailDecade is how much the score rises for a tenth of the false match rate
// where nothing was measured, below 1e-4: as the likelihood ratios of different
// fingers fall where they are calibrated. The decades measured have 2.1 to 2.2.
const tailDecade = math.Ln10

// plainFMR is the false match rate of one comparison by minutiae only.
func plainFMR(score float64) float64 {
	r := plainRates
	last := r[len(r)-1]
	switch {
	case score < r[0].score:
		return 1
	case score >= last.score:
		return math.Pow(10, last.log10-(score-last.score)/tailDecade)
	}
	i := 0
	for i < len(r)-2 && score >= r[i+1].score {
		i++
	}
	a, b := r[i], r[i+1]
	return math.Pow(10, a.log10+(score-a.score)*(b.log10-a.log10)/(b.score-a.score))
}

// The distribution of sums is worked out in steps of sumStep, for up to
// MaxFingers fingers.
const (
	sumStep    = 0.1
	sumTop     = 30.0 // of one finger
	MaxFingers = 10
)

// sumRates holds, by number of fingers less one, how often a sum over the
// fingers of another person is at least FingerFloor*fingers + step*sumStep.
var sumRates = sync.OnceValue(func() (rates [MaxFingers][]float64) {
	one := make([]float64, int((sumTop-FingerFloor)/sumStep)+1)
	at := func(i int) float64 { return FingerFloor + float64(i)*sumStep }
	for i := range one {
		// A score counts as the upper end of its step, so that rates err on
		// the safe side.
		one[i] = plainFMR(at(i)-sumStep) - plainFMR(at(i))
	}
	one[0] = 1 - plainFMR(at(0))
	one[len(one)-1] += plainFMR(at(len(one) - 1))
	density := []float64{1}
	for n := range rates {
		sum := make([]float64, len(density)+len(one)-1)
		for i, p := range density {
			for k, q := range one {
				sum[i+k] += p * q
			}
		}
		density = sum
		tail, above := make([]float64, len(sum)), 0.0
		for i := len(sum) - 1; i >= 0; i-- {
			above += sum[i]
			tail[i] = above
		}
		rates[n] = tail
	}
	return rates
})

// SumFMR states the false match rate of a sum of FingerScore over the fingers
// of one person against those of another, as if fingers were independent: the
// measured distribution of one, continued below 1e-4 as its tail falls, folded
// with itself. NaN gives 1.
func SumFMR(sum float64, fingers int) float64 {
	if fingers < 1 || math.IsNaN(sum) {
		return 1
	}
	fingers = min(fingers, MaxFingers)
	tail := sumRates()[fingers-1]
	// A sum beyond the tail is as rare as its end, and no number too large.
	at := min(math.Floor((sum-FingerFloor*float64(fingers))/sumStep), float64(len(tail)-1))
	return min(1, tail[int(max(0, at))])
}
