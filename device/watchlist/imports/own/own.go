// Package own reads the product's own record form, one JSON object a line,
// with the pictures that its records name or bring.
package own

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"runtime"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/watchlist/imports"
	"github.com/watchpost/watchpost/device/watchlist/imports/pictures"
	"github.com/watchpost/watchpost/device/watchlist/record"
)

// Read is Reader for records without pictures: those that bring any are
// broken.
func Read(in io.Reader, m *imports.Maker, take imports.Take) error {
	return Reader(context.Background(), nil)(in, m, take)
}

// Reader returns a reader that prepares pictures, several records at a time. A
// line that is too long or not a record is reported, and reading goes on with
// the next.
func Reader(ctx context.Context, p *pictures.Maker) imports.Reader {
	return func(in io.Reader, m *imports.Maker, take imports.Take) error {
		order := pictures.Order[*row]{Ahead: 2 * runtime.GOMAXPROCS(0)}
		defer order.Wait()
		hand := func(r *row) error {
			if r.err != nil {
				return r.err
			}
			if r.record == nil {
				return take(imports.Row{Line: r.line, Problems: r.problems})
			}
			return take(m.Row(r.line, r.record, r.problems))
		}
		err := lines(in, func(n int, text []byte, tooLong bool) error {
			r := read(text, tooLong, n)
			if r == nil {
				return nil
			}
			var work func()
			if r.record != nil && pictures.Needed(r.record) && p != nil {
				work = func() {
					var notes []imports.Problem
					r.problems, notes, r.err = p.Prepare(ctx, r.record)
					r.problems = append(r.problems, notes...)
				}
			}
			return order.Add(r, work, hand)
		})
		if err != nil {
			return err
		}
		return order.Finish(hand)
	}
}

// row is one line under way.
type row struct {
	line     int
	record   *record.Record // nil: problems say why
	problems []imports.Problem
	err      error // ends the import
}

// lines calls do for every line that is not empty; text is valid until the next.
func lines(in io.Reader, do func(n int, text []byte, tooLong bool) error) error {
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
		if err := do(n, bytes.TrimSpace(buf), tooLong); err != nil {
			return err
		}
		if err != nil {
			return nil
		}
	}
}

// read returns nil for an empty line.
func read(line []byte, tooLong bool, n int) *row {
	broken := func(problems []imports.Problem) *row { return &row{line: n, problems: problems} }
	if tooLong {
		return broken(imports.Broken(n, "", "import.row", "longer than a record may be").Problems)
	}
	if len(line) == 0 {
		return nil
	}
	r, err := record.Parse(line)
	if err != nil {
		return broken(imports.Problems(err))
	}
	if r.Schema != record.SchemaVersion {
		return broken(imports.Broken(n, "schema", "record.range", "another version of the record's form").Problems)
	}
	return &row{line: n, record: r}
}
