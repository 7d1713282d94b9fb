package local

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/watchpost/watchpost/device/biometric/calibration"
	"github.com/watchpost/watchpost/device/biometric/kernel"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/screening"
	"github.com/watchpost/watchpost/device/watchlist/docnumber"
	"github.com/watchpost/watchpost/device/watchlist/gallery"
	"github.com/watchpost/watchpost/device/watchlist/record"
	"github.com/watchpost/watchpost/device/watchlist/store"
)

// Name is the source's name in rules and coverage.
const Name = "local"

// Reasons in coverage why a list was not searched by something.
const (
	notPerformed  = "not_performed"  // the engine is not in this version
	otherModel    = "other_model"    // the list's templates come of another face model, or its prints of another version
	issuerUnknown = "issuer_unknown" // a document number without its issuer is not searched whole
)

// Limits are the error budgets of design section 10.
type Limits struct {
	FPIR           float64 // false positive identification rate of one search among all lists
	MaxCandidates  int     // a list
	AlarmMaxList   int     // a face alone alarms only on lists of at most so many persons
	AlarmMinFrames int     // and with at least so many frames
}

// Source searches the post's lists. It is safe for concurrent use.
type Source struct {
	limits Limits
	now    func() time.Time

	mu    sync.RWMutex // held for reading while lists are searched
	lists []*List
}

var _ screening.Source = (*Source)(nil)

// New returns a source over lists, which it uses until Replace.
func New(limits Limits, now func() time.Time, lists ...*List) (*Source, error) {
	if !(limits.FPIR > 0 && limits.FPIR < 1) || limits.MaxCandidates < 1 || limits.MaxCandidates > gallery.MaxTop {
		return nil, fault.New("screening.limits", "a rate between 0 and 1 and 1 to %d candidates are needed", gallery.MaxTop)
	}
	return &Source{limits: limits, now: now, lists: lists}, nil
}

// Replace puts other lists in force and returns those before, which nobody
// searches any more: the caller closes them.
func (s *Source) Replace(lists ...*List) []*List {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.lists
	s.lists = lists
	return before
}

// Name implements screening.Source.
func (s *Source) Name() string { return Name }

// Ask implements screening.Source. A list that fails is said to be uncovered
// with the code of its error; the others still answer.
func (s *Source) Ask(ctx context.Context, q screening.Question) (screening.Reply, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	reply := screening.Reply{Source: Name}
	for _, l := range s.lists {
		a := &answer{source: s, list: l, q: q, found: map[string]*screening.Candidate{}, coverage: cover(l, q, s.now())}
		a.templates = s.templates(q)
		if err := a.search(ctx); err != nil {
			if ctx.Err() != nil {
				return screening.Reply{}, fault.Wrap("source.cancelled", err)
			}
			// What was found before the damage still counts.
			a.coverage.Answered = 0
			for _, m := range a.coverage.Asked {
				a.coverage.NotAsked[m] = string(fault.CodeOf(err))
			}
			a.coverage.Asked = nil
		}
		reply.Candidates = append(reply.Candidates, a.candidates()...)
		reply.Coverage = append(reply.Coverage, a.coverage)
	}
	return reply, nil
}

// templates is how many templates the probe is compared with over all lists.
func (s *Source) templates(q screening.Question) int {
	n := 0
	for _, l := range s.lists {
		if f := l.facesFor(q); f != nil {
			n += f.Templates
		}
	}
	return n
}

// facesFor returns the gallery of the probe's model, or nil.
func (l *List) facesFor(q screening.Question) *store.Faces {
	if q.Face == nil {
		return nil
	}
	at := slices.IndexFunc(l.faces, func(f store.Faces) bool {
		return f.Model == q.Face.Template.Model && f.Version == q.Face.Template.Version
	})
	if at < 0 {
		return nil
	}
	return &l.faces[at]
}

// cover says what a search of the list will look at if nothing fails.
func cover(l *List, q screening.Question, now time.Time) screening.Coverage {
	m := l.Manifest()
	c := screening.Coverage{
		Source: Name, List: m.List, Owner: m.Owner, Generation: m.Generation, Issued: m.Created,
		Stale: !now.Before(m.Expires), Records: m.Records, Shards: 1, Answered: 1,
		NotAsked: map[screening.Modality]string{},
	}
	if q.Asks(screening.Face) {
		c.Asked = append(c.Asked, screening.Face)
		held := 0
		if f := l.facesFor(q); f != nil {
			held = 1
		}
		if held < len(l.faces) {
			c.NotAsked[screening.Face] = otherModel
		}
	}
	if q.Asks(screening.Document) {
		c.Asked = append(c.Asked, screening.Document)
	}
	if q.Asks(screening.Finger) {
		c.Asked = append(c.Asked, screening.Finger)
		if l.fingers.Other {
			c.NotAsked[screening.Finger] = otherModel
		}
	}
	if q.Asks(screening.Name) {
		c.NotAsked[screening.Name] = notPerformed
	}
	return c
}

// answer is the search of one list.
type answer struct {
	source    *Source
	list      *List
	q         screening.Question
	templates int // compared over all lists
	found     map[string]*screening.Candidate
	order     []string
	coverage  screening.Coverage
}

func (a *answer) search(ctx context.Context) error {
	if a.q.Asks(screening.Document) {
		for _, d := range a.q.Documents {
			if err := a.searchDocument(d); err != nil {
				return err
			}
		}
	}
	if a.q.Asks(screening.Finger) {
		if err := a.searchFingers(ctx); err != nil {
			return err
		}
	}
	if a.q.Asks(screening.Face) {
		return a.searchFace(ctx)
	}
	return nil
}

// candidates returns what was found.
func (a *answer) candidates() []screening.Candidate {
	var out []screening.Candidate
	for _, id := range a.order {
		out = append(out, *a.found[id])
	}
	return out
}

// add notes a score of a record, unless the record has run out.
func (a *answer) add(r *record.Record, s screening.Score, alarm bool) *screening.Candidate {
	if r.Expired(a.source.now()) {
		return nil
	}
	c := a.found[r.ID]
	if c == nil {
		c = &screening.Candidate{
			Source: Name, List: r.List, Record: r.ID, Edition: r.Edition, Owner: r.Owner, LegalBasis: r.LegalBasis,
			Purpose: r.Purpose, Handling: string(r.Handling.Action), Confirm: r.Handling.Confirm, Contact: r.Handling.Contact,
			Name: displayName(r), Expires: *r.Expires, Photographs: len(r.Photographs),
		}
		a.found[r.ID] = c
		a.order = append(a.order, r.ID)
	}
	c.Scores = append(c.Scores, s)
	c.Alarm = c.Alarm || alarm
	return c
}

// displayName is the name that an officer reads first.
func displayName(r *record.Record) string {
	at := slices.IndexFunc(r.Names, func(n record.Name) bool { return n.Kind == record.NamePrimary })
	switch {
	case len(r.Names) == 0:
		return ""
	case at < 0:
		at = 0
	}
	n := r.Names[at]
	switch {
	case n.Full != "":
		return n.Full
	case n.Secondary == "":
		return n.Primary
	}
	return n.Primary + ", " + n.Secondary
}

// searchDocument looks one document up, and compares it with what the record
// says: the table holds 64 bits only.
func (a *answer) searchDocument(p screening.DocumentProbe) error {
	d, err := docnumber.Normalise(p.Type, p.Issuer, p.Number)
	if err != nil {
		a.coverage.NotAsked[screening.Document] = string(fault.CodeOf(err))
		return nil
	}
	g := a.list.generation
	hashes, complete, err := docnumber.Probes(g.Index(), d)
	if err != nil {
		return err
	}
	if !complete {
		a.coverage.NotAsked[screening.Document] = issuerUnknown
	}
	seen := map[store.RecordKey]bool{}
	for _, h := range hashes {
		for _, at := range a.list.documents.Lookup(h) {
			keys, err := g.At(at)
			if err != nil {
				return err
			}
			for _, k := range keys {
				if seen[k] {
					continue
				}
				seen[k] = true
				if err := a.confirm(k, d); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (a *answer) confirm(k store.RecordKey, d docnumber.Document) error {
	r, err := a.list.generation.Get(k)
	if err != nil {
		return err
	}
	for _, listed := range r.Documents {
		e, err := docnumber.Normalise(listed.Type, listed.Issuer, listed.Number)
		if err != nil || !e.Equal(d) {
			continue
		}
		a.add(r, screening.Score{
			Modality: screening.Document, Value: 1, Explain: "document number equal, listed as " + string(listed.Status),
		}, true)
		return nil
	}
	return nil // the 64 bits agreed by chance
}

// searchFace scans the gallery of the probe's model, and scores those that
// were found by document too.
func (a *answer) searchFace(ctx context.Context) error {
	faces := a.list.facesFor(a.q)
	if faces == nil {
		return nil // said in the coverage
	}
	// One budget is shared by all templates of all lists. Below what the curve
	// states, its end is the bound, and the rate given with the candidate says
	// that the budget is exceeded.
	fmr := max(calibration.FMRFor(a.source.limits.FPIR, a.templates), calibration.FaceFloor)
	least, _ := calibration.FaceThreshold(fmr)
	probe := gallery.Template(a.q.Face.Template.Vector)
	hits, err := faces.Gallery.Search(ctx, gallery.Query{Probes: []gallery.Template{probe}, Top: a.source.limits.MaxCandidates, Least: float32(least)})
	if err != nil {
		return err
	}
	alarm := faces.Persons <= a.source.limits.AlarmMaxList && a.q.Face.Frames >= a.source.limits.AlarmMinFrames
	byFace := map[string]bool{}
	for _, h := range hits {
		r, err := a.list.generation.Get(faces.Records[h.Person])
		if err != nil {
			return err
		}
		byFace[r.ID] = true
		a.add(r, a.faceScore(float64(h.Score), faces.Persons), alarm)
	}
	for _, id := range slices.Clone(a.order) {
		if byFace[id] {
			continue
		}
		r, err := a.list.generation.ByID(id)
		if err != nil {
			return err
		}
		if score, ok := best(r, &probe, faces); ok {
			a.add(r, a.faceScore(score, faces.Persons), false)
		}
	}
	return nil
}

// faceScore states a cosine with its error rates.
func (a *answer) faceScore(cosine float64, persons int) screening.Score {
	fmr := calibration.FaceFMR(cosine)
	return screening.Score{
		Modality: screening.Face, Value: cosine, FMR: fmr, FPIR: calibration.FPIR(fmr, a.templates),
		Explain: fmt.Sprintf("cosine %.3f, %d frames, list of %d faces", cosine, a.q.Face.Frames, persons),
	}
}

// best is the highest cosine of a record's own templates of the probe's model.
func best(r *record.Record, probe *gallery.Template, of *store.Faces) (float64, bool) {
	score, ok := float32(-2), false
	for _, f := range r.Faces {
		if f.Model == of.Model && f.Version == of.Version && len(f.Vector) == kernel.Dims {
			score, ok = max(score, kernel.Dot((*gallery.Template)(f.Vector), probe)), true
		}
	}
	return float64(score), ok
}
