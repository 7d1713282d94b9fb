package fingers

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/watchpost/watchpost/device/biometric/finger"
)

// worker holds the working memory of one goroutine.
type worker struct {
	matcher *finger.Matcher
	print   finger.Template
}

func (w *worker) get() *finger.Matcher {
	if w.matcher == nil {
		w.matcher = finger.NewMatcher()
	}
	return w.matcher
}

// template is a print to compare with: whole where it was kept.
func (w *worker) template(l *location) *finger.Template {
	if l.whole != nil {
		return l.whole
	}
	w.print.Unpack(l.chunk.packed(l.at))
	return &w.print
}

// tries is how many of a person's prints a probe of unknown position is
// compared with closely.
const tries = 2

// rivals are the prints of a person that a probe is compared with: all of its
// position, or those most alike.
func (p *probe) rivals(prints []location) []*location {
	var out []*location
	for i := range prints {
		if p.fits(int(prints[i].position)) {
			out = append(out, &prints[i])
		}
	}
	if len(out) <= tries {
		return out
	}
	alike := make(map[*location]float32, len(out))
	for _, l := range out {
		alike[l] = finger.Likeness(p.filter, l.chunk.packed(l.at))
	}
	slices.SortStableFunc(out, func(a, b *location) int { return cmp.Compare(alike[b], alike[a]) })
	return out[:tries]
}

// compare takes people through relaxation and full comparison.
func (s *search) compare(ctx context.Context, people []found) ([]Hit, error) {
	full := s.q.Effort.Full
	if full == 0 {
		full = fullDefault
	}
	full = max(full, s.q.Top)
	if len(people) > full {
		err := s.each(ctx, len(people), func(w *worker, i int) {
			people[i].score = s.relaxed(w, &people[i])
		})
		if err != nil {
			return nil, err
		}
		slices.SortFunc(people, func(a, b found) int {
			return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.person, b.person))
		})
		people = people[:full]
	}
	hits := make([]Hit, len(people))
	err := s.each(ctx, len(people), func(w *worker, i int) { hits[i] = s.full(w, &people[i]) })
	if err != nil {
		return nil, err
	}
	hits = slices.DeleteFunc(hits, func(h Hit) bool { return len(h.Fingers) == 0 })
	slices.SortFunc(hits, func(a, b Hit) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(b.raw, a.raw), cmp.Compare(a.Person, b.Person))
	})
	return hits[:min(len(hits), s.q.Top)], nil
}

// relaxed is the sum over the first probes of the relaxation's score.
func (s *search) relaxed(w *worker, f *found) float32 {
	m, sum := w.get(), float32(0)
	for _, p := range s.relaxing() {
		top := float32(0)
		for _, l := range p.rivals(f.prints) {
			top = max(top, m.Relaxed(p.Template, w.template(l)))
		}
		sum += top
	}
	return sum
}

// full compares all probes with a person's prints.
func (s *search) full(w *worker, f *found) Hit {
	m := w.get()
	type pair struct {
		Finger
		print *location
	}
	var pairs []pair
	for _, p := range s.probes {
		for _, l := range p.rivals(f.prints) {
			score := m.Score(p.Template, w.template(l))
			pairs = append(pairs, pair{Finger{p.index, int(l.position), score}, l})
		}
	}
	// The best pairs first: two probes cannot be the same print, nor one two,
	// and several impressions of one finger are no further evidence.
	slices.SortStableFunc(pairs, func(a, b pair) int { return cmp.Compare(b.Score, a.Score) })
	h := Hit{Person: f.person}
	probes, prints := map[int]bool{}, map[*location]bool{}
	var shown, held [MaxPosition + 1]bool
	for _, k := range pairs {
		position := s.q.Probes[k.Probe].Position
		if probes[k.Probe] || prints[k.print] || shown[position] || held[k.Position] {
			continue
		}
		probes[k.Probe], prints[k.print] = true, true
		shown[position], held[k.Position] = position != 0, k.Position != 0
		h.Fingers = append(h.Fingers, k.Finger)
		h.Score += finger.FingerScore(k.Score)
		h.raw += k.Score
	}
	slices.SortFunc(h.Fingers, func(a, b Finger) int { return cmp.Compare(a.Probe, b.Probe) })
	h.FPIR = s.fpir(&h, len(f.prints))
	return h
}

// fpir is the false positive identification rate of a hit: that of one
// comparison, over all people and all ways in which probes of unknown position
// could have been laid on so many prints.
func (s *search) fpir(h *Hit, prints int) float64 {
	ways := 1.0
	for _, p := range s.probes {
		if p.Position == 0 && prints > 1 {
			ways *= float64(prints)
			prints--
		}
	}
	fmr := finger.SumFMR(h.Score, len(h.Fingers))
	return -math.Expm1(float64(s.view.persons) * ways * math.Log1p(-min(fmr, 1-1e-15)))
}
