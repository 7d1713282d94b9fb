// Command watchpostd is the daemon of a post: it holds keys, lists, policy and
// stores, and runs encounters for officers who reach it through /v1. It links
// no C; devices and outside images live in watchpost-capture.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/cmd/unlock"
	"github.com/watchpost/watchpost/device/config"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/post/room"
	"github.com/watchpost/watchpost/device/post/shift"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := newCommand().ExecuteContext(ctx); err != nil {
		fmt.Fprintf(os.Stderr, "watchpostd: %v\n", err)
		if hint := fault.HintOf(err); hint != "" {
			fmt.Fprintf(os.Stderr, "  %s\n", hint)
		}
		var coded *fault.Error
		if !errors.As(err, &coded) || coded.Code == "usage" {
			os.Exit(2) // cobra's own complaint about flags has no code
		}
		os.Exit(3)
	}
}

func newCommand() *cobra.Command {
	var configPath, provision string
	var by unlock.Flags
	var locked bool
	cmd := &cobra.Command{
		Use:   "watchpostd",
		Short: "The daemon of a Watchpost post",
		Long: `Runs one post: unlocks its vault, takes what decides from a folder signed by two,
loads the lists into locked memory and serves /v1 on its admin socket.

It refuses to start, with a code and what to do, when the passphrase or PIN is wrong, the
box has booted something else, an old disk image was put back, the lists are damaged, nothing signed by two is there, or another process holds the
stores. The capture process (watchpost-capture devices) has to run beside it.

While it runs, its keys lock by "watchpost keys lock", when nobody works any more, at the
end of the shift (keys in the configuration), when a gate's lease has run out, and when
central says that the box is missing. A locked post answers vault.locked and opens again
without a restart. SIGTERM, SIGINT and SIGHUP end it in order and wipe its keys.`,
		Example: `  watchpostd --config /etc/watchpost/post.yaml --passphrase-file /run/credentials/watchpost/passphrase
  watchpostd --config post.yaml --tpm /dev/tpmrm0 --pin-file -
  watchpostd --config desk.yaml --tpm /dev/tpmrm0 --locked
  watchpostd --config gate.yaml --tpm /dev/tpmrm0 --lease
  watchpostd --config post.yaml --passphrase-file - --provision /media/stick/desk-1`,
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return run(cmd.Context(), configPath, &by, locked, provision, cmd.InOrStdin())
		},
	}
	cmd.Flags().StringVar(&configPath, "config", "", "configuration of the post (YAML)")
	by.Register(cmd.Flags())
	cmd.Flags().BoolVar(&locked, "locked", false, "start with locked keys: an officer's sign-in, or watchpost keys unlock, opens them (--tpm still names the TPM)")
	cmd.Flags().StringVar(&provision, "provision", "", "folder signed by two to take in before starting")
	if err := cmd.MarkFlagRequired("config"); err != nil {
		panic("watchpostd: " + err.Error()) // the flag is defined above
	}
	return cmd
}

func run(ctx context.Context, configPath string, by *unlock.Flags, locked bool, provision string, stdin io.Reader) error {
	cfg, err := config.Read(configPath)
	if err != nil {
		return err
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.Log.Level)); err != nil {
		return fault.Wrap("config.log", err)
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	room.ForStart(cfg.StateDir())
	o := shift.Options{Config: cfg, TPM: by.TPM, Provision: provision, Log: log, Now: time.Now, With: with(cfg, by.TPM)}
	way := func() (shift.Way, error) {
		u, forget, err := by.Unlocker(cfg.StateDir(), cfg, stdin)
		return shift.Way{Unlocker: u, Forget: forget}, err
	}
	if !locked {
		if o.First, err = way(); err != nil {
			return err
		}
	}
	if by.Lease {
		o.Lease = way
	}
	return shift.Run(ctx, o)
}
