package encounter

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/encounter/store"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/screening"
)

// album is a source that holds photographs, and the decode role.
type album struct {
	*bench
	outside []byte
	err     error // of the source
	decode  error
	asked   int
}

func (a *album) Photograph(c screening.Candidate, n int) ([]byte, error) {
	a.asked++
	if c.Record != "r1" || n > 1 {
		return nil, screening.ErrNoPhotograph
	}
	return a.outside, a.err
}

func (a *album) DecodePhotograph(_ context.Context, picture []byte) ([]byte, error) {
	if a.decode != nil {
		return nil, a.decode
	}
	return append([]byte("anew: "), picture...), nil
}

// pictured is a post in review with a candidate that has two photographs.
func pictured(t *testing.T) (*album, Encounter) {
	b := newBench(t)
	a := &album{bench: b, outside: []byte("of the list")}
	b.post.Photographs, b.post.Portraits = a, a
	c := candidate()
	c.Photographs = 2
	bare := candidate()
	bare.Record = "r2"
	b.result = screening.Result{Answer: screening.Candidates, Candidates: []screening.Candidate{c, bare}}
	return a, b.walk(true, Adult)
}

func TestPhotograph(t *testing.T) {
	a, e := pictured(t)
	for n := range 2 {
		got, err := a.post.Photograph(t.Context(), e.ID, "o1", "l", "r1", n)
		if err != nil || string(got) != "anew: of the list" {
			t.Fatalf("%q, %v", got, err)
		}
	}
	a.told(e.ID, audit.PhotographShown, 2)
}

// TestAttackPhotograph asks for photographs in ways that must not show one, or
// hands out pictures that must not be shown.
func TestAttackPhotograph(t *testing.T) {
	get := func(a *album, id, list, record string, n int) error {
		got, err := a.post.Photograph(a.t.Context(), id, "o1", list, record, n)
		if got != nil {
			a.t.Error("a picture came with it")
		}
		return err
	}
	for _, c := range []struct {
		name string
		do   func(a *album, id string) error
		code fault.Code
	}{
		{"of a record that is no candidate", func(a *album, id string) error { return get(a, id, "l", "r3", 0) }, "encounter.no_such_candidate"},
		{"of another list", func(a *album, id string) error { return get(a, id, "m", "r1", 0) }, "encounter.no_such_candidate"},
		{"of a candidate without one", func(a *album, id string) error { return get(a, id, "l", "r2", 0) }, "encounter.no_picture"},
		{"beyond the last", func(a *album, id string) error { return get(a, id, "l", "r1", 2) }, "encounter.no_picture"},
		{"below the first", func(a *album, id string) error { return get(a, id, "l", "r1", -1) }, "encounter.no_picture"},
		{"of no encounter", func(a *album, _ string) error { return get(a, "nobody", "l", "r1", 0) }, "encounter.not_found"},
		{"once the encounter is closed", func(a *album, id string) error {
			for _, r := range []string{"r1", "r2"} {
				_, err := a.post.Adjudicate(id, AdjudicateRequest{Officer: "o1", List: "l", Record: r, Finding: DifferentPerson, Reason: "ears"})
				a.do(err)
			}
			_, err := a.post.Decide(id, DecideRequest{Officer: "o1", Outcome: Referred})
			a.do(err)
			return get(a, id, "l", "r1", 0)
		}, "encounter.not_found"},
		{"swapped on the disk", func(a *album, id string) error {
			a.err = &fault.Error{Code: "store.damaged"}
			return get(a, id, "l", "r1", 0)
		}, "store.damaged"},
		{"gone from the list meanwhile", func(a *album, id string) error {
			a.err = screening.ErrNoPhotograph
			return get(a, id, "l", "r1", 0)
		}, "source.no_photograph"},
		{"no picture at all", func(a *album, id string) error {
			a.decode = &fault.Error{Code: "image.format"}
			return get(a, id, "l", "r1", 0)
		}, "image.format"},
		{"one that ends the decode process", func(a *album, id string) error {
			a.decode = &fault.Error{Code: "capture.lost"}
			return get(a, id, "l", "r1", 0)
		}, "capture.lost"},
		{"where no source has any", func(a *album, id string) error {
			a.post.Photographs = nil
			return get(a, id, "l", "r1", 0)
		}, "encounter.no_picture"},
		{"where no decode process is", func(a *album, id string) error {
			a.post.Portraits = a.bench
			return get(a, id, "l", "r1", 0)
		}, "encounter.no_picture"},
		{"where the audit log cannot be written", func(a *album, id string) error {
			full, err := store.Open(a.t.TempDir(), newSealer(a.t))
			a.do(err)
			a.do(full.Close())
			kept := a.post.Store
			a.post.Store = full
			defer func() { a.post.Store = kept }()
			return get(a, id, "l", "r1", 0)
		}, "store.failed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, e := pictured(t)
			if err := c.do(a, e.ID); fault.CodeOf(err) != c.code {
				t.Errorf("%v, want code %s", err, c.code)
			}
		})
	}
}

func TestKeptEvidence(t *testing.T) {
	b := newBench(t)
	first := b.referred()
	b.pass(time.Hour)
	second := b.referred()
	open := b.walk(true, Adult)
	kept, err := b.post.KeptEvidence("s1")
	if err != nil || len(kept) != 2 || kept[0].Encounter != first.ID || kept[1].Encounter != second.ID || kept[0].Left != 71*time.Hour || kept[0].Outcome != Referred || kept[0].Officer != "o1" || kept[0].Decided.IsZero() {
		t.Fatalf("%+v, %v", kept, err)
	}
	if _, err := b.post.EvidencePicture(open.ID, "s1", "border_check", PictureProbe); !errors.Is(err, ErrNoEvidence) {
		t.Errorf("of an open encounter: %v", err)
	}
	if _, err := b.post.EvidencePicture(first.ID, "s1", "border_check", "record"); !errors.Is(err, ErrNoPicture) {
		t.Errorf("a picture that there is not: %v", err)
	}
	if _, err := b.post.EvidencePicture(first.ID, "s1", "curiosity", PictureChip); !errors.Is(err, ErrPurpose) {
		t.Errorf("for curiosity: %v", err)
	}
	got, err := b.post.EvidencePicture(first.ID, "s1", "border_check", PictureChip)
	if err != nil || string(got) != string(plantedChip2) {
		t.Errorf("%q, %v", got, err)
	}
	b.told(first.ID, audit.EvidenceOpened, 1)
	b.mu.Lock()
	b.up += 71 * time.Hour // before the sweep
	b.mu.Unlock()
	if kept, err := b.post.KeptEvidence("s1"); err != nil || len(kept) != 1 || kept[0].Encounter != second.ID {
		t.Errorf("%+v, %v", kept, err)
	}
	if _, err := b.post.EvidencePicture(first.ID, "s1", "border_check", PictureChip); !errors.Is(err, ErrNoEvidence) {
		t.Errorf("after its time: %v", err)
	}
}
