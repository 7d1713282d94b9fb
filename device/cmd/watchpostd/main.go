// Command watchpostd is the daemon of a post: it holds keys, lists, policy and
// stores, and runs encounters for officers who reach it through /v1. It links
// no C; devices and outside images live in watchpost-capture.
package main

import (
	"bytes"
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
	"github.com/watchpost/watchpost/device/vault"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
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
	var configPath, passphraseFile, provision string
	cmd := &cobra.Command{
		Use:   "watchpostd",
		Short: "The daemon of a Watchpost post",
		Long: `Runs one post: unlocks its vault, takes what decides from a folder signed by two,
loads the lists into locked memory and serves /v1 on its admin socket.

It refuses to start, with a code and what to do, when the passphrase is wrong, the
lists are damaged, nothing signed by two is there, or another process holds the
stores. The capture process (watchpost-capture devices) has to run beside it.`,
		Example: `  watchpostd --config /etc/watchpost/post.yaml --passphrase-file /run/credentials/watchpost/passphrase
  watchpostd --config post.yaml --passphrase-file - --provision /media/stick/desk-1`,
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return run(cmd.Context(), configPath, passphraseFile, provision, cmd.InOrStdin())
		},
	}
	cmd.Flags().StringVar(&configPath, "config", "", "configuration of the post (YAML)")
	cmd.Flags().StringVar(&passphraseFile, "passphrase-file", "", "file with the vault's passphrase, - for standard input")
	cmd.Flags().StringVar(&provision, "provision", "", "folder signed by two to take in before starting")
	for _, name := range []string{"config", "passphrase-file"} {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic("watchpostd: " + err.Error()) // the flag is defined above
		}
	}
	return cmd
}

func run(ctx context.Context, configPath, passphraseFile, provision string, stdin io.Reader) error {
	cfg, err := config.Read(configPath)
	if err != nil {
		return err
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.Log.Level)); err != nil {
		return fault.Wrap("config.log", err)
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	passphrase, err := readPassphrase(passphraseFile, stdin)
	if err != nil {
		return err
	}
	defer clear(passphrase)
	p, err := post.Start(ctx, post.Options{Config: cfg, Unlocker: vault.Passphrase(passphrase), Provision: provision, Log: log, Now: time.Now})
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
	case err = <-p.Failed():
	}
	return errors.Join(err, p.Close())
}

// maxPassphrase bounds the passphrase file.
const maxPassphrase = 4096

func readPassphrase(path string, stdin io.Reader) ([]byte, error) {
	in := stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, fault.New("vault.passphrase_file", "%w", err).WithHint("give the file with --passphrase-file")
		}
		defer f.Close()
		in = f
	}
	raw, err := io.ReadAll(io.LimitReader(in, maxPassphrase))
	if err != nil {
		return nil, fault.Wrap("vault.passphrase_file", err)
	}
	return bytes.TrimRight(raw, "\r\n"), nil
}
