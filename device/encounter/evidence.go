package encounter

import (
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"slices"
	"time"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/document/inspect"
	"github.com/watchpost/watchpost/device/encounter/store"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/screening"
)

// ErrNoEvidence says that there is nothing to show of a closed encounter.
var ErrNoEvidence = &fault.Error{Code: "encounter.no_evidence", Hint: "none was kept, or its time has run out"}

// Evidence is what is kept for a time to show why an encounter ended as it
// did: what the officer saw, and no template. It is personal data.
type Evidence struct {
	Version   int                `json:"version"`
	Encounter Encounter          `json:"encounter"` // with all that the kept encounter leaves out
	Pictures  map[Picture][]byte `json:"pictures"`  // JPEG
	Until     int64              `json:"until"`     // retention time in seconds
}

// LogValue keeps evidence out of logs.
func (e Evidence) LogValue() slog.Value { return e.Encounter.LogValue() }

// String keeps evidence out of the fmt verbs.
func (e Evidence) String() string { return "evidence of " + e.Encounter.String() }

// Evidence opens the evidence of a closed encounter for an officer and a
// purpose of the policy, and notes both in the audit log before it shows
// anything. ErrNoEvidence where none was kept or its time has run out, also
// before the next sweep.
func (p *Post) Evidence(id, officer, purpose string) (Evidence, error) {
	e, err := p.evidence(id, purpose)
	if err != nil {
		return Evidence{}, err
	}
	if err := p.opened(id, officer, purpose, "encounter"); err != nil {
		return Evidence{}, err
	}
	return e, nil
}

// EvidencePicture is Evidence for one of its pictures; ErrNoPicture where it
// has no such one. The bytes are the caller's.
func (p *Post) EvidencePicture(id, officer, purpose string, which Picture) ([]byte, error) {
	e, err := p.evidence(id, purpose)
	if err != nil {
		return nil, err
	}
	picture := e.Pictures[which]
	if len(picture) == 0 {
		return nil, ErrNoPicture
	}
	if err := p.opened(id, officer, purpose, string(which)); err != nil {
		return nil, err
	}
	return picture, nil
}

// opened notes who is about to see what.
func (p *Post) opened(id, officer, purpose, part string) error {
	return p.Store.Commit(store.Change{Audit: []audit.Line{{
		Time: p.Now(), Actor: officer, Action: audit.EvidenceOpened, Encounter: id, Purpose: purpose, Facts: map[string]string{"part": part},
	}}})
}

// KeptEvidence says of one closed encounter that there is evidence of it. It
// names nobody.
type KeptEvidence struct {
	Encounter string // id
	Officer   string // who decided
	Outcome   Outcome
	Decided   time.Time
	Left      time.Duration // until it is gone
}

// maxKept bounds a list of kept evidence.
const maxKept = 500

// KeptEvidence lists of which encounters there is evidence, what goes soonest
// first, and notes in the audit log that officer has looked.
func (p *Post) KeptEvidence(officer string) ([]KeptEvidence, error) {
	due, err := p.Store.Due(math.MaxInt64, 2*maxKept)
	if err != nil {
		return nil, err
	}
	kept, now := []KeptEvidence{}, p.retentionNow()
	for _, k := range due {
		if k.Kind != store.KindEvidence || k.Until <= now || len(kept) == maxKept {
			continue
		}
		e, err := p.Get(k.ID)
		if err != nil {
			return nil, err
		}
		one := KeptEvidence{Encounter: k.ID, Officer: e.Officer, Left: time.Duration(k.Until-now) * time.Second}
		if d := e.Decision; d != nil {
			one.Outcome, one.Decided = d.Outcome, d.Time
		}
		kept = append(kept, one)
	}
	if err := p.Store.Commit(store.Change{Audit: []audit.Line{{Time: p.Now(), Actor: officer, Action: audit.EvidenceListed}}}); err != nil {
		return nil, err
	}
	return kept, nil
}

// evidence opens evidence; nobody has been told of it yet.
func (p *Post) evidence(id, purpose string) (Evidence, error) {
	if !slices.Contains(p.Policy.Search.Purposes, purpose) {
		return Evidence{}, ErrPurpose
	}
	raw, err := p.Store.Evidence(id)
	if errors.Is(err, store.ErrNotFound) {
		return Evidence{}, ErrNoEvidence
	} else if err != nil {
		return Evidence{}, err
	}
	defer clear(raw)
	var e Evidence
	if err := json.Unmarshal(raw, &e); err != nil || e.Version != formVersion {
		return Evidence{}, fault.New("encounter.damaged", "the evidence has another form")
	}
	if p.retentionNow() >= e.Until {
		return Evidence{}, ErrNoEvidence
	}
	return e, nil
}

// remains makes what is left of a decided encounter: the kept form, how long,
// and the evidence where there must be some. p.mu is held.
func (p *Post) remains(a *active, kept *Encounter) (*store.Closing, error) {
	keep, shown := p.Policy.Retention.Encounter.Of(), p.Policy.Retention.Evidence.Of()
	c := &store.Closing{}
	evidence := needsEvidence(kept) && shown > 0
	if evidence {
		keep = max(keep, shown)
	}
	kept.KeepUntil = kept.Decision.Time.Add(keep)
	c.StateUntil = p.until(keep)
	if evidence {
		e := Evidence{Version: formVersion, Encounter: kept.clone(), Pictures: map[Picture][]byte{}, Until: p.until(shown)}
		if a.probe != nil && len(a.probe.Picture) > 0 {
			e.Pictures[PictureProbe] = a.probe.Picture
		}
		if len(a.portrait) > 0 {
			e.Pictures[PictureChip] = a.portrait
		}
		var err error
		if c.Evidence, err = json.Marshal(e); err != nil {
			return nil, fault.Wrap("encounter.encode", err)
		}
		c.EvidenceUntil = e.Until
	}
	kept.strip()
	return c, nil
}

// needsEvidence reports whether the encounter's data may be kept: only for a
// failed check, a candidate or a referral (design section 8, issue "the post").
func needsEvidence(e *Encounter) bool {
	if len(e.Candidates) > 0 || e.Decision.Outcome == Referred || e.Decision.Outcome == Refused {
		return true
	}
	if e.Presentation != nil && e.Presentation.Failed {
		return true
	}
	if e.Inspection != nil {
		for _, c := range e.Inspection.Checks {
			if c.Result == inspect.Fail {
				return true
			}
		}
	}
	return false
}

// strip leaves of a closed encounter what is kept beyond its evidence:
// outcome, check codes and ids.
func (e *Encounter) strip() {
	e.Declared = Declared{Age: e.Declared.Age}
	e.Face, e.Comparison, e.Fingers = nil, nil, nil
	if f := e.Presentation; f != nil {
		e.Presentation = &PresentationFacts{Display: f.Display, Tries: f.Tries, Of: f.Of, Kind: f.Kind, Check: f.Check, Failed: f.Failed, Bench: f.Bench}
	}
	for i := range e.Candidates {
		c := &e.Candidates[i]
		c.Name, c.Contact, c.Scores, c.Reason = "", "", []screening.Score{}, ""
	}
	if e.Inspection != nil {
		e.Inspection = &inspect.Inspection{Access: e.Inspection.Access, Checks: e.Inspection.Checks}
	}
}
