package powercut

import (
	"math/rand/v2"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/watchpost/watchpost/hwtest/syscalls"
)

// Cut is one power cut.
type Cut struct {
	Call int    // after how many of the calls that changed the disk
	Last string // the last of them
	Kind Kind
	Said string // all that the program had said until then
}

// Each shows about n states that power cuts could leave of the files below
// root, spread over the calls of the log: at each of the chosen moments the
// two ends, and else what chance makes. try gets a folder with the files,
// which is removed after it; it is called for a moment only once with each
// kind but Some. The number of states tried is returned.
func Each(t testing.TB, calls []syscalls.Call, root string, n int, seed uint64, try func(c Cut, dir string)) int {
	t.Helper()
	moments := 0
	d := NewDisk(root)
	for _, c := range calls {
		changed, err := d.Do(c)
		if err != nil {
			t.Fatal(err)
		}
		if changed {
			moments++
		}
	}
	if moments == 0 {
		t.Fatal("the program changed nothing below " + root)
	}
	r := rand.New(rand.NewPCG(seed, 1))
	d = NewDisk(root)
	tried, at, due := 0, 0, 0.0
	for _, c := range calls {
		changed, err := d.Do(c)
		if err != nil {
			t.Fatal(err)
		}
		if !changed {
			continue
		}
		at++
		// Each moment has its share of n, at least in the long run.
		for i := 0; due < float64(n)*float64(at)/float64(moments); i++ {
			due++
			k := Some
			if i == 0 && at%2 == 0 {
				k = Nothing
			} else if i == 0 || i == 1 {
				k = Everything
			}
			leave(t, d, Cut{at, c.Name, k, d.Said()}, r, try)
			tried++
		}
	}
	return tried
}

func leave(t testing.TB, d *Disk, c Cut, r *rand.Rand, try func(Cut, string)) {
	t.Helper()
	dir, err := os.MkdirTemp(memory(), "powercut-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := d.Leave(dir, c.Kind, r); err != nil {
		t.Fatal(err)
	}
	try(c, dir)
}

// TempDir returns a folder of the test's own, in memory where there is such a
// place, in which syncing costs nothing: for tests in which processes die and
// the machine does not.
func TempDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp(memory(), "watchpost-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// enough is how much room a place in memory must have, in bytes.
const enough = 32 << 20

func memory() string {
	const shm = "/dev/shm"
	var fs unix.Statfs_t
	if err := unix.Statfs(shm, &fs); err == nil && fs.Bavail*uint64(fs.Bsize) >= enough {
		return shm
	}
	return ""
}
