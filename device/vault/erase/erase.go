// Package erase destroys the keys of a post, at once and for good, without
// opening them: by an operator's command or by an order from a distance.
package erase

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/device/vault/tpm"
)

// Done says what is gone.
type Done struct {
	File bool // the vault file was overwritten and removed
	TPM  bool // the TPM opens no copy of it either
}

// Keys makes the TPM named by device ("" for none) forget its half of every way
// in, then overwrites and removes the vault file in the folder state, and the
// count of starts. Where the TPM does not answer the file goes all the same.
func Keys(ctx context.Context, state, vaultFile, device string) (done Done, err error) {
	path := filepath.Join(state, vaultFile)
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
		chip := ChipHalf(w.Kind, params)
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
