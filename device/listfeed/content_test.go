package listfeed_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed"
	"github.com/watchpost/watchpost/device/listfeed/feedtest"
	"github.com/watchpost/watchpost/device/listfeed/target"
)

// singles are the kinds that a post takes from one owner.
var singles = []target.Kind{
	target.KindTrust, target.KindAnchors, target.KindCRL, target.KindDeviation, target.KindPolicy, target.KindThresholds, target.KindAccounts, target.KindModels,
}

// siteKey is the key of what site publishes.
var siteKey = target.KeyName{Name: "posts", Epoch: 1}

func siteFor(k target.Kind) target.Path {
	return target.Path{Owner: "site", Kind: k, Name: "all"}
}

// filesOf makes a folder of one file.
func filesOf(t *testing.T, name string, text []byte) string {
	t.Helper()
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, name), text)
	return dir
}

// publish publishes a version of a kind with one file in it.
func publish(t *testing.T, w *feedtest.World, k target.Kind, version uint64, text string) {
	t.Helper()
	w.Commit("site", w.Files(siteFor(k), siteKey, version, filesOf(t, "file", []byte(text))))
}

// TestAttackKinds does the same evil to each kind that decides: afterwards the
// device has edition 2 of it, as it was taken.
func TestAttackKinds(t *testing.T) {
	errNo := fault.New("test.no", "who reads it cannot")
	for _, k := range singles {
		t.Run(string(k), func(t *testing.T) {
			t.Parallel()
			begun, held := withSite(t, k)
			other := singles[0]
			if k == other {
				other = singles[1]
			}
			for _, a := range []struct {
				name string
				code fault.Code
				do   func(t *testing.T, w *feedtest.World, d *feedtest.Device)
			}{
				{"an older version, signed by two", "listfeed.rollback", func(t *testing.T, w *feedtest.World, _ *feedtest.Device) { publish(t, w, k, 1, "v1") }},
				{"another of the same version", "listfeed.conflict", func(t *testing.T, w *feedtest.World, _ *feedtest.Device) { publish(t, w, k, 2, "v2b") }},
				{"withdrawn, then an older version", "listfeed.rollback", func(t *testing.T, w *feedtest.World, d *feedtest.Device) {
					same, err := w.Repo.Entry(siteFor(k))
					w.Must(err)
					w.Must(w.Repo.Stage("site", w.Now.Add(feedtest.OwnerLife), nil, siteFor(k)))
					w.SignStaged("site", "anna", "boris")
					w.Publish()
					refresh(t, w, d)
					_, _, err = d.Content(k)
					wantCode(t, err, "listfeed.no_target")
					w.Commit("site", same)
					refresh(t, w, d) // the very one comes back
					publish(t, w, k, 1, "v1")
				}},
				{"what its reader refuses", "test.no", func(t *testing.T, w *feedtest.World, d *feedtest.Device) {
					d.Check = func(_ context.Context, p target.Path, dir string) error {
						if raw, err := os.ReadFile(filepath.Join(dir, "file")); err != nil || p.Kind != k || string(raw) != "v3" {
							t.Errorf("%s, %q, %v", p, raw, err)
						}
						return errNo
					}
					w.Must(d.Restart(w.Root))
					publish(t, w, k, 3, "v3")
				}},
				{"another kind's manifest", "listfeed.wrong_target", func(t *testing.T, w *feedtest.World, _ *feedtest.Device) {
					publish(t, w, other, 3, "v3")
					raw, err := manifest(t, w, siteFor(other)).Encode()
					w.Must(err)
					signManifest(t, w, siteFor(k), raw)
				}},
				{"another kind's chunks, sealed for it", "listfeed.sealed", func(t *testing.T, w *feedtest.World, _ *feedtest.Device) {
					publish(t, w, other, 3, "v3")
					publish(t, w, k, 3, "v3")
					m := manifest(t, w, siteFor(k))
					m.Files = manifest(t, w, siteFor(other)).Files
					raw, err := m.Encode()
					w.Must(err)
					signManifest(t, w, siteFor(k), raw)
				}},
				{"wrong owner", "listfeed.wrong_owner", func(t *testing.T, w *feedtest.World, _ *feedtest.Device) {
					e := w.Files(siteFor(k), siteKey, 3, filesOf(t, "file", []byte("v3")))
					put(t, w, "un", next(t, w, "un", func(s object) { s["targets"].(object)[e.Path.String()] = entry(e) }, "anna", "boris"))
				}},
				{"an owner's own, without a delegation", "listfeed.wrong_owner", func(t *testing.T, w *feedtest.World, _ *feedtest.Device) {
					w.Commit("un", w.Files(target.Path{Owner: "un", Kind: k, Name: "all"}, siteKey, 3, filesOf(t, "file", []byte("v3"))))
				}},
				{"two owners of it", "listfeed.weak", func(t *testing.T, w *feedtest.World, _ *feedtest.Device) {
					owners := feedtest.Owners()
					owners[0].Paths = append(owners[0].Paths, "un/"+string(k)+"/*")
					w.Delegate(2, owners...)
				}},
				{"one signer", "listfeed.signatures", func(t *testing.T, w *feedtest.World, _ *feedtest.Device) {
					e := w.Files(siteFor(k), siteKey, 3, filesOf(t, "file", []byte("v3")))
					put(t, w, "site", next(t, w, "site", func(s object) { s["targets"].(object)[e.Path.String()] = entry(e) }, "anna"))
				}},
				{"larger than its kind", "listfeed.too_large", func(t *testing.T, w *feedtest.World, _ *feedtest.Device) {
					publish(t, w, k, 3, "v3")
					m := manifest(t, w, siteFor(k))
					f, chunk := &m.Files[0], m.Files[0].Chunks[0]
					chunk.Size = target.MaxSealed
					f.Chunks, f.Size = nil, 0
					for m.Bytes() <= k.MaxBytes() {
						f.Chunks, f.Size = append(f.Chunks, chunk), f.Size+target.ChunkSize
					}
					raw, err := m.Encode()
					w.Must(err)
					signManifest(t, w, siteFor(k), raw)
				}},
				{"run out", "listfeed.expired", func(t *testing.T, w *feedtest.World, _ *feedtest.Device) {
					publish(t, w, k, 3, "v3")
					m := manifest(t, w, siteFor(k))
					m.Created, m.Expires = w.Now.AddDate(0, -2, 0), w.Now.AddDate(0, -1, 0)
					raw, err := m.Encode()
					w.Must(err)
					signManifest(t, w, siteFor(k), raw)
				}},
			} {
				t.Run(a.name, func(t *testing.T) {
					w, d := begun.Copy(t, held)
					a.do(t, w, d)
					r, err := d.Refresh(ctx, folder(t, w.Repo.Dir()))
					wantCode(t, outcome(r, err), a.code)
					holds(t, d, k, "v2")
					w.Must(d.Restart(w.Root))
					holds(t, d, k, "v2")
				})
			}
		})
	}
}

// withSite returns a World and a device that holds version 2 of a kind.
func withSite(t *testing.T, k target.Kind) (*feedtest.World, *feedtest.Device) {
	t.Helper()
	w := feedtest.New(t, feedtest.Dir(t))
	d := w.Device()
	w.Commit("un")
	w.Commit("site", w.Devices("site", siteKey, d))
	publish(t, w, k, 2, "v2")
	refresh(t, w, d)
	return w, d
}

func holds(t *testing.T, d *feedtest.Device, k target.Kind, want string) {
	t.Helper()
	dir, version, err := d.Content(k)
	if err != nil {
		t.Fatal(err)
	}
	if raw := readFile(t, filepath.Join(dir, "file")); string(raw) != want || version != 2 {
		t.Errorf("%s of version %d is in force", raw, version)
	}
}

// TestAttackDisk changes what was taken where it lies: it decides nothing, and
// comes anew.
func TestAttackDisk(t *testing.T) {
	for _, a := range []struct {
		name string
		do   func(dir string) error
	}{
		{"another text", func(dir string) error { return os.WriteFile(filepath.Join(dir, "file"), []byte("v9"), 0o600) }},
		{"a file more", func(dir string) error { return os.WriteFile(filepath.Join(dir, "more"), []byte("v9"), 0o600) }},
		{"a file less", func(dir string) error { return os.Remove(filepath.Join(dir, "file")) }},
		{"a link in its place", func(dir string) error {
			file := filepath.Join(dir, "file")
			return errors.Join(os.Rename(file, dir+".aside"), os.Symlink(dir+".aside", file))
		}},
		{"no folder", os.RemoveAll},
	} {
		t.Run(a.name, func(t *testing.T) {
			w, d := withSite(t, target.KindPolicy)
			dir, _, err := d.Content(target.KindPolicy)
			w.Must(err)
			w.Must(a.do(dir))
			_, _, err = d.Content(target.KindPolicy)
			wantCode(t, err, "listfeed.damaged")
			w.Must(d.Restart(w.Root))
			_, _, err = d.Content(target.KindPolicy)
			wantCode(t, err, "listfeed.damaged")
			if s := d.Status().Contents; len(s) != 1 || !s[0].Damaged {
				t.Errorf("%+v", s)
			}
			refresh(t, w, d)
			holds(t, d, target.KindPolicy, "v2")
			if s := d.Status().Contents; len(s) != 1 || s[0].Damaged || s[0].Version != 2 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// TestAttackCounter puts the state back to before something that must not come
// back: the chip has counted it.
func TestAttackCounter(t *testing.T) {
	for _, a := range []struct {
		name string
		do   func(t *testing.T, w *feedtest.World)
	}{
		{"a policy", func(t *testing.T, w *feedtest.World) { publish(t, w, target.KindPolicy, 3, "v3") }},
		{"a policy withdrawn", func(t *testing.T, w *feedtest.World) {
			w.Must(w.Repo.Stage("site", w.Now.Add(feedtest.OwnerLife), nil, siteFor(target.KindPolicy)))
			w.SignStaged("site", "anna", "boris")
			w.Publish()
		}},
		{"an owner struck off", func(t *testing.T, w *feedtest.World) { w.Delegate(2, feedtest.Owners()[0]) }},
		{"a root", func(t *testing.T, w *feedtest.World) {
			w.PublishRoot(feedtest.RootSpec(2, w.Now), "root-1", "root-2")
		}},
		{"a list", func(t *testing.T, w *feedtest.World) {
			w.Commit("un", w.Generation("un", unList, 2, feedtest.Record("un-sc", "p9", "N9"))...)
		}},
	} {
		t.Run(a.name, func(t *testing.T) {
			w := feedtest.New(t, feedtest.Dir(t))
			d := w.Device()
			d.Counter = new(feedtest.Counter)
			w.Must(d.Restart(w.Root))
			w.Commit("un", append(w.Generation("un", unList, 1, feedtest.Record("un-sc", "p1", "N1")), w.Devices("un", unList, d))...)
			w.Commit("site", w.Devices("site", siteKey, d))
			publish(t, w, target.KindPolicy, 2, "v2")
			refresh(t, w, d)
			old, _ := d.State.Load(ctx)
			a.do(t, w)
			refresh(t, w, d)
			now, _ := d.State.Load(ctx)
			d.State.Kept = old
			wantCode(t, d.Restart(w.Root), "listfeed.put_back")
			d.State.Kept = now
			w.Must(d.Restart(w.Root))
		})
	}
}

// TestOwnerOfPolicyChanges gives the policy to another owner: the old one's is
// gone, and the new one's begins with a version of its own.
func TestOwnerOfPolicyChanges(t *testing.T) {
	w, d := withSite(t, target.KindPolicy)
	var changes []listfeed.Change
	owners := feedtest.Owners()
	owners[1].Name, owners[1].Paths = "ministry", []string{"ministry/policy/*", "ministry/devices/*"}
	w.Delegate(2, owners...)
	w.Commit("ministry", w.Devices("ministry", siteKey, d), w.Files(target.Path{Owner: "ministry", Kind: target.KindPolicy, Name: "all"}, siteKey, 1, filesOf(t, "file", []byte("new"))))
	changes = refresh(t, w, d).Changed
	dir, version, err := d.Content(target.KindPolicy)
	w.Must(err)
	if raw := readFile(t, filepath.Join(dir, "file")); !bytes.Equal(raw, []byte("new")) || version != 1 || len(changes) != 2 || !changes[0].Withdrawn {
		t.Errorf("%s of version %d, %+v", raw, version, changes)
	}
}
