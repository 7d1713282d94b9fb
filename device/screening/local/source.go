package local

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/watchpost/watchpost/device/biometric/calibration"
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
	// Faces reads the rates of faces, held to the group that the policy says.
	Faces calibration.FaceCurve
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
		if f, _ := l.facesFor(q); f != nil {
			n += f.Templates
		}
	}
	return n
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
		if f, _ := l.facesFor(q); f != nil {
			c.FaceModel = f.Model + "/" + f.Version
		}
		if l.otherFaces(q) {
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
		if err := a.searchFace(ctx); err != nil {
			return err
		}
	}
	return a.addNames()
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
