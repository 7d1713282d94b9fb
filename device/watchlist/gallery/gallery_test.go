package gallery

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/watchpost/watchpost/device/biometric/kernel"
	"github.com/watchpost/watchpost/device/fault"
)

// near returns a template at a random small angle from the centre, so that
// scores lie close together and ties in rank matter.
func near(r *rand.Rand, centre *Template, spread float64) Template {
	var v Template
	var sum float64
	for i := range v {
		v[i] = centre[i] + float32(r.NormFloat64()*spread)
		sum += float64(v[i]) * float64(v[i])
	}
	for i := range v {
		v[i] /= float32(math.Sqrt(sum))
	}
	return v
}

// model is the gallery as a map, searched by brute force.
type model map[Person][]Template

func (m model) search(q Query) []Hit {
	hits := []Hit{}
	for p, ts := range m {
		h := Hit{p, float32(math.Inf(-1))}
		for i := range ts {
			for j := range q.Probes {
				h.Score = max(h.Score, kernel.Dot(&ts[i], &q.Probes[j]))
			}
		}
		if h.Score >= q.Least {
			hits = append(hits, h)
		}
	}
	slices.SortFunc(hits, better)
	return hits[:min(q.Top, len(hits))]
}

func TestRandomOperationsAgainstModel(t *testing.T) {
	for seed := range uint64(3) {
		r := rand.New(rand.NewPCG(seed, 7))
		centre := near(r, &Template{}, 1)
		m, g := model{}, &Gallery{fitFrom: 300 + 200*int(seed)}
		for step := range 1500 {
			p := Person(r.IntN(900))
			switch k := r.IntN(21); {
			case k == 20:
				persons, rows := make([]Person, r.IntN(60)), []float32{}
				for i := range persons {
					persons[i] = Person(r.IntN(900))
					v := near(r, &centre, 0.05)
					if r.IntN(10) == 0 {
						v = near(r, &Template{}, 1) // like no other
					}
					rows = append(rows, v[:]...)
					m[persons[i]] = append(m[persons[i]], v)
				}
				if err := g.Fill(persons, rows); err != nil {
					t.Fatal(err)
				}
			case k < 13:
				ts := make([]Template, r.IntN(4))
				for i := range ts {
					ts[i] = near(r, &centre, 0.05)
				}
				if len(ts) > 0 && len(m[p]) > 0 && r.IntN(5) == 0 {
					ts[0] = m[p][0] // the same template twice
				}
				if err := g.Insert(p, ts...); err != nil {
					t.Fatal(err)
				}
				if len(ts) > 0 {
					m[p] = append(m[p], ts...)
				}
			case k < 18:
				if got := g.Delete(p); got != len(m[p]) {
					t.Fatalf("step %d: deleted %d of %d", step, got, len(m[p]))
				}
				delete(m, p)
			default:
				q := Query{Probes: []Template{near(r, &centre, 0.05)}, Top: 1 + r.IntN(60), Least: r.Float32()}
				if r.IntN(3) == 0 {
					q.Probes = append(q.Probes, near(r, &centre, 0.05))
				}
				q.NoFilter, q.Workers = r.IntN(4) == 0, r.IntN(3)
				got, err := g.Search(context.Background(), q)
				if err != nil {
					t.Fatal(err)
				}
				if want := m.search(q); !slices.Equal(got, want) {
					t.Fatalf("seed %d step %d: got %v, want %v", seed, step, got, want)
				}
			}
			templates := 0
			for _, ts := range m {
				templates += len(ts)
			}
			if g.Templates() != templates || g.Persons() != len(m) {
				t.Fatalf("step %d: %d templates of %d persons, want %d of %d", step, g.Templates(), g.Persons(), templates, len(m))
			}
		}
		if g.basis == nil {
			t.Fatal("no filter was made")
		}
	}
}

// Deletes must not leave many thin chunks behind.
func TestChunksStayFull(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	g := &Gallery{}
	persons := make([]Person, 10*chunkRows)
	rows := make([]float32, 0, len(persons)*kernel.Dims)
	for i := range persons {
		persons[i] = Person(i)
		v := near(r, &Template{}, 1)
		rows = append(rows, v[:]...)
	}
	if err := g.Fill(persons, rows); err != nil {
		t.Fatal(err)
	}
	for i := range persons {
		if i%10 != 0 {
			g.Delete(Person(i))
		}
	}
	if n := len(g.load().chunks); g.Templates() != chunkRows || n > 3 {
		t.Errorf("%d templates in %d chunks", g.Templates(), n)
	}
}

// A search sees the gallery as it was at one moment: a person whose two
// templates are put in and taken out together is there whole or not at all.
func TestSearchDuringWrites(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	g := &Gallery{}
	probe := near(r, &Template{}, 1)
	opposite := probe
	for i := range opposite {
		opposite[i] = -opposite[i]
	}
	if err := g.Insert(1, near(r, &probe, 0.01)); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if err := g.Insert(2, opposite, probe); err != nil {
				t.Error(err)
			}
			g.Delete(2)
		}
	})
	for range 2000 {
		hits, err := g.Search(context.Background(), Query{Probes: []Template{probe}, Top: 10, Least: -2})
		if err != nil {
			t.Fatal(err)
		}
		at := slices.IndexFunc(hits, func(h Hit) bool { return h.Person == 2 })
		if at >= 0 && hits[at].Score < 0.9 {
			t.Fatalf("person 2 with one of two templates: %v", hits)
		}
		if !slices.ContainsFunc(hits, func(h Hit) bool { return h.Person == 1 }) {
			t.Fatal("person 1 was lost")
		}
	}
	close(stop)
	wg.Wait()
}

func TestRefusals(t *testing.T) {
	g := &Gallery{}
	r := rand.New(rand.NewPCG(3, 3))
	good := near(r, &Template{}, 1)
	long, broken := good, good
	long[0] += 1
	broken[5] = float32(math.NaN())
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	for _, c := range []struct {
		name string
		err  error
		code fault.Code
	}{
		{"zero template", g.Insert(1, Template{}), "gallery.template"},
		{"long template", g.Insert(1, long), "gallery.template"},
		{"NaN", g.Insert(1, broken), "gallery.template"},
		{"one of two", g.Insert(1, good, long), "gallery.template"},
		{"fill with fewer rows", g.Fill([]Person{1, 2}, good[:]), "gallery.template"},
		{"fill with a zero row", g.Fill([]Person{1}, make([]float32, kernel.Dims)), "gallery.template"},
		{"no probe", second(g.Search(context.Background(), Query{Top: 1})), "gallery.query"},
		{"no top", second(g.Search(context.Background(), Query{Probes: []Template{good}})), "gallery.query"},
		{"too many", second(g.Search(context.Background(), Query{Probes: []Template{good}, Top: MaxTop + 1})), "gallery.query"},
		{"long probe", second(g.Search(context.Background(), Query{Probes: []Template{long}, Top: 1})), "gallery.template"},
		{"cancelled", second(g.Search(cancelled, Query{Probes: []Template{good}, Top: 1})), "gallery.cancelled"},
	} {
		if !errors.Is(c.err, &fault.Error{Code: c.code}) {
			t.Errorf("%s: %v", c.name, c.err)
		}
	}
	if g.Templates() != 0 || g.Persons() != 0 {
		t.Error("a refused template was kept")
	}
	if hits, err := g.Search(context.Background(), Query{Probes: []Template{good}, Top: 5, Least: -2}); err != nil || len(hits) != 0 {
		t.Errorf("empty gallery: %v, %v", hits, err)
	}
}

func second(_ []Hit, err error) error { return err }
