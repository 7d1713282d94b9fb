package finger

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/image/tiff"
	"image"
)

type set struct {
	name   string
	dpi    float64
	files  []string
	prints []*Template
	vec    map[[2]int]vector
}

func loadGrey(t testing.TB, path string) Image {
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := tiff.Decode(f)
	if err != nil {
		t.Fatal(path, err)
	}
	g, ok := img.(*image.Gray)
	if !ok {
		t.Fatalf("%s: %T", path, img)
	}
	return Image{Pix: g.Pix, Width: g.Rect.Dx(), Height: g.Rect.Dy(), DPI: 500}
}

func fvcSets(t testing.TB) []*set {
	root := os.Getenv("WATCHPOST_DATA")
	if root == "" {
		t.Skip("WATCHPOST_DATA is not set: nothing measured on FVC prints")
	}
	all := []*set{{name: "fvc2002_db1_b", dpi: 500}, {name: "fvc2002_db2_b", dpi: 569}, {name: "fvc2000_db2_b", dpi: 500}}
	for _, s := range all {
		for f := 101; f <= 110; f++ {
			for i := 1; i <= 8; i++ {
				s.files = append(s.files, filepath.Join(root, "fingerprint", s.name, fmt.Sprintf("%d_%d.tif", f, i)))
			}
		}
	}
	return all
}

// parallel calls f for 0 to n-1 on all cores.
func parallel(n int, f func(worker func() int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range runtime.NumCPU() {
		wg.Go(func() {
			f(func() int {
				i := int(next.Add(1)) - 1
				if i >= n {
					return -1
				}
				return i
			})
		})
	}
	wg.Wait()
}

func (s *set) extract(t testing.TB, poor bool) {
	s.prints = make([]*Template, len(s.files))
	var spent atomic.Int64
	parallel(len(s.files), func(next func() int) {
		e := NewExtractor()
		for i := next(); i >= 0; i = next() {
			img := loadGrey(t, s.files[i])
			img.DPI = s.dpi
			if poor {
				img = degrade(img, uint64(i))
			}
			start := time.Now()
			p, err := e.Extract(&img)
			spent.Add(int64(time.Since(start)))
			if err != nil {
				t.Logf("%s: %v", filepath.Base(s.files[i]), err)
				continue
			}
			s.prints[i] = p
		}
	})
	n, q, fte := 0, 0, 0
	least := 999
	for _, p := range s.prints {
		if p == nil {
			fte++
			continue
		}
		n += len(p.Minutiae)
		least = min(least, len(p.Minutiae))
		q += p.Quality
	}
	t.Logf("%s: %d not enrolled, %.1f minutiae (least %d), quality %.1f, %.1f ms wall an image", s.name, fte, float64(n)/80, least, float64(q)/80, float64(spent.Load())/80e6)
}

func (s *set) compare(t testing.TB) {
	var pairs [][2]int
	for a := range s.prints {
		for b := a + 1; b < len(s.prints); b++ {
			if a/8 == b/8 || os.Getenv("FAST") == "" || (a+3*b)%4 == 0 {
				pairs = append(pairs, [2]int{a, b})
			}
		}
	}
	out := make([]vector, len(pairs))
	var spent atomic.Int64
	parallel(len(pairs), func(next func() int) {
		m := NewMatcher()
		for i := next(); i >= 0; i = next() {
			a, b := s.prints[pairs[i][0]], s.prints[pairs[i][1]]
			if a == nil || b == nil {
				continue
			}
			start := time.Now()
			out[i] = m.compare(a, b)
			spent.Add(int64(time.Since(start)))
		}
	})
	s.vec = make(map[[2]int]vector)
	for i, p := range pairs {
		if s.prints[p[0]] != nil && s.prints[p[1]] != nil {
			s.vec[p] = out[i]
		}
	}
	t.Logf("%s: %.3f ms wall a comparison", s.name, float64(spent.Load())/1e6/float64(len(pairs)))
}

func rates(gen, imp []float64) (eer, at2, at3, at4 float64) {
	slices.Sort(gen)
	slices.Sort(imp)
	fnmr := func(t float64) float64 { i, _ := slices.BinarySearch(gen, t); return float64(i) / float64(len(gen)) }
	fmr := func(t float64) float64 {
		i, _ := slices.BinarySearch(imp, t)
		return float64(len(imp)-i) / float64(len(imp))
	}
	all := append(append([]float64(nil), gen...), imp...)
	slices.Sort(all)
	best := 2.0
	for _, t := range all {
		if d := math.Abs(fnmr(t) - fmr(t)); d < best {
			best, eer = d, (fnmr(t)+fmr(t))/2
		}
	}
	at := func(x float64) float64 {
		for _, t := range all {
			if fmr(t) <= x {
				return fnmr(t)
			}
		}
		return 1
	}
	return eer, at(1e-2), at(1e-3), at(1e-4)
}

func (s *set) split(f func(vector) float64) (gen, imp []float64) {
	for a := range s.prints {
		for b := a + 1; b < len(s.prints); b++ {
			x := -1e9
			if v, ok := s.vec[[2]int{a, b}]; ok {
				x = f(v)
			}
			if a/8 == b/8 {
				gen = append(gen, x)
			} else if os.Getenv("FAST") == "" || (a+3*b)%4 == 0 {
				imp = append(imp, x)
			}
		}
	}
	return
}

func report(t testing.TB, what string, sets []*set, f func(vector) float64) {
	var gen, imp []float64
	line := what + ":"
	row := func(g, i []float64) string {
		e, a2, a3, a4 := rates(slices.Clone(g), slices.Clone(i))
		return fmt.Sprintf(" %5.2f/%5.2f/%5.2f/%5.2f |", 100*e, 100*a2, 100*a3, 100*a4)
	}
	for k, s := range sets {
		g, i := s.split(f)
		line += row(g, i)
		gen, imp = append(gen, g...), append(imp, i...)
		if k == 1 {
			line += " easy" + row(gen, imp)
		}
	}
	line += " pooled" + row(gen, imp)
	t.Log(line)
}

// fit is a logistic regression with equal weight of genuine and impostor.
func fit(sets []*set, idx []int) []float64 {
	var xs [][]float64
	var ys []float64
	ng, ni := 0.0, 0.0
	for _, s := range sets {
		for p, v := range s.vec {
			x := []float64{1}
			for _, k := range idx {
				x = append(x, v[k])
			}
			xs = append(xs, x)
			if p[0]/8 == p[1]/8 {
				ys = append(ys, 1)
				ng++
			} else {
				ys = append(ys, 0)
				ni++
			}
		}
	}
	d := len(idx) + 1
	w := make([]float64, d)
	for range 40 {
		g := make([]float64, d)
		h := make([][]float64, d)
		for i := range h {
			h[i] = make([]float64, d+1)
			h[i][i] = 1e-2
			g[i] = -1e-2 * w[i]
		}
		for i, x := range xs {
			z := 0.0
			for k := range x {
				z += w[k] * x[k]
			}
			p := 1 / (1 + math.Exp(-z))
			wt := 0.5 / ni
			if ys[i] == 1 {
				wt = 0.5 / ng
			}
			wt *= 2000
			for a := range x {
				g[a] += wt * (ys[i] - p) * x[a]
				for b := range x {
					h[a][b] += wt * p * (1 - p) * x[a] * x[b]
				}
			}
		}
		for a := range h {
			h[a][d] = g[a]
		}
		for a := range d {
			for b := range d {
				if b == a {
					continue
				}
				r := h[b][a] / h[a][a]
				for c := a; c <= d; c++ {
					h[b][c] -= r * h[a][c]
				}
			}
		}
		for a := range d {
			w[a] += h[a][d] / h[a][a]
		}
	}
	return w
}

func apply(w []float64, idx []int) func(vector) float64 {
	return func(v vector) float64 {
		z := w[0]
		for i, k := range idx {
			z += w[i+1] * v[k]
		}
		return z
	}
}

func TestFVCRotation(t *testing.T) {
	sets := fvcSets(t)
	poor := fvcSets(t)
	for i, s := range sets {
		if os.Getenv("FAST") != "poor" {
			s.extract(t, false)
			s.compare(t)
		}
		poor[i].extract(t, true)
		poor[i].compare(t)
	}
	for k, name := range []string{"global", "matches", "share", "miss", "field", "area", "period", "similar", "still", "best", "good"} {
		if os.Getenv("FEATURES") == "" {
			break
		}
		f := func(v vector) float64 { return v[k] }
		report(t, name, sets, f)
		report(t, name+" poor", poor, f)
	}
	all := make([]int, features)
	for i := range all {
		all[i] = i
	}
	both := append(slices.Clone(sets), poor...)
	for k := range sets {
		if os.Getenv("FAST") != "" {
			break
		}
		var other []*set
		for i := range sets {
			if i != k {
				other = append(other, sets[i], poor[i])
			}
		}
		f := apply(fit(other, all), all)
		report(t, "rotation "+sets[k].name, []*set{sets[k], poor[k]}, f)
	}
	if os.Getenv("FAST") == "poor" {
		w := fit(poor, all)
		report(t, "poor fit poor", poor, apply(w, all))
		return
	}
	clean := fit(sets, all)
	report(t, "clean fit", sets, apply(clean, all))
	report(t, "clean fit poor", poor, apply(clean, all))
	w := fit(both, all)
	report(t, "both fit", sets, apply(w, all))
	report(t, "both fit poor", poor, apply(w, all))
	t.Log(w)
}
