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

	"github.com/watchpost/watchpost/device/config"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/post"
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
		if !errors.As(err, &coded) {
			os.Exit(2) // cobra's own complaint about flags
		}
		os.Exit(3)
	}
}

func newCommand() *cobra.Command {
	var configPath, provision string
	var unlock unlockFlags
	cmd := &cobra.Command{
		Use:   "watchpostd",
		Short: "The daemon of a Watchpost post",
		Long: `Runs one post: unlocks its vault, takes what decides from a folder signed by two,
loads the lists into locked memory and serves /v1 on its admin socket.

It refuses to start, with a code and what to do, when the passphrase or PIN is wrong, the
box has booted something else, an old disk image was put back, the lists are damaged, nothing signed by two is there, or another process holds the
stores. The capture process (watchpost-capture devices) has to run beside it.

SIGTERM, SIGINT and SIGHUP (end of shift) end it in order and wipe its keys: the next
start asks for the passphrase or PIN again.`,
		Example: `  watchpostd --config /etc/watchpost/post.yaml --passphrase-file /run/credentials/watchpost/passphrase
  watchpostd --config post.yaml --tpm /dev/tpmrm0 --pin-file -
  watchpostd --config post.yaml --passphrase-file - --provision /media/stick/desk-1`,
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return run(cmd.Context(), configPath, &unlock, provision, cmd.InOrStdin())
		},
	}
	cmd.Flags().StringVar(&configPath, "config", "", "configuration of the post (YAML)")
	unlock.register(cmd)
	cmd.Flags().StringVar(&provision, "provision", "", "folder signed by two to take in before starting")
	if err := cmd.MarkFlagRequired("config"); err != nil {
		panic("watchpostd: " + err.Error()) // the flag is defined above
	}
	return cmd
}

func run(ctx context.Context, configPath string, unlock *unlockFlags, provision string, stdin io.Reader) error {
	cfg, err := config.Read(configPath)
	if err != nil {
		return err
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.Log.Level)); err != nil {
		return fault.Wrap("config.log", err)
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	u, forget, err := unlock.unlocker(cfg.StateDir(), stdin)
	if err != nil {
		return err
	}
	defer forget()
	p, err := post.Start(ctx, post.Options{Config: cfg, Unlocker: u, Provision: provision, Log: log, Now: time.Now})
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
	case err = <-p.Failed():
	}
	return errors.Join(err, p.Close())
}
