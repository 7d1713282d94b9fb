// Command watchpost is the officer's and engineer's command line: it measures
// each engine on files, reads one chip, manages trust stores and lists, and
// speaks to a running post through its admin socket.
//
// Standard output carries data only, one compact JSON object or one CSV row a
// line; messages go to standard error. Exit status: 0 all answered (whatever a
// verdict says), 3 some row or file failed, 2 usage. See device/DESIGN.md,
// section 12.
package main

import (
	"context"
	"os"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/cmd/program"
)

// Exit statuses of the contract (design section 12).
const (
	exitOK     = program.OK
	exitUsage  = program.Usage
	exitFailed = program.Failed
)

// errSomeFailed ends a command whose failed rows have been reported in place.
var errSomeFailed = program.ErrSomeFailed

func main() { program.Main(newRoot()) }

func run(ctx context.Context, root *cobra.Command) int { return program.Run(ctx, root, os.Stderr) }

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "watchpost",
		Short: "Biometric frontline screening: chips, faces, fingers, names, lists",
	}
	root.AddCommand(commands()...)
	return root
}
