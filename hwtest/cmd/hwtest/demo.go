package main

import (
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/hwtest/demo"
)

func demoCommand() *cobra.Command {
	var o demo.Options
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Screen six persons on real parts and check how each ends",
		Long: `Starts a private reader bench with virtual passports, a camera that plays
pictures, watchpost-capture and watchpostd, and lets an officer's script screen six
persons through the admin socket. Everything lives in a temporary folder and ends
with the command. Exit status 0 only if each encounter ended as it must.

The portraits come from packages (make deps); the pictures on chips and before the
camera are captures derived from them. The list's crowd is synthetic.`,
		Example: `  hwtest demo
  hwtest demo --runs 20 --quiet     # figures of 20 runs`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Out = cmd.OutOrStdout()
			err := demo.Run(cmd.Context(), o)
			if err != nil && fault.CodeOf(err) == fault.Unknown {
				return fault.Wrap("demo.failed", err)
			}
			return err
		},
	}
	bin := "."
	if exe, err := os.Executable(); err == nil {
		bin = filepath.Dir(exe)
	}
	cmd.Flags().StringVar(&o.Bin, "bin", bin, "folder of watchpost, watchpostd and watchpost-capture")
	cmd.Flags().StringVar(&o.Portraits, "portraits", "", "folder of portraits (default: where make deps puts them)")
	cmd.Flags().IntVar(&o.Runs, "runs", 1, "how often all encounters are walked")
	cmd.Flags().BoolVar(&o.Quiet, "quiet", false, "one line an encounter")
	return cmd
}
