// Package signer keeps an approver's key on his own machine: an Ed25519 key
// (RFC 8032, 2017) in a file under a passphrase. It never goes to a post or to
// central.
package signer

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"os"

	"golang.org/x/crypto/argon2"

	"github.com/watchpost/watchpost/device/fault"
)

// format is the version of the file's form.
const format = 1

// Cost of a passphrase (Argon2id, RFC 9106, 2021, section 4, second choice):
// a file may ask for more, up to the bounds.
const (
	passes, memoryKiB, lanes = 3, 64 << 10, 4
	mostPasses, mostMemory   = 16, 1 << 20
	leastPassphrase          = 8 // bytes
	maxFile                  = 16 << 10
)

// file is the key's file.
type file struct {
	Format int    `json:"format"`
	Name   string `json:"name"` // whose it is, for people
	Public []byte `json:"public"`
	Argon  argon  `json:"argon2id"`
	Sealed []byte `json:"sealed"` // seed: AES-256-GCM, nonce first; name and public in the additional data
}

type argon struct {
	Salt   []byte `json:"salt"`
	Passes uint32 `json:"passes"`
	Memory uint32 `json:"memory_kib"`
	Lanes  uint8  `json:"lanes"`
}

// Key is an open one.
type Key struct {
	Name    string
	private ed25519.PrivateKey
}

// Private returns the key for signing.
func (k *Key) Private() ed25519.PrivateKey { return k.private }

// Public returns what others check signatures by.
func (k *Key) Public() ed25519.PublicKey { return k.private.Public().(ed25519.PublicKey) }

// String keeps the key out of formatted text.
func (k *Key) String() string { return "[signing key]" }

// GoString keeps the key out of formatted text.
func (k *Key) GoString() string { return "[signing key]" }

// ErrPassphrase says that the passphrase or the file is wrong: which of them
// cannot be told.
var ErrPassphrase = &fault.Error{Code: "signer.passphrase"}

// Create makes a key for a person in a new file; one that is there is not
// touched. The passphrase has at least eight bytes.
func Create(path, name string, passphrase []byte) (*Key, error) {
	if name == "" || len(passphrase) < leastPassphrase {
		return nil, fault.New("signer.weak", "a name and a passphrase of at least %d bytes are needed", leastPassphrase)
	}
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fault.Wrap("signer.key", err)
	}
	k := &Key{name, private}
	f := &file{Format: format, Name: name, Public: k.Public(), Argon: argon{make([]byte, 16), passes, memoryKiB, lanes}}
	if _, err := rand.Read(f.Argon.Salt); err != nil {
		return nil, fault.Wrap("signer.key", err)
	}
	aead, err := f.aead(passphrase)
	if err != nil {
		return nil, err
	}
	f.Sealed = aead.Seal(nil, nil, private.Seed(), f.identity())
	raw, err := json.Marshal(f)
	if err != nil {
		return nil, fault.Wrap("signer.key", err)
	}
	h, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fault.Wrap("signer.file", err)
	}
	_, err = h.Write(append(raw, '\n'))
	if err := errors.Join(err, h.Sync(), h.Close()); err != nil {
		return nil, fault.Wrap("signer.file", errors.Join(err, os.Remove(path)))
	}
	return k, nil
}

// Is reports whether the bytes are a file of this package, so that other forms
// of keys can be told from it.
func Is(raw []byte) bool {
	f := file{}
	return json.Unmarshal(raw, &f) == nil && f.Format == format && len(f.Sealed) > 0
}

// Open opens the key in a file.
func Open(path string, passphrase []byte) (*Key, error) {
	h, err := os.Open(path)
	if err != nil {
		return nil, fault.Wrap("signer.file", err)
	}
	defer h.Close()
	raw, err := io.ReadAll(io.LimitReader(h, maxFile+1))
	if err != nil {
		return nil, fault.Wrap("signer.file", err)
	}
	return Decode(raw, passphrase)
}

// Decode opens the key in a file's bytes.
func Decode(raw, passphrase []byte) (*Key, error) {
	if len(raw) > maxFile {
		return nil, fault.New("signer.format", "more than %d bytes", maxFile)
	}
	f := &file{}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(f); err != nil || f.Format != format {
		return nil, fault.New("signer.format", "not a signing key of format %d", format)
	}
	a := f.Argon
	if len(a.Salt) < 8 || len(a.Salt) > 64 || a.Passes < 1 || a.Passes > mostPasses || a.Memory < 1024 || a.Memory > mostMemory || a.Lanes < 1 || len(f.Public) != ed25519.PublicKeySize {
		return nil, fault.New("signer.format", "the cost of the passphrase is out of bounds")
	}
	aead, err := f.aead(passphrase)
	if err != nil {
		return nil, err
	}
	seed, err := aead.Open(nil, nil, f.Sealed, f.identity())
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, fault.New("signer.passphrase", "the key does not open")
	}
	k := &Key{f.Name, ed25519.NewKeyFromSeed(seed)}
	clear(seed)
	if !bytes.Equal(k.Public(), f.Public) {
		return nil, fault.New("signer.format", "the key is not the one it is said to be")
	}
	return k, nil
}

func (f *file) identity() []byte {
	return append([]byte("watchpost/signer/1\n"+f.Name+"\n"), f.Public...)
}

func (f *file) aead(passphrase []byte) (cipher.AEAD, error) {
	key := argon2.IDKey(passphrase, f.Argon.Salt, f.Argon.Passes, f.Argon.Memory, f.Argon.Lanes, 32)
	defer clear(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fault.Wrap("signer.key", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return aead, fault.Wrap("signer.key", err)
}
