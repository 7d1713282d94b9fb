package decode_test

import (
	"slices"
	"testing"

	"github.com/watchpost/watchpost/device/biometric/calibration"
	bioface "github.com/watchpost/watchpost/device/biometric/face"
	"github.com/watchpost/watchpost/device/biometric/template"
)

// figures are what measure found.
type figures struct {
	accuracy       float64    // mean of both folds
	plain, cohort  [3]float64 // FNMR at FMR 1e-2, 1e-3, 1e-4; with a cohort the mean of both folds
	misses, trials int        // two images against two at FMR 1e-3
}

// measure logs the figures of one engine and returns them.
func measure(t *testing.T, e enrolled, folds [2][]lfwPair) figures {
	t.Helper()
	var out figures
	one, two := e.accuracy(t, folds[1], e.threshold(t, folds[0])), e.accuracy(t, folds[0], e.threshold(t, folds[1]))
	out.accuracy = (one + two) / 2
	t.Logf("accuracy %.2f and %.2f %%, mean %.2f %%", 100*one, 100*two, 100*out.accuracy)
	files := e.files()
	faces := make([]template.Face, len(files))
	for i, f := range files {
		faces[i] = e[f]
	}
	out.plain = missRates(files, func(i, j int) float64 {
		s, _ := template.Cosine(&faces[i], &faces[j]) // one model: enrol made them
		return s
	})
	t.Logf("FNMR at FMR 1e-2 / 1e-3 / 1e-4, all cross pairs: %s", percent(out.plain))
	for k := range folds {
		plain, cohort := e.normalised(t, folds[k], k)
		t.Logf("fold %d: plain %s, with a cohort of the other fold %s", k+1, percent(plain), percent(cohort))
		for i := range cohort {
			out.cohort[i] += cohort[i] / 2
		}
	}
	t.Logf("with a cohort, mean of the folds: %s", percent(out.cohort))
	out.misses, out.trials = e.twoAgainstTwo(t, files)
	return out
}

// normalised returns the miss rates of one fold, plain and with the pictures of
// everybody else as the cohort.
func (e enrolled) normalised(t *testing.T, fold []lfwPair, k int) (plain, cohort [3]float64) {
	t.Helper()
	mine := make(map[string]bool)
	for _, p := range fold {
		mine[p.a], mine[p.b] = true, true
	}
	var probes []string
	var members []template.Face
	for _, f := range e.files() {
		if mine[f] {
			probes = append(probes, f)
		} else {
			members = append(members, e[f])
		}
	}
	t.Logf("fold %d: cohort of %d images", k+1, len(members))
	c, err := bioface.NewCohort(members)
	if err != nil {
		t.Fatal(err)
	}
	subjects := make([]bioface.Subject, len(probes))
	for i, f := range probes {
		face := e[f]
		if subjects[i], err = c.Place(&face); err != nil {
			t.Fatal(err)
		}
	}
	plain = missRates(probes, func(i, j int) float64 { return e.cosine(t, probes[i], probes[j]) })
	cohort = missRates(probes, func(i, j int) float64 {
		s, err := c.Score(subjects[i], subjects[j])
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
	return plain, cohort
}

// twoAgainstTwo averages the first two and the second two of every four
// pictures of a person, and returns how many of these trials are missed at an
// FMR of 1e-3 among trials of different people. It logs how often strangers
// reach the post's threshold for 1e-3.
func (e enrolled) twoAgainstTwo(t *testing.T, files []string) (misses, trials int) {
	t.Helper()
	var sides [2][]template.Face
	var who []string
	for i := 0; i+3 < len(files); {
		if person(files[i]) != person(files[i+3]) {
			i++
			continue
		}
		for s := range sides {
			mean, err := template.Mean([]template.Face{e[files[i+2*s]], e[files[i+2*s+1]]})
			if err != nil {
				t.Fatal(err)
			}
			sides[s] = append(sides[s], mean)
		}
		who = append(who, person(files[i]))
		i += 4
	}
	var mated, other []float64
	reach, post := 0, calibration.FaceCurve{}.ScoreAt(1e-3)
	for i := range who {
		for j := range who {
			s, err := template.Cosine(&sides[0][i], &sides[1][j])
			if err != nil {
				t.Fatal(err)
			}
			likeness, err := template.Likeness(&sides[0][i], &sides[1][j])
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case i == j:
				mated = append(mated, s)
			case who[i] != who[j]:
				other = append(other, s)
				if likeness >= post {
					reach++
				}
			}
		}
	}
	slices.Sort(other)
	at := other[len(other)-1-len(other)/1000]
	for _, s := range mated {
		if s <= at {
			misses++
		}
	}
	t.Logf("two images against two: %d of %d missed at FMR 1e-3; strangers reach the post's threshold for 1e-3 at %.2g",
		misses, len(mated), float64(reach)/float64(len(other)))
	return misses, len(mated)
}
