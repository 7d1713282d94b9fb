package command

import (
	"context"
	"errors"
	"testing"

	"github.com/watchpost/watchpost/device/screening"
)

// album is a source with a photograph of every record.
type album struct{}

func (album) Name() string { return "local" }

func (album) Ask(context.Context, screening.Question) (screening.Reply, error) {
	return screening.Reply{}, nil
}

func (album) Photograph(_, record string, _ int) ([]byte, error) { return []byte(record), nil }

// bare is a source that sends none.
type bare struct{ screening.Source }

func TestPhotographs(t *testing.T) {
	b := newBox(t)
	of := Source{Source: album{}, Ledger: b.ledger}
	if got, err := of.Photograph("l", "r1", 0); err != nil || string(got) != "r1" {
		t.Errorf("%q, %v", got, err)
	}
	b.must(both(recalling(1, "r1")))
	if got, err := of.Photograph("l", "r1", 0); !errors.Is(err, screening.ErrNoPhotograph) || got != nil {
		t.Errorf("of a recalled record: %q, %v", got, err)
	}
	if _, err := of.Photograph("l", "r2", 0); err != nil {
		t.Errorf("of another record: %v", err)
	}
	if _, err := (Source{Source: bare{album{}}, Ledger: b.ledger}).Photograph("l", "r2", 0); !errors.Is(err, screening.ErrNoPhotograph) {
		t.Errorf("of a source that sends none: %v", err)
	}
}
