package finger

import (
	"errors"
	"fmt"
	"image"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/image/tiff"
)

// impressions are the prints of one FVC set (B part: fingers 101 to 110, eight
// impressions each), or of a part of it.
type impressions struct {
	name        string
	dpi         float64
	fingers     int
	each        int
	poor        bool                       // degraded on the way in
	packed      bool                       // minutiae only, as galleries keep them
	source      func(i int) (Image, error) // nil: the set's file
	alter       func(m Image, i int) Image // nil: as it is
	prints      []*Template
	comparisons map[[2]int]vector
	failed      int
}

// fvcSets returns the three sets, cut to the first fingers and impressions.
func fvcSets(fingers, each int, poor bool) []*impressions {
	out := []*impressions{{name: "fvc2002_db1_b", dpi: 500}, {name: "fvc2002_db2_b", dpi: 569}, {name: "fvc2000_db2_b", dpi: 500}}
	for _, s := range out {
		s.fingers, s.each, s.poor = fingers, each, poor
	}
	return out
}

func dataRoot(t testing.TB) string {
	root := os.Getenv("WATCHPOST_DATA")
	if root == "" {
		t.Skip("WATCHPOST_DATA is not set: nothing measured on FVC prints")
	}
	return filepath.Join(root, "fingerprint")
}

func readGrey(path string, dpi float64) (Image, error) {
	f, err := os.Open(path)
	if err != nil {
		return Image{}, err
	}
	defer f.Close()
	img, err := tiff.Decode(f)
	if err != nil {
		return Image{}, err
	}
	g, ok := img.(*image.Gray)
	if !ok {
		return Image{}, errors.New("no grey image")
	}
	return Image{Pix: g.Pix, Width: g.Rect.Dx(), Height: g.Rect.Dy(), DPI: dpi}, nil
}

// parallel runs f on all cores; next gives each the numbers 0 to n-1, then -1.
func parallel(n int, f func(next func() int)) {
	var at atomic.Int64
	var wg sync.WaitGroup
	for range runtime.NumCPU() {
		wg.Go(func() {
			f(func() int {
				if i := int(at.Add(1)) - 1; i < n {
					return i
				}
				return -1
			})
		})
	}
	wg.Wait()
}

// measure extracts and compares everything of s.
func (s *impressions) measure(t testing.TB, root string) {
	s.prints = make([]*Template, s.fingers*s.each)
	parallel(len(s.prints), func(next func() int) {
		e := NewExtractor()
		for i := next(); i >= 0; i = next() {
			path := filepath.Join(root, s.name, fmt.Sprintf("%d_%d.tif", 101+i/s.each, 1+i%s.each))
			read := s.source
			if read == nil {
				read = func(int) (Image, error) { return readGrey(path, s.dpi) }
			}
			img, err := read(i)
			if err != nil {
				t.Errorf("%s: %v", path, err)
				continue
			}
			if s.poor {
				img = degrade(img, uint64(i))
			}
			if s.alter != nil {
				img = s.alter(img, i)
			}
			if s.prints[i], err = e.Extract(&img); err != nil && !s.poor && s.alter == nil && s.source == nil {
				t.Errorf("%s: %v", path, err)
			}
			if s.packed && s.prints[i] != nil {
				s.prints[i] = packedOnly(s.prints[i])
			}
		}
	})
	s.match()
}

// match compares everything of s.
func (s *impressions) match() {
	var pairs [][2]int
	for a := range s.prints {
		if s.prints[a] == nil {
			s.failed++
			continue
		}
		for b := a + 1; b < len(s.prints); b++ {
			if s.prints[b] != nil {
				pairs = append(pairs, [2]int{a, b})
			}
		}
	}
	out := make([]vector, len(pairs))
	parallel(len(pairs), func(next func() int) {
		m := NewMatcher()
		for i := next(); i >= 0; i = next() {
			out[i] = m.compare(s.prints[pairs[i][0]], s.prints[pairs[i][1]])
		}
	})
	s.comparisons = make(map[[2]int]vector, len(pairs))
	for i, p := range pairs {
		s.comparisons[p] = out[i]
	}
}

// scores are those of genuine and impostor pairs; a print that was not
// enrolled scores below all others.
func (s *impressions) scores(f func(vector) float64) (genuine, impostor []float64) {
	for a := range s.prints {
		for b := a + 1; b < len(s.prints); b++ {
			x := math.Inf(-1)
			if v, ok := s.comparisons[[2]int{a, b}]; ok {
				x = f(v)
			}
			if a/s.each == b/s.each {
				genuine = append(genuine, x)
			} else {
				impostor = append(impostor, x)
			}
		}
	}
	return genuine, impostor
}

// errorRates are those of a set of scores, as shares.
type errorRates struct{ eer, fnmr2, fnmr3, fnmr4 float64 }

func (r errorRates) String() string {
	return fmt.Sprintf("EER %5.2f  FNMR@1e-2 %5.2f  @1e-3 %5.2f  @1e-4 %5.2f", 100*r.eer, 100*r.fnmr2, 100*r.fnmr3, 100*r.fnmr4)
}

// ratesOf pools sets under one threshold; a set has its own score if there are
// as many as sets.
func ratesOf(sets []*impressions, score ...func(vector) float64) (r errorRates, genuine, impostor []float64) {
	for k, s := range sets {
		g, i := s.scores(score[k%len(score)])
		genuine, impostor = append(genuine, g...), append(impostor, i...)
	}
	slices.Sort(genuine)
	slices.Sort(impostor)
	fnmr := func(t float64) float64 {
		i, _ := slices.BinarySearch(genuine, t)
		return float64(i) / float64(len(genuine))
	}
	fmr := func(t float64) float64 {
		i, _ := slices.BinarySearch(impostor, t)
		return float64(len(impostor)-i) / float64(len(impostor))
	}
	all := append(slices.Clone(genuine), impostor...)
	slices.Sort(all)
	all = append(all, math.Inf(1))
	gap := 2.0
	at := func(limit float64) float64 {
		for _, t := range all {
			if fmr(t) <= limit {
				return fnmr(t)
			}
		}
		return 1
	}
	for _, t := range all {
		if d := math.Abs(fnmr(t) - fmr(t)); d < gap {
			gap, r.eer = d, (fnmr(t)+fmr(t))/2
		}
	}
	r.fnmr2, r.fnmr3, r.fnmr4 = at(1e-2), at(1e-3), at(1e-4)
	return r, genuine, impostor
}

func shipped(v vector) float64 { return v.llr(false) }

// TestFVC measures a small part of the three sets, so that a change that
// breaks the engine is seen at once; TestFVCRotation measures all.
func TestFVC(t *testing.T) {
	root := dataRoot(t)
	sets := fvcSets(3, 3, false)
	for _, s := range sets {
		s.measure(t, root)
	}
	r, genuine, impostor := ratesOf(sets, shipped)
	t.Logf("%d genuine, %d impostor: %v", len(genuine), len(impostor), r)
	if r.eer > 0.03 || r.fnmr2 > 0.04 {
		t.Error("the engine has become worse: run TestFVCRotation with WATCHPOST_SOAK=1")
	}
}

// group is what one kind of sensor shows of the three sets, or invented prints.
type group struct {
	name string
	sets []*impressions
}

// groups are the prints that weights are fitted on: the three sets as they are
// and degraded, four impressions of each finger by other sensors, and
// invented ones.
func groups() (all []group) {
	all = append(all, group{"as they are", fvcSets(10, 8, false)}, group{"degraded", fvcSets(10, 8, true)})
	for k, see := range sensors {
		sets := fvcSets(10, 4, false)
		for i := range sets {
			sets[i].alter = func(m Image, at int) Image {
				return see.see(&m, rand.New(rand.NewPCG(uint64(1000*k+100*i+at), 11)))
			}
		}
		all = append(all, group{see.name, sets})
	}
	return append(all, group{"invented, hard 0.5", []*impressions{invented(10, 4, 0.5)}}, group{"invented, hard 1", []*impressions{invented(10, 4, 1)}})
}

// flat are the sets of groups, without those of one name.
func flat(all []group, but string) (sets []*impressions) {
	for _, g := range all {
		for _, s := range g.sets {
			if s.name != but {
				sets = append(sets, s)
			}
		}
	}
	return sets
}

// TestFVCRotation measures the three sets whole, as they are, degraded and as
// other sensors would show them: with the shipped weights, and with weights
// fitted without the set that is reported. It prints the weights to ship.
func TestFVCRotation(t *testing.T) {
	root := dataRoot(t)
	if os.Getenv("WATCHPOST_SOAK") == "" {
		t.Skip("WATCHPOST_SOAK is not set: only TestFVC's part of the prints is measured")
	}
	all := groups()
	for _, g := range all {
		for _, s := range g.sets {
			s.measure(t, root)
		}
	}
	sets := all[0].sets
	now := fit(flat(all, ""), 4)
	fitted := map[string][features + 1]float64{"invented": now}
	for _, s := range sets {
		fitted[s.name] = fit(flat(all, s.name), 4)
	}
	turned := func(s *impressions) func(vector) float64 {
		w := fitted[s.name]
		return func(v vector) float64 { return v.weigh(w) }
	}
	shipped := func(*impressions) func(vector) float64 { return shipped }
	for _, how := range []struct {
		name  string
		score func(*impressions) func(vector) float64
	}{
		{"shipped", shipped},
		{"fitted now", func(*impressions) func(vector) float64 { return func(v vector) float64 { return v.weigh(now) } }},
		{"rotation", turned},
	} {
		rate := func(sets ...*impressions) (errorRates, []float64, []float64) {
			var scores []func(vector) float64
			for _, s := range sets {
				scores = append(scores, how.score(s))
			}
			return ratesOf(sets, scores...)
		}
		for _, s := range sets {
			r, _, _ := rate(s)
			t.Logf("%-10s %-36s %v, not enrolled %d", how.name, s.name, r, s.failed)
		}
		easy, _, _ := rate(sets[:2]...)
		t.Logf("%-10s %-36s %v", how.name, "2002 DB1+DB2 pooled", easy)
		total, _, impostor := rate(flat(all, "")...)
		at := impostor[len(impostor)-1-len(impostor)/1000]
		for _, g := range all {
			r, mates, others := rate(g.sets...)
			failed := 0
			for _, s := range g.sets {
				failed += s.failed
			}
			t.Logf("%-10s %-36s %v; not enrolled %d; at the one threshold FMR %.2f FNMR %.2f", how.name, g.name, r, failed, 100*share(others, at), 100-100*share(mates, at))
		}
		t.Logf("%-10s %-36s %v", how.name, "everything, one threshold", total)
		if how.name == "shipped" && (easy.eer > 0.013 || easy.fnmr3 > 0.025) {
			t.Errorf("2002 DB1+DB2: %v", easy)
		}
		for _, q := range []float64{1e-1, 1e-2, 1e-3, 3e-4, 1e-4} {
			t.Logf("%-10s score at FMR %v, everything: %.2f", how.name, q, impostor[len(impostor)-1-int(q*float64(len(impostor)))])
		}
	}
	t.Logf("weights of all: %.4f", now)
	for _, s := range sets {
		if s.failed > 0 {
			t.Errorf("%s: %d not enrolled", s.name, s.failed)
		}
	}
}

// fit is a logistic regression on the first few impressions of each finger,
// so that all sensors weigh the same, in which the genuine and the impostor pairs
// weigh the same, by Newton's method with a little ridge.
func fit(sets []*impressions, each int) (w [features + 1]float64) {
	const n = features + 1
	var xs [][n]float64
	var mates []bool
	count := map[bool]float64{}
	for _, s := range sets {
		for p, v := range s.comparisons {
			if p[0]%s.each >= each || p[1]%s.each >= each {
				continue
			}
			x := [n]float64{1}
			copy(x[1:], v[:])
			mate := p[0]/s.each == p[1]/s.each
			xs, mates = append(xs, x), append(mates, mate)
			count[mate]++
		}
	}
	for range 40 {
		var h [n][n + 1]float64
		for a := range n {
			h[a][a], h[a][n] = 1e-2, -1e-2*w[a]
		}
		for i, x := range xs {
			z := 0.0
			for k := range n {
				z += w[k] * x[k]
			}
			p, y := 1/(1+math.Exp(-z)), 0.0
			if mates[i] {
				y = 1
			}
			weight := 1000 / count[mates[i]]
			for a := range n {
				h[a][n] += weight * (y - p) * x[a]
				for b := range n {
					h[a][b] += weight * p * (1 - p) * x[a] * x[b]
				}
			}
		}
		for a := range n { // Gauss-Jordan; the matrix is positive definite
			for b := range n {
				if b != a {
					r := h[b][a] / h[a][a]
					for c := a; c <= n; c++ {
						h[b][c] -= r * h[a][c]
					}
				}
			}
		}
		for a := range n {
			w[a] += h[a][n] / h[a][a]
		}
	}
	return w
}
