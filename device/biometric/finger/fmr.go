package finger

import "math"

// rate ties a score to a false match rate.
type rate struct{ score, log10 float64 }

// rates are measured: 17,280 comparisons of different fingers of three FVC
// sets, half of them of degraded prints (TestFVCRotation). All pairs of ten
// fingers a set are no independent trials; a deploying authority measures its
// own sensors with `watchpost finger score`.
var rates = []rate{{-1.87, -1}, {0.05, -2}, {1.81, -3}, {2.92, -4}}

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
