package prints

import (
	"bytes"
	"fmt"
	"image"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/image/tiff"

	"github.com/watchpost/watchpost/device/biometric/finger"
)

func TestSameSeedSamePrint(t *testing.T) {
	a, b, c := NewMaster(1), NewMaster(1), NewMaster(2)
	if !slices.Equal(a.height, b.height) || a.Pattern != b.Pattern {
		t.Error("one seed, two fingers")
	}
	if slices.Equal(a.height, c.height) {
		t.Error("two seeds, one finger")
	}
	x := a.Impression(Condition{Area: 1, Noise: 0.3}, 5)
	if !bytes.Equal(x.Pix, b.Impression(Condition{Area: 1, Noise: 0.3}, 5).Pix) {
		t.Error("one seed, two impressions")
	}
	if bytes.Equal(x.Pix, a.Impression(Condition{Area: 1, Noise: 0.3}, 6).Pix) {
		t.Error("two seeds, one impression")
	}
	if x.Rect.Dx() != Width || x.Rect.Dy() != Height {
		t.Errorf("an impression of %v", x.Rect)
	}
}

// A condition is seen in the picture: a dry finger is paler than a wet one, a
// small contact leaves more ground, a shifted finger lies elsewhere.
func TestConditionsShow(t *testing.T) {
	m := NewMaster(3)
	ink := func(c Condition) float64 {
		var sum float64
		for _, p := range m.Impression(c, 1).Pix {
			sum += 255 - float64(p)
		}
		return sum / Width / Height
	}
	plain := ink(Condition{Area: 1})
	if dry, wet := ink(Condition{Area: 1, Pressure: -1}), ink(Condition{Area: 1, Pressure: 1}); dry > 0.85*plain || wet < 1.15*plain {
		t.Errorf("ink: dry %.1f, ordinary %.1f, wet %.1f", dry, plain, wet)
	}
	if part := ink(Condition{Area: 0.6}); part > 0.7*plain {
		t.Errorf("ink: partial %.1f, ordinary %.1f", part, plain)
	}
	middle := func(c Condition) float64 {
		var sum, weight float64
		for i, p := range m.Impression(c, 1).Pix {
			v := max(0, 180-float64(p))
			sum += v * float64(i%Width)
			weight += v
		}
		return sum / weight
	}
	if d := middle(Condition{Area: 0.7, X: 40}) - middle(Condition{Area: 0.7}); math.Abs(d-40) > 6 {
		t.Errorf("shifted by 40 pixels the print moves by %.1f", d)
	}
}

// Impressions of one finger match, those of two do not, by the engine that
// ships.
func TestImpressionsMatch(t *testing.T) {
	s := invent(t, 3, 3, 0.2)
	genuine, impostor := s.scores()
	slices.Sort(genuine)
	slices.Sort(impostor)
	if s.failed > 0 {
		t.Errorf("%d of %d not enrolled", s.failed, len(s.templates))
	}
	if low, high := genuine[len(genuine)/4], impostor[len(impostor)-1]; low <= high {
		t.Errorf("a quarter of the mates score at most %.1f, two fingers up to %.1f", low, high)
	}
}

// sample is a set of prints, each fingers's one after another.
type sample struct {
	each, failed int
	templates    []*finger.Template // nil where not enrolled
}

func (s *sample) add(t testing.TB, e *finger.Extractor, g *image.Gray, dpi float64) {
	t.Helper()
	p, err := e.Extract(&finger.Image{Pix: g.Pix, Width: g.Rect.Dx(), Height: g.Rect.Dy(), DPI: dpi})
	if err != nil {
		s.failed++
	}
	s.templates = append(s.templates, p)
}

func invent(t testing.TB, fingers, each int, hard float64) *sample {
	s := &sample{each: each}
	e := finger.NewExtractor()
	for f := range fingers {
		m := NewMaster(uint64(f) + 1000)
		rng := rand.New(rand.NewPCG(uint64(f), 8))
		for i := range each {
			s.add(t, e, m.Impression(Draw(rng, hard), uint64(100*f+i)), DPI)
		}
	}
	return s
}

func (s *sample) scores() (genuine, impostor []float64) {
	m := finger.NewMatcher()
	for a, x := range s.templates {
		for b := a + 1; b < len(s.templates); b++ {
			y := s.templates[b]
			switch {
			case x == nil || y == nil:
			case a/s.each == b/s.each:
				genuine = append(genuine, m.Score(x, y))
			default:
				impostor = append(impostor, m.Score(x, y))
			}
		}
	}
	return genuine, impostor
}

// TestSoakLikeness prints what README.md shows: invented prints beside real
// ones of two sensors.
func TestSoakLikeness(t *testing.T) {
	if os.Getenv("WATCHPOST_SOAK") == "" {
		t.Skip("SKIP: WATCHPOST_SOAK is not set")
	}
	data := os.Getenv("WATCHPOST_DATA")
	if data == "" {
		t.Skip("SKIP: WATCHPOST_DATA is not set: no real prints to hold the invented ones to")
	}
	const fingers, each = 10, 4
	show := func(name string, s *sample) {
		genuine, impostor := s.scores()
		var counts, qualities []float64
		for _, p := range s.templates {
			if p != nil {
				counts, qualities = append(counts, float64(len(p.Minutiae))), append(qualities, float64(p.Quality))
			}
		}
		t.Logf("%-16s not enrolled %d; minutiae %s; quality %s; mates %s; others %s", name, s.failed,
			spread(counts), spread(qualities), spread(genuine), spread(impostor))
	}
	for _, hard := range []float64{0, 0.5, 1} {
		show([]string{"invented, easy", "invented, middle", "invented, hard"}[int(2*hard)], invent(t, fingers, each, hard))
	}
	for _, set := range []struct {
		name string
		dpi  float64
	}{{"fvc2002_db1_b", 500}, {"fvc2002_db2_b", 569}, {"fvc2000_db2_b", 500}} {
		s := &sample{each: each}
		e := finger.NewExtractor()
		for f := range fingers {
			for i := range each {
				s.add(t, e, realPrint(t, filepath.Join(data, "fingerprint", set.name), 101+f, 1+i), set.dpi)
			}
		}
		show(set.name, s)
	}
}

func realPrint(t testing.TB, dir string, f, i int) *image.Gray {
	t.Helper()
	file, err := os.Open(filepath.Join(dir, fmt.Sprintf("%d_%d.tif", f, i)))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	img, err := tiff.Decode(file)
	if err != nil {
		t.Fatal(err)
	}
	g, ok := img.(*image.Gray)
	if !ok {
		t.Fatal("no grey picture")
	}
	return g
}

// spread is the 5th, 25th, 50th, 75th and 95th percentile.
func spread(v []float64) string {
	if len(v) == 0 {
		return "none"
	}
	slices.Sort(v)
	out := ""
	for _, q := range []float64{0.05, 0.25, 0.5, 0.75, 0.95} {
		out += fmt.Sprintf(" %.0f", v[int(q*float64(len(v)-1))])
	}
	return out[1:]
}
