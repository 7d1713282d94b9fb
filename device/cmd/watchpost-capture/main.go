// Command watchpost-capture is the process that holds C: as "devices" it has
// camera, sensor and chip reader, as "decode" it turns outside images into
// pixels and templates (device/DESIGN.md, section 3). One process has one role.
//
// It holds no key and no list, and confines itself before it reads the first
// outside byte: no network, no other program, no file but those of its role.
// Its client is device/capture, over the descriptor or socket named by flags.
// When it cannot serve, the last line on standard error is "watchpost-capture:
// code: cause"; exit status 1, 2 for usage, 70 when a call did not come back.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/capture/decode/face"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/sdk/driver"
)

// version is what Describe tells; releases set it by -ldflags.
var version = "0.1.0"

const (
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	if err := oneBLASThread(); err != nil {
		fmt.Fprintf(os.Stderr, "watchpost-capture: %v\n", err)
		os.Exit(exitFailed)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, newRoot()))
}

// oneBLASThread starts the program again with OpenBLAS held to one thread: the
// library reads that when it is loaded, and its threads would only wait for one
// another beside one face engine a core.
func oneBLASThread() error {
	const name = "OPENBLAS_NUM_THREADS"
	if os.Getenv(name) != "" {
		return nil
	}
	path, err := os.Executable()
	if err != nil {
		return err
	}
	return syscall.Exec(path, os.Args, append(os.Environ(), name+"=1"))
}

func run(ctx context.Context, root *cobra.Command) int {
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	var coded *fault.Error
	var served *driver.Error
	switch {
	case errors.As(err, &coded), errors.As(err, &served):
		fmt.Fprintf(os.Stderr, "watchpost-capture: %v\n", err)
		return exitFailed
	}
	fmt.Fprintf(os.Stderr, "watchpost-capture: usage: %v\n", err)
	return exitUsage
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "watchpost-capture",
		Short:         "Hold devices or decode outside images, confined",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(newDevices(), newDecode())
	return root
}

// common are the flags of both roles.
type common struct {
	fd     int
	socket string
	models string
	debug  bool
}

func (c *common) flags(cmd *cobra.Command) {
	cmd.Flags().IntVar(&c.fd, "fd", -1, "serve the one connection on this inherited descriptor, and end with it")
	cmd.Flags().StringVar(&c.socket, "socket", "", "serve this unix socket path, for the same user only")
	cmd.Flags().StringVar(&c.models, "models", face.ModelDir(), "folder of the face models")
	cmd.Flags().BoolVar(&c.debug, "debug", false, "log more (no personal data at any level)")
	cmd.MarkFlagsMutuallyExclusive("fd", "socket")
	cmd.MarkFlagsOneRequired("fd", "socket")
}

// cores is how many templates are computed at a time.
func cores() int { return runtime.GOMAXPROCS(0) }
