package vault

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/watchpost/watchpost/device/fault"
)

func codeOf(err error) fault.Code { return fault.CodeOf(err) }

// kept is a state folder with a vault, two wrapped key files and a count.
type kept struct {
	v                 *Vault
	path, dir, starts string
	files             []WrappedFile
	sum               [32]byte // what the key in the first file makes
	list              [32]byte
}

func newKept(t *testing.T) *kept {
	t.Helper()
	v, path := fastVault(t)
	k := &kept{v: v, path: path, dir: filepath.Dir(path)}
	k.starts = filepath.Join(k.dir, StartsFile)
	for _, name := range []string{"post.db", "link"} {
		key, wrapped, err := v.NewKey(ScopeStore, name)
		if err != nil {
			t.Fatal(err)
		}
		if k.sum, err = key.MAC([]byte("x")); err != nil {
			t.Fatal(err)
		}
		f := WrappedFile{filepath.Join(k.dir, name), ScopeStore, name}
		if err := os.WriteFile(f.Path, wrapped, 0o600); err != nil {
			t.Fatal(err)
		}
		k.files = append(k.files, f)
	}
	k.files = append(k.files, WrappedFile{filepath.Join(k.dir, "none"), ScopeStore, "none"})
	key, err := v.ring.Random()
	if err != nil {
		t.Fatal(err)
	}
	if k.list, err = key.MAC([]byte("x")); err != nil {
		t.Fatal(err)
	}
	to, err := v.Recipient()
	if err != nil {
		t.Fatal(err)
	}
	wrapped, err := WrapTo(to, key, ScopeList, "un")
	if err != nil {
		t.Fatal(err)
	}
	if err := v.AcceptListKey("un", wrapped); err != nil {
		t.Fatal(err)
	}
	if err := v.AddUnlock(t.Context(), fast{"anna", "anna's"}); err != nil {
		t.Fatal(err)
	}
	if _, err := v.CountStart(t.Context(), k.starts, nil); err != nil {
		t.Fatal(err)
	}
	return k
}

// whole checks that all keys come back under every way in.
func (k *kept) whole(t *testing.T) {
	t.Helper()
	for _, u := range []fast{{"", "first"}, {"anna", "anna's"}} {
		v, err := Open(t.Context(), k.path, u)
		if err != nil {
			t.Fatalf("by %q: %v", u.name, err)
		}
		raw, err := os.ReadFile(k.files[1].Path)
		if err != nil {
			t.Fatal(err)
		}
		key, err := v.OpenKey(raw, ScopeStore, "link")
		if err != nil {
			t.Fatalf("key file: %v", err)
		}
		if got, err := key.MAC([]byte("x")); err != nil || got != k.sum {
			t.Errorf("the key in the file is another: %v", err)
		}
		if key, err = v.ListKey("un"); err != nil {
			t.Fatal(err)
		}
		if got, err := key.MAC([]byte("x")); err != nil || got != k.list {
			t.Errorf("the list key is another: %v", err)
		}
		if _, err := v.CountStart(t.Context(), k.starts, nil); err != nil {
			t.Errorf("the count of starts: %v", err)
		}
		v.Lock()
	}
}

func TestRotate(t *testing.T) {
	k := newKept(t)
	before, err := k.v.Recipient()
	if err != nil {
		t.Fatal(err)
	}
	old := make(map[string][]byte)
	for _, path := range []string{k.path, k.files[0].Path, k.starts} {
		if old[path], err = os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	}
	if err := k.v.Rotate(k.starts, k.files...); err != nil {
		t.Fatal(err)
	}
	after, err := k.v.Recipient()
	if err != nil || bytes.Equal(before, after) {
		t.Fatalf("the device's public key is the old one (%v)", err)
	}
	if k.v.State().Rotating {
		t.Error("the rotation has not ended")
	}
	k.v.Lock()
	k.whole(t)

	// Copies made before open no more beside the new vault, nor under it.
	v, err := Open(t.Context(), k.path, fast{"", "first"})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Lock()
	_, err = v.OpenKey(old[k.files[0].Path], ScopeStore, "post.db")
	wantCode(t, err, "vault.open")
	if err := os.WriteFile(k.starts, old[k.starts], 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = v.CountStart(t.Context(), k.starts, nil)
	wantCode(t, err, "post.counter")
}

// TestRotateCut stops a rotation after its first half, as a power cut would.
func TestRotateCut(t *testing.T) {
	k := newKept(t)
	if err := k.v.begin(); err != nil {
		t.Fatal(err)
	}
	k.v.Lock()
	k.whole(t) // both keys open what they wrapped
	v, err := Open(t.Context(), k.path, fast{"anna", "anna's"})
	if err != nil {
		t.Fatal(err)
	}
	if !v.State().Rotating {
		t.Error("the state does not say that a rotation is under way")
	}
	half := v.State().Recipient
	if err := v.rewrapFile(k.files[0]); err != nil { // and cut again here
		t.Fatal(err)
	}
	if err := v.Rotate(k.starts, k.files...); err != nil {
		t.Fatal(err)
	}
	if s := v.State(); s.Rotating || !bytes.Equal(s.Recipient, half) {
		t.Error("ending a rotation began another")
	}
	v.Lock()
	k.whole(t)
}

// TestRotateRefuses keeps the old key while a file does not open.
func TestRotateRefuses(t *testing.T) {
	k := newKept(t)
	good, err := os.ReadFile(k.files[0].Path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(k.files[0].Path, good[:10], 0o600); err != nil {
		t.Fatal(err)
	}
	wantCode(t, k.v.Rotate(k.starts, k.files...), "vault.open")
	if !k.v.State().Rotating {
		t.Fatal("the old key was given up although a file needs it")
	}
	if err := os.WriteFile(k.files[0].Path, good, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := k.v.Rotate(k.starts, k.files...); err != nil {
		t.Fatal(err)
	}
	k.v.Lock()
	k.whole(t)
}

// TestAttackStartsWithoutTPM is what a disk alone notices of its own count;
// that it is an old one only central can know.
func TestAttackStartsWithoutTPM(t *testing.T) {
	v, path := fastVault(t)
	other, _ := fastVault(t)
	starts := filepath.Join(filepath.Dir(path), StartsFile)
	for want := uint64(1); want < 4; want++ {
		if got, err := v.CountStart(t.Context(), starts, nil); err != nil || got != want {
			t.Fatalf("start %d counts as %d, %v", want, got, err)
		}
	}
	raw, err := os.ReadFile(starts)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func() []byte{
		"count forged":    func() []byte { b := bytes.Clone(raw); b[7]++; return b },
		"chip's forged":   func() []byte { b := bytes.Clone(raw); b[15]++; return b },
		"truncated":       func() []byte { return raw[:8] },
		"empty":           func() []byte { return nil },
		"longer":          func() []byte { return append(bytes.Clone(raw), 0) },
		"seal of another": func() []byte { b := bytes.Clone(raw); b[40] ^= 1; return b },
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(starts, change(), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := v.CountStart(t.Context(), starts, nil)
			wantCode(t, err, "post.counter")
		})
	}
	t.Run("count of another post", func(t *testing.T) {
		if _, err := other.CountStart(t.Context(), starts+"2", nil); err != nil {
			t.Fatal(err)
		}
		theirs, err := os.ReadFile(starts + "2")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(starts, theirs, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err = v.CountStart(t.Context(), starts, nil)
		wantCode(t, err, "post.counter")
	})
	v.Lock()
	if _, err := v.CountStart(t.Context(), starts, nil); !errors.Is(err, ErrLocked) {
		t.Errorf("a locked vault counts: %v", err)
	}
}
