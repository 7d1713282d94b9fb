package store

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/watchpost/watchpost/device/fault"
)

func openDir(t testing.TB) (*Dir, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "lists", "bench")
	d, err := OpenDir(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d, path
}

func TestAdoptAndReplace(t *testing.T) {
	b := newBench(t)
	d, path := openDir(t)
	_, err := d.Open("bench", b.key, 0)
	wantCode(t, err, "store.empty")
	var last *Generation
	for n := uint64(1); n <= 4; n++ {
		src := b.build(t, spec("bench", n), int(n))
		for range 2 { // the second time changes nothing
			if _, err := d.Adopt(ctx, src, "bench", b.key, n); err != nil {
				t.Fatal(err)
			}
		}
		g, err := d.Open("bench", b.key, n)
		if err != nil {
			t.Fatal(err)
		}
		if g.Manifest().Generation != n || g.Verify(ctx) != nil {
			t.Errorf("generation %d: %+v", n, g.Manifest())
		}
		if last != nil { // what is still open goes on until it is closed
			if _, err := last.ByID(person(0).ID); err != nil {
				t.Errorf("the generation before went away under its reader: %v", err)
			}
			if err := last.Close(); err != nil {
				t.Fatal(err)
			}
		}
		last = g
	}
	if err := last.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = last.ByID(person(0).ID)
	if fault.CodeOf(err) != "vault.locked" && fault.CodeOf(err) != "store.closed" {
		t.Errorf("after Close: %v", err)
	}
	folders, err := filepath.Glob(filepath.Join(path, "gen-*"))
	if err != nil || len(folders) != 2 {
		t.Errorf("kept %v, want the one in force and the one before", folders)
	}
}

func TestAttackAdopt(t *testing.T) {
	b, other := newBench(t), newBench(t)
	d, path := openDir(t)
	gen3, gen5 := b.build(t, spec("bench", 3), 3), b.build(t, spec("bench", 5), 5)
	if _, err := d.Adopt(ctx, gen5, "bench", b.key, 0); err != nil {
		t.Fatal(err)
	}
	extra := copyTree(t, b.build(t, spec("bench", 6), 6))
	if err := os.WriteFile(filepath.Join(extra, "more"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	adopt := func(src, list string, key bench, atLeast uint64) func() error {
		return func() error { _, err := d.Adopt(ctx, src, list, key.key, atLeast); return err }
	}
	current := func(text string) func() error {
		return func() error {
			file := filepath.Join(path, currentName)
			good, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			defer os.WriteFile(file, good, 0o600)
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				return err
			}
			g, err := d.Open("bench", b.key, 5)
			if err == nil {
				g.Close()
			}
			return err
		}
	}
	if err := os.CopyFS(filepath.Join(path, folderName(3)), os.DirFS(gen3)); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(path, folderName(9)), os.DirFS(gen5)); err != nil {
		t.Fatal(err)
	}
	foreign := b.build(t, spec("other", 5), 5)
	// restore takes something away and returns what brings it back.
	restore := func(name string) func() {
		at, held := filepath.Join(path, name), filepath.Join(t.TempDir(), "held")
		info, err := os.Lstat(at)
		if err != nil {
			t.Fatal(err)
		}
		if info.IsDir() {
			err = os.CopyFS(held, os.DirFS(at))
		} else {
			err = os.Link(at, held)
		}
		if err != nil {
			t.Fatal(err)
		}
		return func() {
			if err := errors.Join(os.RemoveAll(at), os.Rename(held, at)); err != nil {
				t.Fatal(err)
			}
		}
	}
	planted := func(name string, plant func(string) error) func() error {
		return func() error {
			defer restore(name)()
			at := filepath.Join(path, name)
			if err := errors.Join(os.RemoveAll(at), plant(at)); err != nil {
				t.Fatal(err)
			}
			g, err := d.Open("bench", b.key, 5)
			if err == nil {
				g.Close()
			}
			return err
		}
	}
	for _, c := range []struct {
		name string
		do   func() error
		code fault.Code
	}{
		{"older generation", adopt(gen3, "bench", b, 0), "store.rollback"},
		{"below the highest seen", adopt(b.build(t, spec("bench", 6), 1), "bench", b, 7), "store.rollback"},
		{"same number, other content", adopt(b.build(t, spec("bench", 5), 9), "bench", b, 0), "store.conflict"},
		{"another list", adopt(b.build(t, spec("other", 9), 1), "bench", b, 0), "store.list"},
		{"key of another list", adopt(b.build(t, spec("bench", 8), 1), "bench", other, 0), "vault.open"},
		{"file too many", adopt(extra, "bench", b, 0), "store.damaged"},
		{"no such folder", adopt(extra+"x", "bench", b, 0), "store.damaged"},
		{"CURRENT put back", current(folderName(3) + "\n"), "store.rollback"},
		{"CURRENT names what is not there", current(folderName(8) + "\n"), "store.damaged"},
		{"CURRENT names a renamed older one", current(folderName(9) + "\n"), "store.damaged"},
		{"CURRENT leaves the folder", current("../../x\n"), "store.damaged"},
		{"CURRENT cut", current("gen-0000000000"), "store.damaged"},
		{"CURRENT empty", current(""), "store.damaged"},
		{"CURRENT zero", current(folderName(0) + "\n"), "store.damaged"},
		{"CURRENT long", current(strings.Repeat("x", 1<<20)), "store.damaged"},
		{"CURRENT a link", planted(currentName, func(p string) error { return os.Symlink(folderName(5)+"/"+metaName, p) }), "store.damaged"},
		{"CURRENT a folder", planted(currentName, func(p string) error { return os.Mkdir(p, 0o700) }), "store.damaged"},
		{"CURRENT a pipe", planted(currentName, func(p string) error { return unix.Mkfifo(p, 0o600) }), "store.damaged"},
		{"CURRENT taken away", planted(currentName, func(string) error { return nil }), "store.empty"},
		{"generation a link", planted(folderName(5), func(p string) error { return os.Symlink(gen5, p) }), "store.damaged"},
		{"generation a file", planted(folderName(5), func(p string) error { return os.WriteFile(p, nil, 0o600) }), "store.damaged"},
		{"generation of another list", planted(folderName(5), func(p string) error { return os.CopyFS(p, os.DirFS(foreign)) }), "store.damaged"},
		{"generation of another list, renamed", planted(folderName(5), func(p string) error {
			if err := os.CopyFS(p, os.DirFS(foreign)); err != nil {
				return err
			}
			edit(t, filepath.Join(p, metaName), func(raw []byte) []byte { return bytes.Replace(raw, []byte(`"other"`), []byte(`"bench"`), 1) })
			return nil
		}), "vault.open"},
		{"meta.json a link", planted(folderName(5)+"/"+metaName, func(p string) error { return os.Symlink(gen5+"/"+metaName, p) }), "store.damaged"},
		{"meta.json a pipe", planted(folderName(5)+"/"+metaName, func(p string) error { return unix.Mkfifo(p, 0o600) }), "store.damaged"},
		{"meta.json changed, applied again", func() error {
			defer restore(folderName(5) + "/" + metaName)()
			at := filepath.Join(path, folderName(5), metaName)
			raw, err := os.ReadFile(at)
			if err == nil {
				raw[len(raw)-20] ^= 1
				err = errors.Join(os.Remove(at), os.WriteFile(at, raw, 0o600)) // the one that is held stays as it was
			}
			if err != nil {
				return err
			}
			return adopt(gen5, "bench", b, 0)()
		}, "store.damaged"},
	} {
		t.Run(c.name, func(t *testing.T) {
			wantCode(t, c.do(), c.code)
			if g, err := d.Open("bench", b.key, 5); err != nil || g.Manifest().Generation != 5 {
				t.Errorf("the generation in force was harmed: %v", err)
			} else {
				g.Close()
			}
		})
	}
}

func TestHalfWrittenIsNeverSeen(t *testing.T) {
	b := newBench(t)
	d, path := openDir(t)
	if _, err := d.Adopt(ctx, b.build(t, spec("bench", 1), 5), "bench", b.key, 0); err != nil {
		t.Fatal(err)
	}
	d.Close()
	// As a power cut leaves it: part of a copy, and a whole folder not named.
	half := filepath.Join(path, "incoming"+partialSuffix)
	next := b.build(t, spec("bench", 2), 5)
	if err := os.CopyFS(half, os.DirFS(next)); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(path, folderName(2)), os.DirFS(next)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(path, currentName+".new"), []byte("gen"), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := OpenDir(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if n, err := d.Current(); err != nil || n != 1 {
		t.Errorf("in force: %d, %v", n, err)
	}
	if _, err := os.Stat(half); !errors.Is(err, os.ErrNotExist) {
		t.Error("the half copy is still there")
	}
	if _, err := d.Adopt(ctx, next, "bench", b.key, 0); err != nil {
		t.Errorf("the interrupted generation cannot be taken again: %v", err)
	}
}

func TestLockedWithinASecond(t *testing.T) {
	d, path := openDir(t)
	begin := time.Now()
	_, err := OpenDir(ctx, path)
	wantCode(t, err, "store.locked")
	// That it ended is all that can be said of a machine that may stand still.
	if took := time.Since(begin); took < lockTimeout || lockTimeout > time.Second {
		t.Errorf("waited %v of %v", took, lockTimeout)
	}
	d.Close()
	again, err := OpenDir(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
}

// The lock holds between processes, not only within one.
func TestLockedByAnotherProcess(t *testing.T) {
	_, path := openDir(t)
	flock, err := exec.LookPath("flock")
	if err != nil {
		t.Fatal("flock of util-linux is missing:", err)
	}
	if err := exec.Command(flock, "--nonblock", "--exclusive", filepath.Join(path, lockName), "true").Run(); err == nil {
		t.Error("another process took the lock too")
	}
}
