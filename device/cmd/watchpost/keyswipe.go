package main

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/post/keysapi"
	"github.com/watchpost/watchpost/device/provision/install"
	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/device/vault/tpm"
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

func wipeKeys(ctx context.Context, state, device string) (done wiped, err error) {
	path := filepath.Join(state, install.VaultFile)
	var errs []error
	ways, err := vault.Ways(path)
	if err == nil {
		done.TPM, err = forgetAll(ctx, path, ways, device)
	}
	if fault.CodeOf(err) != "vault.missing" { // Shred says that
		errs = append(errs, err)
	}
	shredded := vault.Shred(path)
	done.File = shredded == nil
	errs = append(errs, shredded)
	if err := os.Remove(filepath.Join(state, vault.StartsFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		errs = append(errs, fault.Wrap("post.state", err))
	}
	// What a running daemon holds in memory goes last: a thief has the disk
	// sooner than the memory.
	_, err = callDaemon(ctx, state, http.MethodPost, keysapi.Path+"/lock?now", nil)
	done.Daemon = err == nil
	if !errors.Is(err, errNoDaemon) {
		errs = append(errs, err)
	}
	return done, errors.Join(errs...)
}

// forgetAll makes the TPM forget every way in that it has a part in.
func forgetAll(ctx context.Context, path string, ways []vault.Way, device string) (bool, error) {
	var errs []error
	forgot := false
	for _, w := range ways {
		params, err := vault.Params(path, w)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		chip := chipHalf(w.Kind, params)
		switch {
		case chip == nil:
		case device == "":
			errs = append(errs, fault.New("tpm.missing", "the vault opens by a TPM and none was named").WithHint("give it with --tpm"))
		default:
			if err := (tpm.Unlocker{Device: device}).Forget(ctx, chip); err != nil {
				errs = append(errs, err)
				continue
			}
			forgot = true
		}
	}
	return forgot && len(errs) == 0, errors.Join(errs...)
}
