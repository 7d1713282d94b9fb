package uplink

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/nats-io/nkeys"

	"github.com/watchpost/watchpost/device/durable"
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
			err = fault.Wrap("link.key", durable.Replace(path, wrapped))
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
