package decode_test

import (
	"cmp"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/watchpost/watchpost/device/biometric/morph"
	"github.com/watchpost/watchpost/device/biometric/template"
	"github.com/watchpost/watchpost/device/capture/decode/face"
)

// sitter is a person with four pictures: any may be the portrait, the others
// are then the live frames.
type sitter struct {
	pixels [4]face.Raster
	found  [4]face.Template
}

func (s *sitter) template(i int) template.Face { return vectorOf(s.found[i]) }

func vectorOf(t face.Template) template.Face {
	return template.Face{Model: t.Model.Name, Version: t.Model.Version, Images: 1, Vector: t.Vector}
}

// live is the mean of n frames that are not portrait.
func (s *sitter) live(t *testing.T, portrait, n int) template.Face {
	t.Helper()
	var frames []template.Face
	for k := 1; k <= n; k++ {
		frames = append(frames, s.template((portrait+k)%4))
	}
	mean, err := template.Mean(frames)
	if err != nil {
		t.Fatal(err)
	}
	return mean
}

func likeness(t *testing.T, a, b template.Face) float64 {
	t.Helper()
	s, err := template.Cosine(&a, &b)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Morphs are made at a size between that of the pictures and of a portrait.
const (
	morphSide = 300
	morphEyes = 66
)

// aligned puts a face upright into a picture of morphSide, by the similarity
// that brings its five points nearest to those of shape.
func aligned(r face.Raster, from, shape [5]face.Point) []float64 {
	var fx, fy, sx, sy float64
	for i := range from {
		fx, fy, sx, sy = fx+from[i].X/5, fy+from[i].Y/5, sx+shape[i].X/5, sy+shape[i].Y/5
	}
	var a, b, n float64 // from shape to picture: z -> (a+ib) z
	for i := range from {
		px, py, qx, qy := shape[i].X-sx, shape[i].Y-sy, from[i].X-fx, from[i].Y-fy
		a, b, n = a+px*qx+py*qy, b+px*qy-py*qx, n+px*px+py*py
	}
	a, b = a/n, b/n
	out := make([]float64, 3*morphSide*morphSide)
	for y := range morphSide {
		for x := range morphSide {
			u, v := float64(x)-sx, float64(y)-sy
			px, py := fx+a*u-b*v, fy+b*u+a*v
			px, py = max(0, min(float64(r.Width-2), px)), max(0, min(float64(r.Height-2), py))
			i, j := int(px), int(py)
			dx, dy := px-float64(i), py-float64(j)
			for c := range 3 {
				at := func(x, y int) float64 { return float64(r.Pix[y*r.Stride+3*x+c]) }
				out[3*(y*morphSide+x)+c] = (1-dy)*((1-dx)*at(i, j)+dx*at(i+1, j)) + dy*((1-dx)*at(i, j+1)+dx*at(i+1, j+1))
			}
		}
	}
	return out
}

// morphed averages two faces, aligned by their points on the mean shape.
func morphed(a, b *sitter, portrait int) face.Raster {
	shape := [5]face.Point{}
	for _, t := range [...]face.Template{a.found[portrait], b.found[portrait]} {
		l, r := t.Chosen.EyeCentres()
		angle := math.Atan2(r.Y-l.Y, r.X-l.X)
		k := morphEyes / t.Chosen.EyeDistance() / 2 // half of the mean
		sin, cos := math.Sincos(-angle)
		for i, p := range t.Chosen.Points {
			x, y := p.X-(l.X+r.X)/2, p.Y-(l.Y+r.Y)/2
			shape[i].X += k*(x*cos-y*sin) + morphSide/4
			shape[i].Y += k*(x*sin+y*cos) + 0.42*morphSide/2
		}
	}
	one, two := aligned(a.pixels[portrait], a.found[portrait].Chosen.Points, shape), aligned(b.pixels[portrait], b.found[portrait].Chosen.Points, shape)
	out := face.Raster{Width: morphSide, Height: morphSide, Stride: 3 * morphSide, Pix: make([]byte, 3*morphSide*morphSide)}
	for i := range out.Pix {
		out.Pix[i] = byte(math.Round((one[i] + two[i]) / 2))
	}
	return out
}

// sitters are the people of LFW with four pictures or more.
func sitters(t *testing.T) []*sitter {
	t.Helper()
	lfwFolds(t) // skips without data
	dirs, err := filepath.Glob(filepath.Join(os.Getenv("WATCHPOST_DATA"), "face", "lfw", "*"))
	if err != nil {
		t.Fatal(err)
	}
	pool := lfwEngine(t)
	var out []*sitter
	for _, dir := range dirs {
		files, err := filepath.Glob(filepath.Join(dir, "*.jpg"))
		if err != nil {
			t.Fatal(err)
		}
		if len(files) < 4 {
			continue
		}
		s := new(sitter)
		for i := range 4 {
			s.pixels[i], s.found[i] = look(t, pool, files[i])
		}
		out = append(out, s)
	}
	return out
}

// TestSoakLFWMorph measures 100 averaged pairs twice, people drawn at random
// and people who look alike: how many morphs a comparison at FMR 1e-3 accepts,
// and how many are left when what lies in the grey zone goes to an officer.
func TestSoakLFWMorph(t *testing.T) {
	lfwFolds(t)
	if os.Getenv("WATCHPOST_SOAK") == "" {
		t.Skip("SKIPPED: make soak runs the whole measurement")
	}
	people := sitters(t)
	pool := lfwEngine(t)
	var others []float64
	var pairs [][2]int
	for i := range people {
		for j := range i {
			pairs = append(pairs, [2]int{j, i})
			for a := range 4 {
				for b := range 4 {
					others = append(others, likeness(t, people[i].template(a), people[j].template(b)))
				}
			}
		}
	}
	slices.Sort(others)
	threshold := others[len(others)-1-len(others)/1000]
	t.Logf("%d people with four pictures; threshold %.4f at FMR 1e-3 of %d pairs", len(people), threshold, len(others))

	mated := make(map[int][]float64) // by frames
	for _, n := range []int{1, 3} {
		for _, s := range people {
			for portrait := range 4 {
				live := s.live(t, portrait, n)
				mated[n] = append(mated[n], likeness(t, s.template(portrait), live))
			}
		}
		slices.Sort(mated[n])
	}
	random := rand.New(rand.NewPCG(1, 1))
	random.Shuffle(len(pairs), func(i, k int) { pairs[i], pairs[k] = pairs[k], pairs[i] })
	alike := slices.Clone(pairs)
	slices.SortStableFunc(alike, func(a, b [2]int) int {
		return cmp.Compare(likeness(t, people[b[0]].template(0), people[b[1]].template(0)), likeness(t, people[a[0]].template(0), people[a[1]].template(0)))
	})
	for _, set := range []struct {
		name  string
		pairs [][2]int
	}{{"random pairs", pairs[:100]}, {"pairs that look alike", alike[:100]}} {
		morphs := make(map[int][][2]float64)
		for _, p := range set.pairs {
			a, b := people[p[0]], people[p[1]]
			portrait := vectorOf(templateOf(t, pool, morphed(a, b, 0)))
			for _, n := range []int{1, 3} {
				morphs[n] = append(morphs[n], [2]float64{likeness(t, portrait, a.live(t, 0, n)), likeness(t, portrait, b.live(t, 0, n))})
			}
		}
		for _, n := range []int{1, 3} {
			accepted, both := 0, 0
			for _, s := range morphs[n] {
				for _, v := range s {
					if v >= threshold {
						accepted++
					}
				}
				if min(s[0], s[1]) >= threshold {
					both++
				}
			}
			misses, _ := slices.BinarySearch(mated[n], threshold)
			t.Logf("%s, %d frames: accepted without detection %.1f %% of 200 comparisons (both contributors, MMPMR: %d of 100 morphs); FNMR %.2f %%",
				set.name, n, float64(accepted)/2, both, 100*float64(misses)/float64(len(mated[n])))
			for _, share := range []float64{0.05, 0.10, 0.20, 0.30} {
				zone := mated[n][int(share*float64(len(mated[n])))]
				t.Logf("%s, %d frames: grey zone up to %.4f: MACER %.1f %%, BPCER %.1f %%", set.name, n, zone, missed(morphs[n], zone), 100*share)
			}
			zone := morph.ZoneOf(threshold, n)
			flagged, _ := slices.BinarySearch(mated[n], zone.High)
			t.Logf("%s, %d frames: the post's zone %.4f to %.4f: MACER %.1f %%, BPCER %.1f %%", set.name, n, zone.Low, zone.High,
				missed(morphs[n], zone.High), 100*float64(flagged-misses)/float64(len(mated[n])))
			if now, was := missed(morphs[n], zone.High), float64(accepted)/2; now > 0.7*was {
				t.Errorf("%s, %d frames: the zone leaves %.1f of %.1f %%", set.name, n, now, was)
			}
		}
	}
}

// missed is the share of morph comparisons, in per cent, that lie above zone:
// taken for bona fide.
func missed(scores [][2]float64, zone float64) float64 {
	n := 0
	for _, s := range scores {
		for _, v := range s {
			if v >= zone {
				n++
			}
		}
	}
	return 100 * float64(n) / float64(2*len(scores))
}
