// Package own reads the product's own record form, one JSON object a line.
package own

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/watchlist/imports"
	"github.com/watchpost/watchpost/device/watchlist/record"
)

// Read is an imports.Reader. A line that is too long or not a record is
// reported, and reading goes on with the next.
func Read(in io.Reader, m *imports.Maker, take imports.Take) error {
	lines := bufio.NewReaderSize(in, 64<<10)
	var buf []byte
	for n := 1; ; n++ {
		buf = buf[:0]
		tooLong := false
		var err error
		for {
			var part []byte
			part, err = lines.ReadSlice('\n')
			if tooLong = tooLong || len(buf)+len(part) > record.MaxSize+1; !tooLong {
				buf = append(buf, part...)
			}
			if !errors.Is(err, bufio.ErrBufferFull) {
				break
			}
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return fault.Wrap("input.read", err)
		}
		if row, ok := read(bytes.TrimSpace(buf), tooLong, n, m); ok {
			if err := take(row); err != nil {
				return err
			}
		}
		if err != nil {
			return nil
		}
	}
}

func read(line []byte, tooLong bool, n int, m *imports.Maker) (imports.Row, bool) {
	if tooLong {
		return imports.Broken(n, "", "import.row", "longer than a record may be"), true
	}
	if len(line) == 0 {
		return imports.Row{}, false
	}
	r, err := record.Parse(line)
	if err != nil {
		return imports.Row{Line: n, Problems: imports.Problems(err)}, true
	}
	if r.Schema != record.SchemaVersion {
		return imports.Broken(n, "schema", "record.range", "another version of the record's form"), true
	}
	return m.Row(n, r, nil), true
}
