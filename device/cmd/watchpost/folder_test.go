package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/watchpost/watchpost/device/fault"
)

// TestImagesBelow holds that links to files and folders are followed, the
// folder named among them, and that a circle of them ends.
func TestImagesBelow(t *testing.T) {
	root := t.TempDir()
	at := func(parts ...string) string { return filepath.Join(append([]string{root}, parts...)...) }
	for _, dir := range []string{at("people", "a"), at("set", "deep")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{at("people", "a", "2.JPG"), at("people", "a", "1.png"), at("people", "b.jp2"), at("set", "deep", "c.pgm"), at("set", "list.txt")} {
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, target := range map[string]string{
		at("set", "a"): at("people", "a"), at("set", "b.jp2"): at("people", "b.jp2"), at("set", "up"): "..", at("set", "dead.png"): at("none"),
		at("link"): "set",
	} {
		if err := os.Symlink(target, name); err != nil {
			t.Fatal(err)
		}
	}
	got, err := imagesBelow(at("link"))
	want := []string{at("link", "a", "1.png"), at("link", "a", "2.JPG"), at("link", "b.jp2"), at("link", "dead.png"), at("link", "deep", "c.pgm"), at("link", "up", "people", "b.jp2")}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v", got, err)
	}
	for _, dir := range []string{at("nothing"), at("set", "list.txt"), ""} {
		if got, err := imagesBelow(dir); fault.CodeOf(err) != "file.open" || got != nil {
			t.Errorf("%q: %q, %v", dir, got, err)
		}
	}
}
