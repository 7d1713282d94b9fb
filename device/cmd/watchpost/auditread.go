package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/audit/checkpoint"
	"github.com/watchpost/watchpost/device/encounter/store"
	"github.com/watchpost/watchpost/device/fault"
)

// auditPage is how many lines or heads are read at a time.
const auditPage = 1000

// readState reads a log where it lies.
func readState(dir string, f func(auditLog) error) error {
	return store.ReadAudit(dir, func(s *store.Store) error { return f(s) })
}

// copied is a log whose lines were copied from elsewhere.
type copied struct {
	key   string
	lines [][]byte
	heads [][]byte
}

func (c *copied) AuditLines(from int64, limit int) ([][]byte, error) {
	return pageOf(c.lines, from, limit), nil
}

func (c *copied) Heads(from int64, limit int) ([][]byte, error) {
	return pageOf(c.heads, from, limit), nil
}

func pageOf(all [][]byte, from int64, limit int) [][]byte {
	from = min(max(0, from), int64(len(all)))
	return all[from:min(from+int64(limit), int64(len(all)))]
}

func (c *copied) CheckAudit(r audit.Rules, sources ...audit.Evidence) (audit.Head, []audit.Finding, error) {
	return audit.Check(c, r, sources...)
}

// Lines implements audit.Log.
func (c *copied) Lines() (int64, error) { return int64(len(c.lines)), nil }

// Line implements audit.Log.
func (c *copied) Line(seq int64) ([]byte, error) {
	if seq < 0 || seq >= int64(len(c.lines)) {
		return nil, fault.New("audit.missing_line", "line %d is not in the copy", seq)
	}
	return c.lines[seq], nil
}

// exportFormat is the version of the form of an exported log.
const exportFormat = 1

// exported is one row of an exported log: first its form, then heads and lines
// in their order. Lines are text, not objects: their bytes are what is hashed.
type exported struct {
	Format int     `json:"format,omitempty"`
	Key    string  `json:"key,omitempty"`
	Head   *string `json:"head,omitempty"`
	Line   *string `json:"line,omitempty"`
}

// Limits of an exported file.
const (
	maxExportRow  = 64 << 10
	maxExportRows = 50_000_000
)

// readExport reads what "audit export" wrote.
func readExport(path string) (*copied, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fault.New("audit.file", "%w", err)
	}
	defer f.Close()
	c := &copied{}
	err = jsonRows(f, func(n int, raw []byte) error {
		var row exported
		if err := json.Unmarshal(raw, &row); err != nil || n > maxExportRows {
			return fault.New("audit.file", "row %d is not of an exported log", n+1)
		}
		switch {
		case n == 0 && row.Format == exportFormat:
			c.key = row.Key
		case n == 0:
			return fault.New("audit.file", "the file is not an exported log of version %d", exportFormat)
		case row.Line != nil:
			c.lines = append(c.lines, []byte(*row.Line))
		case row.Head != nil:
			c.heads = append(c.heads, []byte(*row.Head))
		default:
			return fault.New("audit.file", "row %d is neither a line nor a head", n+1)
		}
		return nil
	})
	if err == nil && c.key == "" && len(c.lines) == 0 {
		err = fault.New("audit.file", "the file is empty")
	}
	return c, err
}

// jsonRows calls f with each line of r.
func jsonRows(r io.Reader, f func(n int, raw []byte) error) error {
	in := bufio.NewScanner(r)
	in.Buffer(make([]byte, 0, 4096), maxExportRow)
	for n := 0; in.Scan(); n++ {
		if err := f(n, bytes.TrimSpace(in.Bytes())); err != nil {
			return err
		}
	}
	if errors.Is(in.Err(), bufio.ErrTooLong) {
		return fault.New("audit.file", "a row has more than %d bytes", maxExportRow)
	}
	return fault.Wrap("audit.file", in.Err())
}

// centralHeads reads what "watchpost-central heads export" wrote: the heads of
// one log, and the key that central has pinned for it. An export of several
// posts is read for origin only.
func centralHeads(path, origin string) (heads [][]byte, key string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, "", fault.New("audit.file", "%w", err)
	}
	defer f.Close()
	err = jsonRows(f, func(n int, raw []byte) error {
		var row struct{ Device, Key, Head string }
		if err := json.Unmarshal(raw, &row); err != nil || row.Head == "" {
			return fault.New("audit.file", "row %d is not of \"watchpost-central heads export\"", n+1)
		}
		if origin != "" && checkpoint.Origin(row.Device) != origin {
			return nil
		}
		heads, key = append(heads, []byte(row.Head)), row.Key
		return nil
	})
	return heads, key, err
}

// allOf reads all pages of lines or heads.
func allOf(read func(from int64, limit int) ([][]byte, error)) ([][]byte, error) {
	var all [][]byte
	for {
		some, err := read(int64(len(all)), auditPage)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
		if len(some) < auditPage { // a full page may have followers
			return all, nil
		}
	}
}
