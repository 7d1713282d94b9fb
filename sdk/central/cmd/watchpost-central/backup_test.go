package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/watchpost/watchpost/device/cmd/program"
	"github.com/watchpost/watchpost/sdk/central/centraltest"
	"github.com/watchpost/watchpost/sdk/central/store"
)

// TestBackupFile: the name is given to a whole backup alone, never over another
// file, and nothing else is left beside it.
func TestBackupFile(t *testing.T) {
	pg := centraltest.Postgres(t)
	s, err := store.Open(t.Context(), pg.DSN())
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	dir := t.TempDir()
	backup := func(name, dsn string) (exit int, out, said string) {
		var o, e bytes.Buffer
		root := newCommand()
		root.SetArgs([]string{"backup", filepath.Join(dir, name), "--dsn", dsn, "--state", dir})
		root.SetOut(&o)
		root.SetErr(io.Discard)
		exit = program.Run(t.Context(), root, &e)
		return exit, o.String(), e.String()
	}
	names := func() (all []string) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			all = append(all, e.Name())
		}
		return all
	}

	if exit, _, said := backup("none.dump", "postgres:///?host="+dir); exit == 0 {
		t.Errorf("a backup of no database: %s", said)
	}
	if left := names(); len(left) != 0 {
		t.Errorf("a backup that failed left %v", left)
	}

	exit, out, said := backup("a.dump", pg.DSN())
	if exit != 0 {
		t.Fatalf("exit %d: %s", exit, said)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "a.dump"))
	if err != nil {
		t.Fatal(err)
	}
	var told struct {
		File   string
		Bytes  int
		SHA256 string
	}
	if err := json.Unmarshal([]byte(out), &told); err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(raw); told.File != "a.dump" || told.Bytes != len(raw) || told.SHA256 != hex.EncodeToString(sum[:]) {
		t.Errorf("told %+v of %d bytes", told, len(raw))
	}
	if exit, _, said := backup("a.dump", pg.DSN()); exit == 0 || !strings.Contains(said, "central.dump_exists") {
		t.Errorf("over another: exit %d, %s", exit, said)
	}
	if again, err := os.ReadFile(filepath.Join(dir, "a.dump")); err != nil || !bytes.Equal(again, raw) {
		t.Errorf("what was there has changed: %v", err)
	}
	if left := names(); len(left) != 1 {
		t.Errorf("beside it: %v", left)
	}
}
