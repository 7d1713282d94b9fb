package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/watchpost/watchpost/device/capture"
	"github.com/watchpost/watchpost/device/fault"
)

func TestReadImageRefuses(t *testing.T) {
	dir := t.TempDir()
	big := filepath.Join(dir, "big")
	f, err := os.Create(big)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(capture.MaxImageBytes + 1); err != nil { // sparse
		t.Fatal(err)
	}
	f.Close()
	for path, want := range map[string]fault.Code{
		filepath.Join(dir, "none"): "file.open", dir: "file.not_regular", "/dev/zero": "file.not_regular", big: "image.too_large",
	} {
		if _, err := readImage(path); fault.CodeOf(err) != want {
			t.Errorf("%s: %v, want %s", path, err, want)
		}
	}
}

func TestReplaceFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "out.png")
	for _, text := range []string{"first, and longer", "second"} {
		if err := replaceFile(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(path); err != nil || string(b) != text {
			t.Errorf("%q, %v", b, err)
		}
	}
	if err := replaceFile(filepath.Join(dir, "none", "out.png"), nil); fault.CodeOf(err) != "file.write" {
		t.Errorf("no such folder: %v", err)
	}
	if err := replaceFile(dir, nil); fault.CodeOf(err) != "file.write" {
		t.Errorf("a folder as the file: %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("%d files left, %v", len(left), err)
	}
}
