package wsq

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// peerVersion is of the Python package that carries the NBIS codec.
const peerVersion = "0.9"

// TestCompareNBIS holds this codec to NBIS on generated ridges and, where the
// data lies, on real prints: the same files to a grey level, no larger at no
// less likeness. Speed is printed.
func TestCompareNBIS(t *testing.T) {
	if os.Getenv("WATCHPOST_COMPARE") == "" {
		t.Skip("SKIP: a comparison with a peer; make compare runs it")
	}
	python := peer(t)
	dir := t.TempDir()
	for i, size := range [][2]int{{388, 374}, {257, 263}, {500, 751}, {160, 161}} {
		writePGM(t, filepath.Join(dir, fmt.Sprintf("ridges%d.pgm", i)), ridges(size[0], size[1], uint64(i)))
	}
	if data := os.Getenv("WATCHPOST_DATA"); data != "" {
		var files []string
		for _, set := range []string{"fvc2000_db2_b", "fvc2002_db1_b", "fvc2002_db2_b"} {
			some, err := filepath.Glob(filepath.Join(data, "fingerprint", set, "10?_1.tif"))
			if err != nil || len(some) == 0 {
				t.Fatalf("no prints of %s: %v", set, err)
			}
			files = append(files, some...)
		}
		output(t, python, append([]string{"testdata/nbis.py", dir, "--pgm"}, files...)...)
	}
	pictures, err := filepath.Glob(filepath.Join(dir, "*.pgm"))
	if err != nil {
		t.Fatal(err)
	}
	var ours struct{ encode, decode time.Duration }
	for _, p := range pictures {
		img := readPGM(t, p)
		ours.encode += fastest(func() { encode(t, img, Rate15) })
		write(t, base(p)+".ours.wsq", encode(t, img, Rate15))
	}
	var theirs struct{ Encode, Decode float64 }
	if err := json.Unmarshal(output(t, python, "testdata/nbis.py", dir), &theirs); err != nil {
		t.Fatal(err)
	}
	worst, different, pixels := 0, 0, 0
	var sizeOurs, sizeTheirs int
	var least, lossOurs, lossTheirs float64
	for _, p := range pictures {
		img := readPGM(t, p)
		for _, kind := range []string{".nbis", ".ours"} {
			b, err := os.ReadFile(base(p) + kind + ".wsq")
			if err != nil {
				t.Fatal(err)
			}
			got, err := Decode(b)
			if err != nil {
				t.Fatalf("%s%s: %v", filepath.Base(p), kind, err)
			}
			by := base(p) + ".nbis.pgm"
			if kind == ".ours" {
				by = base(p) + ".ours.nbis.pgm"
				sizeOurs += len(b)
				lossOurs += psnr(t, img, got)
				least = min(least, psnr(t, img, got)-psnr(t, img, readPGM(t, base(p)+".nbis.pgm")))
			} else {
				ours.decode += fastest(func() { _, err = Decode(b) })
				sizeTheirs += len(b)
				lossTheirs += psnr(t, img, got)
			}
			want := readPGM(t, by)
			for i := range want.Pix {
				d := int(got.Pix[i]) - int(want.Pix[i])
				worst = max(worst, d, -d)
				if d != 0 {
					different++
				}
			}
			pixels += len(want.Pix)
		}
	}
	n := float64(len(pictures))
	t.Logf("%d pictures; decoders differ by at most %d grey level, in %.4f %% of the pixels", len(pictures), worst, 100*float64(different)/float64(pixels))
	t.Logf("size ours/NBIS %.4f; likeness ours %.2f dB, NBIS %.2f dB, worst difference %.2f dB", float64(sizeOurs)/float64(sizeTheirs), lossOurs/n, lossTheirs/n, least)
	t.Logf("time ours/NBIS: encode %.2f (%.1f ms a picture), decode %.2f (%.1f ms)",
		ours.encode.Seconds()/theirs.Encode, 1000*ours.encode.Seconds()/n, ours.decode.Seconds()/theirs.Decode, 1000*ours.decode.Seconds()/n)
	if worst > 1 || float64(different) > 0.001*float64(pixels) {
		t.Errorf("the decoders differ by up to %d in %d of %d pixels", worst, different, pixels)
	}
	if float64(sizeOurs) > 1.005*float64(sizeTheirs) || least < -0.05 {
		t.Error("files larger, or pictures worse, than NBIS makes them")
	}
}

func base(p string) string { return strings.TrimSuffix(p, ".pgm") }

func fastest(work func()) time.Duration {
	best := time.Duration(1 << 62)
	for range 5 {
		start := time.Now()
		work()
		best = min(best, time.Since(start))
	}
	return best
}

// peer returns a Python with the NBIS codec.
func peer(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	venv := filepath.Join(cache, "watchpost", "compare", "wsq-"+peerVersion)
	bin := filepath.Join(venv, "bin", "python3")
	if exec.Command(bin, "-c", "import wsq").Run() != nil {
		output(t, "python3", "-m", "venv", "--clear", venv)
		output(t, bin, "-m", "pip", "install", "-q", "wsq=="+peerVersion, "pillow")
	}
	return bin
}

func output(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	out, err := exec.Command(name, args...).Output()
	if err != nil {
		var said []byte
		if exit, ok := err.(*exec.ExitError); ok {
			said = exit.Stderr
		}
		t.Fatalf("%s: %v\n%s", name, err, said)
	}
	return out
}

func writePGM(t *testing.T, path string, img Image) {
	t.Helper()
	write(t, path, append(fmt.Appendf(nil, "P5\n%d %d\n255\n", img.Width, img.Height), img.Pix...))
}

func readPGM(t *testing.T, path string) Image {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var w, h, white int
	if n, err := fmt.Sscanf(string(b), "P5\n%d %d\n%d", &w, &h, &white); n != 3 || white != 255 || len(b) < w*h {
		t.Fatalf("%s: %v", path, err)
	}
	return Image{Pix: b[len(b)-w*h:], Width: w, Height: h}
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}
