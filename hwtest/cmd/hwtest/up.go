package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/officer"
	"github.com/watchpost/watchpost/hwtest/bench"
	"github.com/watchpost/watchpost/hwtest/demo"
)

// upPost runs the demonstration's post until ctx ends.
func upPost(cmd *cobra.Command, o demo.Options) error {
	if o.Listen == "" {
		var err error
		if o.Listen, err = demo.FreeListen(); err != nil {
			return fault.Wrap("demo.listen", err)
		}
	} else if err := demo.MayListen(o.Listen); err != nil {
		return err
	}
	o.Keep, o.SkipScript = true, true
	o.Keys, o.Data, o.Out = cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr()
	err := demo.Run(cmd.Context(), o)
	if err != nil && fault.CodeOf(err) == fault.Unknown {
		return fault.Wrap("demo.failed", err)
	}
	return err
}

func upCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Start a private reader bench with a passport on it",
		Long: `Starts pcscd and vsmartcard's virtual reader in namespaces of their own, lays the
passport of the profile on the first of two slots and waits for Ctrl-C. No rights
are needed and nothing is visible outside but pcscd's socket.

Standard output is one line of JSON once the card can be read: the environment
variable that leads PC/SC programs to the bench, the reader's name, the zone's
lines and the key. With --pcscd nothing is started: the card is laid on the first
slot of the vpcd that belongs to that pcscd.

With --post the demonstration's whole post runs on the bench, with its page open on
this machine, and stays until Ctrl-C. Standard output is then one line of JSON with
the address and the passwords made for this run, and one for each person put at the
post; a letter and Enter on standard input puts the next one there.`,
		Example: `  hwtest up
  export PCSCLITE_CSOCK_NAME=...      # as printed
  watchpost chip read --reader "Bench 00 00" --mrz "DOCNO,YYMMDD,YYMMDD"
  hwtest up --post
  hwtest up --pcscd /run/pcscd/pcscd.comm --profile slow.yaml`,
		Args: cobra.NoArgs,
	}
	profile := profileFlag(cmd)
	pcscd := cmd.Flags().String("pcscd", "", "socket of a running pcscd that has vpcd (default: start a private one)")
	dir := cmd.Flags().String("dir", "", "folder for the private bench's socket and log (default: a temporary one)")
	var o demo.Options
	post := cmd.Flags().Bool("post", false, "start the demonstration's post as well, with its page open")
	cmd.Flags().StringVar(&o.Bin, "bin", programs(), "with --post: folder of watchpost, watchpostd and watchpost-capture")
	cmd.Flags().StringVar(&o.Listen, "listen", "", "with --post: address of the page (default: 127.0.0.1:8443, or another port where that is taken)")
	cmd.Flags().BoolVar(&o.SecondOfficer, "second-officer", false, "with --post: a policy that asks for a second officer to confirm and to override")
	cmd.Flags().StringVar(&o.Presentation, "presentation", "", "with --post: challenges against presentation attacks: off, advise or require (default: off)")
	cmd.Flags().DurationVar(&o.AnswerWithin, "answer-within", 0, "with --post: the policy's time from the last capture to the answer (default: a second, as it ships)")
	cmd.Flags().IntVar(&o.Faces, "faces", 0, "with --post: synthetic faces on the list (default: as the demonstration)")
	cmd.Flags().IntVar(&o.Documents, "documents", 0, "with --post: lost documents on the list (default: as the demonstration)")
	roles := cmd.Flags().StringSlice("officer-roles", nil, "with --post: roles of the officer beside his own (supervisor, administrator, auditor)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *post {
			for _, r := range *roles {
				o.Roles = append(o.Roles, officer.Role(r))
			}
			return upPost(cmd, o)
		}
		p, err := loadProfile(*profile)
		if err != nil {
			return err
		}
		ended := make(chan struct{}, 1)
		b, err := bench.Start(cmd.Context(), bench.Options{Dir: *dir, PCSCD: *pcscd, OnEvent: func(e bench.Event) {
			if e.Kind == "ended" {
				ended <- struct{}{}
				return
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "slot %d: %s\n", e.Slot, e.Kind)
		}})
		if err != nil {
			return err
		}
		defer b.Close()
		if err := b.Insert(cmd.Context(), 0, p); err != nil {
			return err
		}
		if err := describe(cmd, p, map[string]any{
			"env": "PCSCLITE_CSOCK_NAME=" + b.PCSCDSocket(), "reader": b.ReaderName(0),
		}); err != nil {
			return err
		}
		fmt.Fprintln(cmd.ErrOrStderr(), strings.Join([]string{
			"A passport lies on the reader. In another terminal:",
			"  export PCSCLITE_CSOCK_NAME=" + b.PCSCDSocket(),
			fmt.Sprintf("  watchpost chip read --reader %q --mrz %q", b.ReaderName(0), p.Person().Key()),
			"Ctrl-C ends the bench.",
		}, "\n"))
		select {
		case <-cmd.Context().Done():
			return b.Close()
		case <-ended:
			return fault.New("bench.closed", "the bench ended by itself")
		}
	}
	return cmd
}
