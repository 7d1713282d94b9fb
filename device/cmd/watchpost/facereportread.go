package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/fault"
)

// labels are the words for mated and non-mated pairs.
var labels = map[string]bool{
	"1": true, "true": true, "same": true, "mated": true, "genuine": true,
	"0": false, "false": false, "different": false, "non-mated": false, "nonmated": false, "impostor": false,
}

// readLabelled reads pairs and, where a row has a third column, whether they
// are mated; otherwise same is nil. Rows that are no pair, or say nothing to be
// understood where others do, are told to standard error and left out; failed
// says that there were some.
func readLabelled(cmd *cobra.Command, path string) (list []pair, same []bool, failed bool, err error) {
	all, more, err := readPairRows(cmd, path)
	if err != nil {
		return nil, nil, false, err
	}
	said := make([]string, len(all)) // what each row says of the two
	labelled := false
	for i, columns := range more {
		if len(columns) > 0 && all[i].err == nil {
			said[i] = strings.ToLower(strings.TrimSpace(columns[0]))
			labelled = labelled || said[i] != ""
		}
	}
	for i, p := range all {
		is, known := labels[said[i]]
		switch {
		case p.err != nil:
			failed = true
		case labelled && !known:
			failed = true
			fmt.Fprintf(cmd.ErrOrStderr(), "pairs: row %d: its third column says neither same nor different\n", i+1)
		case labelled:
			list, same = append(list, p), append(same, is)
		default:
			list = append(list, p)
		}
	}
	return list, same, failed, nil
}

// person is what --groups says of an image.
type person struct{ group, subject string }

func readGroups(path string) (map[string]person, error) {
	rows, err := readCSV(nil, path, "groups.format", 2)
	if err != nil {
		return nil, err
	}
	out := make(map[string]person, len(rows))
	for i, row := range rows {
		switch {
		case len(row.columns) == 0:
			continue
		case row.err != nil:
			return nil, row.err
		}
		p := person{group: row.columns[1]}
		if len(row.columns) > 2 {
			p.subject = row.columns[2]
		}
		if before, ok := out[row.columns[0]]; ok && before != p {
			return nil, fault.New("groups.format", "row %d says something else of an image than a row before it", i+1)
		}
		out[row.columns[0]] = p
	}
	return out, nil
}

// placeSides says of sides of several images what is said of each of these,
// and nothing where they differ. It returns how many sides are in no group.
func placeSides(list []pair, people map[string]person) (outside int) {
	seen := make(map[string]bool)
	for _, p := range list {
		for _, side := range [...]string{p.a, p.b} {
			if seen[side] {
				continue
			}
			seen[side] = true
			files := images(side)
			who := people[files[0]]
			for _, f := range files[1:] {
				if people[f] != who {
					who = person{}
				}
			}
			people[side] = who
			if who.group == "" {
				outside++
			}
		}
	}
	return outside
}
