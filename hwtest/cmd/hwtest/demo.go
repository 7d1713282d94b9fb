package main

import (
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/hwtest/demo"
)

func demoCommand() *cobra.Command {
	var o demo.Options
	var serve string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Screen six persons on real parts and check how each ends",
		Long: `Starts a private reader bench with virtual passports, a camera that plays
pictures, watchpost-capture and watchpostd, and lets an officer's script screen six
persons through the admin socket. Then central, which runs beside them, finds a
document on a list that the post does not hold; the link is cut, and restored.
Everything lives in temporary folders and ends with the command. Exit status 0 only
if each encounter ended as it must.

The portraits come from packages (make deps); the pictures on chips and before the
camera are captures derived from them. The list's crowd is synthetic.

With --serve the post stays afterwards and its page is open on this machine: the
address and the passwords of an officer and a supervisor, made for this run, are
printed. A letter and Enter puts that person at the post. --serve=terminal does so
only where somebody sits at the terminal.`,
		Example: `  hwtest demo
  hwtest demo --runs 20 --quiet     # figures of 20 runs
  hwtest demo --serve               # then stays, with the page open for an officer`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Out = cmd.OutOrStdout()
			switch {
			case serve == serveAlways, serve == serveTerminal && terminal(os.Stdin):
				o.Keep, o.Keys = true, cmd.InOrStdin()
				var err error
				if o.Listen, err = demo.FreeListen(); err != nil {
					return fault.Wrap("demo.listen", err)
				}
			case serve != serveNever && serve != serveTerminal:
				return fault.New("usage", "--serve is one of %s, %s, %s", serveAlways, serveTerminal, serveNever)
			}
			err := demo.Run(cmd.Context(), o)
			if err != nil && fault.CodeOf(err) == fault.Unknown {
				return fault.Wrap("demo.failed", err)
			}
			return err
		},
	}
	cmd.Flags().StringVar(&o.Bin, "bin", programs(), "folder of watchpost, watchpostd and watchpost-capture")
	cmd.Flags().StringVar(&o.Portraits, "portraits", "", "folder of portraits (default: where make deps puts them)")
	cmd.Flags().IntVar(&o.Runs, "runs", 1, "how often all encounters are walked")
	cmd.Flags().BoolVar(&o.Quiet, "quiet", false, "one line an encounter")
	cmd.Flags().StringVar(&serve, "serve", serveNever, "stay with the page open: always, terminal, never")
	cmd.Flags().Lookup("serve").NoOptDefVal = serveAlways
	return cmd
}

// Values of --serve.
const (
	serveAlways   = "always"
	serveTerminal = "terminal"
	serveNever    = "never"
)

// terminal reports whether f is a terminal, where somebody may read and type.
func terminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// programs is the folder in which this program lies, where make build puts the
// others too.
func programs() string {
	exe, err := os.Executable()
	if err != nil {
		return "."
	}
	return filepath.Dir(exe)
}
