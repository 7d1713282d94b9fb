package main

import (
	"path/filepath"

	"github.com/watchpost/watchpost/device/cmd/unlock"
	"github.com/watchpost/watchpost/device/config"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/post/keysapi"
	"github.com/watchpost/watchpost/device/post/shift"
	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/device/vault/tpm"
)

// with makes a way into the vault of what an officer gives while the daemon
// runs. The TPM is the one that the daemon was started with.
func with(cfg *config.Config, device string) func(keysapi.Secrets) (shift.Way, error) {
	return func(given keysapi.Secrets) (shift.Way, error) {
		forget := given.Wipe
		var way vault.Unlocker
		switch {
		case len(given.Passphrase) > 0:
			way = unlock.NamedPassphrase(given.Officer, given.Passphrase)
		case device == "":
			return shift.Way{}, fault.New("vault.passphrase", "no passphrase was given, and the daemon was started without a TPM").
				WithHint("give the passphrase, or start the daemon with --tpm")
		default:
			way = tpm.Unlocker{Device: device, Officer: given.Officer, PIN: given.PIN, Boots: filepath.Join(cfg.StateDir(), tpm.BootFile)}
		}
		if !given.Lease {
			return shift.Way{Unlocker: way, Forget: forget}, nil
		}
		released, err := unlock.Lease(cfg, way)
		if err != nil {
			return shift.Way{}, err
		}
		return shift.Way{Unlocker: released, Forget: func() { released.Close(); forget() }}, nil
	}
}
