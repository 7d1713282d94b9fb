// Package budget tells whether lists fit into memory before they are loaded:
// a post that runs out of memory in mid-encounter, or that pages its gallery
// to a disk, is worse than one that does not start.
package budget

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/watchlist/store"
)

// ErrOver says that the lists do not fit.
var ErrOver = &fault.Error{Code: "lists.over_budget", Hint: "give the box more memory, or it fewer lists"}

// Memory is what a list takes once it is loaded, in bytes by part.
type Memory struct {
	Templates int64 `json:"templates"` // face templates
	Codes     int64 `json:"codes"`     // of the filter of faces
	Labels    int64 `json:"labels"`    // whose template which is
	Prints    int64 `json:"prints"`    // packed fingerprints
	Places    int64 `json:"places"`    // whose print lies where
	Keys      int64 `json:"keys"`      // of the records of faces and prints
	Documents int64 `json:"documents"` // table of document numbers
	Index     int64 `json:"index"`     // where in records.db a record lies
	Total     int64 `json:"total"`
}

// What one of each takes: sizes of the tables in device/watchlist/gallery
// (chunk.go), fingers (index.go), docnumber and store, and for a person's
// place in a map what it was measured to take. Packed prints take what their
// files do.
const (
	templateBytes = 512
	codeBytes     = 48 + 1
	labelBytes    = 8 + 8 + 4
	personBytes   = 36
	placeBytes    = 32 + 8 // location, and what its chunk notes
	entryBytes    = 48     // a person with prints, without the map
	keyBytes      = 16
	documentBytes = 16
	indexBytes    = 24
	blockBytes    = 16 << 10
)

// Of returns what a list takes.
func Of(m *store.Manifest) Memory {
	var b Memory
	for _, f := range m.Faces {
		b.Templates += int64(f.Templates) * templateBytes
		b.Codes += int64(f.Templates) * codeBytes
		b.Labels += int64(f.Templates)*labelBytes + int64(f.Persons)*personBytes
		b.Keys += int64(f.Persons) * keyBytes
	}
	for _, f := range m.Files {
		if f.Kind == store.KindFingers {
			b.Prints += f.Size
		}
	}
	b.Places = int64(m.Fingers.Prints)*placeBytes + int64(m.Fingers.Persons)*(entryBytes+personBytes)
	b.Keys += int64(m.Fingers.Persons) * keyBytes
	b.Documents = int64(m.Documents) * documentBytes
	b.Index = m.RecordBytes / blockBytes * indexBytes
	b.Total = b.Templates + b.Codes + b.Labels + b.Prints + b.Places + b.Keys + b.Documents + b.Index
	return b
}

// Reserve is what is left to everything else that starts after the lists, in
// bytes: the page's browser, decode processes with their models, the garbage
// collector's room. A round figure, not measured as a whole.
const Reserve = 1 << 30

// Check refuses lists that take more than available leaves after Reserve.
func Check(lists []*store.Manifest, available int64) error {
	need := total(lists)
	if need > max(0, available-Reserve) {
		return fault.New(ErrOver.Code, "the lists take %d MiB, of %d MiB free %d MiB are reserved", need>>20, available>>20, int64(Reserve)>>20).WithHint(ErrOver.Hint)
	}
	return nil
}

func total(lists []*store.Manifest) (need int64) {
	for _, m := range lists {
		need += Of(m).Total
	}
	return need
}

// Bound keeps this process from taking more memory than the lists and Reserve,
// as far as collecting garbage can: left to itself Go's collector lets a heap
// grow to twice what lives in it, which for lists of gigabytes no box has. A
// lower bound that is set already (GOMEMLIMIT) stays.
func Bound(lists []*store.Manifest) {
	debug.SetMemoryLimit(min(debug.SetMemoryLimit(-1), total(lists)+Reserve))
}

// Available returns how many bytes of memory can be taken without swapping:
// what the kernel says is available, and at most what the limits of the
// process's cgroup leave.
func Available() (int64, error) {
	raw, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, fault.Wrap("budget.unknown", err)
	}
	free := int64(-1)
	for line := range bytes.Lines(raw) {
		if f := bytes.Fields(line); len(f) == 3 && string(f[0]) == "MemAvailable:" {
			if kib, err := strconv.ParseInt(string(f[1]), 10, 64); err == nil {
				free = kib << 10
			}
		}
	}
	if free < 0 {
		return 0, fault.New("budget.unknown", "/proc/meminfo does not say what is available")
	}
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return free, nil // a kernel without cgroups limits nothing by them
	}
	return min(free, cgroupLeft("/sys/fs/cgroup", string(own))), nil
}

// cgroupLeft returns what the limits of a cgroup (version 2) and of those
// above it leave; the largest number where there is no limit.
func cgroupLeft(root, own string) int64 {
	const unlimited = 1<<63 - 1
	path := ""
	for line := range strings.Lines(own) {
		if p, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			path = p
		}
	}
	left := int64(unlimited)
	for dir := filepath.Join(root, path); strings.HasPrefix(dir, root); dir = filepath.Dir(dir) {
		most, err1 := number(filepath.Join(dir, "memory.max"))
		used, err2 := number(filepath.Join(dir, "memory.current"))
		if err1 == nil && err2 == nil {
			left = min(left, max(0, most-used+files(filepath.Join(dir, "memory.stat"))))
		}
	}
	return left
}

// files returns how much of a cgroup's memory holds parts of files. The kernel
// gives it up before it refuses any, so that reading much takes nothing away;
// of the whole machine MemAvailable counts it as available, too.
func files(path string) (sum int64) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(raw) {
		if f := bytes.Fields(line); len(f) == 2 && (string(f[0]) == "active_file" || string(f[0]) == "inactive_file") {
			if n, err := strconv.ParseInt(string(f[1]), 10, 64); err == nil {
				sum += n
			}
		}
	}
	return sum
}

func number(path string) (int64, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(raw)), 10, 64) // "max" is no number: no limit
}
