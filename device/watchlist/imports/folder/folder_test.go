package folder_test

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/watchlist/imports"
	"github.com/watchpost/watchpost/device/watchlist/imports/folder"
	"github.com/watchpost/watchpost/device/watchlist/imports/importtest"
	"github.com/watchpost/watchpost/device/watchlist/imports/pictures"
)

// grey stands for the decode role: what begins with "good" is a grey square
// with a face in it.
type grey struct{}

func (grey) Ready(context.Context) error { return nil }
func (grey) RGB(_ context.Context, img []byte) (pictures.Raster, error) {
	if string(img) != "good" {
		return pictures.Raster{}, &fault.Error{Code: "image.format"}
	}
	return pictures.Raster{Pix: make([]byte, 3*64), Width: 8, Height: 8}, nil
}
func (grey) Grey(context.Context, []byte) (pictures.Raster, error) {
	return pictures.Raster{}, &fault.Error{Code: "image.format"}
}
func (grey) Face(context.Context, []byte) (f pictures.Found, err error) {
	f.Template.Model, f.Template.Version, f.Faces = "m", "1", 1
	for i := range f.Template.Vector {
		f.Template.Vector[i] = float32(1 / math.Sqrt(float64(len(f.Template.Vector))))
	}
	return f, nil
}

func read(t *testing.T, files map[string]string) *importtest.Got {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return readDir(t, dir)
}

func readDir(t *testing.T, dir string) *importtest.Got {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	p := &pictures.Maker{Decoder: grey{}, Root: root}
	got, err := importtest.Run(t, imports.Spec{List: "test"}, func(m *imports.Maker, take imports.Take) error {
		return folder.Read(t.Context(), p, m, take)
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestRead(t *testing.T) {
	got := read(t, map[string]string{
		"1.jpg":           "good",
		"2/front.PNG":     "good",
		"2/side.jp2":      "good",
		"3/record.json":   `{"id":"other","names":[{"full":"A B","script":"Latn","kind":"primary","quality":"good"}],"photographs":[{"file":"x.jpg","captured":"2020-01-02T00:00:00Z"}]}`,
		"3/x.jpg":         "good",
		"4/finger-7.wsq":  "bad",
		"4/a.jpg":         "good",
		"5/finger-12.wsq": "bad",
		"5/notes.txt":     "x",
		"5/a.jpg":         "good",
		"6/a.jpg":         "bad",
		"7/record.json":   "{",
		"8/record.json":   `{"schema":9}`,
		"9/deeper/a.jpg":  "good",
		"9/a.jpg":         "good",
		"Thumbs.db":       "x",
	})
	var ids []string
	for _, r := range got.Records {
		ids = append(ids, r.ID)
		if len(r.Faces) != len(r.Photographs) || len(r.Photographs) == 0 {
			t.Errorf("record %s: %d photographs, %d faces", r.ID, len(r.Photographs), len(r.Faces))
		}
	}
	if want := []string{"1", "2", "other", "4", "5", "9"}; !slices.Equal(ids, want) {
		t.Errorf("records %v, want %v", ids, want)
	}
	if want := []string{"1 image.format", "1 record.format", "1 record.range", "1 image.unsupported"}; !slices.Equal(got.Broken, want) {
		t.Errorf("broken %v, want %v", got.Broken, want)
	}
	if want := []string{"1 prints[0]", "1 finger-12.wsq", "1 notes.txt", "1 deeper"}; !slices.Equal(got.Notes, want) {
		t.Errorf("notes %v, want %v", got.Notes, want)
	}
	if r := got.Records[2]; r.Photographs[0].Captured == nil || len(r.Names) != 1 {
		t.Error("what record.json says is lost")
	}
}

// TestAttackFolder brings a folder whose entries lead elsewhere.
func TestAttackFolder(t *testing.T) {
	outside := t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "a.jpg"), []byte("good"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		make   func(dir string) error
		broken string
	}{
		"picture is a link": {func(dir string) error {
			return os.Symlink(filepath.Join(outside, "a.jpg"), filepath.Join(dir, "1.jpg"))
		}, "1 picture.file"},
		"folder is a link": {func(dir string) error { return os.Symlink(outside, filepath.Join(dir, "1")) }, "1 picture.file"},
		"picture in it is a link": {func(dir string) error {
			if err := os.Mkdir(filepath.Join(dir, "1"), 0o700); err != nil {
				return err
			}
			return os.Symlink(filepath.Join(outside, "a.jpg"), filepath.Join(dir, "1", "a.jpg"))
		}, "1 a.jpg"},
		"record.json leads upwards": {func(dir string) error {
			if err := os.Mkdir(filepath.Join(dir, "1"), 0o700); err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(dir, "1", "record.json"), []byte(`{"photographs":[{"file":"../../`+filepath.Base(outside)+`/a.jpg"}]}`), 0o600)
		}, "1 picture.file"},
		"endless record.json": {func(dir string) error {
			if err := os.Mkdir(filepath.Join(dir, "1"), 0o700); err != nil {
				return err
			}
			return os.Symlink("/dev/zero", filepath.Join(dir, "1", "record.json"))
		}, "1 picture.file"},
		"a folder of thousands": {func(dir string) error {
			if err := os.Mkdir(filepath.Join(dir, "1"), 0o700); err != nil {
				return err
			}
			for i := range 300 {
				if err := os.WriteFile(filepath.Join(dir, "1", string(rune('a'+i/26%26))+string(rune('a'+i%26))+string(rune('0'+i/100))+".jpg"), nil, 0o600); err != nil {
					return err
				}
			}
			return nil
		}, "1 import.limit"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := c.make(dir); err != nil {
				t.Fatal(err)
			}
			got := readDir(t, dir)
			if len(got.Records) > 0 || len(got.Broken) != 1 || name != "picture in it is a link" && got.Broken[0] != c.broken {
				t.Errorf("%d records, broken %v", len(got.Records), got.Broken)
			}
		})
	}
}
