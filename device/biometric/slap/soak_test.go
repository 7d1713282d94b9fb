package slap

import (
	"fmt"
	"image"
	"image/draw"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/image/tiff"

	"github.com/watchpost/watchpost/hwtest/gen/prints"
	"github.com/watchpost/watchpost/hwtest/gen/slaps"
)

// tally counts slaps: boxes right; hand and positions right too, told by the picture
// alone, and with the hand that was asked for known.
type tally struct {
	slaps, boxes, alone, asked int
	unnamed                    int // hands not named by the picture alone
	took                       time.Duration
}

func (n tally) String() string {
	p := func(v int) float64 { return 100 * float64(v) / float64(n.slaps) }
	return fmt.Sprintf("%d slaps: boxes %.1f %%; box, hand and position: %.1f %% with the hand asked for, %.1f %% by the picture alone (%.1f %% not named); %v each",
		n.slaps, p(n.boxes), p(n.asked), p(n.alone), p(n.unnamed), (n.took / time.Duration(2*n.slaps)).Round(time.Millisecond))
}

// measure composes and parts n slaps. A slap is right if it has as many boxes as
// fingers, each overlaps its finger's by slaps.LeastOverlap (intersection over
// union), and the hand and every position are the truth's.
func measure(t *testing.T, pool []*slaps.Print, n int, natural, joints bool) (sum tally) {
	for i := range n {
		seed := uint64(i) + 1
		l := slaps.Draw(rand.New(rand.NewPCG(seed, 2)))
		l.Natural, l.Joints = natural, joints
		g, truth := slaps.Compose(pool, l, seed)
		m := picture(g)
		sum.slaps++
		start := time.Now()
		alone, err := Segment(m, Expect{})
		if err != nil {
			t.Logf("slap %d: %v", seed, err)
			continue
		}
		asked, err := Segment(m, Expect{Hand: Hand(truth.Code), Gone: truth.Missing})
		sum.took += time.Since(start)
		if err != nil {
			t.Fatal(err)
		}
		if alone.Hand == Unknown {
			sum.unnamed++
		}
		if err := boxesRight(asked, truth); err != nil {
			t.Logf("slap %d: %v (%+v)", seed, err, l)
			continue
		}
		sum.boxes++
		named := func(r *Result) bool {
			for i, f := range truth.Fingers {
				if r.Fingers[i].Position != f.Position {
					return false
				}
			}
			return r.Hand == Hand(truth.Code)
		}
		if named(alone) {
			sum.alone++
		}
		if named(asked) {
			sum.asked++
		} else {
			t.Logf("slap %d: %v %v with the hand known (%+v)", seed, asked.Hand, positions(asked), l)
		}
	}
	return sum
}

// TestSoakSlaps prints the figure: 200 slaps of invented prints, and of people's
// where WATCHPOST_DATA says where they are.
func TestSoakSlaps(t *testing.T) {
	if os.Getenv("WATCHPOST_SOAK") == "" {
		t.Skip("SKIPPED: WATCHPOST_SOAK is not set: 200 slaps of each set of prints take a minute")
	}
	var invented []*slaps.Print
	for i := range uint64(8) {
		p := prints.NewMaster(i+1).Impression(prints.Condition{Area: 1, Noise: 0.2, Distortion: 1.5}, i)
		invented = append(invented, slaps.NewPrint(p, prints.DPI))
	}
	report := func(name string, pool []*slaps.Print, natural, joints bool, least float64) {
		n := measure(t, pool, 200, natural, joints)
		t.Logf("%s: %v", name, n)
		if got := 100 * float64(n.asked) / float64(n.slaps); got < least {
			t.Errorf("%s: %.1f %%, at least %.1f %% is wanted", name, got, least)
		}
	}
	report("invented", invented, false, false, 98)
	report("invented, second joints in view", invented, false, true, 85)
	data := os.Getenv("WATCHPOST_DATA")
	if data == "" {
		t.Log("WATCHPOST_DATA is not set: no slaps of people's prints")
		return
	}
	for _, set := range []struct {
		name       string
		dpi, least float64
	}{{"fvc2002_db1_b", 500, 95}, {"fvc2002_db2_b", 569, 95}, {"fvc2000_db2_b", 500, 82}} {
		report(set.name, folder(t, filepath.Join(data, "fingerprint", set.name), set.dpi), true, false, set.least)
	}
}

// folder reads the prints of a folder.
func folder(t *testing.T, dir string, dpi float64) (pool []*slaps.Print) {
	files, err := filepath.Glob(filepath.Join(dir, "*.tif"))
	if err != nil || len(files) < 4 {
		t.Fatalf("%s: %d prints, %v", dir, len(files), err)
	}
	for _, path := range files {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		img, err := tiff.Decode(f)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		g := image.NewGray(image.Rect(0, 0, img.Bounds().Dx(), img.Bounds().Dy()))
		draw.Draw(g, g.Rect, img, img.Bounds().Min, draw.Src)
		pool = append(pool, slaps.NewPrint(g, dpi))
	}
	return pool
}
