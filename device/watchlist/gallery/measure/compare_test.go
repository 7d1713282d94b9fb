package measure

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/watchpost/watchpost/device/biometric/kernel"
	"github.com/watchpost/watchpost/device/watchlist/gallery"
)

const (
	compareFaces   = 1_000_000
	compareRepeats = 30
	faissVersion   = "1.15.1"
)

// TestCompareFAISS searches the same made-up people with FAISS's exact index,
// as Debian builds it and as PyPI does with AVX2, one thread each. With
// WATCHPOST_DATA, and the built programs in WATCHPOST_BIN, they are drawn with
// the mean and covariance of photographs' templates. It fails
// where the nearest person differs; the times are printed, not judged: they
// depend on what else the machine does. WATCHPOST_COMPARE_FACES sets another
// number of people, WATCHPOST_COMPARE_REPEATS of repeats.
func TestCompareFAISS(t *testing.T) {
	if os.Getenv("WATCHPOST_COMPARE") == "" {
		t.Skip("SKIPPED: set WATCHPOST_COMPARE=1 to compare with FAISS")
	}
	number := func(name string, otherwise, least int) int {
		s := os.Getenv(name)
		if s == "" {
			return otherwise
		}
		n, err := strconv.Atoi(s)
		if err != nil || n < least {
			t.Fatalf("%s=%q: a number from %d on", name, s, least)
		}
		return n
	}
	faces, repeats := number("WATCHPOST_COMPARE_FACES", compareFaces, 1000), number("WATCHPOST_COMPARE_REPEATS", compareRepeats, 1)
	cache := cacheDir(t)
	crowd := crowdLike(t)
	rows, with := crowd.Rows(faces, 1), Probes(crowd)
	r, err := Run(context.Background(), rows, with, repeats)
	if err != nil {
		t.Fatal(err)
	}
	if !r.Identical {
		t.Error("an answer of the filter was not that of the scan")
	}
	t.Logf("%d faces, one thread, best of %d, median of %d probes, ms a query", faces, repeats, len(with))
	t.Logf("%-28s %15.3f   best of all reads %.3f", "memory bound (float32)", r.MemoryBound, r.ReadBest)
	t.Logf("%-28s top 50 %8.3f   %.3f of the bound, %.3f of the best of all reads", "watchpost scan, "+r.Kernel, r.MS.TopScan, r.MS.TopScan/r.MemoryBound, r.MS.TopScan/r.ReadBest)
	t.Logf("%-28s top 50 %8.3f   radius %8.3f, right after a scan %.3f", "watchpost filter, "+r.Kernel, r.MS.Top, r.MS.Radius, r.MS.Cold)
	if more := r.Throughput; more != nil {
		t.Logf("%-28s scan %.2f, top 50 %.2f, radius %.2f times as many a second", "two cores, throughput", more.TopScan, more.Top, more.Radius)
	}
	if two := r.MSTwoCores; two != nil {
		t.Logf("%-28s scan %.2f, top 50 %.2f, radius %.2f times as fast", "two cores, one query", r.MS.TopScan/two.TopScan, r.MS.Top/two.Top, r.MS.Radius/two.Radius)
	}

	dir := t.TempDir()
	rowsFile, probesFile := write(t, dir, "rows", rows), write(t, dir, "probes", flat(with))
	args := []string{rowsFile, probesFile, strconv.Itoa(repeats), strconv.FormatFloat(2-2*float64(r.RadiusAt), 'g', -1, 64)}
	nearest := nearestOf(rows, with)
	peer := func(name string, cmd *exec.Cmd) {
		cmd.Env = append(os.Environ(), "FAISS_OPT_LEVEL=avx2", "OMP_NUM_THREADS=1")
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		fields := strings.Fields(string(out))
		if len(fields) != 2+len(with) {
			t.Errorf("%s printed %q", name, out)
			return
		}
		top, _ := strconv.ParseFloat(fields[0], 64)
		radius, _ := strconv.ParseFloat(fields[1], 64)
		t.Logf("%-28s top 50 %8.3f   radius %8.3f   ours: scan %.2f, top 50 %.2f, radius %.3f of it (radius %.3f of its top 50)",
			name, top, radius, r.MS.TopScan/top, r.MS.Top/top, r.MS.Radius/radius, r.MS.Radius/top)
		for i, want := range nearest {
			if fields[2+i] != strconv.Itoa(want) {
				t.Errorf("%s: nearest to probe %d is %s, ours %d", name, i, fields[2+i], want)
			}
		}
	}
	peer("FAISS, PyPI "+faissVersion+", AVX2", exec.Command(python(t, cache), append([]string{"testdata/pypi.py"}, args...)...))
	peer("FAISS, Debian libfaiss", exec.Command(debian(t, cache), args...))
}

// likeImages is how many photographs a crowd is drawn like.
const likeImages = 250

func crowdLike(t *testing.T) *Crowd {
	data, bin := os.Getenv("WATCHPOST_DATA"), os.Getenv("WATCHPOST_BIN")
	if data == "" || bin == "" {
		t.Log("made-up people of the built-in spectrum: WATCHPOST_DATA or WATCHPOST_BIN is not set")
		return Synthetic(1)
	}
	files, err := filepath.Glob(filepath.Join(data, "face", "lfw", "*", "*.jpg"))
	if err != nil || len(files) < likeImages {
		t.Fatalf("%d photographs in WATCHPOST_DATA: %v", len(files), err)
	}
	args := []string{"face", "template"}
	for i := range likeImages {
		args = append(args, files[i*len(files)/likeImages])
	}
	cmd := exec.Command(filepath.Join(bin, "watchpost"), args...)
	out, err := cmd.Output() // 3 where an image has no face: the others count
	if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && (!ok || exit.ExitCode() != 3) {
		t.Fatal(err)
	}
	var templates []gallery.Template
	for line := range strings.Lines(string(out)) {
		var row struct{ Vector []float32 }
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatal(err)
		}
		if len(row.Vector) == kernel.Dims {
			templates = append(templates, gallery.Template(row.Vector))
		}
	}
	crowd, err := Like(templates)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("made-up people like those of %d photographs", len(templates))
	return crowd
}

// nearestOf is brute force in float64.
func nearestOf(rows []float32, with []gallery.Template) []int {
	nearest := make([]int, len(with))
	for p := range with {
		most := math.Inf(-1)
		for i := range len(rows) / kernel.Dims {
			var s float64
			for j, v := range rows[i*kernel.Dims : (i+1)*kernel.Dims] {
				d := float64(v) - float64(with[p][j])
				s -= d * d
			}
			if s > most {
				most, nearest[p] = s, i
			}
		}
	}
	return nearest
}

func cacheDir(t *testing.T) string {
	base, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(base, "watchpost", "compare")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// python returns an interpreter that has faiss-cpu.
func python(t *testing.T, cache string) string {
	venv := filepath.Join(cache, "faiss-"+faissVersion)
	bin := filepath.Join(venv, "bin", "python3")
	if exec.Command(bin, "-c", "import faiss").Run() != nil {
		run(t, "python3", "-m", "venv", venv)
		run(t, bin, "-m", "pip", "install", "-q", "faiss-cpu=="+faissVersion, "numpy")
	}
	return bin
}

// debian returns the program linked to Debian's library.
func debian(t *testing.T, cache string) string {
	if _, err := os.Stat("/usr/include/faiss/IndexFlat.h"); err != nil {
		run(t, "apt-get", "install", "-y", "-q", "libfaiss-dev", "libopenblas-dev") // needs root
	}
	bin := filepath.Join(cache, "faiss-debian")
	run(t, "g++", "-O2", "-fopenmp", "-o", bin, "testdata/debian.cc", "-lfaiss", "-lopenblas")
	return bin
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}

func flat(with []gallery.Template) []float32 {
	var out []float32
	for i := range with {
		out = append(out, with[i][:]...)
	}
	return out
}

func write(t *testing.T, dir, name string, values []float32) string {
	t.Helper()
	raw := make([]byte, 0, 4*len(values))
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
