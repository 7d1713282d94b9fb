package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/audit/audittest"
	"github.com/watchpost/watchpost/device/audit/checkpoint"
	"github.com/watchpost/watchpost/device/audit/witness"
	"github.com/watchpost/watchpost/device/encounter/store"
	"github.com/watchpost/watchpost/device/fault"
)

// shut is a sealer that is never asked.
type shut struct{}

func (shut) Seal(_, plain []byte) ([]byte, error)  { return plain, nil }
func (shut) Open(_, sealed []byte) ([]byte, error) { return sealed, nil }

// postState writes a post's audit log to disk: 3 rounds of 4 searches with a head after
// each, and returns it as it stands in memory.
func postState(t *testing.T) (dir string, l *audittest.Log) {
	t.Helper()
	dir, l = t.TempDir(), audittest.New(t, "desk-1")
	s, err := store.Open(dir, shut{})
	if err != nil {
		t.Fatal(err)
	}
	now := audittest.Start
	private := audittest.Key("desk-1")
	s.SignHeads(&audit.Signing{EveryLines: 1 << 30, Signer: &checkpoint.Signer{Origin: l.Origin, Public: l.Public, Seed: func() ([]byte, error) { return private.Seed(), nil }}},
		func() time.Time { return now }, func(err error) { t.Error(err) })
	l.Work(t, 3, 4)
	next := 0
	for n := range l.RawHeads {
		c := l.Checkpoint(t, n)
		var lines []audit.Line
		for ; int64(next) < c.Lines; next++ {
			var line audit.Line
			if err := json.Unmarshal(l.RawLines[next], &line); err != nil {
				t.Fatal(err)
			}
			lines = append(lines, line)
		}
		now = c.Time
		if err := s.SignHead(c.Why, lines...); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, checkpoint.PublicFile), []byte(l.KeyText()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir, l
}

// stick is a witness's folder that holds all heads of l.
func stick(t *testing.T, l *audittest.Log) string {
	t.Helper()
	dir := t.TempDir()
	f, err := witness.OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	from := int64(0)
	for n := range l.RawHeads {
		if err := f.Add(l.Submission(t, n, from), l.Origin, l.Verifier(t)); err != nil {
			t.Fatal(err)
		}
		from = l.Checkpoint(t, n).Lines
	}
	return dir
}

// held is the file of central's export of l.
func held(t *testing.T, l *audittest.Log, heads ...[]byte) string {
	t.Helper()
	var out bytes.Buffer
	for i, h := range heads {
		if err := json.NewEncoder(&out).Encode(map[string]any{"device": "desk-1", "number": i, "key": l.KeyText(), "head": string(h)}); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "heads.jsonl")
	if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// runAudit runs "watchpost audit ARGS" and returns its status and its rows.
func runAudit(t *testing.T, args ...string) (int, []map[string]any, string) {
	t.Helper()
	var out, errs bytes.Buffer
	root := newRoot()
	root.SetArgs(append([]string{"audit"}, args...))
	root.SetOut(&out)
	root.SetErr(&errs)
	status := run(t.Context(), root)
	var rows []map[string]any
	for _, line := range strings.Split(strings.TrimSpace(out.String()), "\n") {
		if line == "" {
			continue
		}
		row := map[string]any{}
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatalf("%s is no JSON: %v", line, err)
		}
		rows = append(rows, row)
	}
	return status, rows, errs.String()
}

// codeOf is the code of the row of a source, "" if it is well.
func codeOf(t *testing.T, rows []map[string]any, source string) string {
	t.Helper()
	for _, r := range rows {
		if s, _ := r["source"].(string); s == source || strings.HasPrefix(s, source+":") {
			e, ok := r["error"].(map[string]any)
			if !ok {
				return ""
			}
			return e["code"].(string)
		}
	}
	t.Fatalf("no row of %s: %v", source, rows)
	return ""
}

// change rewrites one value of a bucket of post.db.
func change(t *testing.T, dir, bucket string, f func(*bbolt.Bucket) error) {
	t.Helper()
	db, err := bbolt.Open(filepath.Join(dir, "post.db"), 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Update(func(tx *bbolt.Tx) error { return f(tx.Bucket([]byte(bucket))) }); err != nil {
		t.Fatal(err)
	}
}

func key(n byte) []byte { return []byte{0, 0, 0, 0, 0, 0, 0, n} }

func TestAuditVerify(t *testing.T) {
	dir, l := postState(t)
	central, medium := held(t, l, l.RawHeads...), stick(t, l)
	status, rows, _ := runAudit(t, "verify", "--state", dir, "--central", central, "--witness", medium)
	if status != exitOK || len(rows) != 4 {
		t.Fatalf("status %d: %v", status, rows)
	}
	for _, r := range rows {
		if r["lines"] != 13.0 || r["error"] != nil {
			t.Errorf("%v", r)
		}
	}
	if root, err := audit.HeadOf(l); err != nil || rows[0]["root"] != root.Root {
		t.Errorf("root %v, want %v (%v)", rows[0]["root"], root, err)
	}

	for name, c := range map[string]struct {
		spoil  func(dir string) []string
		source string
		code   string
	}{
		"a tampered line": {func(dir string) []string {
			change(t, dir, "audit.lines", func(b *bbolt.Bucket) error {
				return b.Put(key(6), bytes.Replace(bytes.Clone(b.Get(key(6))), []byte("o1"), []byte("o2"), 1))
			})
			return nil
		}, "log", "audit.changed_line"},
		"a line less in the middle": {func(dir string) []string {
			change(t, dir, "audit.lines", func(b *bbolt.Bucket) error { return b.Delete(key(6)) })
			return nil
		}, "log", "audit.missing_line"},
		"the end cut off": {func(dir string) []string {
			change(t, dir, "audit.lines", func(b *bbolt.Bucket) error { return b.Delete(key(12)) })
			return []string{"--central", central}
		}, "central", "audit.truncated"},
		"a head less at central": {func(string) []string {
			return []string{"--central", held(t, l, slices.Delete(slices.Clone(l.RawHeads), 2, 3)...)}
		}, "central", "audit.head_missing"},
		"nothing at central": {func(string) []string { return []string{"--central", held(t, l)} }, "central", "audit.head_missing"},
		"a witness wiped":    {func(string) []string { return []string{"--witness", t.TempDir()} }, "witness", "audit.head_missing"},
		"a gap in time":      {func(string) []string { return []string{"--max-gap", "2s"} }, "post", "audit.head_missing"},
		"another key": {func(string) []string {
			return []string{"--key", audittest.NewWithKey(t, "desk-1", "other").KeyText()}
		}, "post", "audit.head_key"},
		"another post's key": {func(string) []string { return []string{"--key", audittest.New(t, "desk-2").KeyText()} }, "post", "audit.head_origin"},
	} {
		dir, _ := postState(t)
		args := append([]string{"verify", "--state", dir}, c.spoil(dir)...)
		status, rows, _ := runAudit(t, args...)
		if status != exitFailed {
			t.Errorf("%s: status %d", name, status)
		}
		if got := codeOf(t, rows, c.source); got != c.code {
			t.Errorf("%s: %s says %q, want %q", name, c.source, got, c.code)
		}
	}
}

func TestAuditExportIsTheLog(t *testing.T) {
	dir, l := postState(t)
	file := filepath.Join(t.TempDir(), "log.jsonl")
	if status, rows, errs := runAudit(t, "export", "--state", dir, "--out", file); status != exitOK || rows[0]["lines"] != 13.0 || rows[0]["heads"] != 4.0 {
		t.Fatalf("%d %v %s", status, rows, errs)
	}
	if status, _, _ := runAudit(t, "export", "--state", dir, "--out", file); status != exitFailed {
		t.Error("a file was overwritten")
	}
	if status, rows, _ := runAudit(t, "verify", "--log", file, "--central", held(t, l, l.RawHeads...)); status != exitOK || len(rows) != 3 {
		t.Errorf("%d %v", status, rows)
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]string{
		"a changed line": strings.Replace(string(raw), "border_check", "border_chec", 1),
		"no form":        strings.SplitN(string(raw), "\n", 2)[1],
		"noise":          "\x00\x01\n",
		"nothing":        "",
	} {
		path := filepath.Join(t.TempDir(), "bad.jsonl")
		if err := os.WriteFile(path, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if status, rows, errs := runAudit(t, "verify", "--log", path, "--key", l.KeyText()); status != exitFailed || strings.Contains(errs, string(fault.Unknown)) {
			t.Errorf("%s: %d %v %s", name, status, rows, errs)
		}
	}
}

func TestAuditListAndReport(t *testing.T) {
	dir, _ := postState(t)
	_, rows, _ := runAudit(t, "list", "--state", dir, "--action", "encounter.searched", "--since", "2026-11-20T08:00:05Z")
	if len(rows) != 8 {
		t.Errorf("%d lines, want 8", len(rows))
	}
	if _, rows, _ := runAudit(t, "list", "--state", dir, "--actor", "nobody"); len(rows) != 0 {
		t.Errorf("%v", rows)
	}
	status, rows, _ := runAudit(t, "report", "--state", dir, "--from", "2026-11-20", "--to", "2026-11-21")
	if status != exitOK || rows[0]["total"].(map[string]any)["searches"] != 12.0 {
		t.Errorf("%d %v", status, rows)
	}
	for _, args := range [][]string{
		{"list", "--since", "soon"}, {"list", "--password-file", "x"}, {"list", "--log", "x", "--state", "y"}, {"verify", "--max-gap", "-1s"},
		{"list", "--officer", "o"}, {"export"}, {"witness", "--state", t.TempDir(), "--log-key", "k", "--listen", "0.0.0.0:0"},
	} {
		if status, _, errs := runAudit(t, args...); status != exitUsage {
			t.Errorf("%v: %d %s", args, status, errs)
		}
	}
	if status, _, _ := runAudit(t, "list", "--state", t.TempDir()); status != exitFailed {
		t.Errorf("an empty folder: %d", status)
	}
}
