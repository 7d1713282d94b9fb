package local

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/watchpost/watchpost/device/biometric/calibration"
	bioface "github.com/watchpost/watchpost/device/biometric/face"
	"github.com/watchpost/watchpost/device/biometric/fusion"
	"github.com/watchpost/watchpost/device/biometric/template"
	"github.com/watchpost/watchpost/device/screening"
	"github.com/watchpost/watchpost/device/watchlist/gallery"
	"github.com/watchpost/watchpost/device/watchlist/record"
	"github.com/watchpost/watchpost/device/watchlist/store"
)

const (
	// cohortMost bounds the people of a list by whom its scores are
	// normalised; more gain little.
	cohortMost = 1000
	// deep is how many of the most alike faces are looked at more closely.
	deep = 100
	// lift is how far a look may raise a cosine: what the cohort may do, and
	// rounding.
	lift = bioface.MostShift + 1e-5
)

// model is the gallery of one face model of a list, with its cohort: one
// template each of people spread evenly over the list.
type model struct {
	store.Faces
	cohort  *bioface.Cohort
	members map[store.RecordKey]int
	partial bool // people of the list have faces of other models only
}

// loadFaces loads the galleries of a generation, one a model.
func loadFaces(ctx context.Context, g *store.Generation) ([]model, error) {
	loaded, err := g.LoadFaces(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]model, len(loaded))
	for i, f := range loaded {
		out[i] = model{Faces: f, members: map[store.RecordKey]int{}}
		n := min(len(f.Records), cohortMost)
		members := make([]template.Face, 0, n)
		for k := range n {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			key := f.Records[k*len(f.Records)/n]
			r, err := g.Get(key)
			if err != nil {
				return nil, err
			}
			if all := templatesOf(r, &f); len(all) > 0 {
				out[i].members[key] = len(members)
				members = append(members, all[0])
			}
		}
		if out[i].cohort, err = bioface.NewCohort(members); err != nil {
			return nil, err
		}
	}
	markPartial(out)
	return out, nil
}

// templatesOf returns a record's templates of one model.
func templatesOf(r *record.Record, of *store.Faces) []template.Face {
	var out []template.Face
	for _, f := range r.Faces {
		if f.Model == of.Model && f.Version == of.Version && len(f.Vector) == template.FaceDimensions {
			out = append(out, template.Face{
				Model: f.Model, Version: f.Version, Images: max(1, f.Images), Vector: [template.FaceDimensions]float32(f.Vector),
			})
		}
	}
	return out
}

// facesFor returns the gallery to search and the probe of its model; nil where
// the list has none of a model of the question. Of two models in the list, the
// one of more people is asked: a change goes on until it holds all.
func (l *List) facesFor(q screening.Question) (*model, *template.Face) {
	if q.Face == nil {
		return nil, nil
	}
	probes := append([]template.Face{q.Face.Template}, q.Face.Others...)
	var most *model
	var probe *template.Face
	for i := range l.faces {
		f := &l.faces[i]
		if p := template.Of(probes, f.Model, f.Version); p != nil && (most == nil || f.Persons > most.Persons) {
			most, probe = f, p
		}
	}
	return most, probe
}

// otherFaces tells whether the list has people whom the question's face is not
// compared with: none of their templates is of the model asked.
func (l *List) otherFaces(q screening.Question) bool {
	asked, _ := l.facesFor(q)
	if asked == nil {
		return len(l.faces) > 0
	}
	return asked.partial
}

// markPartial marks the models of which some people have no template.
func markPartial(all []model) {
	if len(all) < 2 {
		return
	}
	everybody := make(map[store.RecordKey]struct{})
	for i := range all {
		for _, k := range all[i].Records {
			everybody[k] = struct{}{}
		}
	}
	for i := range all {
		all[i].partial = all[i].Persons < len(everybody)
	}
}

// faceSearch is the search of one gallery with one probe.
type faceSearch struct {
	*answer
	in    *model
	probe *template.Face
}

// found is a record with its face's score.
type found struct {
	record *record.Record
	score  screening.Score
}

// searchFace scans the gallery of the probe's model, and scores those that
// were found by something else too.
func (a *answer) searchFace(ctx context.Context) error {
	in, probe := a.list.facesFor(a.q)
	if in == nil {
		return nil // said in the coverage
	}
	s := faceSearch{a, in, probe}
	curve := a.source.limits.Faces
	// One budget is shared by all templates of all lists. Below what the curve
	// states, its end is the bound, and the rate given with the candidate says
	// that the budget is exceeded.
	alone := curve.ScoreAt(max(calibration.FMRFor(a.source.limits.FPIR, a.templates), curve.Floor()))
	least := min(alone, a.fusedLeast(curve))
	hits, err := in.Gallery.Search(ctx, gallery.Query{
		Probes: []gallery.Template{probe.Vector}, Top: max(deep, a.source.limits.MaxCandidates), Least: float32(least - lift),
	})
	if err != nil {
		return err
	}
	looked := make([]found, 0, len(hits))
	for _, h := range hits {
		key := in.Records[h.Person]
		r, err := a.list.generation.Get(key)
		if err != nil {
			return err
		}
		score, err := s.score(r, key)
		if err != nil {
			return err
		}
		looked = append(looked, found{r, score})
	}
	slices.SortStableFunc(looked, func(x, y found) int { return cmp.Compare(y.score.Value, x.score.Value) })
	alarm := in.Persons <= a.source.limits.AlarmMaxList && a.q.Face.Frames >= a.source.limits.AlarmMinFrames
	byFace := map[string]bool{}
	for _, f := range looked {
		byItself := f.score.Value >= alone
		if (byItself || a.borne(f.record, f.score)) && len(byFace) < a.source.limits.MaxCandidates {
			a.add(f.record, f.score, alarm && byItself)
			byFace[f.record.ID] = true
		}
	}
	for _, id := range slices.Clone(a.order) {
		if byFace[id] {
			continue
		}
		r, err := a.list.generation.ByID(id)
		if err != nil {
			return err
		}
		if len(templatesOf(r, &in.Faces)) == 0 {
			continue
		}
		score, err := s.score(r, store.RecordKey{})
		if err != nil {
			return err
		}
		a.add(r, score, false)
	}
	return nil
}

// fusedLeast is the cosine from which a face may be a candidate together with
// a name and a birth date that agree; 2 where it could not be.
func (a *answer) fusedLeast(curve calibration.FaceCurve) float64 {
	if !a.q.Asks(screening.Name) {
		return 2
	}
	needed := math.Log(float64(a.source.people())/a.source.limits.FPIR) - fusion.Biographic{}.Most()
	return curve.ScoreOfLLR(needed)
}

// people is how many records are searched over all lists.
func (s *Source) people() int {
	n := 0
	for _, l := range s.lists {
		n += l.Manifest().Records
	}
	return max(n, 1)
}

// borne tells whether a face that is not alike enough by itself is a candidate
// together with name and birth date: where both are, the chance of such a sum
// among all people searched is within the policy's rate.
func (a *answer) borne(r *record.Record, score screening.Score) bool {
	if !a.q.Asks(screening.Name) {
		return false
	}
	sum := fusion.Fuse(fusion.FaceScore{LLR: score.LLR}, biographic(a.q.Name, r))
	return len(sum.Parts) > 1 && sum.FPIR(a.source.people()) <= a.source.limits.FPIR
}

// score states the best of a record's templates with its error rates.
func (s faceSearch) score(r *record.Record, key store.RecordKey) (screening.Score, error) {
	var but []int
	if at, ok := s.in.members[key]; ok {
		but = append(but, at)
	}
	probe, err := s.in.cohort.Place(s.probe, but...)
	if err != nil {
		return screening.Score{}, err
	}
	best, plain := math.Inf(-1), 0.0
	for _, t := range templatesOf(r, &s.in.Faces) {
		listed, err := s.in.cohort.Place(&t, but...)
		if err != nil {
			return screening.Score{}, err
		}
		likeness, err := s.in.cohort.Likeness(probe, listed)
		if err != nil {
			return screening.Score{}, err
		}
		cosine, err := template.Likeness(s.probe, &t)
		if err != nil {
			return screening.Score{}, err
		}
		if likeness > best {
			best, plain = likeness, cosine
		}
	}
	reading := s.source.limits.Faces.At(best)
	beyond := ""
	if reading.Clamped && best > 0.9 {
		beyond = ", beyond what was measured"
	}
	return screening.Score{
		Modality: screening.Face, Value: best, FMR: reading.FMR, LLR: reading.LLR, FPIR: calibration.FPIR(reading.FMR, s.templates),
		Explain: fmt.Sprintf("cosine %.3f, %.3f by a cohort of %d, %d frames, list of %d faces%s",
			plain, best, s.in.cohort.Members(), s.q.Face.Frames, s.in.Persons, beyond),
	}, nil
}

// addNames adds to every candidate what name and birth date say.
func (a *answer) addNames() error {
	if !a.q.Asks(screening.Name) {
		return nil
	}
	for _, id := range slices.Clone(a.order) {
		r, err := a.list.generation.ByID(id)
		if err != nil {
			return err
		}
		if s, ok := nameScore(biographic(a.q.Name, r)); ok {
			a.add(r, s, false)
		}
	}
	return nil
}
