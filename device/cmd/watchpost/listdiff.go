package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/watchlist/diff"
	"github.com/watchpost/watchpost/device/watchlist/record"
)

// listDiffRow is one difference as it is printed.
type listDiffRow struct {
	diff.Change
	Old *record.Record `json:"old,omitempty"`
	New *record.Record `json:"new,omitempty"`
}

func listDiffCommand() *cobra.Command {
	var ignore string
	var show bool
	c := &cobra.Command{
		Use:   "diff OLD NEW",
		Short: "What changed between two editions of a list",
		Long: `Compare two files of records, as "list import" writes them, by the identifier of each
record. One JSON object a difference: {id, change: added|removed|changed, fields}, first
what was added or changed in the order of NEW, then what was removed in the order of OLD.
fields are the names of the fields that differ; --show adds the records themselves, which
are personal data. NEW may be - for standard input.

A line that is no record, or repeats an identifier, is told on standard error as
{edition, line, code} and makes the exit status 3. Both files are read as streams on all
cores; memory is about 100 bytes for each record of OLD, and long work tells how far it is. Differences alone exit 0. The counts
come last, on standard error.`,
		Example: `  watchpost list diff un-october.jsonl un-november.jsonl
  watchpost list diff --ignore edition old.jsonl new.jsonl --show`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			old, err := os.Open(args[0])
			if err != nil {
				return fault.Wrap("input.read", err)
			}
			defer old.Close()
			info, err := old.Stat()
			if err != nil {
				return fault.Wrap("input.read", err)
			}
			if !info.Mode().IsRegular() {
				return fault.New("usage", "OLD is read twice and must be a file")
			}
			next, err := openInput(cmd, args[1])
			if err != nil {
				return err
			}
			defer next.Close()

			nextSize := info.Size() // a guess, where it is no file
			if f, err := os.Stat(args[1]); err == nil && f.Mode().IsRegular() {
				nextSize = f.Size()
			}
			out := bufio.NewWriter(cmd.OutOrStdout())
			enc, errEnc := json.NewEncoder(out), json.NewEncoder(cmd.ErrOrStderr())
			enc.SetEscapeHTML(false)
			var ignored []string
			if ignore != "" {
				ignored = strings.Split(ignore, ",")
			}
			speak := newProgress(cmd.ErrOrStderr(), "list diff", 0)
			counts, err := diff.Compare(cmd.Context(), old, info.Size(), next, ignored, diff.Handler{
				Change: func(c diff.Change) error {
					row := listDiffRow{Change: c}
					if show {
						row.Old, row.New = c.Old, c.New
					}
					return fault.Wrap("output.write", enc.Encode(row))
				},
				Broken: func(b diff.Broken) error { return fault.Wrap("output.write", errEnc.Encode(b)) },
				Progress: func(read int64) {
					speak.tell("megabytes read of OLD and NEW", int(read>>20), int((info.Size()+nextSize)>>20))
				},
			})
			if err := errors.Join(err, fault.Wrap("output.write", out.Flush())); err != nil {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "added %d, removed %d, changed %d, same %d; broken %d\n",
				counts.Added, counts.Removed, counts.Changed, counts.Same, counts.Broken)
			if counts.Broken > 0 {
				return errSomeFailed
			}
			return nil
		},
	}
	c.Flags().StringVar(&ignore, "ignore", "edition,issued", "fields whose change is none, by commas")
	c.Flags().BoolVar(&show, "show", false, "print the records too: personal data")
	return c
}
