package vault

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestRefusals(t *testing.T) {
	path := filepath.Join(t.TempDir(), RefusalsFile)
	if all, damaged, err := Refusals(path); err != nil || len(all) != 0 || damaged != 0 {
		t.Fatalf("without a file: %v, %d, %v", all, damaged, err)
	}
	at := time.Date(2026, 11, 22, 5, 0, 0, 0, time.UTC)
	want := Refusal{At: at, Kind: "tpm", Name: "anna", Code: "vault.pin"}
	for range 2000 { // more than the file takes
		if err := NoteRefusal(path, want); err != nil {
			t.Fatal(err)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Size() > maxRefusals || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info, err)
	}
	all, damaged, err := Refusals(path)
	if err != nil || damaged != 0 || len(all) < 500 || all[0] != want || all[len(all)-1] != want {
		t.Fatalf("%d refusals, %d damaged, %v", len(all), damaged, err)
	}
	if err := ForgetRefusals(path); err != nil {
		t.Fatal(err)
	}
	if err := ForgetRefusals(path); err != nil {
		t.Errorf("nothing to forget: %v", err)
	}

	// What somebody else wrote there is counted, and never repeated.
	lines := []string{`{"at":"2026-11-22T05:00:00Z","kind":"tpm","code":"vault.pin"}`, `{"at":"2026-11-22T05:`, `{}`, ``,
		`{"at":"2026-11-22T05:00:00Z","kind":"` + strings.Repeat("k", 300) + `","code":"x"}`}
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	if all, damaged, err := Refusals(path); err != nil || len(all) != 1 || damaged != 4 {
		t.Errorf("%v, %d damaged, %v", all, damaged, err)
	}
}
