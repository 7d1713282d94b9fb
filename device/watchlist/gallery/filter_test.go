package gallery

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/watchpost/watchpost/device/biometric/kernel"
)

// faces draws templates that vary as real ones do: most along few axes.
type faces struct {
	r      *rand.Rand
	centre Template
	spread [kernel.Dims]float64
}

func newFaces(seed uint64) *faces {
	f := &faces{r: rand.New(rand.NewPCG(seed, 17))}
	f.centre = near(f.r, &Template{}, 1)
	for i := range f.spread {
		f.spread[i] = 0.085 * math.Exp(-float64(i)/43.6)
	}
	return f
}

func (f *faces) next() Template {
	v := f.centre
	var sum float64
	for i := range v {
		v[i] += float32(f.r.NormFloat64() * f.spread[i])
		sum += float64(v[i]) * float64(v[i])
	}
	for i := range v {
		v[i] /= float32(math.Sqrt(sum))
	}
	return v
}

// filled returns a gallery of n templates, person i with template i.
func filled(t testing.TB, fitFrom, n int, next func() Template) (*Gallery, []Template) {
	t.Helper()
	g := &Gallery{fitFrom: fitFrom}
	persons, rows, all := make([]Person, n), make([]float32, 0, n*kernel.Dims), make([]Template, n)
	for i := range persons {
		persons[i], all[i] = Person(i), next()
		rows = append(rows, all[i][:]...)
	}
	if err := g.Fill(persons, rows); err != nil {
		t.Fatal(err)
	}
	return g, all
}

// wide is the inner product in float64.
func wide(a, b *Template) (s float64) {
	for i := range a {
		s += float64(a[i]) * float64(b[i])
	}
	return s
}

// Every row that reaches a score by float64 brute force must be let through,
// whatever the rows and probes are like: as the axes expect them, like nothing
// they have seen, or made to sit where the bound is tight.
func TestFilterLosesNothing(t *testing.T) {
	f := newFaces(1)
	opposite := f.centre
	for i := range opposite {
		opposite[i] = -opposite[i]
	}
	kinds := map[string]func() Template{
		"alike":      f.next,
		"anything":   func() Template { return near(f.r, &Template{}, 1) },
		"one point":  func() Template { return f.centre },
		"opposite":   func() Template { return near(f.r, &opposite, 0.05) },
		"one value":  func() (v Template) { v[f.r.IntN(len(v))] = 1; return v },
		"two points": func() Template { return [2]Template{f.centre, opposite}[f.r.IntN(2)] },
		"very close": func() Template { return near(f.r, &f.centre, 1e-4) },
		"long":       func() Template { return scaled(f.next(), 1.0009) },
		"short":      func() Template { return scaled(f.next(), 0.9991) },
	}
	for from, fitted := range kinds {
		g, _ := filled(t, 256, 512, fitted)
		b := g.basis
		if b == nil {
			t.Fatalf("%s: no basis", from)
		}
		for of, next := range kinds {
			marked, rows := 0, 96
			for range rows / kernel.GroupRows {
				var group [kernel.GroupSize]int8
				var members [kernel.GroupRows]Template
				var always uint16
				for r := range members {
					members[r] = next()
					if !b.encode(&group, r, &members[r]) {
						always |= 1 << r
						marked++
					}
				}
				for _, probe := range []Template{fitted(), next(), f.next(), members[3]} {
					p := b.probe(&probe)
					for r := range members {
						score := max(wide(&members[r], &probe), float64(kernel.Dot(&members[r], &probe)))
						var mask [1]uint16
						kernel.Prune(mask[:], group[:], p.values, p.least(float32(math.Nextafter(score, 0))))
						if (mask[0]|always)>>r&1 == 0 {
							t.Fatalf("basis of %s, rows of %s: a row with score %v was lost", from, of, score)
						}
					}
				}
			}
			if from == of && marked > rows/20 {
				t.Errorf("%s: %d of %d rows of its own kind are not bounded", from, marked, rows)
			}
		}
	}
}

func scaled(v Template, by float32) Template {
	for i := range v {
		v[i] *= by
	}
	return v
}

// The bound holds, and it also does something: of templates that vary along
// more axes than real ones, few are left at the score of one and a half false
// matches in ten thousand.
func TestFilterLeavesFew(t *testing.T) {
	f := newFaces(2)
	g, all := filled(t, 0, 20_000, f.next)
	probe := f.next()
	scores := make([]float64, len(all))
	for i := range all {
		scores[i] = wide(&all[i], &probe)
	}
	slices.Sort(scores)
	s := &scan{view: g.load(), query: &Query{}, floor: newFloor(float32(scores[len(scores)-3]))}
	p, left := g.basis.probe(&probe), 0
	for i, c := range s.view.chunks {
		n := s.view.used(i) / kernel.GroupRows
		s.few(c, n, p)
		for _, m := range s.masks[:n] {
			for ; m != 0; m &= m - 1 {
				left++
			}
		}
	}
	if left > len(all)/25 {
		t.Errorf("%d of %d rows left, 3 reach the score", left, len(all))
	}
	if left < 3 {
		t.Errorf("%d rows left, 3 reach the score", left)
	}
}

// Radius and best-of searches through the filter, on one worker and several,
// are those of a scan, to the bit.
func TestFilteredIsExact(t *testing.T) {
	f := newFaces(3)
	g, all := filled(t, 0, 8_999, f.next)
	if g.basis == nil {
		t.Fatal("no filter")
	}
	for round := range 32 {
		probe := f.next()
		switch round % 4 {
		case 1:
			probe = near(f.r, &all[f.r.IntN(len(all))], 0.01)
		case 2:
			probe = near(f.r, &Template{}, 1)
		case 3:
			probe = all[f.r.IntN(len(all))]
		}
		q := Query{Probes: []Template{probe}, Top: []int{1, 10, 50, MaxTop}[round/4%4], Least: []float32{-2, 0.9, 0.954, float32(math.Inf(1))}[round%4]}
		if round%3 == 0 {
			q.Least = kernel.Dot(&all[round], &probe) // reached exactly
		}
		q.NoFilter, q.Workers = true, 1
		want, err := g.Search(context.Background(), q)
		if err != nil {
			t.Fatal(err)
		}
		q.NoFilter = false
		for workers := range 4 {
			q.Workers = workers
			if got, err := g.Search(context.Background(), q); err != nil || !slices.Equal(got, want) {
				t.Fatalf("round %d, %d workers, %v: got %v, want %v", round, workers, err, got, want)
			}
		}
	}
}

func TestLeastEnds(t *testing.T) {
	f := newFaces(4)
	g, _ := filled(t, 256, 512, f.next)
	probe := f.next()
	p := g.basis.probe(&probe)
	for least, want := range map[float32]int32{
		float32(math.Inf(-1)): math.MinInt32, float32(math.NaN()): math.MinInt32, -1e30: math.MinInt32,
		float32(math.Inf(1)): math.MaxInt32, 1e30: math.MaxInt32,
	} {
		if got := p.least(least); got != want {
			t.Errorf("%v: %d, want %d", least, got, want)
		}
	}
}

// Axes of a kind of templates that has gone are kept until the gallery has
// grown fourfold, and then made anew.
func TestRefit(t *testing.T) {
	f := newFaces(5)
	g, _ := filled(t, 512, 512, f.next)
	first := g.basis
	other := newFaces(6)
	for i := range 3 * 512 {
		if err := g.Insert(Person(1000+i), other.next()); err != nil {
			t.Fatal(err)
		}
	}
	if g.basis != first {
		t.Error("Insert has made axes")
	}
	v := other.next()
	if err := g.Fill([]Person{5000}, v[:]); err != nil {
		t.Fatal(err)
	}
	if g.basis == first {
		t.Error("the axes were not made anew")
	}
	for _, c := range g.load().chunks {
		if c.basis != g.basis {
			t.Error("a chunk with the axes of before")
		}
	}
}

// Taking in and out again and again must not grow the gallery.
func TestChurnIsBounded(t *testing.T) {
	f := newFaces(7)
	g, _ := filled(t, 512, 3000, f.next)
	for i := range 20_000 {
		if err := g.Insert(Person(10_000+i%7), f.next(), f.next()); err != nil {
			t.Fatal(err)
		}
		if i%7 >= 3 {
			g.Delete(Person(10_000 + i%7))
			g.Delete(Person(10_000 + i%7 - 3))
		}
	}
	if n := len(g.load().chunks); n > 8 {
		t.Errorf("%d templates in %d chunks", g.Templates(), n)
	}
	if n := len(g.numbers); n > 12 {
		t.Errorf("%d chunk numbers", n)
	}
}

func BenchmarkSearch100k(b *testing.B) {
	f := newFaces(8)
	g, _ := filled(b, 0, 100_000, f.next)
	probe := f.next()
	for _, q := range []Query{{Top: 50, Least: -2, NoFilter: true}, {Top: 50, Least: -2}, {Top: 50, Least: 0.954}} {
		q.Probes = []Template{probe}
		b.Run(fmt.Sprintf("least=%v,scan=%v", q.Least, q.NoFilter), func(b *testing.B) {
			for b.Loop() {
				if _, err := g.Search(context.Background(), q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkInsertDelete(b *testing.B) {
	f := newFaces(9)
	for _, n := range []int{1000, 100_000} {
		g, _ := filled(b, 0, n, f.next)
		v := f.next()
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				if err := g.Insert(1<<40, v); err != nil {
					b.Fatal(err)
				}
				g.Delete(1 << 40)
			}
		})
	}
}
