package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/biometric/pad"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/hwtest/liveness"
)

func padCommand() *cobra.Command {
	var trials int
	var seed uint64
	cmd := &cobra.Command{
		Use:   "pad",
		Short: "Simulated error rates of presentation attack detection",
		Long: `Presents live people and attack instruments to the challenges of
device/biometric/pad, all of them simulated: heads, prints, screens and masks
before a pinhole camera above a lit screen (hwtest/liveness tells what it leaves
out). Terms of ISO/IEC 30107-3.

Out: a table, one row a challenge and species.
  APCER   share of attacks that passed as a live person
  APNRR   share of attacks that could not be assessed
  BPCER   share of live people taken for an attack
  BPNRR   share of live people that could not be assessed
Every row says "simulated": no figure of a real instrument stands behind it, and
a post treats a pass as not assessable until there is one. The worst species is
the figure of a challenge: a solid mask passes flashes and turns, a mask with eye
holes and a film that somebody steers pass shut eyes.`,
		Example: "  hwtest pad --trials 200",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if trials < 1 || trials > 100_000 {
				return fault.New("usage", "--trials %d: 1 to 100,000", trials)
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "figures\tchallenge\tspecies\ttrials\tAPCER %\tAPNRR %\tBPCER %\tBPNRR %")
			for _, kind := range []pad.Kind{pad.Flash, pad.Turn, pad.Blink} {
				rows, err := liveness.Run(trials, seed, kind)
				if err != nil {
					return err
				}
				for _, r := range rows {
					pass, fail, none := 100*r.Share(pad.Pass), 100*r.Share(pad.Fail), 100*r.Share(pad.NotAssessable)
					rates := fmt.Sprintf("%.1f\t%.1f\t\t", pass, none)
					if r.Species == liveness.BonaFide {
						rates = fmt.Sprintf("\t\t%.1f\t%.1f", fail, none)
					}
					fmt.Fprintf(w, "simulated\t%v\t%s\t%d\t%s\n", r.Kind, r.Species, r.Trials, rates)
				}
			}
			return fault.Wrap(codeWrite, w.Flush())
		},
	}
	cmd.Flags().IntVar(&trials, "trials", 100, "presentations of each species to each challenge")
	cmd.Flags().Uint64Var(&seed, "seed", 1, "draws people, rooms and challenges; the same seed repeats a run")
	return cmd
}
