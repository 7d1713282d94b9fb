package main

import (
	"context"
	"errors"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/post/keysapi"
	"github.com/watchpost/watchpost/device/provision/install"
	"github.com/watchpost/watchpost/device/vault/erase"
)

// wiped is what "keys wipe" prints.
type wiped struct {
	File   bool `json:"file"`   // the vault file was overwritten and removed
	TPM    bool `json:"tpm"`    // the TPM opens no copy of it either
	Daemon bool `json:"daemon"` // a running daemon has wiped what it held in memory
}

func keysWipeCommand(k *keysFlags) *cobra.Command {
	var yes bool
	c := &cobra.Command{
		Use:   "wipe --yes",
		Short: "Destroy the keys of a post, at once and for good",
		Long: `Destroys the keys without asking for a PIN or a passphrase: the TPM forgets its half, so
that no copy of this disk opens on this box either, then the vault file is overwritten
and removed. Everything the post sealed stays shut for ever; lists and settings come
back with a new provisioning folder after "keys init". A running daemon is told to wipe
what it holds in memory.

Prints one JSON object that says what is gone. Where the TPM does not answer the file
goes all the same, and the command ends with the TPM's code.`,
		Example: "  watchpost keys wipe --state /var/lib/watchpost --tpm /dev/tpmrm0 --yes",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !yes {
				return fault.New("usage", "nothing brings the keys back: say --yes")
			}
			dir, _, err := k.dir()
			if err != nil {
				return err
			}
			done, failed := wipeKeys(cmd.Context(), dir, k.by.TPM)
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

func wipeKeys(ctx context.Context, state, device string) (wiped, error) {
	done, err := erase.Keys(ctx, state, install.VaultFile, device)
	// What a running daemon holds in memory goes last: a thief has the disk
	// sooner than the memory.
	_, told := callDaemon(ctx, state, http.MethodPost, keysapi.Path+"/lock?now", nil)
	if !errors.Is(told, errNoDaemon) {
		err = errors.Join(err, told)
	}
	return wiped{File: done.File, TPM: done.TPM, Daemon: told == nil}, err
}
