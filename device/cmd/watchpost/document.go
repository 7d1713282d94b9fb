package main

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/document/evidence"
	"github.com/watchpost/watchpost/device/document/inspect"
	"github.com/watchpost/watchpost/device/document/lds"
	"github.com/watchpost/watchpost/device/document/mrz"
	"github.com/watchpost/watchpost/device/document/trust"
	"github.com/watchpost/watchpost/device/encounter/policy"
	"github.com/watchpost/watchpost/device/fault"
)

func documentCommand() *cobra.Command {
	group := &cobra.Command{Use: "document", Short: "Judge travel documents"}
	group.AddCommand(documentInspectCommand())
	return group
}

func documentInspectCommand() *cobra.Command {
	var dir, store, at, policyFile, report string
	var zone []string
	var noChip bool
	c := &cobra.Command{
		Use:   "inspect (--dir DIR | --no-chip) [--mrz LINES] [--trust STORE] [--at TIME] [--policy F] [--report tr03135]",
		Short: "Judge the files of a chip that lie in a folder",
		Long: `Judges a document by the files of its chip, without the chip.

In: DIR holds EF.SOD, DG1, DG2... each as [EF[._]]NAME[.bin] in any case
(EF_SOD.bin, ef.dg1, DG14.bin; also COM, CardAccess, CardSecurity); other
files are ignored. One that cannot be read, or lies there twice and not alike,
costs its own checks and no others. Where "watchpost chip read --dump" left evidence.json beside
them, what the session showed (access control, files refused, proofs of the
chip) is judged with them again; Active Authentication from its signature,
other proofs as they were recorded. LINES is the zone as it was read from the
page (lines divided by line ends or "|", or one --mrz each), which is compared
with the chip's. --no-chip says that a chip was looked for and none answered:
then the page alone is judged, and chip.expected tells whether documents of
this issuer, kind and date have one. STORE is a store of "watchpost trust import"; without one
ds.chain is not-performed. TIME (2025-03-01 or 2025-03-01T12:00:00Z, default
now) is the day that dates and revocation lists are judged for. F is a post's
policy, or a file with only its document section:
  document: {allow_sha1: true, max_crl_age: 2160h}
Without F SHA-1 is refused by sod.algorithm (signatures are judged either way),
and a revocation list counts as long as its own next update says. The form of
F is device/encounter/policy/policy.schema.json.

Out: one JSON object {document, access, checks: [{code, result, reason,
clause}], data}. result is pass, fail, not-assessable or not-performed; every
check is there, also those that files alone cannot answer. data holds personal
data. With --report tr03135 the checks come in the shape of BSI TR-03135
instead: {form, judged_at, policy, document, access, optical, electronic,
combined, overall}, each group {result, checks: [{code, performed, result,
reason, clause}]} with successful, failed, undetermined or not_performed; a
group, and all of it, is failed if one check is, else undetermined if one is.
The exit status is 0 whatever the verdict. Where there is nothing to judge
the row is {error: {code}}, and the exit status 3.`,
		Example: `  watchpost trust import --store anchors DE_ML.ml --anchor german-csca.cer
  watchpost document inspect --dir passport --trust anchors --at 2025-03-01
  watchpost document inspect --no-chip --mrz "P<D<<MUSTERMANN<<ERIKA<<<<<<<<<<<<<<<<<<<<<<|C01X00T478D<<6408125F2702283<<<<<<<<<<<<<<<4"`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if noChip == (dir != "") || noChip && len(zone) == 0 {
				return fault.New("usage", "give --dir DIR, or --no-chip with --mrz LINES")
			}
			if report != "" && report != "tr03135" {
				return fault.New("usage", "--report is tr03135")
			}
			in := inspect.Input{NoChip: noChip}
			var err error
			if !noChip {
				if in, err = readEvidence(dir); err != nil {
					return failAlone(cmd, err)
				}
			}
			if len(zone) > 0 {
				in.Lines = mrz.Clean(strings.NewReplacer(`\n`, "\n", "|", "\n").Replace(strings.Join(zone, "\n")))
			}
			in.At = time.Now()
			if at != "" {
				if in.At, err = parseTime(at); err != nil {
					return err
				}
			}
			if in.Policy, err = readPolicy(policyFile); err != nil {
				return err
			}
			if store != "" {
				held, err := trust.Open(store)
				if err != nil {
					return err
				}
				in.Trust = held
			}
			inspection := inspect.Judge(in)
			out := newRows(cmd)
			var row any = inspection
			if report != "" {
				row = inspection.Report(in)
			}
			if err := out.JSON(row); err != nil {
				return err
			}
			return out.End()
		},
	}
	c.Flags().StringVar(&dir, "dir", "", "folder with the files of a chip")
	c.Flags().StringArrayVar(&zone, "mrz", nil, "lines of the zone as read from the page")
	c.Flags().BoolVar(&noChip, "no-chip", false, "a chip was looked for and none answered")
	c.Flags().StringVar(&store, "trust", "", "trust store")
	c.Flags().StringVar(&at, "at", "", "time of judgement, RFC 3339 or a date")
	c.Flags().StringVar(&report, "report", "", "tr03135: checks in the shape of BSI TR-03135")
	c.Flags().StringVar(&policyFile, "policy", "", "policy file (YAML)")
	return c
}

// failAlone writes the only row of a command as failed, and the reason for
// people to standard error.
func failAlone(cmd *cobra.Command, err error) error {
	out := newRows(cmd)
	fmt.Fprintf(out.errOut, "watchpost: %v\n", err)
	if hint := fault.HintOf(err); hint != "" {
		fmt.Fprintf(out.errOut, "  %s\n", hint)
	}
	out.Failed()
	if err := out.JSON(chipFailure{rowError{fault.CodeOf(err)}}); err != nil {
		return err
	}
	return out.End()
}

// readEvidence reads a folder of files, with the session where it was kept.
func readEvidence(dir string) (inspect.Input, error) {
	files, unread, err := evidence.ReadFiles(dir)
	if err != nil {
		return inspect.Input{}, err
	}
	in := inspect.Input{Files: files, Unread: map[lds.File]string{}}
	session, kept, err := evidence.ReadSession(dir)
	if err != nil {
		return inspect.Input{}, err
	}
	if kept {
		in = session.Input(files)
	}
	maps.Copy(in.Unread, unread)
	return in, nil
}

// parseTime reads RFC 3339, or a date as its first instant in UTC.
func parseTime(s string) (time.Time, error) {
	for _, form := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(form, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fault.New("usage", "--at is neither 2025-03-01 nor 2025-03-01T12:00:00Z")
}

// readPolicy takes from a post's policy, or from its document section alone,
// what bears on an inspection. No file is the strict choice.
func readPolicy(path string) (inspect.Policy, error) {
	if path == "" {
		return inspect.Policy{}, nil
	}
	raw, err := readLimited(path, policy.MaxBytes+1)
	if err != nil {
		return inspect.Policy{}, fault.Wrap("policy.file", err)
	}
	var section struct {
		Document *policy.Document `yaml:"document"`
	}
	if yaml.NewDecoder(bytes.NewReader(raw), yaml.DisallowUnknownField()).Decode(&section) == nil && section.Document != nil {
		return section.Document.Inspection(), nil
	}
	whole, err := policy.Decode(raw)
	if err != nil {
		return inspect.Policy{}, err
	}
	return whole.Document.Inspection(), nil
}

// readLimited reads at most limit bytes of a regular file.
func readLimited(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fault.New("file.not_regular", "%s is no regular file", filepath.Base(path))
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit))
}
