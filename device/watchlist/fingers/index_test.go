package fingers

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/watchpost/watchpost/device/biometric/finger"
	"github.com/watchpost/watchpost/device/fault"
)

// fingersMade keeps what made has made.
var fingersMade sync.Map

// made is a made-up finger: places and directions without any order.
func made(seed uint64) *finger.Template {
	if t, ok := fingersMade.Load(seed); ok {
		return t.(*finger.Template)
	}
	t := makeUp(seed)
	fingersMade.Store(seed, t)
	return t
}

func makeUp(seed uint64) *finger.Template {
	r := rand.New(rand.NewPCG(seed, 5))
	all := make([]finger.Minutia, 20+r.IntN(25))
	for i := range all {
		all[i] = finger.Minutia{
			X: 300 * r.Float32(), Y: 380 * r.Float32(), Angle: 2 * math.Pi * r.Float32(),
			Kind: finger.KindEnding, Quality: uint8(1 + r.IntN(100)),
		}
	}
	return finger.NewTemplate(300, 380, all)
}

// again is another impression of a finger: moved, a part lost.
func again(t *finger.Template, seed uint64) *finger.Template {
	r := rand.New(rand.NewPCG(seed, 6))
	var all []finger.Minutia
	for _, m := range t.Minutiae {
		if r.Float64() < 0.85 {
			m.X += 12 + 3*r.Float32()
			m.Y -= 8 + 3*r.Float32()
			all = append(all, m)
		}
	}
	return finger.NewTemplate(t.Width, t.Height, all)
}

// ten are a person's prints at all positions.
func ten(person uint64) []Print {
	prints := make([]Print, 10)
	for k := range prints {
		prints[k] = Print{Position: k + 1, Packed: made(person*10 + uint64(k)).AppendPacked(nil)}
	}
	return prints
}

func probeOf(person uint64, position int, known bool) Probe {
	p := Probe{Template: again(made(person*10+uint64(position)-1), person)}
	if known {
		p.Position = position
	}
	return p
}

func filled(t testing.TB, persons int) *Index {
	t.Helper()
	x := New()
	for i := range persons {
		if err := x.Insert(Person(i), ten(uint64(i))); err != nil {
			t.Fatal(err)
		}
	}
	return x
}

func ask(t testing.TB, x *Index, effort Effort, probes ...Probe) []Hit {
	t.Helper()
	hits, err := x.Search(t.Context(), Query{Probes: probes, Top: 5, Effort: effort})
	if err != nil {
		t.Fatal(err)
	}
	return hits
}

// small effort makes a small gallery go through all stages.
var small = Effort{Relaxed: 12, Full: 4}

func TestSearch(t *testing.T) {
	x := filled(t, 70)
	for _, c := range []struct {
		name   string
		probes []Probe
		first  int // person, -1 for nobody at all
	}{
		{"one index finger", []Probe{probeOf(17, 2, true)}, 17},
		{"one little finger", []Probe{probeOf(17, 5, true)}, 17},
		{"one finger, position unknown", []Probe{probeOf(17, 9, false)}, 17},
		{"two known", []Probe{probeOf(59, 2, true), probeOf(59, 7, true)}, 59},
		{"two unknown", []Probe{probeOf(59, 3, false), probeOf(59, 8, false)}, 59},
		{"one known, one not", []Probe{probeOf(5, 1, true), probeOf(5, 8, false)}, 5},
		{"four", []Probe{probeOf(3, 2, true), probeOf(3, 3, true), probeOf(3, 4, true), probeOf(3, 5, true)}, 3},
		{"index fingers of a stranger, the rest fits", []Probe{probeOf(9000, 2, true), probeOf(9000, 7, true), probeOf(44, 1, true), probeOf(44, 6, true), probeOf(44, 3, true)}, -2},
	} {
		t.Run(c.name, func(t *testing.T) {
			hits := ask(t, x, small, c.probes...)
			if c.first == -2 {
				// The filter goes by the index fingers; what it passes on is
				// still compared by all. Nobody may be found by accident.
				for _, h := range hits {
					if h.Person != 44 && h.FPIR < 0.01 {
						t.Errorf("%+v", h)
					}
				}
				return
			}
			if len(hits) == 0 || hits[0].Person != Person(c.first) || len(hits[0].Fingers) != len(c.probes) || hits[0].FPIR > 0.01 {
				t.Fatalf("%+v", hits)
			}
			for i, f := range hits[0].Fingers {
				if f.Probe != i || c.probes[i].Position != 0 && f.Position != c.probes[i].Position {
					t.Errorf("%+v", hits[0].Fingers)
				}
			}
		})
	}
}

// A position that is known is not compared with others.
func TestKnownPositionIsKept(t *testing.T) {
	x := filled(t, 60)
	p := probeOf(17, 9, true)
	p.Position = 4
	for _, h := range ask(t, x, small, p) {
		if h.Person == 17 && h.FPIR < 0.5 {
			t.Errorf("found at the wrong position: %+v", h)
		}
	}
}

// A print of unknown position in the gallery is found by probes of any.
func TestUnknownInGallery(t *testing.T) {
	x := filled(t, 60)
	if err := x.Insert(900, []Print{{Packed: made(7777).AppendPacked(nil)}}); err != nil {
		t.Fatal(err)
	}
	for _, position := range []int{0, 1, 10} {
		hits := ask(t, x, small, Probe{Position: position, Template: again(made(7777), 1)})
		if len(hits) == 0 || hits[0].Person != 900 || hits[0].Fingers[0].Position != 0 {
			t.Errorf("position %d: %+v", position, hits)
		}
	}
}

// Partial sets: what a person lacks does not count, for or against.
func TestPartialSets(t *testing.T) {
	x := filled(t, 60)
	if err := x.Insert(901, ten(901)[6:7]); err != nil { // the left index finger only
		t.Fatal(err)
	}
	hits := ask(t, x, small, probeOf(901, 2, true), probeOf(901, 7, true))
	if len(hits) == 0 || hits[0].Person != 901 || len(hits[0].Fingers) != 1 || hits[0].Fingers[0].Probe != 1 {
		t.Fatalf("%+v", hits)
	}
	if got := ask(t, New(), Effort{}, probeOf(1, 2, true)); len(got) != 0 {
		t.Errorf("an empty index found %+v", got)
	}
}

// One print cannot answer two probes.
func TestOnePrintIsCountedOnce(t *testing.T) {
	x := filled(t, 20)
	if err := x.Insert(902, ten(902)[1:2]); err != nil {
		t.Fatal(err)
	}
	same := probeOf(902, 2, false)
	for _, h := range ask(t, x, Effort{}, same, same) {
		if h.Person == 902 && len(h.Fingers) != 1 {
			t.Errorf("%+v", h)
		}
	}
}

// Several impressions of one finger count once, on either side.
func TestOneFingerIsCountedOnce(t *testing.T) {
	x := filled(t, 20)
	two := []Print{{Position: 2, Packed: made(9021).AppendPacked(nil)}, {Position: 2, Packed: again(made(9021), 5).AppendPacked(nil)}}
	if err := x.Insert(903, two); err != nil {
		t.Fatal(err)
	}
	for _, position := range []int{0, 2} {
		p, q := Probe{Position: position, Template: again(made(9021), 6)}, Probe{Position: position, Template: again(made(9021), 7)}
		hits := ask(t, x, Effort{}, p, q)
		if len(hits) == 0 || hits[0].Person != 903 || len(hits[0].Fingers) != 1 {
			t.Errorf("position %d: %+v", position, hits)
		}
	}
	// Unknown on the gallery's side.
	for i := range two {
		two[i].Position = 0
	}
	if err := x.Insert(904, two); err != nil {
		t.Fatal(err)
	}
	p, q := Probe{Position: 2, Template: again(made(9021), 6)}, Probe{Position: 2, Template: again(made(9021), 7)}
	for _, h := range ask(t, x, Effort{}, p, q) {
		if h.Person == 904 && len(h.Fingers) != 1 {
			t.Errorf("%+v", h)
		}
	}
}

// The filter stages find what comparing everybody fully finds.
func TestFilterAgainstExhaustive(t *testing.T) {
	x := filled(t, 80)
	for i := range uint64(12) {
		probes := []Probe{probeOf(i*5, 2, true), probeOf(i*6, 7, true)}
		fast, all := ask(t, x, small, probes...), ask(t, x, Effort{Relaxed: 1000, Full: 1000}, probes...)
		if len(fast) == 0 || len(all) == 0 || fast[0].Person != all[0].Person || fast[0].Score != all[0].Score {
			t.Fatalf("probe %d: %+v, exhaustive %+v", i, fast[0], all[0])
		}
	}
}

// Whole templates are compared as they are.
func TestWholeIsKept(t *testing.T) {
	x := New()
	whole := made(1)
	if err := x.Insert(1, []Print{{Position: 2, Packed: whole.AppendPacked(nil), Whole: whole}}); err != nil {
		t.Fatal(err)
	}
	p := Probe{Position: 2, Template: again(made(1), 3)}
	want := finger.NewMatcher().Score(p.Template, whole)
	if hits := ask(t, x, Effort{}, p); len(hits) != 1 || hits[0].Fingers[0].Score != want {
		t.Errorf("%+v, want %v", hits, want)
	}
}

func TestAttackInsert(t *testing.T) {
	x := filled(t, 1)
	before := x.Stats()
	good := ten(5)
	short := good[0].Packed[:9]
	var disordered, wild []uint64
	disordered = append(disordered, good[0].Packed...)
	disordered[len(disordered)-1] &^= 0xff << 24
	wild = append(wild, good[0].Packed...)
	wild[0] = math.MaxUint64
	for name, prints := range map[string][]Print{
		"nothing":    nil,
		"too many":   make([]Print, 161),
		"position":   {{Position: 11, Packed: good[0].Packed}},
		"below zero": {{Position: -1, Packed: good[0].Packed}},
		"empty":      {{Position: 1}},
		"cut":        {good[0], {Position: 1, Packed: short}},
		"disordered": {{Position: 1, Packed: disordered}},
		"wild sizes": {{Position: 1, Packed: wild}},
	} {
		t.Run(name, func(t *testing.T) {
			if err := x.Insert(9, prints); fault.CodeOf(err) != ErrPrint.Code {
				t.Errorf("error %v", err)
			}
		})
	}
	if err := x.Insert(0, good); !errors.Is(err, ErrPresent) {
		t.Errorf("twice: %v", err)
	}
	if x.Delete(9) {
		t.Error("deleted who was not in")
	}
	if x.Stats() != before {
		t.Errorf("%+v after refusals, %+v before", x.Stats(), before)
	}
}

func TestAttackQuery(t *testing.T) {
	x := filled(t, 2)
	p := probeOf(1, 2, true)
	for name, q := range map[string]Query{
		"no probe":   {Top: 1},
		"no room":    {Probes: []Probe{p}},
		"many":       {Probes: make([]Probe, 11), Top: 1},
		"nil":        {Probes: []Probe{{Position: 1}}, Top: 1},
		"position":   {Probes: []Probe{{Position: 11, Template: p.Template}}, Top: 1},
		"workers":    {Probes: []Probe{p}, Top: 1, Workers: -1},
		"no persons": {Probes: []Probe{p}, Top: 1, Effort: Effort{Full: -1}},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := x.Search(t.Context(), q); fault.CodeOf(err) != "fingers.query" {
				t.Errorf("error %v", err)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := x.Search(ctx, Query{Probes: []Probe{p}, Top: 1}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// Random insertions and deletions against a map; memory is given back.
func TestAgainstModel(t *testing.T) {
	x := New()
	r := rand.New(rand.NewPCG(1, 1))
	in := map[Person]bool{}
	for range 700 {
		p := Person(r.IntN(30))
		if in[p] {
			if !x.Delete(p) {
				t.Fatal("lost a person")
			}
			delete(in, p)
		} else {
			if err := x.Insert(p, ten(uint64(p))); err != nil {
				t.Fatal(err)
			}
			in[p] = true
		}
	}
	st := x.Stats()
	if st.Persons != len(in) || st.Prints != 10*len(in) {
		t.Errorf("%+v, want %d people", st, len(in))
	}
	if st.Bytes > 40<<20 {
		t.Errorf("%d bytes for %d people: compaction does not keep up", st.Bytes, st.Persons)
	}
	for p := range Person(30) {
		hits := ask(t, x, small, probeOf(uint64(p), 2, true), probeOf(uint64(p), 7, true))
		if got := len(hits) > 0 && hits[0].Person == p && hits[0].FPIR < 0.01; got != in[p] {
			t.Errorf("person %d: found %v, in %v", p, got, in[p])
		}
	}
}

// Searches go on while people come and go: those who stay are always found.
func TestConcurrent(t *testing.T) {
	x := filled(t, 30)
	stop := make(chan struct{})
	var writers, readers sync.WaitGroup
	for w := range 2 {
		writers.Go(func() {
			prints := ten(uint64(500 + w))
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				p := Person(1000*(w+1) + i%40)
				if !x.Delete(p) {
					if err := x.Insert(p, prints); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	for w := range 2 {
		readers.Go(func() {
			for i := range 8 {
				p := uint64((i*7 + w) % 30)
				hits := ask(t, x, Effort{Relaxed: 40, Full: 10}, probeOf(p, 2, true), probeOf(p, 8, false))
				if len(hits) == 0 || hits[0].Person != Person(p) {
					t.Errorf("person %d was not found", p)
				}
			}
		})
	}
	readers.Wait()
	close(stop)
	writers.Wait()
}

func TestPrintsAreNotLogged(t *testing.T) {
	for _, p := range ten(1) {
		if got := fmt.Sprintf("%v %+v %s", p, p, []Print{p}); strings.ContainsAny(got, "0123456789") || p.LogValue().String() != p.String() {
			t.Fatalf("%.80s", got)
		}
	}
}

func TestBest(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	for range 500 {
		values := make([]float32, 1+r.IntN(40))
		for i := range values {
			values[i] = float32(r.IntN(12))
		}
		n := 1 + r.IntN(45)
		got := best(values, n)
		if len(got) != min(n, len(values)) {
			t.Fatalf("%d of %d, wanted %d", len(got), len(values), n)
		}
		kept, least := map[uint32]bool{}, float32(math.Inf(1))
		for _, i := range got {
			kept[i] = true
			least = min(least, values[i])
		}
		for i, v := range values {
			if !kept[uint32(i)] && v > least {
				t.Fatalf("%v left out of %v, kept from %v", v, values, least)
			}
		}
		if len(kept) != len(got) {
			t.Fatal("one twice")
		}
	}
}

// The same search on one core and on several gives the same answer.
func TestWorkersAgree(t *testing.T) {
	x := filled(t, 40)
	q := Query{Probes: []Probe{probeOf(3, 2, true), probeOf(3, 7, false)}, Top: 5, Effort: small}
	var want []Hit
	for workers := 1; workers <= 4; workers++ {
		q.Workers = workers
		hits, err := x.Search(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if want == nil {
			want = hits
		}
		for i := range want {
			if hits[i].Person != want[i].Person || hits[i].Score != want[i].Score {
				t.Errorf("%d workers: %+v, want %+v", workers, hits[i], want[i])
			}
		}
	}
}
