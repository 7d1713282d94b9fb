package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/fault"
)

// pair is one row of a pairs file, each side as written. Where err is set the
// row names no two sides, and nothing of it is to be read.
type pair struct {
	a, b string
	err  error
}

// images are the files that a side names.
func images(side string) []string { return strings.Split(side, ";") }

// readPairs reads a pairs file, and standard input where path is "-": as many
// pairs as it has rows. Those that are none are told to standard error.
func readPairs(cmd *cobra.Command, path string) ([]pair, error) {
	list, _, err := readPairRows(cmd, path)
	return list, err
}

// readPairRows is readPairs, with the further columns of each row.
func readPairRows(cmd *cobra.Command, path string) (list []pair, more [][]string, err error) {
	rows, err := readCSV(cmd.InOrStdin(), path, "pairs.format", 2)
	if err != nil {
		return nil, nil, err
	}
	hinted, spaced := false, false
	for i, row := range rows {
		columns := slices.Concat(row.columns, []string{"", ""})
		p := pair{columns[0], columns[1], row.err}
		if p.err == nil && slices.Contains(slices.Concat(images(p.a), images(p.b)), "") {
			p.err = fault.New("pairs.format", "row %d: a side names no image, or one without a name", i+1)
		}
		if p.err != nil {
			fmt.Fprintf(cmd.ErrOrStderr(), "pairs: %v\n", p.err)
			if hint := fault.HintOf(p.err); hint != "" && !hinted {
				fmt.Fprintf(cmd.ErrOrStderr(), "  %s\n", hint)
				hinted = true
			}
		}
		if p.err == nil && !spaced && slices.ContainsFunc(slices.Concat(images(p.a), images(p.b)), func(path string) bool { return strings.TrimSpace(path) != path }) {
			fmt.Fprintf(cmd.ErrOrStderr(), "pairs: row %d: a path begins or ends with a space, which is taken as part of it\n", i+1)
			spaced = true
		}
		list = append(list, p)
		more = append(more, columns[2:max(2, len(row.columns))])
	}
	return list, more, nil
}
