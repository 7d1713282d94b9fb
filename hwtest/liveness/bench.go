package liveness

import (
	"math/rand/v2"

	"github.com/watchpost/watchpost/device/biometric/pad"
)

// Row is what one species made of one kind of challenge.
type Row struct {
	Species string
	Kind    pad.Kind
	Trials  int
	Results map[pad.Result]int
	Reasons map[string]int
}

// Share is how many of the trials ended so, 0 to 1.
func (r Row) Share(result pad.Result) float64 {
	return float64(r.Results[result]) / float64(max(1, r.Trials))
}

// sameCosine is the cosine from which frames are taken for one person's: the
// threshold of a false match rate of 1e-2, for turned faces are less alike.
const sameCosine = 0.91

// Run presents every species to challenges of the kinds, trials times each.
// People, rooms and challenges follow from seed.
func Run(trials int, seed uint64, kinds ...pad.Kind) ([]Row, error) {
	var rows []Row
	for _, kind := range kinds {
		for i, species := range AllSpecies() {
			row := Row{Species: species, Kind: kind, Trials: trials, Results: map[pad.Result]int{}, Reasons: map[string]int{}}
			for k := range trials {
				r := rand.New(rand.NewPCG(seed, uint64(kind)<<48|uint64(i)<<32|uint64(k)))
				c, err := pad.Draw(kind, r)
				if err != nil {
					return nil, err
				}
				frames, err := Present(r, species, c)
				if err != nil {
					return nil, err
				}
				v := pad.Judge(c, frames, sameCosine)
				row.Results[v.Result]++
				row.Reasons[v.Reason]++
			}
			rows = append(rows, row)
		}
	}
	return rows, nil
}
