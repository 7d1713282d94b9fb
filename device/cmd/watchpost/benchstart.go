package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/screening/local/measure"
	"github.com/watchpost/watchpost/device/watchlist/budget"
)

func benchStartCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "start --faces N --documents N --fingers N [--list DIR] [--memory MIB]",
		Short: "Time a post's start with a list of made-up people",
		Long: `Makes a list of N people with a face, N listed document numbers and N people with
ten prints, and times what a post does with it at its start: open it, check
that it fits into memory, authenticate every block of its records, decrypt and
load every table. The files are dropped from the page cache first.

In: --list DIR keeps the list in DIR, where it is found the next time (its key
is made up; it is for measuring only). Without it the list is made in the
folder for temporary files and removed. --memory is how much memory counts as
available; without it, what the system says.

Out: one JSON object.
  faces, documents, fingers, records, disk_bytes, cores
  build_seconds        to make the list; 0 where --list held it
  open_seconds, load_seconds, ready_seconds
  cpu_seconds          that the start took of all cores together
  memory_bytes: {templates, codes, labels, prints, places, keys, documents, index, total}  by part
  heap_bytes           that the lists added, measured
  peak_rss_bytes       the most that the process had

A list that does not fit is refused with lists.over_budget. Making a list with
many ten-print sets takes long, since what is searched of a print is worked out
then: some 15 minutes for 100,000 on two cores.`,
		Example: "  watchpost bench start --faces 1000000 --documents 1000000 --fingers 100000 --list /var/tmp/bench-list\n  watchpost bench start --faces 100000 --memory 1025",
		Args:    cobra.NoArgs,
	}
	var size measure.Size
	f := cmd.Flags()
	f.IntVar(&size.Faces, "faces", 0, "people with a face, up to 10,000,000")
	f.IntVar(&size.Documents, "documents", 0, "document numbers, up to 100,000,000")
	f.IntVar(&size.Fingers, "fingers", 0, "people with ten prints, up to 1,000,000")
	dir := f.String("list", "", "folder that keeps the list")
	memory := f.Int64("memory", 0, "MiB that count as available; 0 asks the system")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if size.Faces < 0 || size.Faces > 10_000_000 || size.Documents < 0 || size.Documents > 100_000_000 || size.Fingers < 0 || size.Fingers > 1_000_000 ||
			size == (measure.Size{}) || *memory < 0 {
			return fault.New("usage", "--faces is 0 to 10000000, --documents 0 to 100000000, --fingers 0 to 1000000, not all of them 0; --memory not negative")
		}
		at := *dir
		if at == "" {
			temp, err := os.MkdirTemp("", "watchpost-bench-")
			if err != nil {
				return fault.Wrap("file.write", err)
			}
			defer os.RemoveAll(temp)
			at = filepath.Join(temp, "list")
		}
		available := *memory << 20
		if available == 0 {
			var err error
			if available, err = budget.Available(); err != nil {
				return err
			}
		}
		var built float64
		if _, err := os.Stat(at); errors.Is(err, fs.ErrNotExist) {
			fmt.Fprintln(cmd.ErrOrStderr(), "making the list; see --help for how long")
			if built, err = measure.Build(cmd.Context(), at, size); err != nil {
				return err
			}
		}
		s, err := measure.Run(cmd.Context(), at, available)
		if err != nil {
			return err
		}
		if s.Size != size {
			return fault.New("bench.other_list", "%s holds %d faces, %d documents, %d ten-print sets", at, s.Faces, s.Documents, s.Fingers).
				WithHint("give another folder with --list, or remove this one")
		}
		s.BuildSeconds = built
		out := newRows(cmd)
		if err := out.JSON(s); err != nil {
			return err
		}
		return out.End()
	}
	return cmd
}
