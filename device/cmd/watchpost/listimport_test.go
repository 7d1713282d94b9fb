package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/watchpost/watchpost/device/fault"
)

// runListImport runs "watchpost list ..." and returns what it wrote.
func runListImport(t *testing.T, args ...string) (out, messages string, err error) {
	t.Helper()
	c := listCommand()
	c.SilenceUsage, c.SilenceErrors = true, true
	var stdout, stderr bytes.Buffer
	c.SetOut(&stdout)
	c.SetErr(&stderr)
	c.SetArgs(args)
	err = c.ExecuteContext(t.Context())
	return stdout.String(), stderr.String(), err
}

func writeTo(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestListImport goes from numbers to records, to another edition of them,
// and to what changed between the two.
func TestListImport(t *testing.T) {
	dir := t.TempDir()
	key := filepath.Join(dir, "ids.key")
	first := writeTo(t, dir, "1.csv", "number,issuer\nK1,KEN\nK2,Nowhere\nK3,UTO\n")
	args := []string{"import", "--format", "numbers", "--list", "slt", "--owner", "us", "--legal-basis", "act", "--purpose", "border_check",
		"--action", "seize-document", "--expires", "2030-01-31", "--type", "P", "--id-key", key}

	out, messages, err := runListImport(t, append(args, first)...)
	if !errors.Is(err, errSomeFailed) {
		t.Fatalf("a broken row must make the exit status 3: %v", err)
	}
	if strings.Count(out, "\n") != 2 || !strings.Contains(out, `"list":"slt","owner":"us","legal_basis":"act","purpose":"border_check","handling":{"action":"seize-document","confirm":false},"expires":"2030-01-31T00:00:00Z","documents":[{"type":"P","issuer":"KEN","number":"K1","status":"stolen"}]}`) {
		t.Errorf("records: %s", out)
	}
	if !strings.Contains(messages, `"line":3,"kept":false,"problems":[{"field":"issuer","code":"import.country"`) || strings.Contains(messages, "Nowhere") || !strings.Contains(messages, "records 2, of these without some field 0; broken 1; skipped 0") {
		t.Errorf("messages: %s", messages)
	}

	old, next := filepath.Join(dir, "old.jsonl"), filepath.Join(dir, "new.jsonl")
	second := writeTo(t, dir, "2.csv", "number,issuer,status\nK1,KEN,lost\nK4,UTO,\n")
	if _, _, err := runListImport(t, append(args, first, "--out", old)...); !errors.Is(err, errSomeFailed) {
		t.Fatal(err)
	}
	if out, _, err := runListImport(t, append(args, second, "--edition", "2", "--out", next)...); err != nil || out != "" {
		t.Fatal(out, err)
	}
	out, messages, err = runListImport(t, "diff", old, next)
	if err != nil || !strings.Contains(out, `"change":"changed","fields":["documents"]}`) || strings.Contains(out, "K1") || strings.Count(out, "\n") != 3 ||
		messages != "added 1, removed 1, changed 1, same 0; broken 0\n" {
		t.Errorf("diff: %s%s%v", out, messages, err)
	}
	out, _, err = runListImport(t, "diff", "--show", "--ignore", "", old, next)
	if err != nil || !strings.Contains(out, `"fields":["documents","edition"]`) || !strings.Contains(out, `"number":"K1"`) {
		t.Errorf("diff --show: %s%v", out, err)
	}
	broken := writeTo(t, dir, "broken.jsonl", "{\n")
	if out, messages, err = runListImport(t, "diff", broken, next); !errors.Is(err, errSomeFailed) || !strings.Contains(messages, `{"edition":"old","line":1,"code":"record.format"}`) || strings.Count(out, "added") != 2 {
		t.Errorf("diff with a broken line: %s%s%v", out, messages, err)
	}
}

// TestListImportRefuses holds that nothing is left where a file cannot be
// read to its end.
// Names in a character set that a table cannot declare: stated, it is read;
// not stated, the row is broken rather than wrong.
func TestListImportCharset(t *testing.T) {
	dir := t.TempDir()
	table := writeTo(t, dir, "1.csv", "id;family name;forename;date of birth\n1;M\xfcller;J\xfcrgen;1970-01-02\n")
	args := []string{"import", "--format", "notices", "--list", "n", "--owner", "us", "--legal-basis", "act", "--purpose", "border_check", table}
	out, _, err := runListImport(t, append(args, "--charset", "ISO-8859-1")...)
	if err != nil || !strings.Contains(out, "Müller") || !strings.Contains(out, "Jürgen") {
		t.Errorf("%v: %s", err, out)
	}
	if out, messages, err := runListImport(t, args...); !errors.Is(err, errSomeFailed) || out != "" || !strings.Contains(messages, "--charset") {
		t.Errorf("%v: %s, %s", err, out, messages)
	}
	for _, more := range [][]string{{"--charset", "ebcdic"}, {"--charset", "latin1", "--format", "un"}} {
		if _, _, err := runListImport(t, append(args, more...)...); fault.CodeOf(err) != "usage" {
			t.Errorf("%s: %v", more, err)
		}
	}
}

func TestListImportRefuses(t *testing.T) {
	dir := t.TempDir()
	xml := writeTo(t, dir, "un.xml", "<CONSOLIDATED_LIST><INDIVIDUALS><INDIVIDUAL><DATAID>1</DATAID><FIRST_NAME>A</FIRST_NAME></INDIVIDUAL>")
	out := filepath.Join(dir, "out.jsonl")
	for _, tc := range []struct {
		name string
		args []string
		code fault.Code
	}{
		{"cut off", []string{"--format", "un", xml}, "import.file"},
		{"not this format", []string{"--format", "ofac", xml}, "import.file"},
		{"no such format", []string{"--format", "pdf", xml}, "usage"},
		{"no such file", []string{"--format", "un", xml + "x"}, "input.read"},
		{"columns", []string{"--format", "numbers", "--columns", "colour", xml}, "usage"},
		{"expiry", []string{"--format", "un", "--expires", "soon", xml}, "usage"},
		{"confirm without action", []string{"--format", "un", "--confirm", xml}, "usage"},
		{"key", []string{"--format", "un", "--id-key", xml, xml}, "import.key"},
		{"no folder", []string{"--format", "un", xml, "--out", filepath.Join(dir, "none", "x")}, "output.write"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, _, err := runListImport(t, append([]string{"import", "--out", out}, tc.args...)...)
			if fault.CodeOf(err) != tc.code {
				t.Errorf("%v, want %s", err, tc.code)
			}
			left, err := os.ReadDir(dir)
			if err != nil || len(left) != 1 {
				t.Errorf("left behind: %v %v", left, err)
			}
		})
	}
}
