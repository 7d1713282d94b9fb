package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/config"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/provision/install"
	"github.com/watchpost/watchpost/device/vault"
)

// maxPassphrase bounds what is read as a passphrase.
const maxPassphrase = 4096

// keyState is what "keys" prints.
type keyState struct {
	vault.State
	Device string `json:"device"` // short name of the public key
}

func keysCommand() *cobra.Command {
	var state, passphraseFile string
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "Show the state of a post's keys",
		Long: `Prints the state of the vault as one JSON object: how it unlocks, of which lists it
holds keys, and the device's public key, to which owners of lists wrap their keys.
No secret is ever printed. The daemon must not run on the same state folder.`,
		Example: `  watchpost keys init --state /var/lib/watchpost --passphrase-file passphrase
  watchpost keys --state /var/lib/watchpost --passphrase-file passphrase`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return showKeys(cmd, state, passphraseFile, vault.Open)
		},
	}
	cmd.PersistentFlags().StringVar(&state, "state", "", "state folder of the post (default: where the daemon keeps it)")
	cmd.PersistentFlags().StringVar(&passphraseFile, "passphrase-file", "", "file with the vault's passphrase, - for standard input")
	cmd.AddCommand(keysLinkCommand(&state, &passphraseFile), &cobra.Command{
		Use:     "init",
		Short:   "Make the vault of a new post",
		Long:    "Makes a vault with a fresh device key. A vault that is there is never overwritten.",
		Example: "  watchpost keys init --state /var/lib/watchpost --passphrase-file passphrase",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return showKeys(cmd, state, passphraseFile, vault.Create)
		},
	})
	return cmd
}

func showKeys(cmd *cobra.Command, state, passphraseFile string, open func(context.Context, string, vault.Unlocker) (*vault.Vault, error)) error {
	if passphraseFile == "" {
		return fault.New("usage", "--passphrase-file is needed")
	}
	if state == "" {
		state = config.DefaultState()
	}
	passphrase, err := readPassphrase(passphraseFile, cmd.InOrStdin())
	if err != nil {
		return err
	}
	defer clear(passphrase)
	if err := vault.Harden(); err != nil {
		return err
	}
	if err := os.MkdirAll(state, 0o700); err != nil {
		return fault.Wrap("post.state", err)
	}
	v, err := open(cmd.Context(), filepath.Join(state, install.VaultFile), vault.Passphrase(passphrase))
	if err != nil {
		return err
	}
	defer v.Lock()
	r, err := v.Recipient()
	if err != nil {
		return err
	}
	out := newRows(cmd)
	if err := out.JSON(keyState{v.State(), r.ID()}); err != nil {
		return err
	}
	return out.End()
}

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
