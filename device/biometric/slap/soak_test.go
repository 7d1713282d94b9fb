package slap

import (
	"fmt"
	"image"
	"image/draw"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
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
	unclear                    int           // hands that the picture alone leaves unclear
	hands, noticed             int           // of four fingers; those that are noticed where the other hand was asked for
	took                       time.Duration // parting and naming
}

func (n tally) String() string {
	p := func(v, of int) float64 { return 100 * float64(v) / float64(max(of, 1)) }
	return fmt.Sprintf("%d slaps: boxes %.1f %%; box, hand and position: %.1f %% with the hand asked for, %.1f %% by the picture alone (%.1f %% said to be unclear); the other hand noticed %.1f %% of %d; %v each",
		n.slaps, p(n.boxes, n.slaps), p(n.asked, n.slaps), p(n.alone, n.slaps), p(n.unclear, n.slaps), p(n.noticed, n.hands), n.hands, (n.took / time.Duration(n.slaps)).Round(time.Millisecond))
}

func (n *tally) add(o tally) {
	n.slaps, n.boxes, n.alone, n.asked, n.unclear = n.slaps+o.slaps, n.boxes+o.boxes, n.alone+o.alone, n.asked+o.asked, n.unclear+o.unclear
	n.hands, n.noticed, n.took = n.hands+o.hands, n.noticed+o.noticed, n.took+o.took
}

// measure composes and parts n slaps, on all cores. A slap is right if it has as many
// boxes as fingers, each overlaps its finger's by slaps.LeastOverlap (intersection over
// union), and the hand and every position are the truth's.
func measure(t *testing.T, pool []*slaps.Print, n int, natural, joints bool) (sum tally) {
	each := make([]tally, n)
	seeds := make(chan int, n)
	for i := range n {
		seeds <- i
	}
	close(seeds)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for i := range seeds {
				each[i] = one(t, pool, uint64(i)+1, natural, joints)
			}
		})
	}
	workers.Wait()
	for _, o := range each {
		sum.add(o)
	}
	return sum
}

// one measures the slap of a seed. It is parted once and named three times.
func one(t *testing.T, pool []*slaps.Print, seed uint64, natural, joints bool) (sum tally) {
	l := slaps.Draw(rand.New(rand.NewPCG(seed, 2)))
	l.Natural, l.Joints = natural, joints
	p, truth := slaps.Compose(pool, l, seed)
	sum.slaps++
	start := time.Now()
	g, tips := parted(picture(p))
	if len(tips) == 0 {
		t.Logf("slap %d: nothing is seen", seed)
		return sum
	}
	alone := g.tell(tips, Expect{})
	sum.took = time.Since(start)
	asked := g.tell(tips, Expect{Hand: Hand(truth.Code), Gone: truth.Missing})
	if slices.Contains(alone.Findings, Unclear) {
		sum.unclear++
	}
	if other := map[int]Hand{slaps.RightFour: LeftFour, slaps.LeftFour: RightFour}[truth.Code]; other != Unknown {
		sum.hands++
		if r := g.tell(tips, Expect{Hand: other}); r.Hand != other {
			sum.noticed++
		}
	}
	if err := boxesRight(asked, truth); err != nil {
		t.Logf("slap %d: %v (%+v)", seed, err, l)
		return sum
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
	} else {
		t.Logf("slap %d: %v %v by the picture alone, confidence %.2f (%+v)", seed, alone.Hand, positions(alone), alone.Confidence, l)
	}
	if named(asked) {
		sum.asked++
	} else {
		t.Logf("slap %d: %v %v with the hand known (%+v)", seed, asked.Hand, positions(asked), l)
	}
	return sum
}

// TestSoakSlaps prints the figure: 200 slaps of invented prints, and of people's
// where WATCHPOST_DATA says where they are.
func TestSoakSlaps(t *testing.T) {
	if os.Getenv("WATCHPOST_SOAK") == "" {
		t.Skip("SKIPPED: WATCHPOST_SOAK is not set: 200 slaps of each of five sets of prints take some minutes")
	}
	invented := sync.OnceValue(func() (pool []*slaps.Print) {
		for i := range uint64(8) {
			p := prints.NewMaster(i+1).Impression(prints.Condition{Area: 1, Noise: 0.2, Distortion: 1.5}, i)
			pool = append(pool, slaps.NewPrint(p, prints.DPI))
		}
		return pool
	})
	report := func(name string, pool func() []*slaps.Print, natural, joints bool, least, alone float64) {
		t.Run(name, func(t *testing.T) {
			n := measure(t, pool(), 200, natural, joints)
			t.Logf("%s: %v", name, n)
			if got := 100 * float64(n.asked) / float64(n.slaps); got < least {
				t.Errorf("%.1f %% with the hand asked for, at least %.1f %% is wanted", got, least)
			}
			if got := 100 * float64(n.alone) / float64(n.slaps); got < alone {
				t.Errorf("%.1f %% by the picture alone, at least %.1f %% is wanted", got, alone)
			}
		})
	}
	report("invented", invented, false, false, 98, 98)
	report("joints", invented, false, true, 85, 80)
	data := os.Getenv("WATCHPOST_DATA")
	if data == "" {
		t.Log("WATCHPOST_DATA is not set: no slaps of people's prints")
		return
	}
	for _, set := range []struct {
		name       string
		dpi, least float64
	}{{"fvc2002_db1_b", 500, 95}, {"fvc2002_db2_b", 569, 95}, {"fvc2000_db2_b", 500, 82}} {
		report(set.name, func() []*slaps.Print { return folder(t, filepath.Join(data, "fingerprint", set.name), set.dpi) }, true, false, set.least, set.least-5)
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
