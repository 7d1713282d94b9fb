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

// wiped is what "keys wipe" prints.
type wiped struct {
	File bool `json:"file"` // the vault file was overwritten and removed
	TPM  bool `json:"tpm"`  // the TPM opens no copy of it either
}

func keysWipeCommand(state *string, unlock *unlockFlags) *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use:   "wipe --yes",
		Short: "Destroy the keys of a post, at once and for good",
		Long: `Destroys the keys without asking for a PIN or a passphrase: the TPM forgets its half, so
that no copy of this disk opens on this box either, then the vault file is overwritten
and removed. Everything the post sealed stays shut for ever; lists and settings come
back with a new provisioning folder after "keys init". Stop the daemon first: what it
holds in memory goes when it ends.

Prints one JSON object that says what is gone. Where the TPM does not answer the file
goes all the same, and the command ends with the TPM's code.`,
		Example: "  watchpost keys wipe --state /var/lib/watchpost --tpm /dev/tpmrm0 --yes",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !yes {
				return fault.New("usage", "nothing brings the keys back: say --yes")
			}
			dir := *state
			if dir == "" {
				dir = config.DefaultState()
			}
			done, failed := wipeKeys(cmd.Context(), dir, unlock.tpm)
			out := newRows(cmd)
			if err := errors.Join(out.JSON(done), failed); err != nil {
				return err
			}
			return out.End()
		},
	}
	c.Flags().BoolVar(&yes, "yes", false, "yes, destroy them")
	return c
}

func wipeKeys(ctx context.Context, state, device string) (done wiped, err error) {
	path := filepath.Join(state, install.VaultFile)
	params, tpmErr := vault.Params(path, tpm.Kind)
	switch {
	case tpmErr == nil && device == "":
		tpmErr = fault.New("tpm.missing", "the vault opens by a TPM and none was named").WithHint("give it with --tpm")
	case tpmErr == nil:
		tpmErr = tpm.Unlocker{Device: device}.Forget(ctx, params)
		done.TPM = tpmErr == nil
	case fault.CodeOf(tpmErr) == "vault.unlocker" || fault.CodeOf(tpmErr) == "vault.missing":
		tpmErr = nil // there is nothing in a TPM, or Shred says it
	}
	fileErr := vault.Shred(path)
	done.File = fileErr == nil
	if err := os.Remove(filepath.Join(state, tpm.StartsFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		fileErr = errors.Join(fileErr, fault.Wrap("post.state", err))
	}
	return done, errors.Join(tpmErr, fileErr)
}
