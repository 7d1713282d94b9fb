// Package sourceafis compares the finger engine with SourceAFIS (Java, Maven
// Central) on the same prints and pairs in one run. It needs a JDK, Maven and
// the evaluation data; make compare runs it.
package sourceafis

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/image/tiff"

	"github.com/watchpost/watchpost/device/biometric/finger"
)

// An FVC set, part B.
const (
	fingers = 10
	each    = 8
)

// engine is what one of the two made of all sets.
type engine struct {
	name                string
	extraction, compare time.Duration
	prints, pairs       int
	genuine, impostor   []float64
}

func TestCompareSourceAFIS(t *testing.T) {
	if os.Getenv("WATCHPOST_COMPARE") == "" {
		t.Skip("SKIP: a comparison with a peer; make compare runs it")
	}
	data := os.Getenv("WATCHPOST_DATA")
	if data == "" {
		t.Skip("SKIP: WATCHPOST_DATA is not set: no prints to compare on")
	}
	java := build(t)
	all := [2]engine{{name: "Watchpost"}, {name: "SourceAFIS 3.18.1"}}
	for _, set := range []struct {
		name string
		dpi  float64
	}{{"fvc2002_db1_b", 500}, {"fvc2002_db2_b", 569}, {"fvc2000_db2_b", 500}} {
		images := load(t, filepath.Join(data, "fingerprint", set.name), set.dpi)
		one := [2]engine{ours(t, images), theirs(t, java, images)}
		for i := range all {
			one[i].name = all[i].name
			t.Logf("%s, %v", set.name, &one[i])
			all[i].add(&one[i])
		}
	}
	for i := range all {
		t.Logf("three sets pooled, %v", &all[i])
	}
	a, b := &all[0], &all[1]
	t.Logf("time ours/theirs: extraction %.2f, comparison %.2f", ratio(a.extraction, b.extraction), ratio(a.compare, b.compare))
	if x, y := a.eer(), b.eer(); x > y {
		t.Errorf("EER %.2f %%, SourceAFIS %.2f %%", 100*x, 100*y)
	}
	if x, y := a.fnmr(1e-3), b.fnmr(1e-3); x > y {
		t.Errorf("FNMR at FMR 1e-3 %.2f %%, SourceAFIS %.2f %%", 100*x, 100*y)
	}
}

func ratio(a, b time.Duration) float64 { return float64(a) / float64(b) }

func load(t *testing.T, dir string, dpi float64) []finger.Image {
	t.Helper()
	var out []finger.Image
	for f := range fingers {
		for i := range each {
			b, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("%d_%d.tif", 101+f, 1+i)))
			if err != nil {
				t.Fatal(err)
			}
			img, err := tiff.Decode(bytes.NewReader(b))
			if err != nil {
				t.Fatal(err)
			}
			g, ok := img.(*image.Gray)
			if !ok {
				t.Fatalf("%s is not grey", dir)
			}
			out = append(out, finger.Image{Pix: g.Pix, Width: g.Rect.Dx(), Height: g.Rect.Dy(), DPI: dpi})
		}
	}
	return out
}

// ours does on one core what the peer does. A print that is not enrolled
// scores below all others.
func ours(t *testing.T, images []finger.Image) engine {
	t.Helper()
	var e engine
	x := finger.NewExtractor()
	templates := make([]*finger.Template, len(images))
	for range 2 { // the first warms the caches, as the peer's does
		start := time.Now()
		for i := range images {
			var err error
			if templates[i], err = x.Extract(&images[i]); err != nil {
				t.Errorf("print %d: %v", i, err)
			}
		}
		e.extraction = time.Since(start)
	}
	m := finger.NewMatcher()
	var scores []float64
	start := time.Now()
	for a := range templates {
		for b := a + 1; b < len(templates); b++ {
			s := math.Inf(-1)
			if templates[a] != nil && templates[b] != nil {
				s = m.Score(templates[a], templates[b])
			}
			scores = append(scores, s)
		}
	}
	e.compare = time.Since(start)
	e.sort(len(images), scores)
	return e
}

func theirs(t *testing.T, classpath string, images []finger.Image) engine {
	t.Helper()
	dir := t.TempDir()
	args := []string{"-Xmx2g", "-cp", classpath, "Compare"}
	for i, m := range images {
		path := filepath.Join(dir, fmt.Sprintf("%03d.raw", i))
		head := binary.BigEndian.AppendUint32(nil, uint32(m.Width))
		head = binary.BigEndian.AppendUint32(head, uint32(m.Height))
		head = binary.BigEndian.AppendUint64(head, math.Float64bits(m.DPI))
		if err := os.WriteFile(path, append(head, m.Pix...), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, path)
	}
	out, err := exec.Command("java", args...).Output()
	if err != nil {
		t.Fatalf("java: %v", err)
	}
	lines := strings.Fields(string(out))
	if want := 2 + len(images)*(len(images)-1)/2; len(lines) != want {
		t.Fatalf("%d lines of scores, want %d", len(lines), want)
	}
	var values []float64
	for _, l := range lines {
		v, err := strconv.ParseFloat(l, 64)
		if err != nil {
			t.Fatal(err)
		}
		values = append(values, v)
	}
	e := engine{extraction: time.Duration(values[0]), compare: time.Duration(values[1])}
	e.sort(len(images), values[2:])
	return e
}

// sort files the scores of all pairs of n prints by whether they are mates.
func (e *engine) sort(n int, scores []float64) {
	e.prints, e.pairs = n, len(scores)
	for a := range n {
		for b := a + 1; b < n; b++ {
			if a/each == b/each {
				e.genuine = append(e.genuine, scores[0])
			} else {
				e.impostor = append(e.impostor, scores[0])
			}
			scores = scores[1:]
		}
	}
	slices.Sort(e.genuine)
	slices.Sort(e.impostor)
}

func (e *engine) add(o *engine) {
	e.extraction += o.extraction
	e.compare += o.compare
	e.prints += o.prints
	e.pairs += o.pairs
	e.genuine = append(e.genuine, o.genuine...)
	e.impostor = append(e.impostor, o.impostor...)
	slices.Sort(e.genuine)
	slices.Sort(e.impostor)
}

// fnmr is the share of mates below the lowest threshold at which at most fmr
// of the others pass.
func (e *engine) fnmr(fmr float64) float64 {
	i := len(e.impostor) - 1 - int(fmr*float64(len(e.impostor)))
	below, _ := slices.BinarySearchFunc(e.genuine, e.impostor[i], func(g, t float64) int {
		if g <= t {
			return -1
		}
		return 1
	})
	return float64(below) / float64(len(e.genuine))
}

func (e *engine) eer() float64 {
	gap, out := 2.0, 1.0
	for _, t := range e.genuine {
		below, _ := slices.BinarySearch(e.genuine, t)
		under, _ := slices.BinarySearch(e.impostor, t)
		fnmr := float64(below) / float64(len(e.genuine))
		fmr := 1 - float64(under)/float64(len(e.impostor))
		if d := math.Abs(fnmr - fmr); d < gap {
			gap, out = d, (fnmr+fmr)/2
		}
	}
	return out
}

func (e *engine) String() string {
	return fmt.Sprintf("%-17s EER %5.2f %%  FNMR@1e-2 %5.2f %%  @1e-3 %5.2f %%  extraction %5.1f ms  comparison %5.2f ms",
		e.name, 100*e.eer(), 100*e.fnmr(1e-2), 100*e.fnmr(1e-3),
		1000*e.extraction.Seconds()/float64(e.prints), 1000*e.compare.Seconds()/float64(e.pairs))
}

// build fetches the peer and compiles Compare.java; it returns the class path.
func build(t *testing.T) string {
	t.Helper()
	for _, tool := range []string{"mvn", "javac", "java"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Fatalf("%s is missing: apt-get install default-jdk-headless maven", tool)
		}
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "watchpost", "compare", "sourceafis")
	classes := t.TempDir()
	do := func(name string, args ...string) {
		if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
	}
	if jars, _ := filepath.Glob(filepath.Join(dir, "sourceafis-*.jar")); len(jars) == 0 {
		do("mvn", "-q", "-B", "-f", "pom.xml", "dependency:copy-dependencies", "-DoutputDirectory="+dir)
	}
	path := filepath.Join(dir, "*") + string(filepath.ListSeparator) + classes
	do("javac", "-nowarn", "-cp", path, "-d", classes, "Compare.java")
	return path
}
