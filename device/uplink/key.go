package uplink

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/nats-io/nkeys"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/vault"
)

const (
	keyFile = "link.key" // in the post's state folder
	keyName = "link"
)

// OpenKey returns the key by which central knows this post, making it at the
// first call. On disk lies only its wrapped form, which the vault opens: a
// stolen box cannot ask central.
func OpenKey(state string, v *vault.Vault) (nkeys.KeyPair, error) {
	path := filepath.Join(state, keyFile)
	var key *vault.Key
	wrapped, err := os.ReadFile(path)
	switch {
	case err == nil:
		key, err = v.OpenKey(wrapped, vault.ScopeStore, keyName)
	case errors.Is(err, fs.ErrNotExist):
		if key, wrapped, err = v.NewKey(vault.ScopeStore, keyName); err == nil {
			err = writeNew(path, wrapped)
		}
	default:
		err = fault.Wrap("link.key", err)
	}
	if err != nil {
		return nil, err
	}
	defer key.Destroy()
	seed, err := key.MAC([]byte("watchpost/link-sign/1"))
	if err != nil {
		return nil, err
	}
	defer clear(seed[:])
	pair, err := nkeys.FromRawSeed(nkeys.PrefixByteUser, seed[:])
	return pair, fault.Wrap("link.key", err)
}

// writeNew writes a file that is not there yet, whole or not at all.
func writeNew(path string, raw []byte) error {
	tmp := path + ".part"
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fault.Wrap("link.key", err)
	}
	_, err = f.Write(raw)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		return fault.Wrap("link.key", err)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fault.Wrap("link.key", err)
	}
	return fault.Wrap("link.key", errors.Join(dir.Sync(), dir.Close()))
}
