package listfeed_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed"
	"github.com/watchpost/watchpost/device/listfeed/feedtest"
	"github.com/watchpost/watchpost/device/listfeed/target"
)

// withhold takes an object of a repository away, as a hostile carrier does.
func withhold(t *testing.T, w *feedtest.World, p target.Path) {
	t.Helper()
	e, err := w.Repo.Entry(p)
	w.Must(err)
	w.Must(os.Remove(file(w, target.ObjectName(e.Sum))))
}

// TestAttackRestart withholds what was signed, and has the post restarted while
// nothing comes: what it holds is behind all the same, so no answer is clear.
func TestAttackRestart(t *testing.T) {
	for _, a := range []struct {
		name string
		do   func(t *testing.T, w *feedtest.World)
	}{
		{"an urgent change withheld", func(t *testing.T, w *feedtest.World) {
			w.Commit("un", w.Segment("un", unList, target.Change{Op: target.OpWithdraw, ID: "p1"}))
			withhold(t, w, segmentPath)
		}},
		{"a generation withheld", func(t *testing.T, w *feedtest.World) {
			w.Commit("un", w.Generation("un", unList, 2, feedtest.Record("un-sc", "p9", "N9"))...)
			withhold(t, w, listPath)
		}},
		{"an owner's metadata withheld", func(t *testing.T, w *feedtest.World) {
			w.Commit("un", w.Segment("un", unList, target.Change{Op: target.OpWithdraw, ID: "p1"}))
			w.Must(os.Remove(file(w, target.RoleName("un", newest(t, w, "un")))))
		}},
	} {
		t.Run(a.name, func(t *testing.T) {
			w, d := begin(t)
			a.do(t, w)
			if r, err := d.Refresh(ctx, folder(t, w.Repo.Dir())); outcome(r, err) == nil {
				t.Fatal("nothing was missed")
			}
			wantCode(t, d.Stale("un-sc"), "listfeed.behind")
			w.Must(d.Restart(w.Root))
			wantCode(t, d.Stale("un-sc"), "listfeed.behind")
			for _, l := range d.Status().Lists {
				if !l.Behind {
					t.Error("the status does not say so")
				}
			}
		})
	}
}

// TestBehindEnds is the other half: what was missed and came is missed no more,
// whether or not the list itself changed.
func TestBehindEnds(t *testing.T) {
	w, d := begin(t)
	w.Must(w.Repo.Stage("un", w.Now.Add(feedtest.OwnerLife), nil, segmentPath)) // no index at all
	w.SignStaged("un", "anna", "boris")
	w.Publish()
	name := file(w, target.RoleName("un", newest(t, w, "un")))
	raw := readFile(t, name)
	w.Must(os.Remove(name))
	if _, err := d.Refresh(ctx, folder(t, w.Repo.Dir())); err != nil {
		t.Fatal(err)
	}
	wantCode(t, d.Stale("un-sc"), "listfeed.behind")
	writeFile(t, name, raw)
	refresh(t, w, d)
	if err := d.Stale("un-sc"); err != nil {
		t.Errorf("the list stays behind: %v", err)
	}
}

// TestAttackStruckOff has a root or a publisher try what only two may: what
// those who are struck off have signed, and what the publisher leaves out.
func TestAttackStruckOff(t *testing.T) {
	t.Run("a delegator, and the feed is asked twice", func(t *testing.T) {
		w, d := begin(t)
		s := feedtest.RootSpec(2, w.Now)
		s.Targets = feedtest.Public("top-1", "top-3") // top-2 is struck off
		w.PublishRoot(s, "root-1", "root-2")
		for range 3 {
			r, err := d.Refresh(ctx, folder(t, w.Repo.Dir()))
			wantCode(t, outcome(r, err), "listfeed.signatures")
			wantCode(t, d.Stale("un-sc"), "listfeed.behind")
		}
		w.Must(d.Restart(w.Root))
		r, err := d.Refresh(ctx, folder(t, w.Repo.Dir()))
		wantCode(t, outcome(r, err), "listfeed.signatures")
	})
	t.Run("a root that came alone is counted by the chip", func(t *testing.T) {
		w := feedtest.New(t, feedtest.Dir(t))
		d := w.Device()
		d.Counter = &feedtest.Counter{}
		w.Must(d.Restart(w.Root))
		w.Commit("un", append(w.Generation("un", unList, 1, feedtest.Record("un-sc", "p1", "N1")), w.Devices("un", unList, d))...)
		refresh(t, w, d)
		before := snapshotOf(d)
		w.PublishRoot(feedtest.RootSpec(2, w.Now), "root-1", "root-2")
		stampFile := file(w, target.TimestampName)
		raw := readFile(t, stampFile)
		w.Must(os.Remove(stampFile))
		_, err := d.Refresh(ctx, folder(t, w.Repo.Dir()))
		wantCode(t, err, "listfeed.absent")
		writeFile(t, stampFile, raw)
		refresh(t, w, d)
		d.State.Kept = before
		wantCode(t, d.Restart(w.Root), "listfeed.put_back")
	})
	t.Run("an owner left out by a publisher with new keys", func(t *testing.T) {
		w, d := begin(t)
		s := feedtest.RootSpec(2, w.Now)
		s.Snapshot, s.Timestamp = feedtest.Public("snapshot-2")[0], feedtest.Public("timestamp-2")[0]
		w.PublishRoot(s, "root-1", "root-2")
		v := newest(t, w, "snapshot")
		snap := forge(t, readFile(t, file(w, target.RoleName("snapshot", v))), func(s object) {
			s["version"] = v + 1
			delete(s["meta"].(object), "un.json")
		}, "snapshot-2")
		writeFile(t, file(w, target.RoleName("snapshot", v+1)), snap)
		path := file(w, target.TimestampName)
		writeFile(t, path, forge(t, readFile(t, path), func(s object) {
			s["version"] = s["version"].(float64) + 1
			s["meta"].(object)["snapshot.json"] = metaOf(v+1, snap)
		}, "timestamp-2"))
		r, err := d.Refresh(ctx, folder(t, w.Repo.Dir()))
		wantCode(t, outcome(r, err), "listfeed.rollback")
		g, err := d.OpenList(ctx, "un-sc")
		if err != nil {
			t.Fatalf("one key has withdrawn a list: %v", err)
		}
		w.Must(g.Close())
		wantCode(t, d.Stale("un-sc"), "listfeed.behind")
	})
}

func snapshotOf(d *feedtest.Device) map[string][]byte {
	out := map[string][]byte{}
	for name, raw := range d.State.Kept {
		out[name] = append([]byte(nil), raw...)
	}
	return out
}

// TestAttackPowerCut cuts the power between the commit of a withdrawal and the
// destruction of what was withdrawn: it is made good at the next start.
func TestAttackPowerCut(t *testing.T) {
	errCut := fault.New("test.cut", "the power is gone")
	t.Run("before a withdrawn list is destroyed", func(t *testing.T) {
		w, d := begin(t)
		w.Must(w.Repo.Stage("un", w.Now.Add(feedtest.OwnerLife), nil, listPath, segmentPath))
		w.SignStaged("un", "anna", "boris")
		w.Publish()
		d.Keys.FailShred = errCut
		_, err := d.Refresh(ctx, folder(t, w.Repo.Dir()))
		wantCode(t, err, "test.cut")
		d.Keys.FailShred = nil
		w.Must(os.MkdirAll(filepath.Join(d.Dir, "lists", "un-sc"), 0o700)) // the cut came before this as well
		w.Must(d.Restart(w.Root))
		if _, err := d.Keys.ListKey(unList.String()); fault.CodeOf(err) != "vault.no_list_key" {
			t.Errorf("the key of a withdrawn list is still there: %v", err)
		}
		if _, err := os.Stat(filepath.Join(d.Dir, "lists", "un-sc")); !os.IsNotExist(err) {
			t.Errorf("the folder of a withdrawn list is still there: %v", err)
		}
	})
	t.Run("before the key of an earlier epoch is destroyed", func(t *testing.T) {
		w, d := begin(t)
		fresh := target.KeyName{Name: "un-sc", Epoch: 2}
		w.Commit("un", append(w.Generation("un", fresh, 2, feedtest.Record("un-sc", "p9", "N9")), w.Devices("un", fresh, d))...)
		d.Keys.FailShred = errCut
		_, err := d.Refresh(ctx, folder(t, w.Repo.Dir()))
		wantCode(t, err, "test.cut")
		d.Keys.FailShred = nil
		w.Must(d.Restart(w.Root))
		if _, err := d.Keys.ListKey(unList.String()); fault.CodeOf(err) != "vault.no_list_key" {
			t.Errorf("the key of the earlier epoch is still there: %v", err)
		}
		if _, err := d.Keys.ListKey(fresh.String()); err != nil {
			t.Errorf("the key in force went with it: %v", err)
		}
		for name := range d.State.Kept {
			if strings.HasPrefix(name, "shred/") {
				t.Errorf("%s is kept for ever", name)
			}
		}
	})
	t.Run("and the list comes back", func(t *testing.T) {
		w, d := begin(t)
		w.Must(w.Repo.Stage("un", w.Now.Add(feedtest.OwnerLife), nil, listPath, segmentPath))
		w.SignStaged("un", "anna", "boris")
		w.Publish()
		refresh(t, w, d)
		wantCode(t, d.Stale("un-sc"), "listfeed.no_list")
		w.Commit("un", w.Generation("un", unList, 2, feedtest.Record("un-sc", "p9", "N9"))...) // same devices, same key
		refresh(t, w, d)
		if err := d.Stale("un-sc"); err != nil {
			t.Error(err)
		}
		w.Must(d.Restart(w.Root))
		g, err := d.OpenList(ctx, "un-sc")
		w.Must(err)
		w.Must(g.Close())
	})
}

// TestAttackStick puts what never ends on a stick to which a feed is copied.
func TestAttackStick(t *testing.T) {
	for _, a := range []struct {
		name string
		do   func(stick string) error
	}{
		{"a timestamp without end", func(stick string) error {
			return errors.Join(os.Remove(filepath.Join(stick, target.TimestampName)), os.Symlink("/dev/zero", filepath.Join(stick, target.TimestampName)))
		}},
		{"a root that nobody writes to the end", func(stick string) error {
			name := filepath.Join(stick, target.RoleName("root", 2))
			return errors.Join(os.Remove(name), syscall.Mkfifo(name, 0o600))
		}},
		{"a root of gigabytes", func(stick string) error {
			return os.Truncate(filepath.Join(stick, target.RoleName("root", 2)), 8<<30)
		}},
	} {
		t.Run(a.name, func(t *testing.T) {
			w, _ := begin(t)
			w.PublishRoot(feedtest.RootSpec(2, w.Now), "root-1", "root-2")
			stick := feedtest.Dir(t)
			wholeCopy(t, w, folder(t, w.Repo.Dir()), stick)
			w.Must(a.do(stick))
			done := make(chan error, 1)
			go func() {
				_, err := copyTo(t, w, folder(t, w.Repo.Dir()), stick)
				done <- err
			}()
			select {
			case err := <-done:
				w.Must(err)
			case <-time.After(time.Minute):
				t.Fatal("the copy never ends")
			}
			wholeCopy(t, w, folder(t, stick), "") // it was made good
		})
	}
}

// TestAttackMemory has signers who have turned name more than a post can bear.
func TestAttackMemory(t *testing.T) {
	attack{"segments that fill the memory, signed by two", "listfeed.too_large", func(t *testing.T, w *feedtest.World, d *feedtest.Device) {
		w.Commit("un", w.Segment("un", unList, target.Change{Op: target.OpWithdraw, ID: "p1"}))
		e, err := w.Repo.Entry(segmentPath)
		w.Must(err)
		raw, err := w.Repo.Object(e.Sum)
		w.Must(err)
		index, err := target.DecodeSegments(raw, segmentPath)
		w.Must(err)
		for range target.MaxSegmentBytes / target.ChunkSize {
			index.Segments = append(index.Segments, target.Segment{Sum: target.SumOf(raw), Size: target.ChunkSize})
		}
		raw, err = json.Marshal(index)
		w.Must(err)
		signManifest(t, w, segmentPath, raw)
	}}.run(t)
}

// TestAttackRoom has a generation named that the disk cannot hold: nothing of it
// is fetched, and what an earlier try left goes.
func TestAttackRoom(t *testing.T) {
	w, d := begin(t)
	d.Free = func(string) (uint64, error) { return 1 << 20, nil }
	w.Must(d.Restart(w.Root))
	left := filepath.Join(d.Dir, "incoming", "left")
	w.Must(os.MkdirAll(left, 0o700))
	w.Commit("un", w.Generation("un", unList, 2, feedtest.Record("un-sc", "p9", "N9"))...)
	r, err := d.Refresh(ctx, folder(t, w.Repo.Dir()))
	wantCode(t, outcome(r, err), "listfeed.no_room")
	wantCode(t, d.Stale("un-sc"), "listfeed.behind")
	if all, err := os.ReadDir(filepath.Join(d.Dir, "incoming")); err != nil && !os.IsNotExist(err) || len(all) > 0 {
		t.Errorf("%v, %v", all, err)
	}
	d.Free = nil
	w.Must(d.Restart(w.Root))
	refresh(t, w, d)
}

// trickle is a carrier that gives a chunk's first bytes and then nothing, until it
// is let go.
type trickle struct {
	listfeed.Carrier
	began chan struct{} // closed when it stands
	free  chan struct{} // closed: everything comes
	once  *sync.Once
}

func (d trickle) Open(ctx context.Context, name string, offset int64) (io.ReadCloser, error) {
	r, err := d.Carrier.Open(ctx, name, offset)
	select {
	case <-d.free:
		return r, err
	default:
	}
	if err != nil || !strings.HasPrefix(name, "objects/") {
		return r, err
	}
	return &trickling{r, ctx, d, false}, nil
}

type trickling struct {
	io.ReadCloser
	ctx   context.Context
	d     trickle
	given bool
}

func (d *trickling) Read(p []byte) (int, error) {
	if !d.given {
		d.given = true
		return d.ReadCloser.Read(p[:1])
	}
	d.d.once.Do(func() { close(d.d.began) })
	select {
	case <-d.ctx.Done():
		return 0, d.ctx.Err()
	case <-d.d.free:
		return d.ReadCloser.Read(p)
	}
}

// TestAttackDrip has a carrier that hardly gives anything hold up a refresh: an
// urgent change is in force all the same, a replayed one stops nothing, and the
// refresh goes on after it.
func TestAttackDrip(t *testing.T) {
	t.Run("an urgent change waits for nobody", func(t *testing.T) {
		w, d := begin(t)
		old := w.Bundle("un")
		w.Commit("un", w.Generation("un", target.KeyName{Name: "other", Epoch: 1}, 1, feedtest.Record("other", "o1", "N9"))...)
		w.Commit("un", w.Devices("un", target.KeyName{Name: "other", Epoch: 1}, d))
		slow := trickle{folder(t, w.Repo.Dir()), make(chan struct{}), make(chan struct{}), new(sync.Once)}
		done := make(chan error, 1)
		go func() {
			r, err := d.Refresh(ctx, slow)
			done <- errors.Join(err, r.Err())
		}()
		<-slow.began
		if d.Urgent(old) {
			t.Error("a replayed bundle stops a refresh")
		}
		w.Commit("un", w.Segment("un", unList, target.Change{Op: target.OpWithdraw, ID: "p1"}))
		soon, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		if r, err := d.Apply(soon, w.Bundle("un")); err != nil {
			t.Fatalf("the change is not in force: %+v, %v", r, err)
		}
		if _, touched := d.Overlay("un-sc").Get("p1"); !touched {
			t.Fatal("the record is still found")
		}
		close(slow.free)
		w.Must(<-done)
		if err := d.Stale("other"); err != nil {
			t.Errorf("the refresh did not go on: %v", err)
		}
	})
}
