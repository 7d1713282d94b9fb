package powercut

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/watchpost/watchpost/hwtest/syscalls"
)

func call(name string, ret int64, args ...any) syscalls.Call {
	c := syscalls.Call{Name: name, Ret: ret}
	for _, a := range args {
		switch a := a.(type) {
		case int:
			c.Args = append(c.Args, syscalls.Arg{Text: itoa(a)})
		case string:
			c.Args = append(c.Args, syscalls.Arg{Text: a, Bytes: []byte(a)})
		}
	}
	return c
}

func itoa(n int) string {
	if n >= 10 {
		return itoa(n/10) + itoa(n%10)
	}
	return string(rune('0' + n))
}

// states carries calls out on /d and returns every state that 300 cuts
// at their end left: the files' contents by name, in one line.
func states(t *testing.T, calls ...syscalls.Call) map[string]bool {
	t.Helper()
	d := NewDisk("/d")
	for _, c := range calls {
		if _, err := d.Do(c); err != nil {
			t.Fatal(err)
		}
	}
	seen := map[string]bool{}
	r := rand.New(rand.NewPCG(1, 1))
	for i := range 300 {
		k := Some
		if i < 2 {
			k = Kind(i)
		}
		dir, err := os.MkdirTemp(memory(), "powercut-")
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Leave(dir, k, r); err != nil {
			t.Fatal(err)
		}
		var line []string
		err = filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			raw, err := os.ReadFile(path)
			rel, _ := filepath.Rel(dir, path)
			line = append(line, rel+"="+strings.ReplaceAll(string(raw), "\x00", "0"))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		seen[strings.Join(line, " ")] = true
		os.RemoveAll(dir)
	}
	return seen
}

func create(path string, fd int) syscalls.Call {
	return call("openat", int64(fd), "AT_FDCWD", path, "O_RDWR|O_CREAT", "0600")
}

func TestStates(t *testing.T) {
	const top = "/d"
	synced := []syscalls.Call{
		create("/d/a", 3), call("write", 3, 3, "old"), call("fsync", 0, 3), call("openat", 4, "AT_FDCWD", top, "O_RDONLY"), call("fsync", 0, 4),
	}
	for _, c := range []struct {
		name  string
		calls []syscalls.Call
		want  []string
	}{
		{"nothing synced", []syscalls.Call{create("/d/a", 3), call("write", 2, 3, "xy")}, []string{"", "a=", "a=xy", "a=00"}},
		{"content synced, name not", []syscalls.Call{create("/d/a", 3), call("write", 2, 3, "xy"), call("fsync", 0, 3)}, []string{"", "a=xy"}},
		{"name synced, content not", []syscalls.Call{create("/d/a", 3), call("openat", 4, "AT_FDCWD", top, "O_RDONLY"), call("fsync", 0, 4), call("write", 2, 3, "xy")}, []string{"a=", "a=xy", "a=00"}},
		{"both", synced, []string{"a=old"}},
		{"written over", append(synced, call("pwrite64", 3, 3, "new", 3, 0)), []string{"a=old", "a=new"}},
		{"two writes in any order", append(synced, call("pwrite64", 1, 3, "X", 1, 0), call("pwrite64", 1, 3, "Y", 1, 2)), []string{"a=old", "a=Xld", "a=olY", "a=XlY"}},
		{"cut", append(synced, call("ftruncate", 0, 3, 1)), []string{"a=old", "a=o"}},
		{"removed", append(synced, call("unlinkat", 0, "AT_FDCWD", "/d/a", "0")), []string{"a=old", ""}},
		{"replaced by an unsynced file", append(synced, create("/d/b", 5), call("write", 1, 5, "n"), call("renameat", 0, "AT_FDCWD", "/d/b", "AT_FDCWD", "/d/a")),
			[]string{"a=old", "a=old b=", "a=old b=n", "a=", "a=n", "a= b=", "a=n b=n", "a=0", "a=old b=0", "a=0 b=0", "a=n b=0", "a=0 b=n", "a= b=n", "a=n b=", "a= b=0", "a=0 b="}},
		{"renamed and synced", append(synced, call("renameat", 0, "AT_FDCWD", "/d/a", "AT_FDCWD", "/d/b"), call("fsync", 0, 4)), []string{"b=old"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			may := map[string]bool{}
			for _, w := range c.want {
				may[w] = true
			}
			got := states(t, c.calls...)
			for s := range got {
				if !may[s] {
					t.Errorf("a state that cannot be: %q", s)
				}
			}
			if c.name != "replaced by an unsynced file" { // some of its states need two throws for one file
				for s := range may {
					if !got[s] {
						t.Errorf("never seen: %q", s)
					}
				}
			}
		})
	}
}

// A write of several sectors may be torn between any two, never within one.
func TestTornAtSectors(t *testing.T) {
	long := strings.Repeat("x", sector) + strings.Repeat("y", sector)
	d := NewDisk("/d")
	for _, c := range []syscalls.Call{
		create("/d/a", 3), call("ftruncate", 0, 3, 2*sector), call("fsync", 0, 3), call("openat", 4, "AT_FDCWD", "/d", ""), call("fsync", 0, 4),
		call("write", 2*sector, 3, long),
	} {
		if _, err := d.Do(c); err != nil {
			t.Fatal(err)
		}
	}
	r := rand.New(rand.NewPCG(1, 1))
	seen := map[string]int{}
	for range 200 {
		left := string(d.top.names["a"].left(Some, r))
		var s string
		for i := range 2 {
			part := left[i*sector:][:sector]
			if strings.Trim(part, part[:1]) != "" {
				t.Fatal("a sector is torn")
			}
			s += strings.ReplaceAll(part[:1], "\x00", "0")
		}
		seen[s]++
	}
	for _, s := range []string{"00", "x0", "0y", "xy"} {
		if seen[s] == 0 {
			t.Errorf("never seen: %s", s)
		}
	}
}

func TestWhatIsNotModelledIsRefused(t *testing.T) {
	d := NewDisk("/d")
	for _, c := range []syscalls.Call{create("/d/a", 3), call("fallocate", 0, 3, "0", 0, 100)} {
		if _, err := d.Do(c); (err != nil) != (c.Name == "fallocate") {
			t.Errorf("%s: %v", c.Name, err)
		}
	}
	for _, c := range []syscalls.Call{
		call("openat", 3, "AT_FDCWD", "/d/none", "O_RDONLY"), call("openat", 3, "AT_FDCWD", "/d/a", "O_WRONLY|O_APPEND"),
		call("renameat", 0, "AT_FDCWD", "/d/a", "AT_FDCWD", "/elsewhere"), call("symlinkat", 0, "/x", "AT_FDCWD", "/d/s"),
	} {
		if _, err := d.Do(c); err == nil {
			t.Errorf("%s was taken", c.Name)
		}
	}
}
