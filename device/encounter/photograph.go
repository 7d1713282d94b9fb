package encounter

import (
	"context"
	"slices"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/encounter/store"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/screening"
)

// Photographer asks the source of a candidate for photographs of its record.
type Photographer interface {
	Photograph(c screening.Candidate, n int) ([]byte, error)
}

// PhotographDecoder is a PortraitDecoder that makes a list's photograph anew,
// as a small JPEG, in a process that holds no keys and nobody else's data: a
// list may be signed by somebody hostile.
type PhotographDecoder interface {
	DecodePhotograph(ctx context.Context, picture []byte) ([]byte, error)
}

// errNoPhotograph says where a photograph would have come from.
var errNoPhotograph = ErrNoPicture.WithHint("the list holds no photograph of this record, or its source does not send any")

// Photograph returns photograph n, from 0, of the record that a candidate of an
// open encounter names: a small JPEG made anew. Who is shown it is in the audit
// log before. It fails with ErrNotFound where the encounter is not open, with
// encounter.no_such_candidate where the record is no candidate of it, and with
// ErrNoPicture where there is no photograph. Nothing of it is kept.
func (p *Post) Photograph(ctx context.Context, id, officer, list, record string, n int) ([]byte, error) {
	p.mu.Lock()
	a := p.open[id]
	if a == nil {
		p.mu.Unlock()
		return nil, ErrNotFound
	}
	at := slices.IndexFunc(a.view.Candidates, func(c Candidate) bool { return c.List == list && c.Record == record })
	if at < 0 {
		p.mu.Unlock()
		return nil, fault.New("encounter.no_such_candidate", "there is no such candidate")
	}
	c, purpose := a.view.Candidates[at].Candidate, a.view.Purpose
	p.mu.Unlock()
	decoder, able := p.Portraits.(PhotographDecoder)
	if p.Photographs == nil || !able || n < 0 || n >= c.Photographs {
		return nil, errNoPhotograph
	}
	outside, err := p.Photographs.Photograph(c, n)
	if err != nil {
		return nil, err
	}
	line := audit.Line{Time: p.Now(), Actor: officer, Action: audit.PhotographShown, Encounter: id, Object: list + "/" + record, Purpose: purpose}
	if err := p.Store.Commit(store.Change{Audit: []audit.Line{line}}); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, p.Policy.Deadlines.Capture.Of())
	defer cancel()
	return decoder.DecodePhotograph(ctx, outside)
}
