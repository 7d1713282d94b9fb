package room

import (
	"errors"
	"os"
	"testing"

	"github.com/watchpost/watchpost/device/encounter/store"
	"github.com/watchpost/watchpost/device/fault"
)

// disk is a Room whose disk says what the test wants.
func disk(t *testing.T, left uint64) (*Room, *uint64) {
	t.Helper()
	r := &Room{dir: t.TempDir()}
	r.free = func() (uint64, error) { return left, nil }
	r.Look()
	return r, &left
}

func refuses(t *testing.T, r *Room, when string) {
	t.Helper()
	if err := r.Check(); !errors.Is(err, store.ErrFull) && fault.CodeOf(err) != store.ErrFull.Code || !fault.IsRetryable(err) || fault.HintOf(err) == "" {
		t.Errorf("%s: %v", when, err)
	}
}

func takes(t *testing.T, r *Room, when string) {
	t.Helper()
	if err := r.Check(); err != nil {
		t.Errorf("%s: %v", when, err)
	}
}

func TestEnough(t *testing.T) {
	r, left := disk(t, 1<<30)
	takes(t, r, "with enough")
	if info, err := os.Stat(r.path()); err != nil || info.Size() != Aside {
		t.Errorf("set aside: %v, %v", info, err)
	}
	*left = Low - 1
	refuses(t, r, "with little left beside it")
	*left = Low
	takes(t, r, "with just enough left")
}

func TestGivenUpOnce(t *testing.T) {
	r, left := disk(t, 1<<30)
	if !r.Release() {
		t.Fatal("nothing was given up")
	}
	if _, err := os.Stat(r.path()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file is still there: %v", err)
	}
	if r.Release() {
		t.Error("given up twice")
	}
	refuses(t, r, "with nothing set aside")
	*left = Aside + Low + again - 1
	r.Look()
	refuses(t, r, "with too little to set aside again")
	*left++
	r.Look()
	takes(t, r, "with room again")
	if !r.Release() {
		t.Error("what was set aside again is not there")
	}
}

func TestFullFromTheStart(t *testing.T) {
	r, _ := disk(t, 0)
	refuses(t, r, "on a full disk")
	if r.Release() {
		t.Error("something was given up")
	}
}

func TestWhatAnEarlierRunLeft(t *testing.T) {
	r, left := disk(t, 1<<30)
	*left = Low
	again := &Room{dir: r.dir, free: r.free}
	again.Look()
	takes(t, again, "with what the earlier run set aside")
	// A file that was cut is nothing set aside.
	if err := os.Truncate(r.path(), Aside-1); err != nil {
		t.Fatal(err)
	}
	cut := &Room{dir: r.dir, free: r.free}
	cut.Look()
	refuses(t, cut, "with a file that was cut")
}

func TestForStart(t *testing.T) {
	r, _ := disk(t, 1<<30)
	ForStart(r.dir) // there is room here
	if _, err := os.Stat(r.path()); err != nil {
		t.Errorf("given up without need: %v", err)
	}
	ForStart("/nowhere/at/all")
}

func TestNoFolder(t *testing.T) {
	r := Open("/nowhere/at/all")
	if err := r.Check(); fault.CodeOf(err) != "store.failed" {
		t.Errorf("no folder: %v", err)
	}
	if r.Release() {
		t.Error("something was given up")
	}
}
