package listfeed_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed"
	"github.com/watchpost/watchpost/device/listfeed/feedtest"
	"github.com/watchpost/watchpost/device/listfeed/target"
)

// hostile is a carrier that spoils what another brings.
type hostile struct {
	listfeed.Carrier
	spoil func(name string, offset int64, r io.ReadCloser) (io.ReadCloser, error)
}

func (h hostile) Open(ctx context.Context, name string, offset int64) (io.ReadCloser, error) {
	r, err := h.Carrier.Open(ctx, name, offset)
	if err != nil {
		return nil, err
	}
	return h.spoil(name, offset, r)
}

// endless never ends.
type endless struct{}

func (endless) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestAttackCarrier(t *testing.T) {
	isObject := func(name string) bool { return strings.HasPrefix(name, "objects/") }
	for _, c := range []struct {
		name  string
		code  fault.Code
		spoil func(name string, offset int64, r io.ReadCloser) (io.ReadCloser, error)
	}{
		{"endless timestamp", "listfeed.too_large", func(name string, _ int64, r io.ReadCloser) (io.ReadCloser, error) {
			if name == target.TimestampName {
				return io.NopCloser(endless{}), nil
			}
			return r, nil
		}},
		{"endless snapshot", "listfeed.too_large", func(name string, _ int64, r io.ReadCloser) (io.ReadCloser, error) {
			if strings.HasSuffix(name, "snapshot.json") {
				return io.NopCloser(endless{}), nil
			}
			return r, nil
		}},
		{"endless chunks", "listfeed.too_large", func(name string, _ int64, r io.ReadCloser) (io.ReadCloser, error) {
			if isObject(name) {
				return io.NopCloser(io.MultiReader(r, endless{})), nil
			}
			return r, nil
		}},
		{"truncated timestamp", "listfeed.metadata", func(name string, _ int64, r io.ReadCloser) (io.ReadCloser, error) {
			if name == target.TimestampName {
				return io.NopCloser(io.LimitReader(r, 100)), nil
			}
			return r, nil
		}},
		{"empty timestamp", "listfeed.metadata", func(name string, _ int64, r io.ReadCloser) (io.ReadCloser, error) {
			if name == target.TimestampName {
				return io.NopCloser(strings.NewReader("")), nil
			}
			return r, nil
		}},
		{"truncated snapshot", "listfeed.mix", func(name string, offset int64, r io.ReadCloser) (io.ReadCloser, error) {
			if strings.HasSuffix(name, "snapshot.json") {
				return io.NopCloser(io.LimitReader(r, 100)), nil
			}
			return r, nil
		}},
		{"chunks cut for good", "listfeed.cut", func(name string, offset int64, r io.ReadCloser) (io.ReadCloser, error) {
			if isObject(name) {
				return io.NopCloser(io.LimitReader(r, max(0, 1000-offset))), nil
			}
			return r, nil
		}},
		{"other bytes after a cut", "listfeed.hash", func(name string, offset int64, r io.ReadCloser) (io.ReadCloser, error) {
			switch {
			case isObject(name) && offset == 0:
				return io.NopCloser(io.LimitReader(r, 10)), nil
			case isObject(name):
				raw, err := io.ReadAll(r)
				raw[0] ^= 1
				return io.NopCloser(bytes.NewReader(raw)), err
			}
			return r, nil
		}},
		{"a bit of each chunk changed", "listfeed.hash", func(name string, _ int64, r io.ReadCloser) (io.ReadCloser, error) {
			if isObject(name) {
				raw, err := io.ReadAll(r)
				raw[len(raw)/2] ^= 1
				return io.NopCloser(bytes.NewReader(raw)), err
			}
			return r, nil
		}},
		{"objects denied", "listfeed.absent", func(name string, _ int64, r io.ReadCloser) (io.ReadCloser, error) {
			if isObject(name) {
				return nil, errors.Join(&fault.Error{Code: "listfeed.absent"}, r.Close())
			}
			return r, nil
		}},
		{"null where go-tuf falls", "listfeed.metadata", func(name string, _ int64, r io.ReadCloser) (io.ReadCloser, error) {
			if name == target.TimestampName {
				return io.NopCloser(strings.NewReader(`{"signed":{"_type":"timestamp","spec_version":"1.0.31","version":99,"expires":"2030-01-01T00:00:00Z","meta":{"snapshot.json":null}},"signatures":[]}`)), nil
			}
			return r, nil
		}},
		{"nested JSON", "listfeed.metadata", func(name string, _ int64, r io.ReadCloser) (io.ReadCloser, error) {
			if name == target.TimestampName {
				return io.NopCloser(strings.NewReader(strings.Repeat("[", 16000))), nil
			}
			return r, nil
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, d := begin(t)
			w.Commit("un", w.Generation("un", unList, 2, feedtest.Record("un-sc", "p9", "N9"))...)
			f := folder(t, w.Repo.Dir())
			r, err := d.Refresh(ctx, hostile{f, c.spoil})
			wantCode(t, errors.Join(err, r.Err()), c.code)
			if g := d.Status().Lists[0].Generation; g != 1 {
				t.Errorf("generation %d came into force", g)
			}
			refresh(t, w, d) // and an honest carrier mends it
			if s := d.Status().Lists[0]; s.Generation != 2 || s.Behind {
				t.Errorf("%+v", s)
			}
		})
	}
	t.Run("a byte in 29 seconds", func(t *testing.T) {
		w, d := begin(t)
		f := folder(t, w.Repo.Dir())
		synctest.Test(t, func(t *testing.T) {
			_, err := d.Refresh(ctx, hostile{f, func(name string, _ int64, r io.ReadCloser) (io.ReadCloser, error) {
				return drip{r}, nil
			}})
			wantCode(t, err, "listfeed.slow")
		})
	})
}

// drip gives a byte now and then.
type drip struct{ io.ReadCloser }

func (d drip) Read(p []byte) (int, error) {
	time.Sleep(29 * time.Second)
	return d.ReadCloser.Read(p[:1])
}

func TestAttackFolder(t *testing.T) {
	for _, c := range []struct {
		name string
		code fault.Code
		do   func(t *testing.T, dir string)
	}{
		{"a link where the timestamp should lie", "listfeed.not_regular", func(t *testing.T, dir string) {
			p := filepath.Join(dir, target.TimestampName)
			if err := errors.Join(os.Rename(p, filepath.Join(dir, "x")), os.Symlink("../x", p)); err != nil {
				t.Fatal(err)
			}
		}},
		{"a pipe", "listfeed.not_regular", func(t *testing.T, dir string) {
			p := filepath.Join(dir, target.TimestampName)
			if err := errors.Join(os.Remove(p), syscall.Mkfifo(p, 0o644)); err != nil {
				t.Fatal(err)
			}
		}},
		{"a folder", "listfeed.not_regular", func(t *testing.T, dir string) {
			p := filepath.Join(dir, target.TimestampName)
			if err := errors.Join(os.Remove(p), os.Mkdir(p, 0o755)); err != nil {
				t.Fatal(err)
			}
		}},
		{"a linked folder that leads out", "listfeed.folder", func(t *testing.T, dir string) {
			away := filepath.Join(feedtest.Dir(t), "metadata")
			p := filepath.Join(dir, "metadata")
			if err := errors.Join(os.Rename(p, away), os.Symlink(away, p)); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, d := begin(t)
			c.do(t, w.Repo.Dir())
			_, err := d.Refresh(ctx, folder(t, w.Repo.Dir()))
			wantCode(t, err, c.code)
		})
	}
	t.Run("names that lead elsewhere", func(t *testing.T) {
		w, _ := begin(t)
		f := folder(t, w.Repo.Dir())
		for _, name := range []string{"../x", "/etc/passwd", "metadata/../../x", "objects/aa/..", "metadata/0.root.json", "metadata/1.ROOT.json", ""} {
			_, err := f.Open(ctx, name, 0)
			wantCode(t, err, "listfeed.name")
		}
	})
}

// TestAttackManifest has two of the owner sign a manifest that lies: what the
// signatures do not excuse.
func TestAttackManifest(t *testing.T) {
	for _, c := range []struct {
		name string
		code fault.Code
		edit func(m object)
	}{
		{"a path out of the folder", "listfeed.file_path", func(m object) { m["files"].([]any)[0].(object)["path"] = "../../post.db" }},
		{"an absolute path", "listfeed.file_path", func(m object) { m["files"].([]any)[0].(object)["path"] = "/etc/passwd" }},
		{"a path twice", "listfeed.file_path", func(m object) {
			f := m["files"].([]any)
			f[1].(object)["path"] = f[0].(object)["path"]
		}},
		{"a file longer than its chunks", "listfeed.format", func(m object) { m["files"].([]any)[0].(object)["size"] = 1 << 39 }},
		{"a file of negative length", "listfeed.format", func(m object) { m["files"].([]any)[0].(object)["size"] = -1 }},
		{"a chunk of another length", "listfeed.format", func(m object) {
			m["files"].([]any)[0].(object)["chunks"].([]any)[0].(object)["size"] = 7
		}},
		{"another target's manifest", "listfeed.wrong_target", func(m object) { m["path"] = "un/list/other" }},
		{"an unknown key", "listfeed.format", func(m object) { m["x"] = 1 }},
		{"a later format", "listfeed.format", func(m object) { m["format"] = 2 }},
		{"run out", "listfeed.expired", func(m object) {
			m["created"], m["expires"] = "2020-01-01T00:00:00Z", "2020-01-02T00:00:00Z"
		}},
		{"a key of an epoch that the device has not", "listfeed.wrong_device", func(m object) { m["key"].(object)["epoch"] = 9 }},
		{"another key's name", "listfeed.wrong_device", func(m object) { m["key"].(object)["name"] = "other" }},
		{"a chunk key of other bytes", "listfeed.key", func(m object) {
			m["chunk_key"] = strings.Repeat("A", 80)
		}},
		{"a version of its own choice under the same seal", "listfeed.key", func(m object) { m["version"] = 3 }},
	} {
		attack{c.name, c.code, func(t *testing.T, w *feedtest.World, d *feedtest.Device) {
			w.Commit("un", w.Generation("un", unList, 2, feedtest.Record("un-sc", "p9", "N9"))...)
			raw, err := manifest(t, w, listPath).Encode()
			w.Must(err)
			var m object
			w.Must(json.Unmarshal(raw, &m))
			c.edit(m)
			raw, err = json.Marshal(m)
			w.Must(err)
			signManifest(t, w, listPath, raw)
		}}.run(t)
	}
	attack{"over its size", "listfeed.too_large", func(t *testing.T, w *feedtest.World, d *feedtest.Device) {
		signManifest(t, w, listPath, bytes.Repeat([]byte(" "), target.MaxManifest+1))
	}}.run(t)
	attack{"longer than signed", "listfeed.too_large", func(t *testing.T, w *feedtest.World, d *feedtest.Device) {
		w.Commit("un", w.Generation("un", unList, 2, feedtest.Record("un-sc", "p9", "N9"))...)
		e, err := w.Repo.Entry(listPath)
		w.Must(err)
		p := file(w, target.ObjectName(e.Sum))
		writeFile(t, p, append(readFile(t, p), ' '))
	}}.run(t)
	attack{"of an unknown kind", "listfeed.kind", func(t *testing.T, w *feedtest.World, d *feedtest.Device) {
		owners := feedtest.Owners()
		owners[0].Paths = append(owners[0].Paths, "un/program/*")
		w.Delegate(2, owners...)
		e, err := w.Repo.AddObject(target.Path{Owner: "un", Kind: "program", Name: "x"}, []byte("{}"))
		w.Must(err)
		w.Commit("un", e)
	}}.run(t)
	attack{"of a list that another owner has", "listfeed.list_taken", func(t *testing.T, w *feedtest.World, d *feedtest.Device) {
		owners := append(feedtest.Owners(), feedtest.Owners()[0])
		owners[2].Name, owners[2].Paths = "zz", []string{"zz/list/*", "zz/segment/*", "zz/devices/*"}
		w.Delegate(2, owners...)
		w.Commit("zz", append(w.Generation("zz", unList, 5, feedtest.Record("un-sc", "p9", "N9")), w.Devices("zz", unList, d))...)
	}}.run(t)
}

func TestAttackDevice(t *testing.T) {
	t.Run("wrong device", func(t *testing.T) {
		w, _ := begin(t)
		other := w.Device()
		r, err := other.Refresh(ctx, folder(t, w.Repo.Dir()))
		if err != nil || len(r.Refused) != 1 {
			t.Fatalf("%+v, %v", r, err)
		}
		wantCode(t, r.Refused[0].Err, "listfeed.wrong_device")
		wantCode(t, other.Stale("un-sc"), "listfeed.no_list")
		if left, _ := filepath.Glob(filepath.Join(other.Dir, "lists", "*")); len(left) != 0 {
			t.Errorf("left %v", left)
		}
	})
	t.Run("a key wrapped for another under our id", func(t *testing.T) {
		w, d := begin(t)
		other := w.Device()
		k := target.KeyName{Name: "un-sc", Epoch: 2}
		r, err := other.Keys.Recipient()
		w.Must(err)
		list, err := target.WrapFor(devicesPath, 2, w.Key(k), r)
		w.Must(err)
		us, err := d.Keys.Recipient()
		w.Must(err)
		list.Devices[0].ID = us.ID()
		raw, err := list.Encode()
		w.Must(err)
		e, err := w.Repo.AddObject(devicesPath, raw)
		w.Must(err)
		w.Commit("un", e)
		res, err := d.Refresh(ctx, folder(t, w.Repo.Dir()))
		wantCode(t, errors.Join(err, res.Err()), "listfeed.key")
	})
	t.Run("struck off", func(t *testing.T) {
		w, d := begin(t)
		k := target.KeyName{Name: "un-sc", Epoch: 2}
		w.Commit("un", append(w.Generation("un", k, 2, feedtest.Record("un-sc", "p9", "N9")), w.Devices("un", k, w.Device()))...)
		r, err := d.Refresh(ctx, folder(t, w.Repo.Dir()))
		if err != nil || len(r.Changed) != 1 || !r.Changed[0].Withdrawn {
			t.Fatalf("%+v, %v", r, err)
		}
		wantCode(t, d.Stale("un-sc"), "listfeed.no_list")
		_, err = d.Keys.ListKey(unList.String())
		wantCode(t, err, "vault.no_list_key")
	})
	t.Run("re-keyed: the others go on, with another key", func(t *testing.T) {
		w, d := begin(t)
		k := target.KeyName{Name: "un-sc", Epoch: 2}
		w.Commit("un", append(w.Generation("un", k, 2, feedtest.Record("un-sc", "p9", "N9")), w.Devices("un", k, d))...)
		refresh(t, w, d)
		_, err := d.Keys.ListKey(unList.String())
		wantCode(t, err, "vault.no_list_key")
		if g, err := d.OpenList(ctx, "un-sc"); err != nil || g.Manifest().Generation != 2 {
			t.Fatal(err)
		} else if err := g.Close(); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("an owner delegated to no more", func(t *testing.T) {
		w, d := begin(t)
		w.Delegate(2, feedtest.Owners()[1])
		r, err := d.Refresh(ctx, folder(t, w.Repo.Dir()))
		if err != nil || len(r.Changed) != 1 || !r.Changed[0].Withdrawn {
			t.Fatalf("%+v, %v", r, err)
		}
	})
}

func TestAttackSegments(t *testing.T) {
	withdraw := func(id string) target.Change { return target.Change{Op: target.OpWithdraw, ID: id} }
	t.Run("replayed", func(t *testing.T) {
		w, d := begin(t)
		w.Commit("un", w.Segment("un", unList, withdraw("p1")))
		old := w.Bundle("un")
		w.Commit("un", w.Segment("un", unList, withdraw("p2")))
		for _, b := range []*listfeed.Bundle{old, w.Bundle("un")} {
			if r, err := d.Apply(ctx, b); err != nil || r.Err() != nil {
				t.Fatalf("%+v, %v", r, err)
			}
		}
		_, err := d.Apply(ctx, old)
		wantCode(t, err, "listfeed.rollback")
		if s := d.Status().Lists[0]; s.Segment != 2 {
			t.Errorf("%+v", s)
		}
	})
	index := func(t *testing.T, w *feedtest.World, edit func(s *target.Segments)) {
		e, err := w.Repo.Entry(segmentPath)
		w.Must(err)
		raw, err := w.Repo.Object(e.Sum)
		w.Must(err)
		s, err := target.DecodeSegments(raw, segmentPath)
		w.Must(err)
		edit(s)
		raw, err = s.Encode()
		w.Must(err)
		e, err = w.Repo.AddObject(segmentPath, raw)
		w.Must(err)
		w.Commit("un", e)
	}
	for _, a := range []attack{
		{"out of order, signed by two", "listfeed.sealed", func(t *testing.T, w *feedtest.World, d *feedtest.Device) {
			w.Commit("un", w.Segment("un", unList, withdraw("p1")))
			w.Commit("un", w.Segment("un", unList, withdraw("p2")))
			index(t, w, func(s *target.Segments) { s.Segments[0], s.Segments[1] = s.Segments[1], s.Segments[0] })
		}},
		{"one left out, signed by two", "listfeed.sealed", func(t *testing.T, w *feedtest.World, d *feedtest.Device) {
			w.Commit("un", w.Segment("un", unList, withdraw("p1")))
			w.Commit("un", w.Segment("un", unList, withdraw("p2")))
			index(t, w, func(s *target.Segments) { s.Segments = s.Segments[1:] })
		}},
		{"another past than the one in force, signed by two", "listfeed.segment_order", func(t *testing.T, w *feedtest.World, d *feedtest.Device) {
			e, err := w.Repo.Entry(segmentPath)
			w.Must(err)
			w.Commit("un", w.Segment("un", unList, withdraw("p1")))
			refresh(t, w, d)
			other, err := w.Repo.AddSegment(e, w.Key(unList), w.Now, withdraw("p2"))
			w.Must(err)
			w.Commit("un", other)
		}},
		{"a chain that breaks, signed by two", "listfeed.segment_order", func(t *testing.T, w *feedtest.World, d *feedtest.Device) {
			w.Commit("un", w.Segment("un", unList, withdraw("p1")))
			c := &target.Changes{Format: 1, List: "un-sc", Generation: 1, Number: 2, Created: w.Now, Changes: []target.Change{withdraw("p2")}}
			raw, err := target.SealChanges(c, w.Key(unList))
			w.Must(err)
			e, err := w.Repo.AddObject(segmentPath, raw)
			w.Must(err)
			index(t, w, func(s *target.Segments) {
				s.Segments = append(s.Segments, target.Segment{Sum: e.Sum, Size: e.Size})
			})
		}},
		{"of another list, signed by two", "listfeed.sealed", func(t *testing.T, w *feedtest.World, d *feedtest.Device) {
			c := &target.Changes{Format: 1, List: "other", Generation: 1, Number: 1, Created: w.Now, Changes: []target.Change{withdraw("p2")}}
			raw, err := target.SealChanges(c, w.Key(unList))
			w.Must(err)
			e, err := w.Repo.AddObject(segmentPath, raw)
			w.Must(err)
			index(t, w, func(s *target.Segments) { s.Segments = []target.Segment{{Sum: e.Sum, Size: e.Size}} })
		}},
		{"under a key of another epoch", "listfeed.key", func(t *testing.T, w *feedtest.World, d *feedtest.Device) {
			index(t, w, func(s *target.Segments) { s.Key.Epoch = 7 })
		}},
		{"dated after the timestamp's end", "listfeed.not_yet", func(t *testing.T, w *feedtest.World, d *feedtest.Device) {
			w.Now = w.Now.AddDate(0, 1, 0)
			e := w.Segment("un", unList, withdraw("p1"))
			w.Now = feedtest.Start
			w.Commit("un", e)
		}},
		{"a segment changed on the way", "listfeed.hash", func(t *testing.T, w *feedtest.World, d *feedtest.Device) {
			w.Commit("un", w.Segment("un", unList, withdraw("p1")))
			index(t, w, func(s *target.Segments) {
				p := file(w, target.ObjectName(s.Segments[0].Sum))
				raw := readFile(t, p)
				raw[len(raw)-1] ^= 1
				writeFile(t, p, raw)
			})
		}},
	} {
		a.run(t)
	}
	t.Run("a bundle that keeps them back", func(t *testing.T) {
		w, d := begin(t)
		w.Commit("un", w.Segment("un", unList, withdraw("p1")))
		b := w.Bundle("un")
		b.Objects = nil
		r, err := d.Apply(ctx, b)
		wantCode(t, errors.Join(err, r.Err()), "listfeed.absent")
		wantCode(t, d.Stale("un-sc"), "listfeed.behind")
		refresh(t, w, d)
		if err := d.Stale("un-sc"); err != nil {
			t.Error(err)
		}
	})
}

func TestAttackState(t *testing.T) {
	t.Run("zero-byte metadata", func(t *testing.T) {
		w, d := begin(t)
		for _, name := range []string{"root", "timestamp", "snapshot", "role/targets", "role/un"} {
			d.State.Kept[name] = []byte{}
			w.Must(d.Restart(w.Root))
			w.Publish()
			refresh(t, w, d)
			if err := d.Stale("un-sc"); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
	t.Run("all metadata gone", func(t *testing.T) {
		w, d := begin(t)
		for name := range maps.Clone(d.State.Kept) {
			if name != "versions" && !strings.HasPrefix(name, "list/") && !strings.HasPrefix(name, "devices/") {
				delete(d.State.Kept, name)
			}
		}
		w.Must(d.Restart(w.Root))
		refresh(t, w, d)
		if err := d.Stale("un-sc"); err != nil {
			t.Error(err)
		}
	})
	t.Run("no root", func(t *testing.T) {
		w, d := begin(t)
		delete(d.State.Kept, "root")
		wantCode(t, d.Restart(nil), "listfeed.root")
		w.Must(d.Restart(w.Root))
	})
	t.Run("a cursor that names a segment that is not there", func(t *testing.T) {
		w, d := begin(t)
		w.Commit("un", w.Segment("un", unList, target.Change{Op: target.OpWithdraw, ID: "p1"}))
		refresh(t, w, d)
		delete(d.State.Kept, "segment/un-sc/1/1")
		wantCode(t, d.Restart(w.Root), "listfeed.state")
	})
	t.Run("segment and cursor in one transaction", func(t *testing.T) {
		w, d := begin(t)
		w.Commit("un", w.Segment("un", unList, target.Change{Op: target.OpWithdraw, ID: "p1"}))
		d.State.Fail = fault.New("store.full", "no room")
		before := maps.Clone(d.State.Kept)
		_, err := d.Apply(ctx, w.Bundle("un"))
		wantCode(t, err, "store.full")
		if !maps.EqualFunc(before, d.State.Kept, bytes.Equal) || d.Overlay("un-sc").Len() != 0 {
			t.Error("something of the failed transaction is left")
		}
		if r, err := d.Apply(ctx, w.Bundle("un")); err != nil || r.Err() != nil || d.Overlay("un-sc").Len() != 1 {
			t.Errorf("%+v, %v", r, err)
		}
	})
	t.Run("put back, which the chip's counter notices", func(t *testing.T) {
		w := feedtest.New(t, feedtest.Dir(t))
		d := w.Device()
		d.Counter = new(feedtest.Counter)
		w.Must(d.Restart(w.Root))
		w.Commit("un", append(w.Generation("un", unList, 1, feedtest.Record("un-sc", "p1", "N1")), w.Devices("un", unList, d))...)
		refresh(t, w, d)
		old := maps.Clone(d.State.Kept)
		w.Must(d.Restart(w.Root))
		w.Commit("un", w.Generation("un", unList, 2, feedtest.Record("un-sc", "p9", "N9"))...)
		refresh(t, w, d)
		d.State.Kept = old
		wantCode(t, d.Restart(w.Root), "listfeed.put_back")
	})
}
