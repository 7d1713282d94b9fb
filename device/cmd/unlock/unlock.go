// Package unlock is how the commands open a post's vault: the flags that say
// by what, the secrets that they name, and the way in that comes of both. It
// is one for watchpost and watchpostd, so that every command opens by every
// way.
package unlock

import (
	"context"
	"crypto/ed25519"
	"io"
	"path/filepath"

	"github.com/spf13/pflag"

	"github.com/watchpost/watchpost/device/config"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/provision/install"
	"github.com/watchpost/watchpost/device/uplink"
	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/device/vault/lease"
	"github.com/watchpost/watchpost/device/vault/tpm"
)

// Flags say how a vault opens.
type Flags struct {
	PassphraseFile string
	TPM            string
	PINFile        string
	Officer        string
	Lease          bool
}

// Register adds the flags to a command's.
func (u *Flags) Register(f *pflag.FlagSet) {
	f.StringVar(&u.PassphraseFile, "passphrase-file", "", "file with the vault's passphrase, - for standard input")
	f.StringVar(&u.TPM, "tpm", "", "open by this TPM: /dev/tpmrm0 or unix:PATH")
	f.StringVar(&u.PINFile, "pin-file", "", "with --tpm: file with the PIN, - for standard input")
	f.StringVar(&u.Officer, "officer", "", "whose PIN or passphrase it is, where officers have their own")
	f.BoolVar(&u.Lease, "lease", false, "open by a lease from central or the site, and by --tpm or --passphrase-file as the box's half")
}

// Given reports whether the flags name a way in at all.
func (u *Flags) Given() bool {
	return u.PassphraseFile != "" || u.TPM != "" || u.Lease
}

// Unlocker reads the secrets and returns what opens the vault in the state
// folder, and what wipes the secrets. conf is needed for a lease only and may
// be nil else.
func (u *Flags) Unlocker(state string, conf *config.Config, stdin io.Reader) (vault.Unlocker, func(), error) {
	switch {
	case u.TPM == "" && u.PINFile != "":
		return nil, nil, fault.New("usage", "--pin-file goes with --tpm")
	case u.TPM != "" && u.PassphraseFile != "":
		return nil, nil, fault.New("usage", "--passphrase-file and --tpm exclude each other")
	case u.Lease && (u.PINFile != "" || u.Officer != ""):
		return nil, nil, fault.New("usage", "a lease opens without an officer: no --pin-file, no --officer")
	case !u.Given():
		return nil, nil, fault.New("usage", "--passphrase-file or --tpm is needed")
	case u.Lease && u.TPM == "" && u.PassphraseFile == "":
		return nil, nil, fault.New("usage", "--lease goes with --tpm, or with --passphrase-file on a bench")
	}
	way, forget, err := u.local(state, stdin)
	if err != nil || !u.Lease {
		return way, forget, err
	}
	released, err := Lease(conf, way)
	if err != nil {
		forget()
		return nil, nil, err
	}
	return released, func() { released.Close(); forget() }, nil
}

// local is the way in by what is in the box and what an officer knows.
func (u *Flags) local(state string, stdin io.Reader) (vault.Unlocker, func(), error) {
	if u.TPM == "" {
		passphrase, err := Passphrase(u.PassphraseFile, stdin)
		if err != nil {
			return nil, nil, err
		}
		return NamedPassphrase(u.Officer, passphrase), func() { clear(passphrase) }, nil
	}
	chip := tpm.Unlocker{Device: u.TPM, Officer: u.Officer, Boots: filepath.Join(state, tpm.BootFile)}
	if u.PINFile == "" {
		return chip, func() {}, nil
	}
	pin, err := PIN(u.PINFile, stdin)
	if err != nil {
		return nil, nil, err
	}
	chip.PIN = pin
	return chip, func() { clear(pin) }, nil
}

// NamedPassphrase is a passphrase, an officer's where one is named.
func NamedPassphrase(officer string, passphrase []byte) vault.Unlocker {
	if officer == "" {
		return vault.Passphrase(passphrase)
	}
	return vault.OfficerPassphrase{Officer: officer, Passphrase: passphrase}
}

// Lease is the way in by a lease from the releaser that conf names, with local
// as the box's half. The caller closes it.
func Lease(conf *config.Config, local vault.Unlocker) (*lease.Unlocker, error) {
	if conf == nil {
		return nil, fault.New("usage", "--lease needs --config: it names the post and who releases its keys")
	}
	by := conf.ReleaserOf()
	if by == nil {
		return nil, fault.New("config.central", "the configuration names neither central nor keys.releaser")
	}
	sign, seal, err := by.Keys()
	if err != nil {
		return nil, err
	}
	o := uplink.Options{Post: conf.Post, URL: by.URL, CA: by.CA, SignKey: sign, SealKey: seal}
	return lease.New(lease.Options{
		Post: conf.Post, Local: local, Releaser: sign, SealTo: seal,
		Ask: func(ctx context.Context, boot ed25519.PrivateKey, request []byte) ([]byte, error) {
			return uplink.AskLease(ctx, o, boot, request)
		},
	}), nil
}

// Open opens the vault of the state folder by the flags. The caller locks it.
func (u *Flags) Open(ctx context.Context, state string, conf *config.Config, stdin io.Reader) (*vault.Vault, error) {
	way, forget, err := u.Unlocker(state, conf, stdin)
	if err != nil {
		return nil, err
	}
	defer forget()
	if err := vault.Harden(); err != nil {
		return nil, err
	}
	return vault.Open(ctx, filepath.Join(state, install.VaultFile), way)
}
