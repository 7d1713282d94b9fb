package listfeed_test

import (
	"errors"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed"
	"github.com/watchpost/watchpost/device/listfeed/feedtest"
	"github.com/watchpost/watchpost/device/listfeed/target"
)

// listPath is the list of most tests.
var listPath = target.Path{Owner: "un", Kind: target.KindList, Name: "un-sc"}

var segmentPath = target.Path{Owner: "un", Kind: target.KindSegment, Name: "un-sc"}

var devicesPath = target.Path{Owner: "un", Kind: target.KindDevices, Name: "un-sc"}

// attack does something evil to a feed or a device that holds generation 1,
// after which the device must end in code and still hold what it had.
type attack struct {
	name string
	code fault.Code
	do   func(t *testing.T, w *feedtest.World, d *feedtest.Device)
}

func (a attack) run(t *testing.T) {
	t.Run(a.name, func(t *testing.T) {
		t.Parallel()
		w, d := begin(t)
		a.do(t, w, d)
		r, err := d.Refresh(ctx, folder(t, w.Repo.Dir()))
		wantCode(t, outcome(r, err), a.code)
		g, err := d.OpenList(ctx, "un-sc")
		if err != nil {
			t.Fatalf("the list that was held is gone: %v", err)
		}
		defer g.Close()
		if g.Manifest().Generation != 1 {
			t.Errorf("generation %d came into force", g.Manifest().Generation)
		}
	})
}

// outcome is the error of a refresh, or of what it refused.
func outcome(r listfeed.Result, err error) error {
	for _, f := range r.Refused {
		err = errors.Join(err, f.Err)
	}
	return err
}

// later has the device take a newer timestamp.
func later(t *testing.T, w *feedtest.World, d *feedtest.Device) {
	w.Publish()
	refresh(t, w, d)
}

func TestAttackRollback(t *testing.T) {
	for _, a := range []attack{
		{"timestamp", "listfeed.rollback", func(t *testing.T, w *feedtest.World, d *feedtest.Device) {
			old := readFile(t, file(w, target.TimestampName))
			later(t, w, d)
			writeFile(t, file(w, target.TimestampName), old)
		}},
		{"snapshot, by a stolen timestamp key", "listfeed.rollback", func(t *testing.T, w *feedtest.World, d *feedtest.Device) {
			v := newest(t, w, "snapshot")
			old := readFile(t, file(w, target.RoleName("snapshot", v-1)))
			stamp(t, w, func(meta object) { meta["snapshot.json"] = metaOf(v-1, old) })
		}},
		{"delegations, by stolen online keys", "listfeed.rollback", func(t *testing.T, w *feedtest.World, d *feedtest.Device) {
			w.Delegate(2, feedtest.Owners()...)
			refresh(t, w, d)
			old := readFile(t, file(w, target.RoleName("targets", 1)))
			vouch(t, w, func(meta object) { meta["targets.json"] = metaOf(1, old) })
		}},
		{"an owner's targets, by stolen online keys", "listfeed.rollback", func(t *testing.T, w *feedtest.World, d *feedtest.Device) {
			w.Commit("un", w.Segment("un", unList, target.Change{Op: target.OpWithdraw, ID: "p1"}))
			refresh(t, w, d)
			old := readFile(t, file(w, target.RoleName("un", 1)))
			vouch(t, w, func(meta object) { meta["un.json"] = metaOf(1, old) })
		}},
		{"an owner left out of the snapshot", "listfeed.metadata", func(t *testing.T, w *feedtest.World, d *feedtest.Device) {
			vouch(t, w, func(meta object) { delete(meta, "un.json") })
		}},
		{"segments taken back without a generation, signed by two", "listfeed.rollback", func(t *testing.T, w *feedtest.World, d *feedtest.Device) {
			w.Commit("un", w.Segment("un", unList, target.Change{Op: target.OpWithdraw, ID: "p1"}))
			refresh(t, w, d)
			e, err := w.Repo.NoSegments(segmentPath, 1, unList)
			w.Must(err)
			w.Commit("un", e)
		}},
		{"epoch of the devices, signed by two", "listfeed.rollback", func(t *testing.T, w *feedtest.World, d *feedtest.Device) {
			w.Commit("un", w.Devices("un", target.KeyName{Name: "un-sc", Epoch: 2}, d))
			refresh(t, w, d)
			w.Commit("un", w.Devices("un", unList, d))
		}},
		{"root, behind an emptied state", "listfeed.rollback", func(t *testing.T, w *feedtest.World, d *feedtest.Device) {
			w.PublishRoot(feedtest.RootSpec(2, w.Now), "root-1", "root-2")
			refresh(t, w, d)
			d.State.Kept["root"] = []byte{}
			w.Must(d.Restart(w.Root))
			w.Must(os.Remove(file(w, target.RoleName("root", 2))))
		}},
		{"timestamp, behind an emptied state", "listfeed.rollback", func(t *testing.T, w *feedtest.World, d *feedtest.Device) {
			old := readFile(t, file(w, target.TimestampName))
			later(t, w, d)
			d.State.Kept["timestamp"] = []byte{}
			w.Must(d.Restart(w.Root))
			writeFile(t, file(w, target.TimestampName), old)
		}},
	} {
		a.run(t)
	}
}

func TestAttackOlderGeneration(t *testing.T) {
	t.Run("signed by two", func(t *testing.T) {
		w, d := begin(t)
		old := w.Generation("un", unList, 1, feedtest.Record("un-sc", "p0", "N0"))
		w.Commit("un", w.Generation("un", unList, 2, feedtest.Record("un-sc", "p9", "N9"))...)
		refresh(t, w, d)
		w.Commit("un", old...)
		r, err := d.Refresh(ctx, folder(t, w.Repo.Dir()))
		wantCode(t, errors.Join(err, r.Err()), "listfeed.rollback")
		wantCode(t, d.Stale("un-sc"), "listfeed.behind")
	})
	t.Run("another of the same number, signed by two", func(t *testing.T) {
		w, d := begin(t)
		w.Commit("un", w.Generation("un", unList, 1, feedtest.Record("un-sc", "p0", "N0"))...)
		r, err := d.Refresh(ctx, folder(t, w.Repo.Dir()))
		wantCode(t, errors.Join(err, r.Err()), "listfeed.conflict")
	})
}

func TestAttackFreeze(t *testing.T) {
	for _, a := range []attack{
		{"the same timestamp for ever", "listfeed.expired", func(t *testing.T, w *feedtest.World, d *feedtest.Device) {
			d.Clock = w.Now.Add(feedtest.TimestampLife + time.Second)
		}},
		{"a clock put back to before its end", "listfeed.expired", func(t *testing.T, w *feedtest.World, d *feedtest.Device) {
			old := maps.Clone(map[string][]byte{target.TimestampName: readFile(t, file(w, target.TimestampName))})
			w.Now = w.Now.Add(2 * feedtest.TimestampLife)
			d.Clock = w.Now
			w.Commit("un", w.Segment("un", unList, target.Change{Op: target.OpWithdraw, ID: "p1"}))
			refresh(t, w, d) // its date is signed by two, and raises the floor
			d.Clock = feedtest.Start
			d.State.Kept["timestamp"], d.State.Kept["versions"] = old[target.TimestampName], []byte("{}")
			w.Must(d.Restart(w.Root))
			writeFile(t, file(w, target.TimestampName), old[target.TimestampName])
		}},
		{"expired root", "listfeed.expired", func(t *testing.T, w *feedtest.World, d *feedtest.Device) {
			w.Now = w.Now.AddDate(1, 0, 1)
			d.Clock = w.Now
			w.Publish()
		}},
		{"expired owner's metadata under fresh freshness", "listfeed.expired", func(t *testing.T, w *feedtest.World, d *feedtest.Device) {
			w.Now = w.Now.Add(feedtest.OwnerLife + time.Hour)
			d.Clock = w.Now
			raw := next(t, w, "targets", func(s object) { s["expires"] = w.Now.Add(time.Hour).Format(time.RFC3339) }, "top-1", "top-2")
			writeFile(t, file(w, target.RoleName("targets", newest(t, w, "targets")+1)), raw)
			w.Publish()
			v := newest(t, w, "snapshot")
			s := forge(t, readFile(t, file(w, target.RoleName("snapshot", v))), func(s object) {
				s["version"] = v + 1
				s["meta"].(object)["targets.json"] = metaOf(2, raw)
			}, "snapshot")
			writeFile(t, file(w, target.RoleName("snapshot", v+1)), s)
			stamp(t, w, func(meta object) { meta["snapshot.json"] = metaOf(v+1, s) })
		}},
		{"nothing at all", "listfeed.absent", func(t *testing.T, w *feedtest.World, d *feedtest.Device) {
			w.Must(os.Remove(file(w, target.TimestampName)))
		}},
		{"a generation dated into the future", "listfeed.not_yet", func(t *testing.T, w *feedtest.World, d *feedtest.Device) {
			w.Now = w.Now.AddDate(0, 0, 3)
			e := w.Generation("un", unList, 2, feedtest.Record("un-sc", "p9", "N9"))
			w.Now = feedtest.Start
			w.Commit("un", e...)
		}},
	} {
		a.run(t)
	}
	t.Run("no answer is clear meanwhile", func(t *testing.T) {
		w, d := begin(t)
		if err := d.Stale("un-sc"); err != nil {
			t.Fatal(err)
		}
		d.Clock = w.Now.Add(feedtest.TimestampLife + time.Second)
		wantCode(t, d.Stale("un-sc"), "listfeed.expired")
		if !d.Status().Stale {
			t.Error("the status does not say so")
		}
	})
}

func TestAttackMix(t *testing.T) {
	for _, a := range []attack{
		{"an older snapshot under the new name", "listfeed.mix", func(t *testing.T, w *feedtest.World, d *feedtest.Device) {
			v := newest(t, w, "snapshot")
			w.Commit("un", w.Segment("un", unList, target.Change{Op: target.OpWithdraw, ID: "p1"}))
			old := readFile(t, file(w, target.RoleName("snapshot", v)))
			writeFile(t, file(w, target.RoleName("snapshot", v+1)), old)
		}},
		{"an owner's older targets under the new name", "listfeed.mix", func(t *testing.T, w *feedtest.World, d *feedtest.Device) {
			w.Commit("un", w.Segment("un", unList, target.Change{Op: target.OpWithdraw, ID: "p1"}))
			writeFile(t, file(w, target.RoleName("un", 2)), readFile(t, file(w, target.RoleName("un", 1))))
		}},
		{"another role's targets under this owner's name", "listfeed.too_large", func(t *testing.T, w *feedtest.World, d *feedtest.Device) {
			w.Commit("un", w.Segment("un", unList, target.Change{Op: target.OpWithdraw, ID: "p1"}))
			writeFile(t, file(w, target.RoleName("un", 2)), readFile(t, file(w, target.RoleName("targets", 1))))
		}},
		{"a role's metadata as another's", "listfeed.metadata", func(t *testing.T, w *feedtest.World, d *feedtest.Device) {
			writeFile(t, file(w, target.TimestampName), readFile(t, file(w, target.RoleName("snapshot", 1))))
		}},
		{"chunks exchanged", "listfeed.hash", func(t *testing.T, w *feedtest.World, d *feedtest.Device) {
			w.Commit("un", w.Generation("un", unList, 2, feedtest.Record("un-sc", "p9", "N9"))...)
			m := manifest(t, w, listPath)
			for i := range m.Files {
				for j := range m.Files[:i] {
					a, b := m.Files[i].Chunks[0], m.Files[j].Chunks[0]
					if a.Size == b.Size {
						x, y := file(w, target.ObjectName(a.Sum)), file(w, target.ObjectName(b.Sum))
						raw := readFile(t, x)
						writeFile(t, x, readFile(t, y))
						writeFile(t, y, raw)
						return
					}
				}
			}
			t.Fatal("no two chunks of one size")
		}},
		{"a chunk of another list, signed by two", "listfeed.sealed", func(t *testing.T, w *feedtest.World, d *feedtest.Device) {
			other := target.KeyName{Name: "other", Epoch: 1}
			w.Commit("un", append(w.Generation("un", other, 2, feedtest.Record("other", "o1", "N9")), w.Devices("un", other, d))...)
			refresh(t, w, d)
			w.Commit("un", w.Generation("un", unList, 2, feedtest.Record("un-sc", "p9", "N9"))...)
			m, o := manifest(t, w, listPath), manifest(t, w, target.Path{Owner: "un", Kind: target.KindList, Name: "other"})
			for i := range m.Files {
				for _, f := range o.Files {
					if m.Files[i].Path == f.Path {
						m.Files[i] = f
					}
				}
			}
			raw, err := m.Encode()
			w.Must(err)
			signManifest(t, w, listPath, raw)
		}},
	} {
		a.run(t)
	}
}

func TestAttackSigners(t *testing.T) {
	withdraw := func(t *testing.T, w *feedtest.World) func(object) {
		e := w.Segment("un", unList, target.Change{Op: target.OpWithdraw, ID: "p1"})
		return func(s object) { s["targets"].(object)[segmentPath.String()] = entry(e) }
	}
	delegate := func(edit func(roles []any, d object)) func(*testing.T, *feedtest.World, *feedtest.Device) {
		return func(t *testing.T, w *feedtest.World, d *feedtest.Device) {
			put(t, w, "targets", next(t, w, "targets", func(s object) {
				ds := s["delegations"].(object)
				edit(ds["roles"].([]any), ds)
			}, "top-1", "top-2"))
		}
	}
	for _, a := range []attack{
		{"one signer only", "listfeed.signatures", func(t *testing.T, w *feedtest.World, d *feedtest.Device) {
			put(t, w, "un", next(t, w, "un", withdraw(t, w), "anna"))
		}},
		{"the same signer twice", "listfeed.same_signer", func(t *testing.T, w *feedtest.World, d *feedtest.Device) {
			raw := string(next(t, w, "un", withdraw(t, w), "anna"))
			at := strings.Index(raw, `"signatures":[`) + len(`"signatures":[`)
			end := strings.LastIndex(raw, "]")
			put(t, w, "un", []byte(raw[:end]+","+raw[at:end]+raw[end:]))
		}},
		{"one signer and a stranger", "listfeed.signatures", func(t *testing.T, w *feedtest.World, d *feedtest.Device) {
			put(t, w, "un", next(t, w, "un", withdraw(t, w), "anna", "mallory"))
		}},
		{"signed by the publisher", "listfeed.signatures", func(t *testing.T, w *feedtest.World, d *feedtest.Device) {
			put(t, w, "un", next(t, w, "un", withdraw(t, w), "snapshot", "timestamp"))
		}},
		{"delegations by one of the top", "listfeed.signatures", func(t *testing.T, w *feedtest.World, d *feedtest.Device) {
			put(t, w, "targets", next(t, w, "targets", func(object) {}, "top-1"))
		}},
		{"timestamp by another key", "listfeed.signatures", func(t *testing.T, w *feedtest.World, d *feedtest.Device) {
			path := file(w, target.TimestampName)
			writeFile(t, path, forge(t, readFile(t, path), func(s object) { s["version"] = 99 }, "snapshot"))
		}},
		{"snapshot by another key", "listfeed.signatures", func(t *testing.T, w *feedtest.World, d *feedtest.Device) {
			v := newest(t, w, "snapshot")
			raw := forge(t, readFile(t, file(w, target.RoleName("snapshot", v))), func(s object) { s["version"] = v + 1 }, "timestamp")
			writeFile(t, file(w, target.RoleName("snapshot", v+1)), raw)
			stamp(t, w, func(meta object) { meta["snapshot.json"] = metaOf(v+1, raw) })
		}},
		{"a delegation that asks for one", "listfeed.weak", delegate(func(roles []any, _ object) { roles[0].(object)["threshold"] = 1 })},
		{"a delegation that asks for none", "listfeed.weak", delegate(func(roles []any, _ object) { roles[0].(object)["threshold"] = 0 })},
		{"a delegation to one key twice", "listfeed.weak", delegate(func(roles []any, _ object) {
			ids := roles[0].(object)["keyids"].([]any)
			roles[0].(object)["keyids"] = []any{ids[0], ids[0]}
		})},
		{"a key under another's id", "listfeed.weak", delegate(func(roles []any, d object) {
			ids, keys := roles[0].(object)["keyids"].([]any), d["keys"].(object)
			keys[ids[1].(string)] = keys[ids[0].(string)]
		})},
		{"a key of five bytes", "listfeed.weak", delegate(func(roles []any, d object) {
			ids, keys := roles[0].(object)["keyids"].([]any), d["keys"].(object)
			keys[ids[0].(string)].(object)["keyval"].(object)["public"] = "0102030405"
		})},
		{"a delegation beyond the owner's name", "listfeed.weak", delegate(func(roles []any, _ object) { roles[0].(object)["paths"] = []any{"site/policy/*"} })},
		{"two owners of one policy", "listfeed.weak", delegate(func(roles []any, _ object) { roles[0].(object)["paths"] = []any{"un/list/*", "un/policy/*"} })},
		{"no paths: everything", "listfeed.weak", delegate(func(roles []any, _ object) { roles[0].(object)["paths"] = []any{} })},
		{"an owner who delegates on", "listfeed.weak", func(t *testing.T, w *feedtest.World, d *feedtest.Device) {
			put(t, w, "un", next(t, w, "un", func(s object) { s["delegations"] = object{"keys": object{}, "roles": []any{}} }, "anna", "boris"))
		}},
		{"wrong owner", "listfeed.wrong_owner", func(t *testing.T, w *feedtest.World, d *feedtest.Device) {
			e := w.Generation("un", unList, 2, feedtest.Record("un-sc", "p9", "N9"))
			w.Commit("site")
			put(t, w, "site", next(t, w, "site", func(s object) { s["targets"].(object)[listPath.String()] = entry(e[0]) }, "anna", "boris"))
		}},
		{"a kind that is not the owner's", "listfeed.wrong_owner", func(t *testing.T, w *feedtest.World, d *feedtest.Device) {
			e, err := w.Repo.AddObject(target.Path{Owner: "un", Kind: target.KindPolicy, Name: "post-1"}, []byte("{}"))
			w.Must(err)
			w.Commit("un", e)
		}},
		{"revoked key", "listfeed.signatures", func(t *testing.T, w *feedtest.World, d *feedtest.Device) {
			owners := feedtest.Owners()
			owners[0].Keys = feedtest.Public("anna", "carla") // boris is struck off; what he signed counts no more
			w.Delegate(2, owners...)
		}},
		{"skipped root version", "listfeed.root_version", func(t *testing.T, w *feedtest.World, d *feedtest.Device) {
			w.PublishRoot(feedtest.RootSpec(2, w.Now), "root-1", "root-2")
			w.PublishRoot(feedtest.RootSpec(3, w.Now), "root-1", "root-2")
			w.Must(os.Rename(file(w, target.RoleName("root", 3)), file(w, target.RoleName("root", 2))))
		}},
		{"a root by one", "listfeed.signatures", func(t *testing.T, w *feedtest.World, d *feedtest.Device) {
			s := feedtest.RootSpec(2, w.Now)
			raw := forge(t, readFile(t, file(w, target.RoleName("root", 1))), func(r object) { r["version"] = s.Version }, "root-1")
			writeFile(t, file(w, target.RoleName("root", 2)), raw)
		}},
		{"a root that lets one decide", "listfeed.weak", func(t *testing.T, w *feedtest.World, d *feedtest.Device) {
			raw := forge(t, readFile(t, file(w, target.RoleName("root", 1))), func(r object) {
				r["version"] = 2
				r["roles"].(object)["targets"].(object)["threshold"] = 1
			}, "root-1", "root-2")
			writeFile(t, file(w, target.RoleName("root", 2)), raw)
		}},
		{"a root without a role", "listfeed.weak", func(t *testing.T, w *feedtest.World, d *feedtest.Device) {
			raw := forge(t, readFile(t, file(w, target.RoleName("root", 1))), func(r object) {
				r["version"] = 2
				delete(r["roles"].(object), "timestamp")
			}, "root-1", "root-2")
			writeFile(t, file(w, target.RoleName("root", 2)), raw)
		}},
	} {
		a.run(t)
	}
	t.Run("a stolen timestamp key counts up, and is replaced", func(t *testing.T) {
		w, d := begin(t)
		path := file(w, target.TimestampName)
		honest := readFile(t, path)
		writeFile(t, path, forge(t, honest, func(s object) { s["version"] = 1 << 40 }, "timestamp"))
		refresh(t, w, d)
		writeFile(t, path, honest)
		_, err := d.Refresh(ctx, folder(t, w.Repo.Dir()))
		wantCode(t, err, "listfeed.rollback")
		s := feedtest.RootSpec(2, w.Now)
		s.Timestamp = feedtest.Public("timestamp-2")[0]
		w.PublishRoot(s, "root-2", "root-3")
		writeFile(t, path, forge(t, readFile(t, path), func(s object) {}, "timestamp-2"))
		if _, err := d.Refresh(ctx, folder(t, w.Repo.Dir())); err != nil {
			t.Fatalf("the feed does not recover: %v", err)
		}
		writeFile(t, path, forge(t, honest, func(s object) { s["version"] = 1 << 41 }, "timestamp"))
		_, err = d.Refresh(ctx, folder(t, w.Repo.Dir()))
		wantCode(t, err, "listfeed.signatures")
	})
}
