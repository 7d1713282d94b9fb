package liveness

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/watchpost/watchpost/device/biometric/pad"
	"github.com/watchpost/watchpost/device/biometric/patch"
	decodev1 "github.com/watchpost/watchpost/sdk/proto/decode/v1"
)

// Which pictures count as ahead, and as turned. Each number is told from pictures that
// are chosen by the other one: by the eyes for the nose, by the nose for the eyes.
const (
	aheadNose  = 0.04 // eye distances, of the nose beside the middle
	aheadEyes  = 0.02 // of the difference of the eyes' widths, of their sum
	turnedNose = 0.12 // eye distances, as turned as pictures to one side are
	leastShots = 6    // pictures of a person
)

// shot is what the detector's points say of one picture, in the face's own axes.
type shot struct {
	points   [5]patch.Point // eye distances
	nose     float64        // beside the middle
	eyes     float64        // how much wider the eye at the right of the image is, of both
	original [5]patch.Point
}

// shotsOf reads what the detector finds in the pictures of a folder; other faces
// and none are left out.
func (d detector) shotsOf(folder string) (out []shot) {
	d.t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.jpg"))
	if err != nil {
		d.t.Fatal(err)
	}
	if len(files) < leastShots {
		return nil
	}
	for _, name := range files {
		raw, err := os.ReadFile(name)
		if err != nil {
			d.t.Fatal(err)
		}
		got, err := d.c.TemplateFace(d.t.Context(), &decodev1.TemplateFaceRequest{Image: raw})
		if err != nil || len(got.GetFace().GetPoints()) != 5 {
			continue
		}
		var f pad.Frame
		for i, p := range got.GetFace().GetPoints() {
			f.Points[i] = patch.Point{X: p.GetX(), Y: p.GetY()}
		}
		left, right := eyesOf(f)
		axes, ok := patch.AxesOf(left, right)
		if !ok {
			continue
		}
		s := shot{original: f.Points}
		for i, p := range f.Points {
			s.points[i].X, s.points[i].Y = axes.Place(p)
		}
		wr, wl := s.points[0].X-s.points[1].X, s.points[3].X-s.points[2].X
		s.nose, s.eyes = s.points[4].X, (wr-wl)/(wr+wl)
		out = append(out, s)
	}
	return out
}

// spread is the standard deviation within people: of several groups, each about its
// own mean.
type spread struct {
	sum float64
	n   int // degrees of freedom
}

func (s *spread) add(values []float64) {
	if len(values) < 2 {
		return
	}
	mean := 0.0
	for _, v := range values {
		mean += v / float64(len(values))
	}
	for _, v := range values {
		s.sum += (v - mean) * (v - mean)
	}
	s.n += len(values) - 1
}

func (s *spread) deviation() float64 { return math.Sqrt(s.sum / float64(max(1, s.n))) }

// TestSoakPointsOfFaces prints what the detector's points scatter by between
// pictures of one person who looks ahead, what the eyes change by for the nose, and
// what the turn challenge would say of people of whom there are pictures ahead and to
// both sides: other days, cameras and faces made.
func TestSoakPointsOfFaces(t *testing.T) {
	data := os.Getenv("WATCHPOST_DATA")
	if data == "" {
		t.Skip("SKIPPED: WATCHPOST_DATA is not set: no pictures of real people")
	}
	d := newDetector(t)
	folders, err := filepath.Glob(filepath.Join(data, "face/lfw/*"))
	if err != nil || len(folders) == 0 {
		t.Fatalf("no pictures under %s/face/lfw (%v)", data, err)
	}
	var corners, along, across spread
	var xy, xx float64
	people, pictures, forNose, forEyes := 0, 0, 0, 0
	depths, results := []float64(nil), map[string]int{}
	for _, folder := range folders {
		shots := d.shotsOf(folder)
		if len(shots) < leastShots {
			continue
		}
		people++
		pictures += len(shots)
		byEyes := slices.DeleteFunc(slices.Clone(shots), func(s shot) bool { return math.Abs(s.eyes) > aheadEyes })
		byNose := slices.DeleteFunc(slices.Clone(shots), func(s shot) bool { return math.Abs(s.nose) > aheadNose })
		forNose, forEyes = forNose+len(byEyes), forEyes+len(byNose)
		along.add(valuesOf(byEyes, func(s shot) float64 { return s.points[4].X }))
		across.add(valuesOf(byEyes, func(s shot) float64 { return s.points[4].Y }))
		for i := range 4 {
			corners.add(valuesOf(byNose, func(s shot) float64 { return s.points[i].X }))
			corners.add(valuesOf(byNose, func(s shot) float64 { return s.points[i].Y }))
		}
		meanNose, meanEyes := 0.0, 0.0
		for _, s := range shots {
			meanNose, meanEyes = meanNose+s.nose/float64(len(shots)), meanEyes+s.eyes/float64(len(shots))
		}
		for _, s := range shots {
			// The nose goes to the right of the image where the eye there gets narrower.
			xy -= (s.nose - meanNose) * (s.eyes - meanEyes)
			xx += (s.nose - meanNose) * (s.nose - meanNose)
		}
		if v, ok := turned(shots); ok {
			results[v.Result.String()+" "+v.Reason]++
			if depth, ok := v.Scores["depth"]; ok {
				depths = append(depths, depth)
			}
		}
	}
	if people == 0 || corners.n == 0 || along.n == 0 {
		t.Fatalf("%d people, %d pictures: nothing to measure", people, pictures)
	}
	t.Logf("LFW: %d people with %d pictures and more, %d pictures with a face", people, leastShots, pictures)
	t.Logf("within a person who looks ahead, eye distances: eye corners %.4f (%d pictures), base of the nose %.4f along and %.4f across (%d pictures)",
		corners.deviation(), forEyes, along.deviation(), across.deviation(), forNose)
	t.Logf("change of the eyes for that of the nose, all pictures about their person's mean: %.2f", xy/xx)
	if len(depths) == 0 {
		t.Log("turn: nobody has pictures ahead and to both sides")
		return
	}
	slices.Sort(depths)
	at := func(share float64) float64 { return depths[int(share*float64(len(depths)-1))] }
	t.Logf("turn, %d people with pictures ahead and to both sides: depth %.2f in the middle, %.2f to %.2f for half of them; %v", len(depths), at(0.5), at(0.25), at(0.75), results)
}

func valuesOf(shots []shot, of func(shot) float64) (out []float64) {
	for _, s := range shots {
		out = append(out, of(s))
	}
	return out
}

// turned gives a person's pictures ahead and to both sides to the turn challenge; ok
// is false where there are not two ahead and one to each side.
func turned(shots []shot) (v pad.Verdict, ok bool) {
	var ahead, left, right []shot
	for _, s := range shots {
		switch {
		case math.Abs(s.nose) <= aheadNose:
			ahead = append(ahead, s)
		case s.nose >= turnedNose:
			left = append(left, s)
		case s.nose <= -turnedNose:
			right = append(right, s)
		}
	}
	if len(ahead) < 2 || len(left) == 0 || len(right) == 0 {
		return v, false
	}
	c := pad.Challenge{Kind: pad.Turn, Steps: []pad.Step{{Cue: pad.Ahead, Millis: 1500}, {Cue: pad.TurnLeft, Millis: 1500}, {Cue: pad.TurnRite, Millis: 1500}, {Cue: pad.Ahead, Millis: 1500}}}
	// Press pictures are taken from far: so wide a picture has no perspective.
	const wide = 1 << 20
	frames := func(shots []shot) (out []pad.Frame) {
		for _, s := range shots {
			out = append(out, pad.Frame{Width: wide, Height: wide, Face: true, Points: s.original, Same: 0.98})
		}
		return out
	}
	all := map[pad.Cue][]pad.Frame{pad.Ahead: frames(ahead), pad.TurnLeft: frames(left), pad.TurnRite: frames(right)}
	return pad.Judge(c, laidOut(c, all), sameCosine), true
}
