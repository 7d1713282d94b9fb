package main

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"io"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/fault"
)

// rowError is how a failed row looks in JSON output.
type rowError struct {
	Code fault.Code `json:"code"`
}

// rows writes the data of a measuring command: one line a row, in input order,
// and remembers whether one failed. Messages for people go to errOut. It is
// for one goroutine.
type rows struct {
	out    *bufio.Writer
	errOut io.Writer
	failed bool
}

func newRows(cmd *cobra.Command) *rows {
	return &rows{out: bufio.NewWriter(cmd.OutOrStdout()), errOut: cmd.ErrOrStderr()}
}

// JSON writes v as one compact object on a line of its own. HTML characters
// stay as they are.
func (r *rows) JSON(v any) error {
	enc := json.NewEncoder(r.out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fault.Wrap("output.encode", err)
	}
	return r.flush()
}

// CSV writes one RFC 4180 row.
func (r *rows) CSV(fields ...string) error {
	w := csv.NewWriter(r.out)
	if err := w.Write(fields); err != nil {
		return fault.Wrap("output.encode", err)
	}
	w.Flush()
	if err := w.Error(); err != nil {
		return fault.Wrap("output.write", err)
	}
	return r.flush()
}

// Failed notes that the row being written has failed.
func (r *rows) Failed() { r.failed = true }

// End returns errSomeFailed if a row failed, so that the exit status is 3.
func (r *rows) End() error {
	if err := r.flush(); err != nil {
		return err
	}
	if r.failed {
		return errSomeFailed
	}
	return nil
}

func (r *rows) flush() error {
	return fault.Wrap("output.write", r.out.Flush())
}
