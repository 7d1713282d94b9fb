package main

import (
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/document/mrz"
	"github.com/watchpost/watchpost/device/fault"
)

// mrzRow is one row of "mrz read".
type mrzRow struct {
	File        string            `json:"file"`
	Format      string            `json:"format"`
	Lines       []string          `json:"lines"`
	Fields      map[string]string `json:"fields"`
	CheckDigits map[string]bool   `json:"check_digits"`
	Valid       bool              `json:"valid"`
	Problems    []mrz.ProblemCode `json:"problems,omitempty"`
	Confusions  []mrz.Confusion   `json:"confusions,omitempty"`
	Error       *rowError         `json:"error,omitempty"`
}

func mrzCommand() *cobra.Command {
	group := &cobra.Command{Use: "mrz", Short: "Read machine readable zones"}
	group.AddCommand(mrzReadCommand())
	return group
}

func mrzReadCommand() *cobra.Command {
	var texts []string
	read := &cobra.Command{
		Use:   "read IMG... | --text LINES",
		Short: "Read the machine readable zone of a document",
		Long: `Reads machine readable zones: TD1, TD2, TD3, MRV-A, MRV-B (ICAO Doc 9303) and
IDFRA (French identity card of 1988 to 2021).

In: the lines with --text, parted by a line end, by "|" or by the characters
\n; as one string without any end; or as one --text (or argument) for each
line. A --text that holds a whole zone is a row of its own, so the flag can be
repeated. "-" reads standard input, zones parted by an empty line. Space is ignored and small letters count as capitals; nothing else
is corrected.

Out: one JSON object a zone: {file, format, lines, fields, check_digits:
{name: bool}, valid}. valid: every check digit is right and every character
is of the zone's set. Dates are YYYY-MM-DD, unknown parts XX. "problems"
names other departures from the standard. Where a check digit is wrong,
"confusions" tells each single character {digit, line, position, read, perhaps}
whose look-alike (0 and O, 1 and I, a filler and C...) would put it right; it is
never put in, since one digit in ten is right by chance. A zone that has no known form has
error: {code}, the reason is on standard error, and the exit status is 3.

Reading from images is not in this version; an IMG answers error
{code: "mrz.image"}.`,
		Example: `  watchpost mrz read --text 'P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<|L898902C36UTO7408122F1204159ZE184226B<<<<<10'
  watchpost mrz read --text - < zones.txt`,
		RunE: func(cmd *cobra.Command, args []string) error {
			out := newRows(cmd)
			if len(texts) == 0 {
				if len(args) == 0 {
					return fault.New("usage", "give --text LINES or an image")
				}
				fmt.Fprintln(out.errOut, "mrz: images are not read in this version: give the lines with --text")
				for _, file := range args {
					out.Failed()
					if err := out.JSON(mrzRow{File: file, Error: &rowError{Code: "mrz.image"}}); err != nil {
						return err
					}
				}
				return out.End()
			}
			pieces, err := zonePieces(cmd.InOrStdin(), append(texts, args...))
			if err != nil {
				return err
			}
			for i, lines := range zones(pieces) {
				row, err := readZone(lines, time.Now())
				if err != nil {
					fmt.Fprintf(out.errOut, "mrz: zone %d: %v\n", i+1, err)
					out.Failed()
				}
				if err := out.JSON(row); err != nil {
					return err
				}
			}
			return out.End()
		},
	}
	read.Flags().StringArrayVar(&texts, "text", nil, "the lines of a zone, parted by line end, | or \\n")
	return read
}

// maxZones bounds what is read of standard input, in bytes.
const maxZones = 16 << 20

var emptyLine = regexp.MustCompile(`\r?\n[ \t]*\r?\n`)

// zonePieces puts what standard input holds in the place of each "-".
func zonePieces(in io.Reader, texts []string) ([]string, error) {
	var pieces []string
	for _, text := range texts {
		if text != "-" {
			pieces = append(pieces, text)
			continue
		}
		raw, err := io.ReadAll(io.LimitReader(in, maxZones+1))
		if err != nil {
			return nil, fault.Wrap("input.read", err)
		}
		if len(raw) > maxZones {
			return nil, fault.New("input.too_large", "more than %d bytes on standard input", maxZones)
		}
		for _, zone := range emptyLine.Split(strings.TrimPrefix(string(raw), "\ufeff"), -1) {
			if strings.TrimSpace(zone) != "" {
				pieces = append(pieces, zone)
			}
		}
	}
	return pieces, nil
}

// zones gathers the lines of each zone: pieces of one line each are together
// one zone, otherwise each piece is a zone.
func zones(pieces []string) [][]string {
	var each [][]string
	single := true
	for _, p := range pieces {
		lines := mrz.Clean(p)
		single = single && len(lines) <= 1
		each = append(each, lines)
	}
	if !single {
		return each
	}
	return [][]string{mrz.Clean(strings.Join(pieces, "\n"))}
}

func readZone(lines []string, now time.Time) (mrzRow, error) {
	z, err := mrz.Parse(lines, now)
	if err != nil {
		return mrzRow{Lines: lines, Error: &rowError{Code: fault.CodeOf(err)}}, err
	}
	return mrzRow{
		Format: z.Format.String(), Lines: z.Lines, Fields: z.Fields(),
		CheckDigits: z.Digits(), Valid: z.Valid(), Problems: z.Problems, Confusions: mrz.Confusions(lines, now),
	}, nil
}
