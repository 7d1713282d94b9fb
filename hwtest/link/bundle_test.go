package link_test

import (
	"bytes"
	"context"
	"encoding/json"
	"sync/atomic"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed/feedtest"
	"github.com/watchpost/watchpost/device/listfeed/repo"
	"github.com/watchpost/watchpost/device/listfeed/target"
)

// TestAttackBundles: what a hostile broker sends as bundles goes over the real
// link into the real updater, ends in its code and changes nothing; the genuine
// one is taken after it.
func TestAttackBundles(t *testing.T) {
	w := newPost(t)
	l := w.link(t)
	until(t, time.Minute, "up", l.Up)
	k := target.KeyName{Name: "un-sc", Epoch: 1}
	lists := feedtest.New(t, feedtest.Dir(t))
	// Each case has a device of its own: what is genuine in a bundle may be taken.
	devices := make([]*feedtest.Device, 14)
	for i := range devices {
		devices[i] = lists.Device()
	}
	lists.Commit("un", append(lists.Generation("un", k, 1, feedtest.Record("un-sc", "p1", "N1"), feedtest.Record("un-sc", "p2", "N2")), lists.Devices("un", k, devices...))...)
	from := feedtest.Folder(t, lists.Repo.Dir())
	for _, d := range devices {
		if r, err := d.Refresh(t.Context(), from); err != nil || r.Err() != nil {
			t.Fatal(err, r.Err())
		}
	}
	var now atomic.Pointer[feedtest.Device]
	now.Store(devices[0])
	old := lists.Bundle("un")
	lists.Commit("un", lists.Segment("un", k, target.Change{Op: target.OpWithdraw, ID: "p1"}))
	genuine := lists.Bundle("un")

	type outcome struct {
		raw  []byte // the bundle
		code fault.Code
	}
	ended := make(chan outcome, 64)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = l.Follow(ctx, func(ctx context.Context, raw []byte) error { // as device/post does; ends with the context
			b, err := target.DecodeBundle(raw)
			if err == nil {
				r, aerr := now.Load().Apply(ctx, b)
				if err = aerr; err == nil {
					err = r.Err()
				}
			}
			code := fault.Code("")
			if err != nil {
				code = fault.CodeOf(err)
			}
			ended <- outcome{bytes.Clone(raw), code}
			return err
		})
	}()
	defer func() { stop(); <-done }()
	send := func(raw []byte) fault.Code {
		t.Helper()
		if err := w.central.Announce(raw); err != nil {
			t.Fatal(err)
		}
		deadline := time.After(time.Minute)
		for {
			select {
			case o := <-ended:
				if bytes.Equal(o.raw, raw) { // not one of those that were to wake it
					return o.code
				}
			case <-deadline:
				t.Fatal("the bundle did not come")
			}
		}
	}
	// Whoever sends before the post listens is not heard.
	until(t, time.Minute, "followed", func() bool {
		if err := w.central.Announce([]byte("x")); err != nil {
			t.Fatal(err)
		}
		select {
		case <-ended:
			return true
		case <-time.After(50 * time.Millisecond):
			return false
		}
	})

	encode := func(b *target.Bundle) []byte {
		t.Helper()
		raw, err := b.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	whole := encode(genuine)
	later := func(raw []byte) []byte { // of a version that nobody has signed
		out := bytes.Replace(raw, []byte(`"version":`), []byte(`"version":1`), 1)
		if bytes.Equal(out, raw) {
			t.Fatal("metadata have no version")
		}
		return out
	}
	with := func(change func(b *target.Bundle)) []byte {
		b := &target.Bundle{Timestamp: genuine.Timestamp, Snapshot: genuine.Snapshot, Roles: map[string][]byte{}, Objects: genuine.Objects}
		for role, raw := range genuine.Roles {
			b.Roles[role] = raw
		}
		change(b)
		return encode(b)
	}
	unsigned := func(role string, by ...string) []byte {
		var e struct {
			Signed     json.RawMessage `json:"signed"`
			Signatures []string        `json:"signatures"`
		}
		err := json.Unmarshal(genuine.Roles[role], &struct {
			Signed *json.RawMessage `json:"signed"`
		}{&e.Signed})
		if err != nil {
			t.Fatal(err)
		}
		e.Signatures = []string{}
		raw, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range by {
			if raw, err = repo.Sign(raw, feedtest.Key(name)); err != nil {
				t.Fatal(err)
			}
		}
		return raw
	}
	for name, c := range map[string]struct {
		raw  []byte
		code fault.Code
	}{
		"noise":                      {[]byte("noise"), "listfeed.format"},
		"nothing":                    {nil, "listfeed.format"},
		"cut short":                  {whole[:len(whole)/2], "listfeed.format"},
		"a tail behind it":           {append(append([]byte(nil), whole...), 0), "listfeed.format"},
		"another timestamp":          {with(func(b *target.Bundle) { b.Timestamp = later(b.Timestamp) }), "listfeed.signatures"},
		"another snapshot":           {with(func(b *target.Bundle) { b.Snapshot = later(b.Snapshot) }), "listfeed.too_large"},
		"the snapshot of before":     {with(func(b *target.Bundle) { b.Snapshot = old.Snapshot }), "listfeed.absent"},
		"the owner's of before":      {with(func(b *target.Bundle) { b.Roles["un"] = old.Roles["un"] }), "listfeed.absent"},
		"signed by one":              {with(func(b *target.Bundle) { b.Roles["un"] = unsigned("un", "anna") }), "listfeed.mix"},
		"signed by one twice":        {with(func(b *target.Bundle) { b.Roles["un"] = unsigned("un", "anna", "anna") }), "listfeed.mix"},
		"signed by strangers":        {with(func(b *target.Bundle) { b.Roles["un"] = unsigned("un", "mallory", "trudy") }), "listfeed.mix"},
		"without the owner's":        {with(func(b *target.Bundle) { delete(b.Roles, "un") }), "listfeed.absent"},
		"another owner's in its way": {with(func(b *target.Bundle) { b.Roles["un"] = b.Roles["targets"] }), "listfeed.absent"},
	} {
		t.Run(name, func(t *testing.T) {
			d := devices[0]
			devices = devices[1:]
			now.Store(d)
			if code := send(c.raw); code != c.code {
				t.Errorf("ended in %q, must be %s", code, c.code)
			}
			if _, touched := d.Overlay("un-sc").Get("p1"); touched {
				t.Error("it is in force all the same")
			}
		})
	}
	d := devices[0]
	now.Store(d)
	if code := send(whole); code != "" {
		t.Fatalf("the genuine bundle ended in %s", code)
	}
	if r, touched := d.Overlay("un-sc").Get("p1"); !touched || r != nil {
		t.Fatal("the genuine bundle is not in force")
	}
	t.Run("the bundle of before, after it", func(t *testing.T) {
		if code := send(encode(old)); code != "listfeed.rollback" {
			t.Errorf("ended in %q", code)
		}
		if r, touched := d.Overlay("un-sc").Get("p1"); !touched || r != nil {
			t.Error("a withdrawn record is back")
		}
	})
	t.Run("the genuine one again", func(t *testing.T) {
		if code := send(whole); code != "" {
			t.Errorf("ended in %s", code)
		}
	})
}
