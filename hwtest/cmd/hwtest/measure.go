package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/hwtest/demo"
)

// measureCommand gathers the figures of a whole post on real parts.
func measureCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "measure",
		Short: "Figures of a whole post on real parts",
		Long: `Starts what hwtest demo starts, walks persons through it and prints a table. Exit
status 0 only if every encounter ended as it must and every figure is within its
budget.`,
	}
	cmd.AddCommand(
		measuring("answer", "Last capture to answer: with the link, with it cut, with it stalling",
			`Times the answer of the post, as the post itself says, in encounters of persons with
and without papers, listed and not: with the link to central, with the link cut, and
with a link that is up when the last capture ends and then carries nothing. The
budget is p95 at most 1 s each (device/DESIGN.md, section 10).`,
			"  hwtest measure answer --answers 60", "answers", 60, "answers in each state of the link", demo.Answers),
		measuring("growth", "Memory, files and processes over encounters in a row",
			`Walks encounters in a row and samples every fifth from the twentieth on: resident
memory and open files of each process, live heap and goroutines of the daemon and of
central, decode processes, files and bytes of the state. A straight line goes through
the samples of each; it fails where even the lower end of its 95 % interval rises by more than is
allowed, which is printed beside it.`,
			"  hwtest measure growth --encounters 200", "encounters", 200, "encounters in a row", demo.Growth),
	)
	return cmd
}

func measuring(use, short, long, example, flag string, n int, usage string, run func(context.Context, demo.Options, int) error) *cobra.Command {
	o := demo.Options{Quiet: true}
	cmd := &cobra.Command{
		Use: use, Short: short, Long: long, Example: example, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Out = cmd.OutOrStdout()
			err := run(cmd.Context(), o, n)
			if err != nil && fault.CodeOf(err) == fault.Unknown {
				return fault.Wrap("measure.failed", err)
			}
			return err
		},
	}
	cmd.Flags().IntVar(&n, flag, n, usage)
	cmd.Flags().StringVar(&o.Bin, "bin", programs(), "folder of the product's programs")
	cmd.Flags().IntVar(&o.Faces, "faces", 0, "synthetic faces on the list (default: as the demonstration)")
	cmd.Flags().IntVar(&o.Documents, "documents", 0, "lost documents on the list (default: as the demonstration)")
	return cmd
}
