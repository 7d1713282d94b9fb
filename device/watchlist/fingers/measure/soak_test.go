package measure

import (
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"

	"golang.org/x/image/tiff"

	"github.com/watchpost/watchpost/device/biometric/finger"
)

func greyFile(path string, dpi float64) (*finger.Image, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	img, err := tiff.Decode(f)
	if err != nil {
		return nil, err
	}
	g, ok := img.(*image.Gray)
	if !ok {
		return nil, errors.New("no grey image")
	}
	return &finger.Image{Pix: g.Pix, Width: g.Rect.Dx(), Height: g.Rect.Dy(), DPI: dpi}, nil
}

// fvc extracts the impressions of the three FVC sets by finger.
func fvc(t *testing.T, root string) [][]*finger.Template {
	out := make([][]*finger.Template, 30)
	var wg sync.WaitGroup
	for i, set := range []struct {
		name string
		dpi  float64
	}{{"fvc2002_db1_b", 500}, {"fvc2002_db2_b", 569}, {"fvc2000_db2_b", 500}} {
		wg.Go(func() {
			e := finger.NewExtractor()
			for f := range 10 {
				for k := range 8 {
					path := filepath.Join(root, "fingerprint", set.name, fmt.Sprintf("%d_%d.tif", 101+f, 1+k))
					img, err := greyFile(path, set.dpi)
					if err != nil {
						t.Error(err)
						return
					}
					p, err := e.Extract(img)
					if err != nil {
						t.Errorf("%s: %v", path, err)
						return
					}
					out[10*i+f] = append(out[10*i+f], p)
				}
			}
		})
	}
	wg.Wait()
	return out
}

// TestSoakFingers is the experiment of the figures: 100,000 ten-print sets
// (WATCHPOST_FINGERS another number) with real impressions among them, 105
// searches of each kind with a mate and as many without (WATCHPOST_SEARCHES
// another number). Times are judged too: it needs a machine that does nothing
// else.
func TestSoakFingers(t *testing.T) {
	root := os.Getenv("WATCHPOST_DATA")
	if root == "" || os.Getenv("WATCHPOST_SOAK") == "" {
		t.Skip("WATCHPOST_SOAK or WATCHPOST_DATA is not set: 100,000 ten-print sets are not searched")
	}
	number := func(name string, otherwise int) int {
		s := os.Getenv(name)
		if s == "" {
			return otherwise
		}
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	persons, searches := number("WATCHPOST_FINGERS", 100_000), number("WATCHPOST_SEARCHES", 105)
	real := fvc(t, root)
	if t.Failed() {
		t.FailNow()
	}
	r, err := Run(t.Context(), Setup{Persons: persons, Searches: searches, Others: searches, Real: real, Progress: func(what string, done, of int) {
		if what != "people" || done%10_000 == 0 {
			fmt.Fprintf(os.Stderr, "%s: %d of %d\n", what, done, of)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s", text)
	if r.BytesPerPerson > 40_000 {
		t.Errorf("%d bytes a person, the budget has 40,000", r.BytesPerPerson)
	}
	for _, row := range r.Searches {
		limit := 500.0
		if !row.Known {
			limit = 2000
		}
		// The figures' times are of the vector kernels: GOEXPERIMENT=simd.
		if r.Kernel != "plain" && row.P95 > limit {
			t.Errorf("%d fingers, known %v: p95 %.0f ms, at most %.0f", row.Fingers, row.Known, row.P95, limit)
		}
		if row.Loss > 0.01 {
			t.Errorf("%d fingers, known %v: the filter loses %.3f", row.Fingers, row.Known, row.Loss)
		}
	}
}
