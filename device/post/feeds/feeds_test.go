package feeds_test

import (
	"context"
	"encoding/pem"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/config"
	"github.com/watchpost/watchpost/device/document/trust"
	"github.com/watchpost/watchpost/device/encounter/policy"
	"github.com/watchpost/watchpost/device/encounter/store"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed/feedtest"
	"github.com/watchpost/watchpost/device/listfeed/target"
	"github.com/watchpost/watchpost/device/post/dbkey"
	"github.com/watchpost/watchpost/device/post/feeds"
	"github.com/watchpost/watchpost/hwtest/gen/pki"
)

// world is a feed and a post's side of it, with a base store of one anchor.
type world struct {
	*feedtest.World
	feed *feeds.Feed
	home *pki.Issuer
}

var postKey = target.KeyName{Name: "posts", Epoch: 1}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{World: feedtest.New(t, feedtest.Dir(t))}
	d := w.Device()
	w.Commit("un")
	w.Commit("site", w.Devices("site", postKey, d))
	var err error
	w.home, err = pki.New(pki.Spec{Seed: "home", Country: "UT", State: "UTO"})
	w.Must(err)
	dir := feedtest.Dir(t)
	base := filepath.Join(dir, "base")
	im, err := trust.NewImporter(t.Context(), base, nil)
	w.Must(err)
	_, err = im.Import("csca.der", w.home.CSCA.DER)
	w.Must(err)
	w.Must(im.Commit())
	im.Close()
	root := filepath.Join(dir, "root.json")
	w.Must(os.WriteFile(root, w.Root, 0o600))
	key, err := w.Ring.Random()
	w.Must(err)
	sealer := dbkey.Sealer{Key: key}
	db, err := store.Open(dir, sealer)
	w.Must(err)
	t.Cleanup(func() { _ = db.Close() })
	c := config.Default(policy.Desk)
	c.Post, c.Feed = "post-1", &config.Feed{Root: root, From: []string{w.Repo.Dir()}}
	w.feed, err = feeds.Open(t.Context(), feeds.Options{
		Config: c, State: dir, Store: db, Sealer: sealer, Keys: d.Keys, Now: func() time.Time { return w.Now }, Raise: func(time.Time) {},
		Base: func() (string, error) { return base, nil }, Edition: func() (int, error) { return 4, nil },
		TryModels: func(_ context.Context, dir string) error {
			if _, err := os.Stat(filepath.Join(dir, "good.dat")); err != nil {
				return fault.New("face.model_corrupt", "not what the engine was built with")
			}
			return nil
		},
		Log: slog.New(slog.DiscardHandler),
	})
	w.Must(err)
	return w
}

// publish publishes a version of a kind, and returns the code of its refusal.
func (w *world) publish(k target.Kind, version uint64, files map[string][]byte) fault.Code {
	w.T.Helper()
	dir := w.T.TempDir()
	for name, raw := range files {
		w.Must(os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700))
		w.Must(os.WriteFile(filepath.Join(dir, name), raw, 0o600))
	}
	w.Commit("site", w.Files(target.Path{Owner: "site", Kind: k, Name: "all"}, postKey, version, dir))
	r, _ := w.feed.RefreshAll(w.T.Context())
	for _, f := range r.Refused {
		return fault.CodeOf(f.Err)
	}
	return ""
}

func (w *world) crl(day time.Time) []byte {
	w.T.Helper()
	raw, err := w.home.CRL(day)
	w.Must(err)
	return raw
}

func other(t *testing.T, country, state string) *pki.Issuer {
	t.Helper()
	i, err := pki.New(pki.Spec{Seed: country, Country: country, State: state})
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// TestTrustByFeed has anchors and CRLs counted as soon as they come, on the
// store of the provisioning folder.
func TestTrustByFeed(t *testing.T) {
	w := newWorld(t)
	counts := func(anchors, crls int) {
		t.Helper()
		s, err := w.feed.Trust(t.Context())
		w.Must(err)
		if len(s.Entries()) != anchors || len(s.RevocationLists()) != crls {
			t.Errorf("%d anchors and %d CRLs, want %d and %d", len(s.Entries()), len(s.RevocationLists()), anchors, crls)
		}
	}
	counts(1, 0)
	if code := w.publish(target.KindAnchors, 1, map[string][]byte{"x/csca.der": other(t, "XA", "XXA").CSCA.DER}); code != "" {
		t.Fatal(code)
	}
	counts(2, 0)
	if code := w.publish(target.KindCRL, 1, map[string][]byte{"ut.crl": w.crl(w.Now)}); code != "" {
		t.Fatal(code)
	}
	counts(2, 1)
	if code := w.publish(target.KindAnchors, 2, map[string][]byte{"y.der": other(t, "XB", "XXB").CSCA.DER, "pins/z.der": other(t, "XC", "XXC").CSCA.DER}); code != "" {
		t.Fatal(code)
	}
	counts(2, 1) // a pin is no anchor, and version 1 counts no more
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(w.feedDir()), "trusted", "*")); err != nil || len(left) > 2 {
		t.Errorf("%v, %v", left, err)
	}
}

func (w *world) feedDir() string {
	dir, _, err := w.feed.Content(target.KindCRL)
	w.Must(err)
	for filepath.Base(dir) != "content" {
		dir = filepath.Dir(dir)
	}
	return dir
}

// TestAttackReaders has two sign what their post cannot read, or what would
// undo what it has: nothing of it comes into force.
func TestAttackReaders(t *testing.T) {
	good, err := policy.Encode(policy.Default(policy.Desk))
	if err != nil {
		t.Fatal(err)
	}
	gate, err := policy.Encode(policy.Default(policy.Gate))
	if err != nil {
		t.Fatal(err)
	}
	text := func(s string) []byte { return []byte(s) }
	for _, a := range []struct {
		name string
		code fault.Code
		kind target.Kind
		do   func(w *world) map[string][]byte
	}{
		{"a policy that is none", "policy.format", target.KindPolicy, func(*world) map[string][]byte { return map[string][]byte{"policy.yaml": text("x: [")} }},
		{"a policy of another workplace", "post.workplace", target.KindPolicy, func(*world) map[string][]byte { return map[string][]byte{"policy.yaml": gate} }},
		{"a policy under another name", "provision.incomplete", target.KindPolicy, func(*world) map[string][]byte { return map[string][]byte{"rules.yaml": good} }},
		{"a policy as thresholds", "policy.format", target.KindThresholds, func(*world) map[string][]byte { return map[string][]byte{"thresholds.yaml": good} }},
		{"thresholds that let everybody match", "policy.rate", target.KindThresholds, func(*world) map[string][]byte {
			return map[string][]byte{"thresholds.yaml": text("version: 1\nedition: 1\nowner: x\nbiometric:\n  verification_fmr: 1\n")}
		}},
		{"accounts that are none", "officer.format", target.KindAccounts, func(*world) map[string][]byte { return map[string][]byte{"accounts.json": text("{")} }},
		{"accounts of an older edition", "officer.rollback", target.KindAccounts, func(*world) map[string][]byte {
			return map[string][]byte{"accounts.json": text(`{"version":1,"edition":3,"accounts":[]}`)}
		}},
		{"a store that is none", "trust.no_store", target.KindTrust, func(*world) map[string][]byte { return map[string][]byte{"x": text("y")} }},
		{"noise as anchors", "trust.unrecognized", target.KindAnchors, func(*world) map[string][]byte { return map[string][]byte{"a.der": text("noise")} }},
		{"a CRL as anchors", "listfeed.kind", target.KindAnchors, func(w *world) map[string][]byte { return map[string][]byte{"a.crl": w.crl(w.Now)} }},
		{"an anchor among CRLs", "listfeed.kind", target.KindCRL, func(w *world) map[string][]byte {
			return map[string][]byte{"a.der": other(w.T.(*testing.T), "XA", "XXA").CSCA.DER}
		}},
		{"an anchor as a deviation list", "listfeed.kind", target.KindDeviation, func(w *world) map[string][]byte {
			return map[string][]byte{"a.der": w.home.CSCA.DER}
		}},
		{"a CRL behind an anchor in one file", "listfeed.kind", target.KindAnchors, func(w *world) map[string][]byte {
			both := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: other(w.T.(*testing.T), "XA", "XXA").CSCA.DER})
			return map[string][]byte{"a.pem": append(both, pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: w.crl(w.Now)})...)}
		}},
		{"a CRL that no anchor has signed", "trust.unanchored", target.KindCRL, func(w *world) map[string][]byte {
			raw, err := other(w.T.(*testing.T), "XA", "XXA").CRL(w.Now)
			w.Must(err)
			return map[string][]byte{"a.crl": raw}
		}},
		{"an older CRL than held", "trust.rollback", target.KindCRL, func(w *world) map[string][]byte {
			if code := w.publish(target.KindCRL, 1, map[string][]byte{"ut.crl": w.crl(w.Now)}); code != "" {
				w.T.Fatal(code)
			}
			return map[string][]byte{"ut.crl": w.crl(w.Now.AddDate(0, -1, 0))}
		}},
		{"models that the engine does not know", "face.model_corrupt", target.KindModels, func(*world) map[string][]byte { return map[string][]byte{"evil.dat": text("x")} }},
	} {
		t.Run(a.name, func(t *testing.T) {
			w := newWorld(t)
			files := a.do(w)
			before := w.feed.Status().Contents
			if code := w.publish(a.kind, 2, files); code != a.code {
				t.Errorf("refused with %q, want %q", code, a.code)
			}
			if now := w.feed.Status().Contents; len(now) != len(before) {
				t.Errorf("%+v came into force", now)
			}
			if _, err := w.feed.Trust(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestThresholdsAndModels take the place of the policy's and the
// configuration's.
func TestThresholdsAndModels(t *testing.T) {
	w := newWorld(t)
	raw, err := policy.Encode(policy.Default(policy.Desk))
	w.Must(err)
	file := filepath.Join(t.TempDir(), "policy.yaml")
	w.Must(os.WriteFile(file, raw, 0o600))
	text := "version: 1\nedition: 2\nowner: x\nbiometric:\n  verification_fmr: 0.00002\n  identification_fpir: 0.0002\n  face_alarm_max_list: 7\n  face_alarm_min_frames: 3\n  max_candidates: 9\n  face_frames: 3\n  min_face_quality: 20\n  capture_tries: 3\n"
	if code := w.publish(target.KindThresholds, 1, map[string][]byte{"thresholds.yaml": []byte(text)}); code != "" {
		t.Fatal(code)
	}
	p, err := w.feed.Policy(file)
	w.Must(err)
	if p.Biometric.MaxCandidates != 9 || p.Biometric.VerificationFMR != 0.00002 || p.Workplace != policy.Desk {
		t.Errorf("%+v", p.Biometric)
	}
	if code := w.publish(target.KindModels, 1, map[string][]byte{"good.dat": []byte("x")}); code != "" {
		t.Fatal(code)
	}
	dir, err := w.feed.File(target.KindModels, "", "configured")
	w.Must(err)
	w.Must(os.WriteFile(filepath.Join(dir, "good.dat"), []byte("y"), 0o600))
	if _, err := w.feed.File(target.KindModels, "", "configured"); fault.CodeOf(err) != "listfeed.damaged" {
		t.Errorf("models that were changed on the disk: %v", err)
	}
}
