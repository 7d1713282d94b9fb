package courier

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/audit/audittest"
	"github.com/watchpost/watchpost/device/audit/checkpoint"
	"github.com/watchpost/watchpost/device/audit/witness"
	"github.com/watchpost/watchpost/device/encounter/store"
	"github.com/watchpost/watchpost/device/fault"
)

// kept is a log with marks.
type kept struct {
	*audittest.Log
	marks map[string]store.Mark
}

func (k kept) Heads(from int64, limit int) ([][]byte, error) {
	all := k.RawHeads[min(from, int64(len(k.RawHeads))):]
	return all[:min(limit, len(all))], nil
}
func (k kept) ProveAudit(from, size int64) (tlog.TreeProof, error) {
	return audit.Prove(k.Log, from, size)
}
func (k kept) Mark(w string) (store.Mark, error)      { return k.marks[w], nil }
func (k kept) SetMark(w string, m store.Mark) error   { k.marks[w] = m; return nil }
func (k kept) Medium(t *testing.T, dir string) Medium { return Medium{dir, k.Origin, k.Verifier(t)} }

type world struct {
	t       *testing.T
	log     kept
	now     time.Time
	states  []Status
	lost    []error
	courier *Courier
}

func newWorld(t *testing.T, w func(kept) Witness) *world {
	l := kept{audittest.New(t, "desk-1"), map[string]store.Mark{}}
	o := &world{t: t, log: l, now: l.Now}
	o.courier = New(Options{
		Name: "w", Witness: w(l), Log: l, Late: time.Hour, Now: func() time.Time { return o.now },
		Changed: func(s Status) { o.states = append(o.states, s) }, Lost: func(err error) { o.lost = append(o.lost, err) },
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	return o
}

// once brings what waits, an hour later if later.
func (o *world) once(later time.Duration) Status {
	o.now = o.now.Add(later)
	o.courier.Once(o.t.Context())
	return o.courier.Status()
}

// refusing answers what it is told to.
type refusing struct{ err error }

func (r *refusing) Show(context.Context, witness.Submission) error { return r.err }

func TestEveryHeadIsBrought(t *testing.T) {
	dir := t.TempDir()
	o := newWorld(t, func(l kept) Witness { return l.Medium(t, dir) })
	o.log.Work(t, 70, 2) // more than one batch
	if s := o.once(0); s.State != OK || s.Heads != 71 || s.Lines != 141 {
		t.Fatalf("%+v", s)
	}
	if len(o.states) != 1 {
		t.Errorf("told %d times of one change: %+v", len(o.states), o.states)
	}
	files, err := os.ReadDir(filepath.Join(dir, "watchpost%2Fdesk-1"))
	if err != nil || len(files) != 71 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	// The mark was lost with the power after the witness took the last head.
	o.log.marks["w"] = store.Mark{Next: 70, Lines: 139}
	if s := o.once(0); s.State != OK || s.Heads != 71 {
		t.Errorf("shown again: %+v", s)
	}
}

func TestAMissingMediumAlarmsOnceItIsLate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "stick")
	o := newWorld(t, func(l kept) Witness { return l.Medium(t, dir) })
	if s := o.once(0); s.State != Unknown {
		t.Errorf("at once: %+v", s)
	}
	if s := o.once(61 * time.Minute); s.State != Late || s.Code != "audit.head_late" || s.Since.IsZero() {
		t.Errorf("after an hour: %+v", s)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("the folder was made where no medium is")
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if s := o.once(2 * time.Minute); s.State != OK || s.Code != "" {
		t.Errorf("plugged in: %+v", s)
	}
	if len(o.states) != 2 || o.states[0].State != Late || o.states[1].State != OK {
		t.Errorf("told of %+v", o.states)
	}
}

func TestAWipedWitnessIsSaidAndFilledAgain(t *testing.T) {
	dir := t.TempDir()
	o := newWorld(t, func(l kept) Witness { return l.Medium(t, dir) })
	o.log.Work(t, 3, 2)
	o.once(0)
	if err := os.RemoveAll(filepath.Join(dir, "watchpost%2Fdesk-1")); err != nil {
		t.Fatal(err)
	}
	o.log.Work(t, 1, 2)
	if s := o.once(0); s.State != OK || s.Heads != 5 {
		t.Fatalf("%+v", s)
	}
	if len(o.lost) != 1 || fault.CodeOf(o.lost[0]) != "audit.witness_lost" {
		t.Errorf("told of %v", o.lost)
	}
	f, err := witness.OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	if all, err := f.Heads(o.log.Origin); err != nil || len(all) != 5 {
		t.Errorf("%d heads after the wipe, want all 5: %v", len(all), err)
	}
}

func TestWhatTheWitnessRefusesAlarms(t *testing.T) {
	w := &refusing{witness.ErrFork}
	o := newWorld(t, func(kept) Witness { return w })
	if s := o.once(0); s.State != Refused || s.Code != "audit.fork" {
		t.Errorf("%+v", s)
	}
	w.err = nil
	if s := o.once(time.Minute); s.State != Refused {
		t.Errorf("asked again a minute after it said no: %+v", s)
	}
	if s := o.once(refusedAgain); s.State != OK {
		t.Errorf("%+v", s)
	}
	w.err = &witness.HeldError{Lines: 7} // and says so whatever it is shown
	o.log.Work(t, 1, 10)
	if s := o.once(0); s.State != OK || o.log.marks["w"].Next != 1 {
		t.Errorf("%+v", s)
	}
	if s := o.once(2 * time.Hour); s.State != Late {
		t.Errorf("%+v", s)
	}
}

// TestOldDiskPutBack is a post that is started from an image of yesterday: its
// own marks are old as well, and only the witness knows better.
func TestOldDiskPutBack(t *testing.T) {
	dir := t.TempDir()
	o := newWorld(t, func(l kept) Witness { return l.Medium(t, dir) })
	o.log.Work(t, 2, 3)
	o.once(0)
	image, mark := o.log.Clone(), o.log.marks["w"]
	o.log.Work(t, 2, 3)
	o.once(0)

	*o.log.Log, o.log.marks["w"] = *image, mark
	o.log.Append(t, audit.Line{Actor: "post", Action: audit.PostStarted})
	o.log.Sign(t, checkpoint.Start)
	if s := o.once(0); s.State != Refused || s.Code != "audit.replayed" {
		t.Errorf("the next head of the old image: %+v", s)
	}
}

func TestStopEndsTheTry(t *testing.T) {
	o := newWorld(t, func(kept) Witness { return &refusing{errors.New("link down")} })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o.courier.Once(ctx)
	if len(o.states) != 0 {
		t.Errorf("a try that was ended is a change: %+v", o.states)
	}
}
