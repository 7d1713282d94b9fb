package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// built runs the built programs, so that an image goes through the real
// confined process, and returns standard output and the exit status.
func built(t *testing.T, stdin string, args ...string) (string, int) {
	t.Helper()
	dir := os.Getenv("WATCHPOST_BIN")
	if dir == "" {
		t.Skip("SKIPPED: WATCHPOST_BIN does not name the built programs")
	}
	cmd := exec.Command(filepath.Join(dir, "watchpost"), args...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, messages bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &messages
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if messages.Len() > 0 {
		t.Logf("%v: %s", args, messages.String())
	}
	return out.String(), cmd.ProcessState.ExitCode()
}

// portraits are the two captures of one man that come with gocv.
func portraits(t *testing.T) (live, chip string) {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "gocv.io/x/gocv").Output()
	if err != nil {
		t.Fatal(err)
	}
	images := filepath.Join(strings.TrimSpace(string(dir)), "images")
	return filepath.Join(images, "face.jpg"), filepath.Join(images, "face-detect.jpg")
}

func TestFaceTemplateRows(t *testing.T) {
	live, _ := portraits(t)
	missing := filepath.Join(t.TempDir(), "none.jpg")
	out, exit := built(t, "", "face", "template", live, missing, "face_test.go", live)
	if exit != exitFailed {
		t.Errorf("exit status %d", exit)
	}
	lines := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
	if len(lines) != 4 || lines[0] != lines[3] {
		t.Fatalf("%d lines for 4 images", len(lines))
	}
	for i, want := range []string{"", `{"file":"` + missing + `","error":{"code":"file.open"}}`, `{"file":"face_test.go","error":{"code":"image.format"}}`} {
		if want != "" && lines[i] != want {
			t.Errorf("row %d: %s", i, lines[i])
		}
	}
	var row struct {
		File    string
		Faces   int
		Box     []int
		Quality float64
		Model   string
		Vector  []float64
	}
	if err := json.Unmarshal([]byte(lines[0]), &row); err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, v := range row.Vector {
		sum += v * v
	}
	if row.File != live || row.Faces != 1 || len(row.Box) != 4 || len(row.Vector) != 128 || math.Abs(sum-1) > 1e-5 || row.Model == "" || row.Quality <= 0 {
		t.Errorf("%d faces, box %v, %d numbers of length %v, model %q, quality %v", row.Faces, row.Box, len(row.Vector), sum, row.Model, row.Quality)
	}
}

func TestFaceScoreRows(t *testing.T) {
	live, chip := portraits(t)
	missing := filepath.Join(t.TempDir(), "none.jpg")
	out, exit := built(t, live+","+chip+"\n"+live+";"+chip+","+live+",ignored\n"+missing+","+live+"\n"+live+";"+missing+","+live+"\n", "face", "score", "--pairs", "-")
	lines := strings.Split(out, "\n")
	if exit != exitFailed || len(lines) != 5 {
		t.Fatalf("exit status %d, %d lines", exit, len(lines))
	}
	for i, want := range []string{live + "," + chip + ",0.9", live + ";" + chip + "," + live + ",0.9", missing + "," + live + ",", live + ";" + missing + "," + live + ","} {
		if !strings.HasPrefix(lines[i], want) || i >= 2 && lines[i] != want {
			t.Errorf("row %d: %s", i, lines[i])
		}
	}
	if _, exit := built(t, "", "face", "score", "--pairs", missing); exit != exitFailed {
		t.Errorf("no pairs file: exit status %d", exit)
	}
	if _, exit := built(t, "", "face", "score", "--pairs", "-", "--engine", "none"); exit != exitUsage {
		t.Errorf("no such engine: exit status %d", exit)
	}
}

// JPEG 2000 in particular: its encoder wants a file, which the process may not
// make.
func TestImageConvertInTheSandbox(t *testing.T) {
	live, _ := portraits(t)
	dir := t.TempDir()
	from := live
	for _, name := range []string{"a.png", "b.jp2", "c.tif", "d.pgm", "e.wsq", "f.jpg"} {
		to := filepath.Join(dir, name)
		if _, exit := built(t, "", "image", "convert", from, to); exit != exitOK {
			t.Fatalf("%s: exit status %d", name, exit)
		}
		from = to
	}
	for to, from := range map[string]string{"x.bmp": live, "x.png": "face_test.go", "y.png": filepath.Join(dir, "none")} {
		path := filepath.Join(dir, to)
		if _, exit := built(t, "", "image", "convert", from, path); exit != exitFailed {
			t.Errorf("%s from %s: exit status %d", to, from, exit)
		}
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%s was written all the same", to)
		}
	}
}
