package vault

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/watchpost/watchpost/device/fault"
)

func newVault(t testing.TB) (*Vault, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "vault.json")
	v, err := Create(context.Background(), path, cheap{Passphrase("correct horse")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Lock)
	return v, path
}

// cheap enrols a passphrase at the least cost that the file may ask for.
type cheap struct{ Passphrase }

func (cheap) Enrol(context.Context) (json.RawMessage, error) {
	p := argonParams{Time: 1, MemoryKiB: 64, Threads: 1, Salt: make([]byte, 16)}
	rand.Read(p.Salt)
	return json.Marshal(p)
}

// TestPassphraseAtItsRealCost is the one test that pays it.
func TestPassphraseAtItsRealCost(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vault.json")
	v, err := Create(t.Context(), path, Passphrase("correct horse"))
	if err != nil {
		t.Fatal(err)
	}
	v.Lock()
	raw, err := Params(path, Way{Kind: PassphraseKind})
	if err != nil {
		t.Fatal(err)
	}
	var got argonParams
	if err := json.Unmarshal(raw, &got); err != nil || got.Time != argonTime || got.MemoryKiB != argonMemoryKiB {
		t.Errorf("enrolled at %+v, %v", got, err)
	}
	if v, err = Open(t.Context(), path, Passphrase("correct horse")); err != nil {
		t.Fatal(err)
	}
	v.Lock()
	// What the last opening filled is not left with the process.
	var m runtime.MemStats
	if runtime.ReadMemStats(&m); m.HeapSys-m.HeapReleased > argonMemoryKiB<<9 {
		t.Errorf("the heap keeps %d KiB of the kernel's, argon2id takes %d", (m.HeapSys-m.HeapReleased)>>10, argonMemoryKiB)
	}
	_, err = Open(t.Context(), path, Passphrase("another"))
	wantCode(t, err, "vault.passphrase")
}

func wantCode(t testing.TB, err error, code fault.Code) {
	t.Helper()
	if !errors.Is(err, &fault.Error{Code: code}) {
		t.Fatalf("got %v, want code %s", err, code)
	}
}

func TestKeysSurviveReopening(t *testing.T) {
	v, path := newVault(t)
	key, wrapped, err := v.NewKey(ScopeEncounter, "e-1")
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := key.Seal(nil, []byte("text"), Identity("e-1"))
	if err != nil {
		t.Fatal(err)
	}
	if len(sealed) != len("text")+Overhead {
		t.Errorf("sealing adds %d bytes, the contract says %d", len(sealed)-4, Overhead)
	}
	ring := NewRing()
	defer ring.Close()
	list, err := ring.Random()
	if err != nil {
		t.Fatal(err)
	}
	to, err := v.Recipient()
	if err != nil {
		t.Fatal(err)
	}
	forUs, err := WrapTo(to, list, ScopeList, "un")
	if err != nil {
		t.Fatal(err)
	}
	if err := v.AcceptListKey("un", forUs); err != nil {
		t.Fatal(err)
	}
	v.Lock()

	again, err := Open(context.Background(), path, Passphrase("correct horse"))
	if err != nil {
		t.Fatal(err)
	}
	defer again.Lock()
	key, err = again.OpenKey(wrapped, ScopeEncounter, "e-1")
	if err != nil {
		t.Fatal(err)
	}
	plain, err := key.Open(nil, sealed, Identity("e-1"))
	if err != nil || string(plain) != "text" {
		t.Fatalf("%q, %v", plain, err)
	}
	got, err := again.ListKey("un")
	if err != nil {
		t.Fatal(err)
	}
	a, _ := got.MAC([]byte("x"))
	b, _ := list.MAC([]byte("x"))
	if a != b {
		t.Error("the list key came back as another")
	}
	if s := again.State(); len(s.Lists) != 1 || s.Lists[0] != "un" || s.Locked || len(s.Recipient) != 32 {
		t.Errorf("state %+v", s)
	}
}

func TestAttackVault(t *testing.T) {
	v, path := newVault(t)
	other, _ := newVault(t)
	key, wrapped, err := v.NewKey(ScopeEncounter, "e-1")
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := key.Seal(nil, []byte("text"), Identity("e-1"))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	listKey, err := v.ring.Random()
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := other.Recipient()
	if err != nil {
		t.Fatal(err)
	}
	forOther, err := WrapTo(theirs, listKey, ScopeList, "un")
	if err != nil {
		t.Fatal(err)
	}
	changed := func(edit func(f *file)) func() error {
		return func() error {
			f, err := decodeFile(raw)
			if err != nil {
				return err
			}
			edit(f)
			p := filepath.Join(t.TempDir(), "v")
			if err := f.create(p); err != nil { // with a fitting checksum
				return err
			}
			_, err = Open(context.Background(), p, Passphrase("correct horse"))
			return err
		}
	}
	bytesOf := func(b []byte) func() error {
		return func() error {
			p := filepath.Join(t.TempDir(), "v")
			if err := os.WriteFile(p, b, 0o600); err != nil {
				return err
			}
			_, err := Open(context.Background(), p, Passphrase("correct horse"))
			return err
		}
	}
	for _, c := range []struct {
		name string
		do   func() error
		code fault.Code
	}{
		{"wrong passphrase", func() error { _, err := Open(context.Background(), path, Passphrase("correct hors")); return err }, "vault.passphrase"},
		{"empty passphrase", func() error { _, err := Open(context.Background(), path, Passphrase(nil)); return err }, "vault.passphrase"},
		{"short passphrase at creation", func() error {
			_, err := Create(context.Background(), path+"2", Passphrase("1234567"))
			return err
		}, "vault.passphrase_short"},
		{"vault overwritten", func() error { _, err := Create(context.Background(), path, Passphrase("another one")); return err }, "vault.exists"},
		{"no vault", func() error { _, err := Open(context.Background(), path+"3", Passphrase("correct horse")); return err }, "vault.missing"},
		{"truncated file", bytesOf(raw[:len(raw)/2]), "vault.damaged"},
		{"empty file", bytesOf(nil), "vault.damaged"},
		{"trailing bytes", bytesOf(append(bytes.Clone(raw), '{')), "vault.damaged"},
		{"one bit changed", bytesOf(bytes.Replace(raw, []byte(`"lists":{}`), []byte(`"lists":{"x":""}`), 1)), "vault.damaged"},
		{"unknown key", bytesOf(bytes.Replace(raw, []byte(`{"format":2`), []byte(`{"extra":1,"format":2`), 1)), "vault.damaged"},
		{"later version", bytesOf(bytes.Replace(raw, []byte(`"format":2`), []byte(`"format":3`), 1)), "vault.format"},
		{"device key of another vault", changed(func(f *file) { f.Unlock[0].Device = other.file.Unlock[0].Device }), "vault.passphrase"},
		{"huge memory asked for", changed(func(f *file) { f.Unlock[0].Params = params(1, 1<<31, 1, 16) }), "vault.damaged"},
		{"endless time asked for", changed(func(f *file) { f.Unlock[0].Params = params(1<<30, 64, 1, 16) }), "vault.damaged"},
		{"no salt", changed(func(f *file) { f.Unlock[0].Params = params(1, 64, 1, 0) }), "vault.damaged"},
		{"unlocker that is not enrolled", changed(func(f *file) { f.Unlock[0].Kind = "tpm" }), "vault.unlocker"},
		{"key under another name", func() error { _, err := v.OpenKey(wrapped, ScopeEncounter, "e-2"); return err }, "vault.open"},
		{"key under another scope", func() error { _, err := v.OpenKey(wrapped, ScopeStore, "e-1"); return err }, "vault.open"},
		{"key of another device", func() error { _, err := other.OpenKey(wrapped, ScopeEncounter, "e-1"); return err }, "vault.open"},
		{"unknown scope", func() error { _, _, err := v.NewKey(ScopeUnknown, "x"); return err }, "vault.scope"},
		{"list key for another device", func() error { return v.AcceptListKey("un", forOther) }, "vault.open"},
		{"list key for another list", func() error { return other.AcceptListKey("national", forOther) }, "vault.open"},
		{"truncated list key", func() error { return other.AcceptListKey("un", forOther[:20]) }, "vault.open"},
		{"list never given", func() error { _, err := v.ListKey("un"); return err }, "vault.no_list_key"},
		{"other identity", func() error { _, err := key.Open(nil, sealed, Identity("e-2")); return err }, "vault.open"},
		{"identity split elsewhere", func() error { _, err := key.Open(nil, sealed, Identity("e-", "1")); return err }, "vault.open"},
		{"sealed bytes cut", func() error { _, err := key.Open(nil, sealed[:len(sealed)-1], Identity("e-1")); return err }, "vault.open"},
		{"nothing to open", func() error { _, err := key.Open(nil, nil, nil); return err }, "vault.open"},
		{"recipient of wrong length", func() error { _, err := WrapTo(theirs[:31], listKey, ScopeList, "un"); return err }, "vault.recipient"},
		{"short raw key", func() error { _, err := v.ring.Import([]byte("short")); return err }, "vault.key_size"},
	} {
		t.Run(c.name, func(t *testing.T) { wantCode(t, c.do(), c.code) })
	}
}

func params(time, memory uint32, threads uint8, salt int) json.RawMessage {
	raw, err := json.Marshal(argonParams{Time: time, MemoryKiB: memory, Threads: threads, Salt: make([]byte, salt)})
	if err != nil {
		panic(err)
	}
	return raw
}

func TestLockEndsEveryKey(t *testing.T) {
	v, _ := newVault(t)
	key, _, err := v.NewKey(ScopeEncounter, "e-1")
	if err != nil {
		t.Fatal(err)
	}
	derived, err := key.Derive("index")
	if err != nil {
		t.Fatal(err)
	}
	v.Lock()
	v.Lock()
	for name, k := range map[string]*Key{"key": key, "derived": derived} {
		if _, err := k.Seal(nil, []byte("x"), nil); !errors.Is(err, ErrLocked) {
			t.Errorf("%s still seals: %v", name, err)
		}
		if _, err := k.MAC([]byte("x")); !errors.Is(err, ErrLocked) {
			t.Errorf("%s still authenticates: %v", name, err)
		}
		if _, err := k.Derive("x"); !errors.Is(err, ErrLocked) {
			t.Errorf("%s still derives: %v", name, err)
		}
		if !bytes.Equal(k.raw, make([]byte, KeySize)) {
			t.Errorf("%s is still in memory", name)
		}
	}
	if _, err := v.Recipient(); !errors.Is(err, ErrLocked) {
		t.Errorf("the locked vault still answers: %v", err)
	}
	if !v.State().Locked {
		t.Error("state does not say locked")
	}
}

// A key that dies during use must fail or give the right sum, never another.
func TestDestroyDuringMAC(t *testing.T) {
	ring := NewRing()
	defer ring.Close()
	for range 50 {
		key, err := ring.Random()
		if err != nil {
			t.Fatal(err)
		}
		want, err := key.MAC([]byte("number"))
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for {
					got, err := key.MAC([]byte("number"))
					if err != nil {
						return
					}
					if got != want {
						t.Error("a dying key gave another sum")
						return
					}
				}
			})
		}
		key.Destroy()
		wg.Wait()
	}
}

func TestNothingPrintsKeys(t *testing.T) {
	v, _ := newVault(t)
	out := fmt.Sprintf("%v %+v %v %#v", v.device, v.device, Passphrase("hunter22"), Passphrase("hunter22"))
	if strings.Contains(out, "hunter22") || !strings.Contains(out, "[key]") {
		t.Errorf("formatted text: %s", out)
	}
}

func TestArenaPagesAreLockedAndReused(t *testing.T) {
	ring := NewRing()
	defer ring.Close()
	for range 1000 {
		k, err := ring.Random()
		if err != nil {
			t.Fatal(err)
		}
		k.Destroy()
	}
	if n := len(ring.arena.pages); n != 1 {
		t.Errorf("1000 keys one after the other took %d pages", n)
	}
	smaps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	at := fmt.Sprintf("%x-", addressOf(ring.arena.pages[0]))
	_, region, found := strings.Cut(string(smaps), at)
	if !found {
		t.Skip("the kernel joined the key page with a neighbour")
	}
	_, flags, _ := strings.Cut(region, "VmFlags:")
	flags, _, _ = strings.Cut(flags, "\n")
	if !strings.Contains(flags, " lo") || !strings.Contains(flags, " dd") {
		t.Errorf("key page has flags %q, want lo (locked) and dd (not dumped)", flags)
	}
}

func FuzzVaultFile(f *testing.F) {
	v, err := Create(context.Background(), filepath.Join(f.TempDir(), "v"), Passphrase("correct horse"))
	if err != nil {
		f.Fatal(err)
	}
	raw, err := v.file.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte(`{"format":2}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := decodeFile(raw)
		if (got == nil) == (err == nil) {
			t.Fatal("neither a file nor an error")
		}
		if err != nil && fault.CodeOf(err) == fault.Unknown {
			t.Fatalf("uncoded error %v", err)
		}
	})
}

func BenchmarkSealOpen1500(b *testing.B) {
	ring := NewRing()
	defer ring.Close()
	k, err := ring.Random()
	if err != nil {
		b.Fatal(err)
	}
	plain := make([]byte, 1500)
	var sealed, out []byte
	// Time of the processor as well: on a busy machine the clock measures the
	// others.
	var before, after unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &before); err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := unix.Getrusage(unix.RUSAGE_SELF, &after); err != nil {
			b.Fatal(err)
		}
		used := after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano()
		b.ReportMetric(float64(used)/float64(b.N), "cpu-ns/op")
	}()
	for b.Loop() {
		if sealed, err = k.Seal(sealed[:0], plain, nil); err != nil {
			b.Fatal(err)
		}
		if out, err = k.Open(out[:0], sealed, nil); err != nil {
			b.Fatal(err)
		}
	}
}
