package unlock

import (
	"bytes"
	"io"
	"os"

	"github.com/watchpost/watchpost/device/fault"
)

// maxSecret bounds what is read as a passphrase or PIN, in bytes.
const maxSecret = 4096

// Passphrase reads a passphrase from a file, - for standard input. The caller
// wipes it.
func Passphrase(path string, stdin io.Reader) ([]byte, error) {
	return secret(path, stdin, "vault.passphrase_file", "give the file with --passphrase-file")
}

// PIN reads a PIN from a file, - for standard input. The caller wipes it.
func PIN(path string, stdin io.Reader) ([]byte, error) {
	return secret(path, stdin, "vault.pin_file", "give the file with --pin-file")
}

// Password reads the password of an officer who signs in.
func Password(path string, stdin io.Reader) ([]byte, error) {
	return secret(path, stdin, "officer.password_file", "give the file with --password-file")
}

func secret(path string, stdin io.Reader, code fault.Code, hint string) ([]byte, error) {
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
