package budget

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/watchpost/watchpost/device/watchlist/store"
)

func TestCheck(t *testing.T) {
	list := func(faces, documents int) *store.Manifest {
		return &store.Manifest{Faces: []store.FaceIndex{{Templates: faces, Persons: faces}}, Documents: documents}
	}
	million := list(1_000_000, 1_000_000)
	need := Of(million).Total
	if need < 500<<20 || need > 1<<30 {
		t.Fatalf("a million faces and numbers take %d MiB", need>>20)
	}
	for _, c := range []struct {
		name      string
		lists     []*store.Manifest
		available int64
		fits      bool
	}{
		{"exactly", []*store.Manifest{million}, need + Reserve, true},
		{"a byte too little", []*store.Manifest{million}, need + Reserve - 1, false},
		{"two lists", []*store.Manifest{million, million}, need + Reserve, false},
		{"nothing left", []*store.Manifest{million}, 0, false},
		{"less than the reserve", []*store.Manifest{list(1, 1)}, Reserve / 2, false},
		{"no lists", nil, Reserve, true},
		{"numbers alone", []*store.Manifest{list(0, 100_000_000)}, 1 << 30, false},
	} {
		if err := Check(c.lists, c.available); c.fits != (err == nil) || err != nil && !errors.Is(err, ErrOver) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestAvailable(t *testing.T) {
	n, err := Available()
	if err != nil || n <= 0 {
		t.Fatalf("%d, %v", n, err)
	}
}

func TestCgroup(t *testing.T) {
	root := t.TempDir()
	write := func(path, text string) {
		t.Helper()
		path = filepath.Join(root, path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	const own = "0::/a/b\n"
	if left := cgroupLeft(root, own); left != 1<<63-1 {
		t.Errorf("no limits: %d", left)
	}
	write("a/b/memory.max", "max\n")
	write("a/b/memory.current", "100\n")
	write("a/memory.max", "1000\n")
	write("a/memory.current", "400\n")
	if left := cgroupLeft(root, own); left != 600 {
		t.Errorf("a limit above: %d", left)
	}
	write("a/b/memory.max", "150\n")
	if left := cgroupLeft(root, own); left != 50 {
		t.Errorf("a limit of its own: %d", left)
	}
	write("a/b/memory.current", "200\n")
	if left := cgroupLeft(root, own); left != 0 {
		t.Errorf("over the limit: %d", left)
	}
	write("a/b/memory.current", "150\n")
	write("a/b/memory.stat", "anon 40\nfile 110\nshmem 30\ninactive_file 50\nactive_file 20\n")
	if left := cgroupLeft(root, own); left != 70 {
		t.Errorf("full of files that were read: %d", left)
	}
	for _, bad := range []string{"", "garbage", "1:name=x:/y\n"} {
		if left := cgroupLeft(root, bad); left <= 0 {
			t.Errorf("%q: %d", bad, left)
		}
	}
}
