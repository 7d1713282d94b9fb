package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/document/emrtd"
	"github.com/watchpost/watchpost/device/document/evidence"
	"github.com/watchpost/watchpost/device/document/examine"
	"github.com/watchpost/watchpost/device/document/inspect"
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
	var reader, can, store, dump, policyFile, isKey string
	var zone []string
	var wait, budget time.Duration
	c := &cobra.Command{
		Use:   `read [--reader NAME] (--mrz "DOCNO,YYMMDD,YYMMDD"|LINES | --can N) [--trust STORE] [--dump DIR] [--is-key FILE|SOCKET]`,
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
gave it (EF_COM.bin, EF_DG1.bin...) and evidence.json with what the session
showed, for "watchpost document inspect --dir DIR". The files hold personal
data.

--is-key says who signs for this terminal, so that fingerprints (DG3) and irises
(DG4) of a chip with Terminal Authentication can be read: the unix socket of
whoever holds the key, or, in a laboratory, a PEM file with the private key and
its CV certificates ("hwtest passport make" writes one). Without it
terminal.authentication is not-performed.

Out: one JSON object {document, access, checks: [{code, result, reason,
clause}], data}, as "watchpost document inspect" gives it, with the checks that
only a chip can answer. A file that cannot be read costs its own checks and no
others. Progress goes to standard error. A chip that cannot be read at all, or
is taken away, gives {error: {code}} and exit status 3; files read until then
are still dumped.`,
		Example: `  watchpost chip read --mrz "L898902C3,740812,120415"
  watchpost chip read --can 123456 --trust anchors --dump passport
  watchpost chip read --mrz - --is-key /run/terminal-control.sock`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			key, err := chipKey(zone, can, cmd.InOrStdin(), time.Now())
			if err != nil {
				return err
			}
			defer key.Wipe()
			rules := examine.Rules{At: time.Now()}
			if rules.Policy, err = readPolicy(policyFile); err != nil {
				return err
			}
			if store != "" {
				held, err := trust.Open(store)
				if err != nil {
					return err
				}
				rules.Trust = held
			}
			signer, closeSigner, err := openISKey(cmd.Context(), isKey)
			if err != nil {
				return err
			}
			defer closeSigner()
			out := newRows(cmd)
			options := examine.Options{Budget: budget, Progress: chipProgress(cmd.ErrOrStderr()), ISKey: signer}
			inspection, reading, err := judgeChip(cmd, open, reader, wait, key, rules, options)
			if reading != nil && dump != "" {
				if dumpErr := evidence.Write(dump, reading.Files, evidence.Of(reading, key.Lines, rules.At)); dumpErr != nil {
					return dumpErr
				}
			}
			if err != nil {
				return failAlone(cmd, err)
			}
			if err := out.JSON(inspection); err != nil {
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
	c.Flags().StringVar(&isKey, "is-key", "", "who signs for this terminal: a unix socket, or a laboratory's PEM file")
	c.Flags().DurationVar(&wait, "wait", 0, "how long to wait for a document on the reader")
	c.Flags().DurationVar(&budget, "budget", emrtd.DefaultBudget, "how long the reading may take")
	return c
}

// judgeChip opens the channel, reads and judges. The reading is nil where no
// card was reached.
func judgeChip(cmd *cobra.Command, open openChannel, reader string, wait time.Duration, key examine.Key, rules examine.Rules, o examine.Options) (inspect.Inspection, *emrtd.Reading, error) {
	channel, closeChannel, err := open(cmd.Context(), reader, wait, cmd.ErrOrStderr())
	if err != nil {
		return inspect.Inspection{}, nil, err
	}
	defer closeChannel()
	return examine.Chip(cmd.Context(), channel, key, rules, o)
}

// chipKey reads the key of the flags; "-" as zone means standard input.
func chipKey(zone []string, can string, stdin io.Reader, now time.Time) (examine.Key, error) {
	text := strings.Join(zone, "\n")
	if text == "-" {
		const most = 4096 // far above any zone
		b, err := io.ReadAll(io.LimitReader(stdin, most))
		if err != nil {
			return examine.Key{}, fault.Wrap("mrz.input", err)
		}
		text = string(b)
	}
	key, err := examine.ParseKey(text, can, now)
	if err != nil {
		return examine.Key{}, fault.New("usage", "--mrz or --can: %w", err).WithHint(fault.HintOf(err))
	}
	return key, nil
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
