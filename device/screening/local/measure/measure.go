// Package measure times what a post does with its lists when it starts, on
// made-up people.
package measure

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/watchpost/watchpost/device/biometric/finger"
	"github.com/watchpost/watchpost/device/biometric/kernel"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/screening/local"
	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/device/watchlist/budget"
	"github.com/watchpost/watchpost/device/watchlist/gallery/measure"
	"github.com/watchpost/watchpost/device/watchlist/record"
	"github.com/watchpost/watchpost/device/watchlist/store"
)

// Size of a list: people with one face, document numbers of people of their
// own, and people with ten prints. None may be below 0.
type Size struct {
	Faces     int `json:"faces"`
	Documents int `json:"documents"`
	Fingers   int `json:"fingers"`
}

// Start is what a start took.
type Start struct {
	Size
	Cores   int   `json:"cores"`
	Records int   `json:"records"`
	Disk    int64 `json:"disk_bytes"` // the generation's folder

	BuildSeconds float64 `json:"build_seconds"` // on the publisher's side; 0 where the list was there already
	// Of the start itself, from files that are not in the page cache.
	OpenSeconds float64 `json:"open_seconds"` // header and index
	LoadSeconds float64 `json:"load_seconds"` // authenticate every block, decrypt and load every table
	Ready       float64 `json:"ready_seconds"`
	// CPU is what the start took of all cores together: half of it is what two
	// cores with nothing else to do need at least.
	CPU float64 `json:"cpu_seconds"`

	Budget budget.Memory `json:"memory_bytes"` // by part, as the budget counts it
	Heap   int64         `json:"heap_bytes"`   // that the lists added, measured after a collection
	Peak   int64         `json:"peak_rss_bytes"`
}

// list and generation that are made; the key is made up and the same each
// time, so that a list can be measured again.
const (
	list       = "bench"
	generation = 1
)

func key(ring *vault.Ring) (*vault.Key, error) {
	return ring.Import(bytes.Repeat([]byte{0xbe}, vault.KeySize))
}

// Build makes a list of the given size in the folder dir, which must not be
// there. Data of the records is made up; the seconds that it took are
// returned.
func Build(ctx context.Context, dir string, size Size) (float64, error) {
	begun := time.Now()
	ring := vault.NewRing()
	defer ring.Close()
	k, err := key(ring)
	if err != nil {
		return 0, err
	}
	created := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	b, err := store.Create(dir, ring, k, store.Spec{
		List: list, Generation: generation, Owner: "bench", LegalBasis: "none", Purpose: "measurement",
		Handling: record.Handling{Action: record.Refer}, Created: created, Expires: created.AddDate(10, 0, 0),
	})
	if err != nil {
		return 0, err
	}
	if err := b.AddAll(ctx, people(size)); err != nil {
		b.Abort()
		return 0, err
	}
	_, err = b.Finish(ctx)
	return time.Since(begun).Seconds(), err
}

// people makes the records of a list.
func people(size Size) iter.Seq2[*record.Record, error] {
	const batch = 4096
	crowd := measure.Synthetic(1)
	return func(yield func(*record.Record, error) bool) {
		for i := 0; i < size.Faces; i += batch {
			n := min(batch, size.Faces-i)
			rows := crowd.Rows(n, uint64(i+1))
			for j := range n {
				r := person("F", i+j)
				r.Faces = []record.Face{{Model: "m", Version: "1", Vector: rows[j*kernel.Dims:][:kernel.Dims:kernel.Dims], Images: 1}}
				if !yield(r, nil) {
					return
				}
			}
		}
		for i := range size.Documents {
			if !yield(&record.Record{
				Schema: record.SchemaVersion, ID: fmt.Sprintf("D-%08d", i), Edition: 1,
				Documents: []record.Document{{Type: "P", Issuer: "UTO", Number: fmt.Sprintf("L%08d", i), Status: record.DocumentLost}},
			}, nil) {
				return
			}
		}
		random := rand.New(rand.NewPCG(1, 1))
		for i := range size.Fingers {
			r := person("T", i)
			var err error
			if r.Fingers, err = tenPrints(random); !yield(r, err) || err != nil {
				return
			}
		}
	}
}

func person(kind string, n int) *record.Record {
	return &record.Record{
		Schema: record.SchemaVersion, ID: fmt.Sprintf("%s-%08d", kind, n), Edition: 1,
		Names: []record.Name{{Primary: fmt.Sprintf("Family%d", n), Secondary: "Given", Script: "Latn", Kind: record.NamePrimary, Quality: record.NameGood}},
	}
}

// tenPrints makes ten templates of 30 to 60 minutiae in the form in which the
// engine writes them; they are as long as real ones and of no finger.
func tenPrints(r *rand.Rand) ([]record.Finger, error) {
	fingers := make([]record.Finger, 10)
	for p := range fingers {
		t := &finger.Template{Width: 400, Height: 500}
		for range 30 + r.IntN(31) {
			t.Minutiae = append(t.Minutiae, finger.Minutia{X: float32(r.IntN(400)), Y: float32(r.IntN(500)), Angle: r.Float32() * 6, Kind: 1, Quality: 60})
		}
		raw, err := finger.MarshalISO([]finger.View{{Template: t, Position: uint8(p + 1)}})
		if err != nil {
			return nil, err
		}
		fingers[p] = record.Finger{Position: p + 1, Format: record.MinutiaeISO19794, Template: raw, Quality: 60, Impress: record.PressedLive}
	}
	return fingers, nil
}

// Run opens and loads the list in dir as a post does at its start, after its
// files were dropped from the page cache, with so many bytes of memory
// available. It fails with budget.ErrOver where the list does not fit.
func Run(ctx context.Context, dir string, available int64) (*Start, error) {
	ring := vault.NewRing()
	defer ring.Close()
	k, err := key(ring)
	if err != nil {
		return nil, err
	}
	out := &Start{Cores: runtime.GOMAXPROCS(0)}
	if out.Disk, err = forget(dir); err != nil {
		return nil, err
	}
	debug.FreeOSMemory()
	before := heap()

	spent := cpu()
	begun := time.Now()
	g, err := store.OpenFolder(dir, k)
	if err != nil {
		return nil, err
	}
	m := g.Manifest()
	if err := budget.Check([]*store.Manifest{m}, available); err != nil {
		_ = g.Close() // nothing was written
		return nil, err
	}
	budget.Bound([]*store.Manifest{m})
	out.OpenSeconds = time.Since(begun).Seconds()
	loading := time.Now()
	l, err := local.Load(ctx, g)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	out.LoadSeconds = time.Since(loading).Seconds()
	out.Ready = time.Since(begun).Seconds()

	out.CPU = cpu() - spent
	out.Peak = peak()
	runtime.GC()
	out.Heap = heap() - before
	out.Records, out.Documents, out.Budget = m.Records, m.Documents, budget.Of(m)
	for _, f := range m.Faces {
		out.Faces += f.Templates
	}
	out.Fingers = m.Fingers.Persons
	runtime.KeepAlive(l)
	return out, nil
}

// forget drops the files of a folder from the page cache and returns their
// lengths together.
func forget(dir string) (int64, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0, fault.Wrap("file.open", err)
	}
	var size int64
	for _, e := range entries {
		h, err := os.Open(filepath.Join(dir, e.Name()))
		if err != nil {
			return 0, fault.Wrap("file.open", err)
		}
		if info, err := h.Stat(); err == nil {
			size += info.Size()
		}
		_ = h.Sync() // what is not written yet cannot be dropped; measuring goes on without
		_ = unix.Fadvise(int(h.Fd()), 0, 0, unix.FADV_DONTNEED)
		h.Close()
	}
	return size, nil
}

func heap() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// cpu returns the seconds of processor that the process has taken, 0 where the
// kernel does not say.
func cpu() float64 {
	var r unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano()).Seconds()
}

// peak returns the most memory the process has had, 0 where the kernel does
// not say.
func peak() int64 {
	raw, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(raw)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "VmHWM:" {
			kib, err := strconv.ParseInt(f[1], 10, 64)
			if err == nil {
				return kib << 10
			}
		}
	}
	return 0
}
