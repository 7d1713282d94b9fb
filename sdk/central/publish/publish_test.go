package publish_test

import (
	"context"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed/carrier"
	"github.com/watchpost/watchpost/device/listfeed/feedtest"
	"github.com/watchpost/watchpost/device/listfeed/repo"
	"github.com/watchpost/watchpost/device/listfeed/target"
	"github.com/watchpost/watchpost/sdk/central/publish"
)

var ctx = context.Background()

// TestTwoApprovalsReachAPost goes from a proposal to a post that enforces it.
func TestTwoApprovalsReachAPost(t *testing.T) {
	dir := feedtest.Dir(t)
	w := feedtest.New(t, dir)
	d := w.Device()
	k := target.KeyName{Name: "un-sc", Epoch: 1}
	w.Commit("un", append(w.Generation("un", k, 1, feedtest.Record("un-sc", "p1", "N1")), w.Devices("un", k, d))...)
	p, err := publish.Open(publish.Options{Dir: dir, Keys: feedtest.Online(), Now: func() time.Time { return w.Now }})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	server := httptest.NewServer(p.Handler())
	defer server.Close()
	c, err := carrier.NewHTTPS(server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := d.Refresh(ctx, c); err != nil || r.Err() != nil || len(r.Changed) != 1 {
		t.Fatalf("%+v, %v", r, err)
	}

	staged, err := p.Propose("un", w.Now.Add(feedtest.OwnerLife), func(*repo.Repo) ([]repo.Entry, []target.Path, error) {
		return []repo.Entry{w.Segment("un", k, target.Change{Op: target.OpWithdraw, ID: "p1"})}, nil, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if all, err := p.Waiting(); err != nil || len(all) != 1 || all[0].Needed != 2 || len(all[0].Signed) != 0 || len(all[0].Set) != 1 || all[0].Set[0].Kind != target.KindSegment {
		t.Fatalf("%+v, %v", all, err)
	}
	signed := func(by string) []byte {
		raw, err := repo.Sign(staged, feedtest.Key(by))
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	if b, err := p.Approve(ctx, "un", signed("anna")); b != nil || err != nil {
		t.Fatalf("published by one: %v, %v", b, err)
	}
	for name, by := range map[string]string{"a stranger": "mallory", "anna again": "anna"} {
		if _, err := p.Approve(ctx, "un", signed(by)); fault.CodeOf(err) != "listfeed.unknown_signer" {
			t.Errorf("%s: %v", name, err)
		}
	}
	b, err := p.Approve(ctx, "un", signed("carla"))
	if err != nil || b == nil {
		t.Fatalf("%v, %v", b, err)
	}
	if r, err := d.Apply(ctx, b); err != nil || r.Err() != nil || len(r.Changed) != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	if r, touched := d.Overlay("un-sc").Get("p1"); r != nil || !touched {
		t.Error("p1 still counts")
	}
	if all, err := p.Waiting(); err != nil || len(all) != 0 {
		t.Errorf("%v, %v", all, err)
	}
	if _, err := p.Approve(ctx, "un", signed("anna")); fault.CodeOf(err) != "listfeed.not_staged" {
		t.Errorf("replayed approval: %v", err)
	}
	if err := p.Renew(); err != nil {
		t.Fatal(err)
	}
	before := d.Status().Timestamp
	if _, err := d.Refresh(ctx, c); err != nil || d.Status().Timestamp != before+1 {
		t.Errorf("%v, %d after %d", err, d.Status().Timestamp, before)
	}
}

func TestKeysStay(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	a, err := publish.LoadKeys(dir)
	if err != nil {
		t.Fatal(err)
	}
	b, err := publish.LoadKeys(dir)
	if err != nil || !a.Snapshot.Equal(b.Snapshot) || !a.Timestamp.Equal(b.Timestamp) || a.Snapshot.Equal(a.Timestamp) {
		t.Errorf("other keys at the second time, or one for both: %v", err)
	}
}
