package local

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/screening"
	"github.com/watchpost/watchpost/device/watchlist/record"
)

func TestPhotograph(t *testing.T) {
	with, without, expired := person(1, "m"), person(2, "m"), person(3, "m")
	picture := []byte("\xff\xd8\xff the one")
	with.Photographs = []record.Photograph{{Image: picture}}
	past := start
	expired.Expires, expired.Photographs = &past, with.Photographs
	l, dir := load(t, "bench", with, without, expired)
	s := newSource(t, l)
	q := screening.Question{Documents: []screening.DocumentProbe{{Type: "P", Issuer: "UTO", Number: "N-1"}}}
	reply, err := s.Ask(ctx, q)
	if err != nil || len(reply.Candidates) != 1 || reply.Candidates[0].Photographs != 1 {
		t.Fatalf("%+v, %v", reply, err)
	}
	screener, err := screening.New(screening.Rules{Required: []string{Name}, MaxCandidates: 5, MaxListAge: 1e15}, clock, s)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := screener.Photograph(reply.Candidates[0], 0); err != nil || string(got) != string(picture) {
		t.Errorf("%q, %v", got, err)
	}
	for name, c := range map[string]screening.Candidate{
		"another source": {Source: "central", List: "bench", Record: with.ID},
		"another list":   {Source: Name, List: "other", Record: with.ID},
		"no such record": {Source: Name, List: "bench", Record: "P-99"},
		"none held":      {Source: Name, List: "bench", Record: without.ID},
		"expired":        {Source: Name, List: "bench", Record: expired.ID},
	} {
		if got, err := screener.Photograph(c, 0); !errors.Is(err, screening.ErrNoPhotograph) || got != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for _, n := range []int{-1, 1} {
		if _, err := screener.Photograph(reply.Candidates[0], n); !errors.Is(err, screening.ErrNoPhotograph) {
			t.Errorf("photograph %d: %v", n, err)
		}
	}
	path := filepath.Join(dir, "photographs.db")
	if err := os.Truncate(path, 100); err != nil {
		t.Fatal(err)
	}
	if _, err := screener.Photograph(reply.Candidates[0], 0); fault.CodeOf(err) != "store.damaged" {
		t.Errorf("a cut file: %v", err)
	}
}
