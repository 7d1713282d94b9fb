package repo

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/watchpost/watchpost/device/fault"
)

// LoadOnline reads the keys of snapshot and timestamp from a folder, making
// them where they are not there: PKCS #8 in PEM, readable by their owner alone.
func LoadOnline(dir string) (on Online, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return on, fault.Wrap("publish.key", err)
	}
	if on.Snapshot, err = loadKey(filepath.Join(dir, "snapshot.pem")); err != nil {
		return on, err
	}
	on.Timestamp, err = loadKey(filepath.Join(dir, "timestamp.pem"))
	return on, err
}

func loadKey(path string) (ed25519.PrivateKey, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return makeKey(path)
	}
	if err != nil {
		return nil, fault.Wrap("publish.key", err)
	}
	block, _ := pem.Decode(raw)
	if block == nil {
		return nil, fault.New("publish.key", "%s is not PEM", filepath.Base(path))
	}
	k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	private, ok := k.(ed25519.PrivateKey)
	if err != nil || !ok {
		return nil, fault.New("publish.key", "%s is no Ed25519 key", filepath.Base(path))
	}
	return private, nil
}

func makeKey(path string) (ed25519.PrivateKey, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fault.Wrap("publish.key", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, fault.Wrap("publish.key", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fault.Wrap("publish.key", err)
	}
	err = pem.Encode(f, &pem.Block{Type: "PRIVATE KEY", Bytes: der})
	return private, fault.Wrap("publish.key", errors.Join(err, f.Sync(), f.Close()))
}
