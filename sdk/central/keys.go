package central

import (
	"crypto/ed25519"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/vault"
	linkv1 "github.com/watchpost/watchpost/sdk/proto/link/v1"
)

// Files in central's state folder.
const (
	VaultFile = "vault.json"
	keyFile   = "central.key"
	keyName   = "central"
)

// Identity opens central's own key, making it at the first call, and derives
// its signing and its sealing key. On disk lies only the wrapped key.
func Identity(state string, v *vault.Vault) (*linkv1.Central, error) {
	key, err := wrappedKey(filepath.Join(state, keyFile), v)
	if err != nil {
		return nil, err
	}
	defer key.Destroy()
	sign, err := key.MAC([]byte("watchpost/central-sign/1"))
	if err != nil {
		return nil, err
	}
	seal, err := key.MAC([]byte("watchpost/central-seal/1"))
	if err != nil {
		return nil, err
	}
	open, err := linkv1.KEM().DeriveKeyPair(seal[:])
	if err != nil {
		return nil, fault.Wrap("central.key", err)
	}
	return &linkv1.Central{SignWith: ed25519.NewKeyFromSeed(sign[:]), OpenWith: open}, nil
}

func wrappedKey(path string, v *vault.Vault) (*vault.Key, error) {
	wrapped, err := os.ReadFile(path)
	if err == nil {
		return v.OpenKey(wrapped, vault.ScopeStore, keyName)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, fault.Wrap("central.state", err)
	}
	key, wrapped, err := v.NewKey(vault.ScopeStore, keyName)
	if err != nil {
		return nil, err
	}
	if err := writeSynced(path, wrapped); err != nil {
		key.Destroy()
		return nil, err
	}
	return key, nil
}

// writeSynced writes a new small file so that it is there whole or not at all.
func writeSynced(path string, raw []byte) error {
	tmp := path + ".part"
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fault.Wrap("central.state", err)
	}
	_, err = f.Write(raw)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		return fault.Wrap("central.state", err)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fault.Wrap("central.state", err)
	}
	return fault.Wrap("central.state", errors.Join(dir.Sync(), dir.Close()))
}
