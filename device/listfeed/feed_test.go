package listfeed_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed"
	"github.com/watchpost/watchpost/device/listfeed/carrier"
	"github.com/watchpost/watchpost/device/listfeed/feedtest"
	"github.com/watchpost/watchpost/device/listfeed/target"
)

var ctx = context.Background()

// unList is the list and key of most tests.
var unList = target.KeyName{Name: "un-sc", Epoch: 1}

// folder carries a repository's folder.
func folder(t testing.TB, dir string) *carrier.Folder {
	t.Helper()
	f, err := carrier.OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// begin returns a World whose list un-sc has two records, and a device that
// holds it.
func begin(t testing.TB) (*feedtest.World, *feedtest.Device) {
	t.Helper()
	w := feedtest.New(t, feedtest.Dir(t))
	d := w.Device()
	w.Commit("un", append(w.Generation("un", unList, 1, feedtest.Record("un-sc", "p1", "N1"), feedtest.Record("un-sc", "p2", "N2")), w.Devices("un", unList, d))...)
	refresh(t, w, d)
	return w, d
}

func refresh(t testing.TB, w *feedtest.World, d *feedtest.Device) listfeed.Result {
	t.Helper()
	r, err := d.Refresh(ctx, folder(t, w.Repo.Dir()))
	if err == nil {
		err = r.Err()
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func wantCode(t testing.TB, err error, code fault.Code) {
	t.Helper()
	if fault.CodeOf(err) != code {
		t.Fatalf("got %v, want %s", err, code)
	}
}

func TestFromOwnerToPost(t *testing.T) {
	w, d := begin(t)
	g, err := d.OpenList(ctx, "un-sc")
	if err != nil {
		t.Fatal(err)
	}
	if r, err := g.ByID("p1"); err != nil || r.Documents[0].Number != "N1" {
		t.Fatalf("%v, %v", r, err)
	}
	if err := g.Verify(ctx); err != nil {
		t.Fatal(err)
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	if r := refresh(t, w, d); len(r.Changed) != 0 {
		t.Errorf("nothing new changed %v", r.Changed)
	}

	// An urgent change in a bundle: a record comes, one goes.
	w.Commit("un", w.Segment("un", unList,
		target.Change{Op: target.OpPut, ID: "p3", Record: feedtest.Record("un-sc", "p3", "N3")}, target.Change{Op: target.OpWithdraw, ID: "p1"}))
	raw, err := w.Bundle("un").Encode()
	if err != nil {
		t.Fatal(err)
	}
	b, err := target.DecodeBundle(raw)
	if err != nil {
		t.Fatal(err)
	}
	for again := range 2 {
		r, err := d.Apply(ctx, b)
		if err != nil || r.Err() != nil || len(r.Changed) != 1-again {
			t.Fatalf("%+v, %v", r, err)
		}
	}
	check := func() {
		t.Helper()
		if r, touched := d.Overlay("un-sc").Get("p1"); r != nil || !touched {
			t.Error("p1 is not withdrawn")
		}
		if r, touched := d.Overlay("un-sc").Get("p3"); r == nil || !touched {
			t.Error("p3 is not there")
		}
		if s := d.Status(); len(s.Lists) != 1 || s.Lists[0].Segment != 1 || s.Lists[0].Behind || s.Stale {
			t.Errorf("%+v", s)
		}
		if err := d.Stale("un-sc"); err != nil {
			t.Error(err)
		}
	}
	check()
	if err := d.Restart(w.Root); err != nil { // from what was committed
		t.Fatal(err)
	}
	check()

	// The next generation takes the changes in, and the segments begin anew.
	w.Commit("un", w.Generation("un", unList, 2, feedtest.Record("un-sc", "p2", "N2"), feedtest.Record("un-sc", "p3", "N3"))...)
	if r, err := d.Apply(ctx, w.Bundle("un")); err != nil || r.Err() != nil || fault.CodeOf(d.Stale("un-sc")) != "listfeed.behind" {
		t.Fatalf("a generation that the bundle lacks: %+v, %v, %v", r, err, d.Stale("un-sc"))
	}
	refresh(t, w, d)
	if s := d.Status().Lists[0]; s.Generation != 2 || s.Segment != 0 || s.Behind || d.Overlay("un-sc").Len() != 0 {
		t.Errorf("%+v", s)
	}
	for name := range d.State.Kept {
		if filepath.Dir(filepath.Dir(filepath.Dir(name))) == "segment" {
			t.Errorf("%s is left", name)
		}
	}

	// The list is withdrawn, with its key.
	w.Must(w.Repo.Stage("un", w.Now.Add(feedtest.OwnerLife), nil, target.Path{Owner: "un", Kind: target.KindList, Name: "un-sc"}))
	w.SignStaged("un", "boris", "carla")
	w.Publish()
	if r := refresh(t, w, d); len(r.Changed) != 1 || !r.Changed[0].Withdrawn {
		t.Errorf("%+v", r)
	}
	if _, err := d.OpenList(ctx, "un-sc"); fault.CodeOf(err) != "listfeed.no_list" {
		t.Error(err)
	}
	if _, err := d.Keys.ListKey(unList.String()); fault.CodeOf(err) != "vault.no_list_key" {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(d.Dir, "lists", "un-sc")); !os.IsNotExist(err) {
		t.Error("the folder is left")
	}
}

func TestPolicyForThisPost(t *testing.T) {
	w := feedtest.New(t, feedtest.Dir(t))
	d := w.Device()
	k := target.KeyName{Name: "posts", Epoch: 1}
	for name, text := range map[string]string{"all": "policy for all", "post-1": "policy of post 1", "post-2": "policy of another"} {
		dir := t.TempDir()
		w.Must(os.WriteFile(filepath.Join(dir, "policy.yaml"), []byte(text), 0o600))
		w.Commit("site", w.Files(target.Path{Owner: "site", Kind: target.KindPolicy, Name: name}, k, 3, dir), w.Devices("site", k, d))
	}
	refresh(t, w, d)
	dir, version, err := d.Content(target.KindPolicy)
	if err != nil {
		t.Fatal(err)
	}
	if raw, err := os.ReadFile(filepath.Join(dir, "policy.yaml")); err != nil || string(raw) != "policy of post 1" || version != 3 {
		t.Errorf("%q of %d, %v", raw, version, err)
	}
	_, _, err = d.Content(target.KindAccounts)
	wantCode(t, err, "listfeed.no_target")
}
