package main

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/watchpost/watchpost/device/biometric/finger"
	"github.com/watchpost/watchpost/device/fault"
)

func TestReadFinger(t *testing.T) {
	all := make([]finger.Minutia, 14)
	for i := range all {
		all[i] = finger.Minutia{X: float32(20 * i), Y: float32(300 - 20*i), Kind: finger.KindEnding, Quality: 50}
	}
	record, err := finger.MarshalISO([]finger.View{{Template: finger.NewTemplate(300, 320, all)}})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	line := func(b []byte) string {
		return fmt.Sprintf(`{"file":"x","minutiae":14,"quality":61,"template":%q}`, base64.StdEncoding.EncodeToString(b))
	}
	good := file("good", line(record))
	for _, c := range []struct {
		text     string
		position int
		code     fault.Code
	}{
		{good, 0, ""}, {"0=" + good, 0, ""}, {"7=" + good, 7, ""}, {"10=" + good, 10, ""},
		{"11=" + good, 0, "usage"}, {"-1=" + good, 0, "usage"}, {"left=" + good, 0, "usage"}, {"=" + good, 0, "usage"},
		{"2=" + filepath.Join(dir, "none"), 0, "file.open"},
		{file("empty", ""), 0, "input.finger"},
		{file("failed", `{"file":"x","error":{"code":"finger.enrol"}}`), 0, "input.finger"},
		{file("face", `{"vector":[1,2]}`), 0, "input.finger"},
		{file("cut", line(record[:40])), 0, "input.finger"},
		{file("long", line(append(record, 0))), 0, "input.finger"},
	} {
		p, err := readFinger(newRoot(), c.text)
		if got := fault.CodeOf(err); got != c.code && !(c.code == "file.open" && err != nil) {
			t.Errorf("%s: %v, want %q", c.text, err, c.code)
		}
		if c.code == "" && (p.Position != c.position || p.Quality != 61 || len(p.Template) != len(record)) {
			t.Errorf("%s: position %d, quality %d", c.text, p.Position, p.Quality)
		}
	}
}
