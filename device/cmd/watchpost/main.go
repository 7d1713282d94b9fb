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
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/fault"
)

// Exit statuses of the contract (design section 12).
const (
	exitOK     = 0
	exitUsage  = 2
	exitFailed = 3
)

// errSomeFailed ends a command whose failed rows have been reported in place.
var errSomeFailed = errors.New("some rows failed")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, newRoot()))
}

func run(ctx context.Context, root *cobra.Command) int {
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	if errors.Is(err, errSomeFailed) {
		return exitFailed
	}
	var coded *fault.Error
	if !errors.As(err, &coded) {
		// cobra's own complaints about flags and arguments carry no code.
		fmt.Fprintf(os.Stderr, "watchpost: usage: %v\n", err)
		return exitUsage
	}
	fmt.Fprintf(os.Stderr, "watchpost: %v\n", err)
	if hint := fault.HintOf(err); hint != "" {
		fmt.Fprintf(os.Stderr, "  %s\n", hint)
	}
	if fault.CodeOf(err) == "usage" {
		return exitUsage
	}
	return exitFailed
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "watchpost",
		Short:         "Biometric frontline screening: chips, faces, fingers, names, lists",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(commands()...)
	return root
}
