package hardware

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/watchpost/watchpost/device/fault"
)

func key(officer string, n byte) Key {
	return Key{Officer: officer, Credential: bytes.Repeat([]byte{n}, 16), Salt: bytes.Repeat([]byte{n}, SaltSize)}
}

func TestKeysAreKept(t *testing.T) {
	dir := t.TempDir()
	if keys, err := Read(dir); err != nil || len(keys) != 0 {
		t.Fatalf("nothing yet: %v, %v", keys, err)
	}
	for n := range byte(3) {
		if err := Put(dir, key("anna", n+1)); err != nil {
			t.Fatal(err)
		}
	}
	again := key("ben", 2)
	if err := Put(dir, again); err != nil {
		t.Fatal(err)
	}
	keys, err := Read(dir)
	if err != nil || len(keys) != 3 {
		t.Fatalf("%v, %v", keys, err)
	}
	if k, ok := Find(keys, again.Credential); !ok || k.Officer != "ben" {
		t.Errorf("found %v, %v", k, ok)
	}
	if _, ok := Find(keys, []byte{9}); ok {
		t.Error("found one that is not there")
	}
	if err := Remove(dir, again.Credential); err != nil {
		t.Fatal(err)
	}
	if err := Remove(dir, again.Credential); err != nil {
		t.Fatalf("again: %v", err)
	}
	if keys, err = Read(dir); err != nil || len(keys) != 2 {
		t.Fatalf("%v, %v", keys, err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*.new-*")); err != nil || len(left) != 0 {
		t.Errorf("left over: %v, %v", left, err)
	}
	for n := range byte(maxKeys - 2) {
		if err := Put(dir, key("anna", n+50)); err != nil {
			t.Fatal(err)
		}
	}
	if err := Put(dir, key("anna", 200)); fault.CodeOf(err) != ErrFull.Code {
		t.Errorf("one too many: %v", err)
	}
}

// TestAttackFile changes the file, which anybody with the disk can.
func TestAttackFile(t *testing.T) {
	for name, raw := range map[string]string{
		"cut":            `[{"officer":"anna"`,
		"no list":        `{}`,
		"more after it":  `[] []`,
		"another form":   `[{"officer":"a","credential":"AA==","salt":"` + strings.Repeat("A", 43) + `=","secret":""}]`,
		"short salt":     `[{"officer":"a","credential":"AA==","salt":"AA=="}]`,
		"no credential":  `[{"officer":"a","credential":"","salt":"` + strings.Repeat("A", 43) + `="}]`,
		"nobody's":       `[{"officer":"","credential":"AA==","salt":"` + strings.Repeat("A", 43) + `="}]`,
		"endless":        "[" + strings.Repeat(" ", maxFile) + "]",
		"too many":       "[" + strings.Repeat(`{"officer":"a","credential":"AA==","salt":"`+strings.Repeat("A", 43)+`="},`, maxKeys) + `{"officer":"a","credential":"AA==","salt":"` + strings.Repeat("A", 43) + `="}]`,
		"long officer":   `[{"officer":"` + strings.Repeat("a", 65) + `","credential":"AA==","salt":"` + strings.Repeat("A", 43) + `="}]`,
		"empty file":     ``,
		"not even JSON":  "\x00\x01",
		"null for a key": `[null]`,
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, File), []byte(raw), 0o600); err != nil {
				t.Fatal(err)
			}
			if keys, err := Read(dir); fault.CodeOf(err) != "vault.damaged" || keys != nil {
				t.Errorf("%v, %v", keys, err)
			}
		})
	}
}

func TestSecret(t *testing.T) {
	s, err := Secret(bytes.Repeat([]byte{0}, SecretSize))
	if err != nil || len(s) != 2*SecretSize || bytes.IndexByte(s, 0) >= 0 {
		t.Errorf("%q, %v", s, err)
	}
	for _, n := range []int{0, SecretSize - 1, SecretSize + 1} {
		if _, err := Secret(make([]byte, n)); fault.CodeOf(err) != ErrRefused.Code {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	if a, b := key("x", 1).Name(), key("x", 2).Name(); a == b || !strings.HasPrefix(a, "key/") {
		t.Errorf("%s, %s", a, b)
	}
}
