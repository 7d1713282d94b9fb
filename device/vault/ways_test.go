package vault

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// fast opens by a secret without the cost of a passphrase, for tests of what
// does not depend on it.
type fast struct{ name, secret string }

func (fast) Kind() string       { return "fast" }
func (f fast) SlotName() string { return f.name }
func (fast) Enrol(context.Context) (json.RawMessage, error) {
	return json.RawMessage(`{}`), nil
}
func (f fast) Derive(context.Context, json.RawMessage) ([]byte, error) {
	sum := sha256.Sum256([]byte(f.secret))
	return sum[:], nil
}

func fastVault(t testing.TB) (*Vault, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "vault.json")
	v, err := Create(t.Context(), path, fast{"", "first"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Lock)
	return v, path
}

func reopen(t testing.TB, path string, u Unlocker) error {
	t.Helper()
	v, err := Open(t.Context(), path, u)
	if err == nil {
		v.Lock()
	}
	return err
}

func TestSeveralWays(t *testing.T) {
	v, path := fastVault(t)
	anna, ben := fast{"anna", "anna's"}, fast{"ben", "ben's"}
	for _, u := range []fast{anna, ben} {
		if err := v.AddUnlock(t.Context(), u); err != nil {
			t.Fatal(err)
		}
	}
	wantCode(t, v.AddUnlock(t.Context(), anna), "vault.slot_exists")
	for _, u := range []fast{{"", "first"}, anna, ben} {
		if err := reopen(t, path, u); err != nil {
			t.Errorf("%q: %v", u.name, err)
		}
	}
	wantCode(t, reopen(t, path, fast{"anna", "ben's"}), "vault.open")
	wantCode(t, reopen(t, path, fast{"carl", "anna's"}), "vault.unlocker")
	if _, err := v.ReplaceUnlock(t.Context(), fast{"anna", "new"}); err != nil {
		t.Fatal(err)
	}
	wantCode(t, reopen(t, path, anna), "vault.open")
	if err := reopen(t, path, fast{"anna", "new"}); err != nil {
		t.Error(err)
	}
	if _, err := v.RemoveUnlock(Way{"fast", "ben"}); err != nil {
		t.Fatal(err)
	}
	wantCode(t, reopen(t, path, ben), "vault.unlocker")
	if _, err := v.RemoveUnlock(Way{"fast", "anna"}); err != nil {
		t.Fatal(err)
	}
	_, err := v.RemoveUnlock(Way{Kind: "fast"})
	wantCode(t, err, "vault.last_slot")
	_, err = v.RemoveUnlock(Way{"fast", "ben"})
	wantCode(t, err, "vault.unlocker")
	ways, err := Ways(path)
	if err != nil || len(ways) != 1 {
		t.Errorf("ways %v, %v", ways, err)
	}
	for n := len(ways); n < maxSlots; n++ {
		if err := v.AddUnlock(t.Context(), fast{string(rune('A' + n)), "x"}); err != nil {
			t.Fatal(err)
		}
	}
	wantCode(t, v.AddUnlock(t.Context(), fast{"one more", "x"}), "vault.slots")
	wantCode(t, v.AddUnlock(t.Context(), fast{string(make([]byte, maxSlotName+1)), "x"}), "vault.slots")
	v.Lock()
	wantCode(t, v.AddUnlock(t.Context(), ben), "vault.locked")
	_, err = v.RemoveUnlock(Way{"fast", "A"})
	wantCode(t, err, "vault.locked")
	wantCode(t, v.Rotate(path), "vault.locked")
}

// TestAttackVaultFile changes a vault file as somebody does who can write to
// the disk and knows the format: the checksum always fits.
func TestAttackVaultFile(t *testing.T) {
	v, path := fastVault(t)
	other, otherPath := fastVault(t)
	for secret, x := range map[string]*Vault{"anna's": v, "another anna's": other} {
		if err := x.AddUnlock(t.Context(), fast{"anna", secret}); err != nil {
			t.Fatal(err)
		}
		for _, list := range []string{"un", "national"} {
			key, err := x.ring.Random()
			if err != nil {
				t.Fatal(err)
			}
			to, err := x.Recipient()
			if err != nil {
				t.Fatal(err)
			}
			wrapped, err := WrapTo(to, key, ScopeList, list)
			if err != nil {
				t.Fatal(err)
			}
			if err := x.AcceptListKey(list, wrapped); err != nil {
				t.Fatal(err)
			}
		}
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := readFile(otherPath)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		change func(*file)
		code   string
	}{
		{"wrapped list keys swapped", func(f *file) { f.Lists["un"], f.Lists["national"] = f.Lists["national"], f.Lists["un"] }, "vault.damaged"},
		{"list key of another post", func(f *file) { f.Lists["un"] = theirs.Lists["un"] }, "vault.damaged"},
		{"list key taken out", func(f *file) { delete(f.Lists, "un") }, "vault.damaged"},
		{"another officer's way taken out", func(f *file) { f.Unlock = f.Unlock[:1] }, "vault.damaged"},
		{"attacker's public key in a way, for the next rotation", func(f *file) { f.Unlock[1].To = theirs.Unlock[1].To }, "vault.damaged"},
		{"parameters of another way changed", func(f *file) { f.Unlock[1].Params = json.RawMessage(`{"a":1}`) }, "vault.damaged"},
		{"device key of another way in this way", func(f *file) { f.Unlock[0].Device = f.Unlock[1].Device }, "vault.open"},
		{"way renamed", func(f *file) { f.Unlock[1].Name = "" }, "vault.damaged"},
		{"rotation forged", func(f *file) { f.Previous = f.Lists["un"] }, "vault.damaged"},
		{"seal of another post", func(f *file) { f.Seal = theirs.Seal }, "vault.damaged"},
		{"no seal", func(f *file) { f.Seal = nil }, "vault.damaged"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := decodeFile(good)
			if err != nil {
				t.Fatal(err)
			}
			c.change(f)
			p := filepath.Join(t.TempDir(), "v")
			if err := f.create(p); err != nil {
				t.Fatal(err)
			}
			if err := reopen(t, p, fast{"", "first"}); err == nil {
				t.Fatal("opens")
			} else if string(codeOf(err)) != c.code {
				t.Fatalf("%v, want %s", err, c.code)
			}
			if err := reopen(t, path, fast{"", "first"}); err != nil {
				t.Fatalf("the rightful way in is shut: %v", err)
			}
		})
	}
}
