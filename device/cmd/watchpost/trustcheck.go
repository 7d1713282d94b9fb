package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/document/trust"
	"github.com/watchpost/watchpost/device/fault"
)

// checkRow is the form of "trust check".
type checkRow struct {
	Files        int                    `json:"files"`
	Certificates int                    `json:"certificates"`
	Distinct     int                    `json:"distinct"`
	Unparsed     int                    `json:"unparsed"`
	Unusable     int                    `json:"unusable"`
	Signatures   map[trust.Standing]int `json:"signatures"`
	Lists        int                    `json:"lists"`
	Broken       int                    `json:"lists_broken"`
	Refused      []refusedFileRow       `json:"refused"`
	Milliseconds float64                `json:"ms"`
}

// refusedFileRow is a file that could not be read.
type refusedFileRow struct {
	File   string     `json:"file"`
	Reason fault.Code `json:"reason"`
}

func trustCheckCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE...",
		Short: "Read certificates and lists and verify each signature under its issuer",
		Long: `Read certificates (PEM, DER), master lists and LDIF files and verify every
certificate under its issuer where one of the files holds it. Trusts nobody and
keeps nothing: it says whether the files can be read and hang together.

Out: one JSON object {files, certificates, distinct, unparsed, unusable,
signatures, lists, lists_broken, refused, ms}: certificates in all files and distinct ones among them; those
that could not be read; those whose key or algorithm is not supported; and of
the distinct ones how many are signed with their own key (self), by a
certificate of the files (issuer), by one that the files do not hold
(no_issuer), or not by the issuer that they name although it is there (broken).
lists counts signed lists and lists_broken those whose own signature does not
hold; refused names files that could not be read, [{file, reason}], which make
the exit status 3.`,
		Example: `  watchpost trust check DE_ML_2024-08.ml DE_ML_2025-03.ml NL_ML.ml ICAO_ml.ml csca/*.cer`,
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, files []string) error {
			start := time.Now()
			v, err := trust.Look(cmd.Context(), files...)
			if err != nil {
				return err
			}
			out := newRows(cmd)
			row := checkRow{Files: len(files), Certificates: v.Certificates, Distinct: len(v.Entries), Unparsed: v.Unparsed, Unusable: v.Unusable,
				Lists: v.Lists, Broken: v.Broken, Refused: []refusedFileRow{},
				Signatures: map[trust.Standing]int{}, Milliseconds: float64(time.Since(start).Microseconds()) / 1000}
			for _, s := range []trust.Standing{trust.StandingSelf, trust.StandingIssuer, trust.StandingNoIssuer, trust.StandingBroken} {
				row.Signatures[s] = v.Standings[s]
			}
			for _, r := range v.Refused {
				fmt.Fprintf(out.errOut, "watchpost: %s: %v\n", r.Path, r.Err)
				row.Refused = append(row.Refused, refusedFileRow{r.Path, fault.CodeOf(r.Err)})
				out.Failed()
			}
			if err := out.JSON(row); err != nil {
				return err
			}
			return out.End()
		},
	}
}

// diffRow is a certificate that only one side has.
type diffRow struct {
	Change      string     `json:"change"` // added or removed
	Subject     string     `json:"subject"`
	Country     string     `json:"country"`
	Serial      string     `json:"serial"`
	NotAfter    string     `json:"not_after"`
	Kind        trust.Kind `json:"kind"`
	Fingerprint string     `json:"fingerprint"`
}

func trustDiffCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "diff OLD NEW",
		Short: "Tell two editions, or a store and an edition, apart",
		Long: `List the certificates that only one of two sides has. A side is a trust store
(a folder) or a file: certificates, a master list or LDIF. Files are read as they
are; whoever signed them is asked for by "trust import", not here.

Out: one JSON object a certificate {change: added|removed, subject, country,
serial, not_after, kind, fingerprint}, removed ones first. Counts, and the dates
of signed lists, go to standard error.`,
		Example: `  watchpost trust diff DE_ML_2024-08-07.ml DE_ML_2025-03-05.ml | jq -r '.change + " " + .subject'
  watchpost trust diff lab DE_ML_2025-03-05.ml`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, sides []string) error {
			out := newRows(cmd)
			var entries [2][]*trust.Entry
			for i, path := range sides {
				e, editions, err := readSide(cmd.Context(), path)
				if err != nil {
					return fmt.Errorf("%s: %w", path, err)
				}
				entries[i] = e
				fmt.Fprintf(out.errOut, "%s: %d certificates", path, len(e))
				for _, at := range editions {
					fmt.Fprintf(out.errOut, ", signed %s", day(at))
				}
				fmt.Fprintln(out.errOut)
			}
			added, removed := 0, 0
			for _, c := range trust.Compare(entries[0], entries[1]) {
				row := newCertificateRow(c.Entry)
				change := "removed"
				if removed++; c.Added {
					change = "added"
					added++
					removed--
				}
				if err := out.JSON(diffRow{change, row.Subject, row.Country, row.Serial, row.NotAfter, row.Kind, row.Fingerprint}); err != nil {
					return err
				}
			}
			fmt.Fprintf(out.errOut, "%d removed, %d added, %d in both\n", removed, added, len(entries[1])-added)
			return out.End()
		},
	}
}

// readSide reads a store or a file.
func readSide(ctx context.Context, path string) ([]*trust.Entry, []time.Time, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		s, err := trust.Open(path)
		if err != nil {
			return nil, nil, err
		}
		var editions []time.Time
		for _, l := range s.Lists() {
			editions = append(editions, l.Edition)
		}
		return s.Entries(), editions, nil
	}
	v, err := trust.Look(ctx, path)
	if err == nil && len(v.Refused) > 0 {
		err = v.Refused[0].Err
	}
	return v.Entries, v.Editions, err
}
