package decode_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/screening"
	"github.com/watchpost/watchpost/device/screening/local"
	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/device/watchlist/record"
	"github.com/watchpost/watchpost/device/watchlist/store"
)

// TestSoakLFWFalseAlarms searches lists of real people for other real people:
// twenty times a random half of the identities is the list, each person with
// all photographs, and every photograph of the other half a probe. Searches
// that alarm may be at most 1.5 times as many as the policy promises.
func TestSoakLFWFalseAlarms(t *testing.T) {
	folds := lfwFolds(t)
	if os.Getenv("WATCHPOST_SOAK") == "" {
		t.Skip("SKIPPED: make soak runs the whole measurement")
	}
	e := enrolFolds(t, folds)
	people := map[string][]string{}
	var names []string
	for _, f := range e.files() {
		if people[person(f)] == nil {
			names = append(names, person(f))
		}
		people[person(f)] = append(people[person(f)], f)
	}
	promises := []float64{1e-1, 1e-2, 1e-3}
	alarms, searches := make([]int, len(promises)), 0
	r := rand.New(rand.NewPCG(20, 1))
	for half := range 20 {
		r.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		listed, others := names[:len(names)/2], names[len(names)/2:]
		list := e.listOf(t, fmt.Sprint("half-", half), listed, people)
		sources := make([]*local.Source, len(promises))
		for i, fpir := range promises {
			var err error
			sources[i], err = local.New(local.Limits{FPIR: fpir, MaxCandidates: 20, AlarmMaxList: 1000, AlarmMinFrames: 3}, time.Now, list)
			if err != nil {
				t.Fatal(err)
			}
		}
		for _, name := range others {
			for _, f := range people[name] {
				searches++
				probe := e[f]
				// One picture stands for a burst: what is measured is the rate,
				// not the rule that one picture carries no alarm.
				q := screening.Question{Face: &screening.FaceProbe{Template: probe, Frames: 3}}
				for i := range sources {
					reply, err := sources[i].Ask(context.Background(), q)
					if err != nil || len(reply.Coverage) != 1 || reply.Coverage[0].Answered != 1 {
						t.Fatalf("%+v, %v", reply.Coverage, err)
					}
					for _, c := range reply.Candidates {
						if c.Alarm {
							alarms[i]++
							break
						}
					}
				}
			}
		}
		if err := list.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for i, fpir := range promises {
		promised := fpir * float64(searches)
		t.Logf("policy %g: %d of %d searches alarm, %.0f promised: %.2f times", fpir, alarms[i], searches, promised, float64(alarms[i])/promised)
		if float64(alarms[i]) > 1.5*promised {
			t.Errorf("policy %g: %d false alarms, %.0f promised", fpir, alarms[i], promised)
		}
	}
}

// listOf seals the people into a list and loads it. The caller closes it.
func (e enrolled) listOf(t *testing.T, name string, listed []string, people map[string][]string) *local.List {
	t.Helper()
	ring := vault.NewRing()
	t.Cleanup(ring.Close)
	key, err := ring.Random()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "g")
	now := time.Now()
	b, err := store.Create(dir, ring, key, store.Spec{
		List: name, Generation: 1, Owner: "measurement", LegalBasis: "none", Purpose: "measurement",
		Handling: record.Handling{Action: record.Refer}, Created: now.Add(-time.Minute), Expires: now.Add(time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, person := range listed {
		rec := &record.Record{Schema: 1, ID: fmt.Sprint("P-", i), Edition: 1}
		for _, f := range people[person] {
			face := e[f]
			rec.Faces = append(rec.Faces, record.Face{Model: face.Model, Version: face.Version, Images: 1, Vector: append(record.Vector(nil), face.Vector[:]...)})
		}
		if err := b.Add(rec); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Finish(context.Background()); err != nil {
		t.Fatal(err)
	}
	g, err := store.OpenFolder(dir, key)
	if err != nil {
		t.Fatal(err)
	}
	l, err := local.Load(context.Background(), g)
	if err != nil {
		t.Fatal(err)
	}
	return l
}
