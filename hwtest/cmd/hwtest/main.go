// Command hwtest is the product's test bench: virtual passports behind a real
// reader stack, test documents and their issuers, and the demonstration.
//
// Standard output carries data only, messages go to standard error. Exit
// status: 0 done, 3 failed, 2 usage.
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

// Exit statuses (device/DESIGN.md, section 12).
const (
	exitOK     = 0
	exitUsage  = 2
	exitFailed = 3
)

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
	var coded *fault.Error
	if !errors.As(err, &coded) {
		// cobra's own complaints about flags and arguments carry no code.
		fmt.Fprintf(os.Stderr, "hwtest: usage: %v\n", err)
		return exitUsage
	}
	fmt.Fprintf(os.Stderr, "hwtest: %v\n", err)
	if hint := fault.HintOf(err); hint != "" {
		fmt.Fprintf(os.Stderr, "  %s\n", hint)
	}
	return exitFailed
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "hwtest",
		Short:         "Test bench: virtual passports, their issuers, and the demonstration",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(commands()...)
	return root
}
