package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/document/emrtd"
	"github.com/watchpost/watchpost/device/document/inspect"
	"github.com/watchpost/watchpost/device/document/mrz"
	"github.com/watchpost/watchpost/device/document/trust"
	"github.com/watchpost/watchpost/device/fault"
)

func chipCommand() *cobra.Command {
	group := &cobra.Command{Use: "chip", Short: "Read the chips of travel documents"}
	group.AddCommand(chipReadCommand())
	return group
}

// chipFailure is the row of a chip that could not be read.
type chipFailure struct {
	Error rowError `json:"error"`
}

// openChannel reaches a card and returns how to let it go. The command has one that starts a private
// capture process; tests put a virtual chip in its place.
type openChannel func(ctx context.Context, reader string, wait time.Duration, stderr io.Writer) (emrtd.Channel, func(), error)

func chipReadCommand() *cobra.Command { return chipReadThrough(captureChannel) }

func chipReadThrough(open openChannel) *cobra.Command {
	var reader, can, store, dump, policyFile string
	var zone []string
	var wait, budget time.Duration
	c := &cobra.Command{
		Use:   `read [--reader NAME] (--mrz "DOCNO,YYMMDD,YYMMDD"|LINES | --can N) [--trust STORE] [--dump DIR]`,
		Short: "Read and judge the chip that lies on a reader",
		Long: `Reads the chip of a travel document through a PC/SC reader and judges it.

In: the password that is printed on the document. --mrz takes document number,
date of birth and date of expiry with commas between them, without check
digits, or the whole machine readable zone, its lines in one argument with line
ends or "|" between them or in one --mrz each; "-" reads it from standard input. With
whole lines the zone is also compared with the chip's. --can takes the card
access number. Both may be given: the zone is tried first.
NAME is a reader's name; without it the reader is used on which a card lies. STORE is a store of "watchpost trust import"; without one ds.chain is
not-performed. DIR, made where it does not exist, gets every file as the chip
gave it (EF_COM.bin, EF_DG1.bin...), for "watchpost document inspect --dir DIR".
The files hold personal data.

Out: one JSON object {document, access, checks: [{code, result, reason,
clause}], data}, as "watchpost document inspect" gives it, with the checks that
only a chip can answer. A file that cannot be read costs its own checks and no
others. Progress goes to standard error. A chip that cannot be read at all, or
is taken away, gives {error: {code}} and exit status 3; files read until then
are still dumped.`,
		Example: `  watchpost chip read --mrz "L898902C3,740812,120415"
  watchpost chip read --can 123456 --trust anchors --dump passport`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			passwords, lines, err := chipPasswords(zone, can, cmd.InOrStdin(), time.Now())
			if err != nil {
				return err
			}
			defer func() {
				for i := range passwords {
					passwords[i].Wipe()
				}
			}()
			var judgeBy inspect.Input
			if judgeBy.Policy, err = readPolicy(policyFile); err != nil {
				return err
			}
			if store != "" {
				held, err := trust.Open(store)
				if err != nil {
					return err
				}
				judgeBy.Trust = held
			}
			out := newRows(cmd)
			reading, err := readChip(cmd, open, reader, wait, emrtd.Options{
				Passwords: passwords, Budget: budget, Progress: chipProgress(cmd.ErrOrStderr()),
			})
			if reading != nil && dump != "" {
				if dumpErr := dumpFiles(dump, reading.Files); dumpErr != nil {
					return dumpErr
				}
			}
			if err != nil {
				fmt.Fprintf(cmd.ErrOrStderr(), "watchpost: %v\n", err)
				if hint := fault.HintOf(err); hint != "" {
					fmt.Fprintf(cmd.ErrOrStderr(), "  %s\n", hint)
				}
				out.Failed()
				if err := out.JSON(chipFailure{rowError{fault.CodeOf(err)}}); err != nil {
					return err
				}
				return out.End()
			}
			in := reading.Input()
			in.At, in.Trust, in.Policy, in.Lines = time.Now(), judgeBy.Trust, judgeBy.Policy, lines
			if err := out.JSON(inspect.Judge(in)); err != nil {
				return err
			}
			return out.End()
		},
	}
	c.Flags().StringVar(&reader, "reader", "", "name of the reader")
	c.Flags().StringArrayVar(&zone, "mrz", nil, `"DOCNO,YYMMDD,YYMMDD" or the lines of the zone`)
	c.Flags().StringVar(&can, "can", "", "card access number")
	c.Flags().StringVar(&store, "trust", "", "trust store")
	c.Flags().StringVar(&dump, "dump", "", "folder for the files as they were read")
	c.Flags().StringVar(&policyFile, "policy", "", "policy file (YAML)")
	c.Flags().DurationVar(&wait, "wait", 0, "how long to wait for a document on the reader")
	c.Flags().DurationVar(&budget, "budget", emrtd.DefaultBudget, "how long the reading may take")
	return c
}

// readChip opens the channel and reads. The reading is nil where no card was
// reached.
func readChip(cmd *cobra.Command, open openChannel, reader string, wait time.Duration, o emrtd.Options) (*emrtd.Reading, error) {
	channel, closeChannel, err := open(cmd.Context(), reader, wait, cmd.ErrOrStderr())
	if err != nil {
		return nil, err
	}
	defer closeChannel()
	return emrtd.Read(cmd.Context(), channel, o)
}

// chipPasswords makes the passwords of the flags, and returns the lines of the
// zone where they were given whole.
func chipPasswords(zone []string, can string, stdin io.Reader, now time.Time) (passwords []emrtd.Password, lines []string, err error) {
	if len(zone) == 0 && can == "" {
		return nil, nil, fault.New("usage", "give --mrz or --can")
	}
	if len(zone) > 0 {
		text := strings.Join(zone, "\n")
		if text == "-" {
			const most = 4096 // far above any zone
			b, err := io.ReadAll(io.LimitReader(stdin, most))
			if err != nil {
				return nil, nil, fault.Wrap("mrz.input", err)
			}
			text = string(b)
		}
		pw, whole, err := zonePassword(text, now)
		if err != nil {
			return nil, nil, fault.Wrap("usage", fmt.Errorf("--mrz: %w", err))
		}
		passwords, lines = append(passwords, pw), whole
	}
	if can != "" {
		pw, err := emrtd.FromCAN(can)
		if err != nil {
			return nil, nil, fault.Wrap("usage", fmt.Errorf("--can: %w", err))
		}
		passwords = append(passwords, pw)
	}
	return passwords, lines, nil
}

func zonePassword(text string, now time.Time) (pw emrtd.Password, lines []string, err error) {
	if fields := strings.Split(text, ","); len(fields) == 3 {
		for i := range fields {
			fields[i] = strings.ToUpper(strings.TrimSpace(fields[i]))
		}
		pw, err = emrtd.FromMRZ(strings.TrimRight(fields[0], "<"), fields[1], fields[2])
		return pw, nil, err
	}
	lines = mrz.Clean(text)
	z, err := mrz.Parse(lines, now)
	if err != nil {
		return emrtd.Password{}, nil, err
	}
	pw, err = emrtd.FromZone(z)
	return pw, z.Lines, err
}

// chipProgress writes one line a step: the protocol, the proof, each file when
// it is complete.
func chipProgress(w io.Writer) func(emrtd.Event) {
	return func(e emrtd.Event) {
		switch {
		case e.Stage == emrtd.StageFile && e.Total > 0 && e.Bytes >= e.Total:
			fmt.Fprintf(w, "read %s, %d bytes\n", e.Name, e.Total)
		case e.Stage == emrtd.StageAccess && e.Name != "":
			fmt.Fprintf(w, "opening by %s\n", e.Name)
		case e.Stage == emrtd.StageProof:
			fmt.Fprintf(w, "asking for %s\n", e.Name)
		}
	}
}
