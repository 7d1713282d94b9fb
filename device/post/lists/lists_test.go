package lists_test

import (
	"context"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/listfeed/feedtest"
	"github.com/watchpost/watchpost/device/listfeed/target"
	"github.com/watchpost/watchpost/device/post/lists"
	"github.com/watchpost/watchpost/device/screening"
	"github.com/watchpost/watchpost/device/screening/local"
)

var ctx = context.Background()

// ask returns the records found by a document number, and whether any list
// said that it is stale.
func ask(t *testing.T, h *lists.Held, number string) (found []string, stale bool) {
	t.Helper()
	r, err := h.Ask(ctx, screening.Question{Documents: []screening.DocumentProbe{{Type: "P", Issuer: "UTO", Number: number}}})
	if err != nil || len(r.Coverage) == 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	for _, c := range r.Candidates {
		found = append(found, c.Record)
	}
	for _, c := range r.Coverage {
		stale = stale || c.Stale
	}
	return found, stale
}

// TestChangesAreSearchedWhileThePostWorks takes an urgent change, a
// generation, a silence and a withdrawal without a restart.
func TestChangesAreSearchedWhileThePostWorks(t *testing.T) {
	w := feedtest.New(t, feedtest.Dir(t))
	d := w.Device()
	k := target.KeyName{Name: "un-sc", Epoch: 1}
	w.Commit("un", append(w.Generation("un", k, 1, feedtest.Record("un-sc", "p1", "N1"), feedtest.Record("un-sc", "p2", "N2")), w.Devices("un", k, d))...)
	take := func() {
		t.Helper()
		if r, err := d.Refresh(ctx, feedtest.Folder(t, w.Repo.Dir())); err != nil || r.Err() != nil {
			t.Fatal(r, err)
		}
	}
	take()
	h, err := lists.Open(ctx, lists.Options{Dir: feedtest.Dir(t), Feed: d.Updater, Limits: local.Limits{FPIR: 0.001, MaxCandidates: 5, AlarmMaxList: 10, AlarmMinFrames: 3}, Now: d.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	want := func(number, record string, stale bool) {
		t.Helper()
		found, isStale := ask(t, h, number)
		if record == "" && len(found) != 0 || record != "" && (len(found) != 1 || found[0] != record) || isStale != stale {
			t.Errorf("%s: found %v, stale %v; want %q, %v", number, found, isStale, record, stale)
		}
	}
	want("N1", "p1", false)
	want("N9", "", false)

	w.Commit("un", w.Segment("un", k, target.Change{Op: target.OpWithdraw, ID: "p1"},
		target.Change{Op: target.OpPut, ID: "p2", Record: feedtest.Record("un-sc", "p2", "N22")}, target.Change{Op: target.OpPut, ID: "p3", Record: feedtest.Record("un-sc", "p3", "N3")}))
	take()
	want("N3", "", true) // committed, and not yet searched: nothing is clear
	if err := h.Take(ctx); err != nil {
		t.Fatal(err)
	}
	want("N1", "", false)
	want("N2", "", false) // p2 has another document now
	want("N22", "p2", false)
	want("N3", "p3", false)

	w.Commit("un", w.Generation("un", k, 2, feedtest.Record("un-sc", "p4", "N4"))...)
	take()
	if err := h.Take(ctx); err != nil {
		t.Fatal(err)
	}
	want("N3", "", false)
	want("N4", "p4", false)

	d.Clock = w.Now.Add(feedtest.TimestampLife + time.Second)
	want("N4", "p4", true) // the source is silent

	d.Clock = w.Now
	w.Must(w.Repo.Stage("un", w.Now.Add(feedtest.OwnerLife), nil, target.Path{Owner: "un", Kind: target.KindList, Name: "un-sc"}))
	w.SignStaged("un", "anna", "boris")
	w.Publish()
	take()
	if err := h.Take(ctx); err != nil {
		t.Fatal(err)
	}
	if r, err := h.Ask(ctx, screening.Question{Documents: []screening.DocumentProbe{{Number: "N4"}}}); err != nil || len(r.Coverage) != 0 {
		t.Errorf("a withdrawn list is searched: %+v, %v", r, err)
	}
}
