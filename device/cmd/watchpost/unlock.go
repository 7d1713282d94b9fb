package main

import (
	"bytes"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/device/vault/tpm"
)

// maxPassphrase bounds what is read as a passphrase or PIN.
const maxPassphrase = 4096

// unlockFlags is how a command opens a post's vault.
type unlockFlags struct {
	passphraseFile string
	tpm            string
	pinFile        string
}

func (u *unlockFlags) register(cmd *cobra.Command) {
	f := cmd.PersistentFlags()
	f.StringVar(&u.passphraseFile, "passphrase-file", "", "file with the vault's passphrase, - for standard input")
	f.StringVar(&u.tpm, "tpm", "", "open by this TPM: /dev/tpmrm0 or unix:PATH")
	f.StringVar(&u.pinFile, "pin-file", "", "with --tpm: file with the shift PIN, - for standard input")
}

// unlocker reads the secret and returns what opens the vault, and what wipes
// the secret.
func (u *unlockFlags) unlocker(stdin io.Reader) (vault.Unlocker, func(), error) {
	switch {
	case u.tpm == "" && u.pinFile != "":
		return nil, nil, fault.New("usage", "--pin-file goes with --tpm")
	case u.tpm != "" && u.passphraseFile != "":
		return nil, nil, fault.New("usage", "--passphrase-file and --tpm exclude each other")
	case u.tpm != "" && u.pinFile == "":
		return tpm.Unlocker{Device: u.tpm}, func() {}, nil
	case u.tpm != "":
		pin, err := readSecret(u.pinFile, stdin, "vault.pin_file", "give the file with --pin-file")
		if err != nil {
			return nil, nil, err
		}
		return tpm.Unlocker{Device: u.tpm, PIN: pin}, func() { clear(pin) }, nil
	case u.passphraseFile == "":
		return nil, nil, fault.New("usage", "--passphrase-file or --tpm is needed")
	}
	passphrase, err := readPassphrase(u.passphraseFile, stdin)
	if err != nil {
		return nil, nil, err
	}
	return vault.Passphrase(passphrase), func() { clear(passphrase) }, nil
}

func readPassphrase(path string, stdin io.Reader) ([]byte, error) {
	return readSecret(path, stdin, "vault.passphrase_file", "give the file with --passphrase-file")
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
	raw, err := io.ReadAll(io.LimitReader(in, maxPassphrase))
	if err != nil {
		return nil, fault.Wrap(code, err)
	}
	return bytes.TrimRight(raw, "\r\n"), nil
}
