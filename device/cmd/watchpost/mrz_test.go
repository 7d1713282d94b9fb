package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

const (
	specimen1 = "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<"
	specimen2 = "L898902C36UTO7408122F1204159ZE184226B<<<<<10"
)

func runMRZ(t *testing.T, args ...string) (rows []map[string]any, status int) {
	t.Helper()
	return runMRZOn(t, "", args...)
}

func runMRZOn(t *testing.T, in string, args ...string) (rows []map[string]any, status int) {
	t.Helper()
	root := newRoot()
	var out bytes.Buffer
	root.SetIn(strings.NewReader(in))
	root.SetOut(&out)
	root.SetErr(&bytes.Buffer{})
	root.SetArgs(append([]string{"mrz", "read"}, args...))
	status = run(t.Context(), root)
	for line := range strings.Lines(out.String()) {
		var row map[string]any
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatalf("%q is no JSON: %v", line, err)
		}
		rows = append(rows, row)
	}
	return rows, status
}

func TestMRZReadText(t *testing.T) {
	for _, args := range [][]string{
		{"--text", specimen1 + "|" + specimen2},
		{"--text", specimen1 + `\n` + specimen2},
		{"--text", specimen1 + "\n" + specimen2 + "\n"},
		{"--text", specimen1 + specimen2},
		{"--text", specimen1, "--text", specimen2},
		{"--text", specimen1, specimen2},
	} {
		rows, status := runMRZ(t, args...)
		if status != exitOK || len(rows) != 1 || rows[0]["valid"] != true || rows[0]["format"] != "TD3" {
			t.Errorf("%q: status %d, %v", args, status, rows)
			continue
		}
		fields := rows[0]["fields"].(map[string]any)
		digits := rows[0]["check_digits"].(map[string]any)
		if fields["birth_date"] != "1974-08-12" || fields["given_names"] != "ANNA MARIA" || len(digits) != 5 || digits["composite"] != true {
			t.Errorf("%v %v", fields, digits)
		}
	}
}

func TestMRZReadSeveral(t *testing.T) {
	wrong := strings.Replace(specimen2, "7408122", "7408132", 1)
	rows, status := runMRZ(t, "--text", specimen1+"|"+wrong, "--text", "P<UTO|X", "--text", specimen1+"|"+specimen2)
	if status != exitFailed || len(rows) != 3 {
		t.Fatalf("status %d, %d rows", status, len(rows))
	}
	if rows[0]["valid"] != false || rows[0]["check_digits"].(map[string]any)["birth_date"] != false {
		t.Errorf("a wrong digit went unseen: %v", rows[0])
	}
	if failed, ok := rows[1]["error"].(map[string]any); !ok || failed["code"] != "mrz.format" {
		t.Errorf("%v", rows[1])
	}
	if rows[2]["valid"] != true {
		t.Errorf("%v", rows[2])
	}
}

func TestMRZReadRefuses(t *testing.T) {
	if _, status := runMRZ(t); status != exitUsage {
		t.Errorf("nothing to read: status %d", status)
	}
	for _, text := range []string{"", "|", "hello"} {
		rows, status := runMRZ(t, "--text", text)
		if status != exitFailed || len(rows) != 1 || rows[0]["error"] == nil || rows[0]["valid"] != false {
			t.Errorf("%q: status %d, %v", text, status, rows)
		}
	}
	rows, status := runMRZ(t, "a.png", "b.png")
	if status != exitFailed || len(rows) != 2 || rows[1]["file"] != "b.png" {
		t.Errorf("images: status %d, %v", status, rows)
	}
}

func TestMRZReadStandardInput(t *testing.T) {
	whole := specimen1 + "\n" + specimen2
	for name, c := range map[string]struct {
		in     string
		rows   int
		status int
	}{
		"one":             {whole, 1, exitOK},
		"line end behind": {whole + "\n\n\n", 1, exitOK},
		"mark and CRLF":   {"\ufeff" + strings.ReplaceAll(whole, "\n", "\r\n") + "\r\n", 1, exitOK},
		"two":             {whole + "\n\n" + specimen1 + "|" + specimen2 + "\n", 2, exitOK},
		"two, CRLF":       {strings.ReplaceAll(whole+"\n\n"+whole, "\n", "\r\n"), 2, exitOK},
		"one of two":      {whole + "\n\nP<UTO\nX\n", 2, exitFailed},
		"nothing":         {"", 1, exitFailed},
		"too much":        {strings.Repeat("<", maxZones+1), 0, exitFailed},
	} {
		rows, status := runMRZOn(t, c.in, "--text", "-")
		if status != c.status || len(rows) != c.rows || len(rows) > 0 && (rows[0]["valid"] == true) != (c.in != "") {
			t.Errorf("%s: status %d, %v", name, status, rows)
		}
	}
}
