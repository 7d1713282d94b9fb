package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/device/vault/tpm"
)

// maxSecret bounds the file of a passphrase or PIN.
const maxSecret = 4096

// unlockFlags is how the daemon opens its vault.
type unlockFlags struct {
	passphraseFile string
	tpm            string
	pinFile        string
}

func (u *unlockFlags) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&u.passphraseFile, "passphrase-file", "", "file with the vault's passphrase, - for standard input")
	f.StringVar(&u.tpm, "tpm", "", "open the vault by this TPM: /dev/tpmrm0 or unix:PATH")
	f.StringVar(&u.pinFile, "pin-file", "", "with --tpm: file with the shift PIN, - for standard input")
	cmd.MarkFlagsOneRequired("passphrase-file", "tpm")
	cmd.MarkFlagsMutuallyExclusive("passphrase-file", "tpm")
	cmd.MarkFlagsMutuallyExclusive("passphrase-file", "pin-file")
}

// unlocker reads the secret and returns what opens the vault, and what wipes
// the secret. With a TPM each start of the daemon is counted.
func (u *unlockFlags) unlocker(state string, stdin io.Reader) (vault.Unlocker, func(), error) {
	if u.tpm == "" {
		passphrase, err := readSecret(u.passphraseFile, stdin, "vault.passphrase_file", "give the file with --passphrase-file")
		return vault.Passphrase(passphrase), func() { clear(passphrase) }, err
	}
	chip := tpm.Unlocker{Device: u.tpm, Starts: filepath.Join(state, tpm.StartsFile)}
	if u.pinFile == "" {
		return chip, func() {}, nil
	}
	pin, err := readSecret(u.pinFile, stdin, "vault.pin_file", "give the file with --pin-file")
	chip.PIN = pin
	return chip, func() { clear(pin) }, err
}

func readSecret(path string, stdin io.Reader, code fault.Code, hint string) ([]byte, error) {
	in := stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, fault.New(code, "%w", err).WithHint(hint)
		}
		defer f.Close()
		in = f
	}
	raw, err := io.ReadAll(io.LimitReader(in, maxSecret))
	if err != nil {
		return nil, fault.Wrap(code, err)
	}
	return bytes.TrimRight(raw, "\r\n"), nil
}
