// Package hardware lets an officer's hardware key open a vault: the pseudo-random
// function of a passkey (W3C Web Authentication, Level 3, section 10.1.4, "prf"
// extension; CTAP 2.1 hmac-secret) gives, for a salt that is no secret, 32
// bytes that no one has without the key and its PIN or finger. They take the
// place of the officer's PIN: with a TPM they are the PIN that the chip asks
// for, without one the passphrase.
//
// Which credentials and salts there are lies in a file beside the vault, since
// a browser has to be told them while the vault is shut. It holds no secret:
// who changes it can only keep keys from opening.
package hardware

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/watchpost/watchpost/device/durable"
	"github.com/watchpost/watchpost/device/fault"
)

// File is the name of the file in a post's state folder.
const File = "hardware-keys.json"

// Sizes in bytes. A credential's is WebAuthn's own limit (section 4,
// Credential ID).
const (
	SaltSize      = 32
	SecretSize    = 32
	maxCredential = 1023
	maxFile       = 128 << 10
	maxKeys       = 32 // more than a TPM has places
)

// Errors.
var (
	// ErrRefused is a key that does not open this vault.
	ErrRefused = &fault.Error{Code: "vault.hardware_key", Hint: "use the key that was set up at this post, or sign in with the PIN"}
	// ErrFull is one key more than a post holds.
	ErrFull = &fault.Error{Code: "vault.hardware_keys", Hint: "remove a passkey that nobody uses any more"}
)

// Key is one hardware key that opens a vault.
type Key struct {
	Officer    string `json:"officer"`    // whose
	Credential []byte `json:"credential"` // id
	Salt       []byte `json:"salt"`       // 32 bytes, of its own
}

// Prefix begins the names of hardware keys' ways into a vault. No officer's id
// has a slash.
const Prefix = "key/"

// Name is the name of the key's way into the vault.
func (k Key) Name() string {
	sum := sha256.Sum256(k.Credential)
	return Prefix + hex.EncodeToString(sum[:8])
}

// Secret turns what the key's function gave into what the vault's way takes.
// The caller wipes it.
func Secret(given []byte) ([]byte, error) {
	if len(given) != SecretSize {
		return nil, ErrRefused
	}
	return hex.AppendEncode(nil, given), nil
}

// Read reads the keys in the state folder, none where there is no file.
func Read(state string) ([]Key, error) {
	raw, err := os.ReadFile(filepath.Join(state, File))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fault.Wrap("vault.read", err)
	}
	return decode(raw)
}

func decode(raw []byte) ([]Key, error) {
	damaged := fault.New("vault.damaged", "%s is not as it was written", File).WithHint("remove it and set the hardware keys up again")
	if len(raw) > maxFile {
		return nil, damaged
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	var keys []Key
	if dec.Decode(&keys) != nil || dec.More() || len(keys) > maxKeys {
		return nil, damaged
	}
	for _, k := range keys {
		if k.Officer == "" || len(k.Officer) > 64 || len(k.Credential) == 0 || len(k.Credential) > maxCredential || len(k.Salt) != SaltSize {
			return nil, damaged
		}
	}
	return keys, nil
}

// Find returns the key of a credential.
func Find(keys []Key, credential []byte) (Key, bool) {
	i := slices.IndexFunc(keys, func(k Key) bool { return bytes.Equal(k.Credential, credential) })
	if i < 0 {
		return Key{}, false
	}
	return keys[i], true
}

// Put adds a key, or replaces the one of its credential. It is on disk when
// Put returns.
func Put(state string, k Key) error {
	keys, err := Read(state)
	if err != nil {
		return err
	}
	keys = slices.DeleteFunc(keys, func(o Key) bool { return bytes.Equal(o.Credential, k.Credential) })
	if len(k.Credential) == 0 || len(k.Credential) > maxCredential || len(k.Salt) != SaltSize {
		return fault.New("request.invalid", "a credential has 1 to %d bytes, a salt %d", maxCredential, SaltSize)
	}
	if len(keys) >= maxKeys {
		return ErrFull
	}
	return write(state, append(keys, k))
}

// Remove takes the key of a credential away, if it is there.
func Remove(state string, credential []byte) error {
	keys, err := Read(state)
	if err != nil {
		return err
	}
	left := slices.DeleteFunc(slices.Clone(keys), func(o Key) bool { return bytes.Equal(o.Credential, credential) })
	if len(left) == len(keys) {
		return nil
	}
	return write(state, left)
}

// write replaces the file whole.
func write(state string, keys []Key) error {
	raw, err := json.Marshal(keys)
	if err != nil {
		return fault.Wrap("vault.write", err)
	}
	return fault.Wrap("vault.write", durable.Replace(filepath.Join(state, File), raw))
}
