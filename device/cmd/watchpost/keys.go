package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/config"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/provision/install"
	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/device/vault/tpm"
)

// keyState is what "keys" prints.
type keyState struct {
	vault.State
	Device string `json:"device"` // short name of the public key
}

func keysCommand() *cobra.Command {
	var state string
	var unlock unlockFlags
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "Show the state of a post's keys",
		Long: `Prints the state of the vault as one JSON object: how it unlocks, of which lists it
holds keys, and the device's public key, to which owners of lists wrap their keys.
No secret is ever printed. The daemon must not run on the same state folder.`,
		Example: `  watchpost keys init --state /var/lib/watchpost --passphrase-file passphrase
  watchpost keys --state /var/lib/watchpost --passphrase-file passphrase
  watchpost keys --state /var/lib/watchpost --tpm /dev/tpmrm0 --pin-file pin`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return showKeys(cmd, state, &unlock, vault.Open)
		},
	}
	cmd.PersistentFlags().StringVar(&state, "state", "", "state folder of the post (default: where the daemon keeps it)")
	unlock.register(cmd)
	cmd.AddCommand(keysInitCommand(&state, &unlock), keysLinkCommand(&state, &unlock), keysWipeCommand(&state, &unlock))
	return cmd
}

// defaultTPM is the kernel's TPM, shared with others by its resource manager.
const defaultTPM = "/dev/tpmrm0"

func keysInitCommand(state *string, unlock *unlockFlags) *cobra.Command {
	var by string
	c := &cobra.Command{
		Use:   "init",
		Short: "Make the vault of a new post",
		Long: `Makes a vault with a fresh device key. A vault that is there is never overwritten.

With --unlock tpm the vault opens only on this box, as it is booted now (PCR 7 and 11),
and with the shift PIN of --pin-file (at least 6 bytes): ten wrong ones shut it, then
one more is taken every ten minutes. Without a PIN whoever has the box has the keys.
The TPM's own authorisations must be free, or its lockout limit set to at most 32.`,
		Example: `  watchpost keys init --state /var/lib/watchpost --passphrase-file passphrase
  watchpost keys init --state /var/lib/watchpost --unlock tpm --tpm /dev/tpmrm0 --pin-file pin`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case by == "tpm" && unlock.tpm == "":
				unlock.tpm = defaultTPM
			case by != "" && by != "tpm" && by != "passphrase":
				return fault.New("usage", "--unlock is passphrase or tpm")
			case by == "passphrase" && unlock.tpm != "":
				return fault.New("usage", "--unlock passphrase and --tpm exclude each other")
			}
			if unlock.tpm != "" && unlock.pinFile == "" {
				cmd.PrintErrln("no --pin-file: whoever has the box will have the keys")
			}
			return showKeys(cmd, *state, unlock, createVault)
		},
	}
	c.Flags().StringVar(&by, "unlock", "", "how the vault opens: passphrase or tpm (default: as the other flags say)")
	return c
}

// createVault asks for the place first, so that a vault that is there already
// does not cost a TPM one of its places. A count of starts that a vault before
// left says nothing of the new one.
func createVault(ctx context.Context, path string, u vault.Unlocker) (*vault.Vault, error) {
	if _, err := os.Lstat(path); err == nil {
		return nil, fault.New("vault.exists", "a vault file is there already")
	}
	v, err := vault.Create(ctx, path, u)
	if err != nil {
		return nil, err
	}
	if err := os.Remove(filepath.Join(filepath.Dir(path), tpm.StartsFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		v.Lock()
		return nil, fault.Wrap("post.state", err)
	}
	return v, nil
}

func showKeys(cmd *cobra.Command, state string, unlock *unlockFlags, open func(context.Context, string, vault.Unlocker) (*vault.Vault, error)) error {
	if state == "" {
		state = config.DefaultState()
	}
	u, forget, err := unlock.unlocker(cmd.InOrStdin())
	if err != nil {
		return err
	}
	defer forget()
	if err := vault.Harden(); err != nil {
		return err
	}
	if err := os.MkdirAll(state, 0o700); err != nil {
		return fault.Wrap("post.state", err)
	}
	v, err := open(cmd.Context(), filepath.Join(state, install.VaultFile), u)
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
