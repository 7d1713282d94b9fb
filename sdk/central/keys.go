package central

import (
	"crypto/ed25519"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/watchpost/watchpost/device/durable"
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
	if err := fault.Wrap("central.state", durable.Replace(path, wrapped)); err != nil {
		key.Destroy()
		return nil, err
	}
	return key, nil
}
