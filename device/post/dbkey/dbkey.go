// Package dbkey opens the key of a post's database, for the daemon and for
// commands on a post that does not run.
package dbkey

import (
	"os"
	"path/filepath"

	"github.com/watchpost/watchpost/device/durable"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/vault"
)

// Names of the wrapped key and of the database below a post's state.
const (
	keyFile  = "post.key"
	database = "post.db"
)

// Open opens the key of post.db, making it at the first start; the caller
// destroys it. Its wrapped form lies beside the vault; the database is of no
// use without it.
func Open(state string, keys *vault.Vault) (*vault.Key, error) {
	path := filepath.Join(state, keyFile)
	wrapped, err := os.ReadFile(path)
	if err == nil {
		key, err := keys.OpenKey(wrapped, vault.ScopeStore, database)
		if err != nil {
			return nil, fault.New("post.key_damaged", "post.key: %w", err).
				WithHint("put post.key back from the backup; without it post.db cannot be opened")
		}
		return key, nil
	}
	if !os.IsNotExist(err) {
		return nil, fault.Wrap("post.state", err)
	}
	if _, err := os.Stat(filepath.Join(state, database)); err == nil {
		return nil, fault.New("post.key_missing", "post.db is there without its key").
			WithHint("put post.key back from the backup; without it post.db cannot be opened")
	}
	key, wrapped, err := keys.NewKey(vault.ScopeStore, database)
	if err != nil {
		return nil, err
	}
	if err := fault.Wrap("vault.write", durable.Replace(path, wrapped)); err != nil {
		key.Destroy()
		return nil, err
	}
	return key, nil
}

// Sealer is the store's view of a key.
type Sealer struct{ Key *vault.Key }

// Seal implements store.Sealer.
func (s Sealer) Seal(identity, plain []byte) ([]byte, error) { return s.Key.Seal(nil, plain, identity) }

// Open implements store.Sealer.
func (s Sealer) Open(identity, sealed []byte) ([]byte, error) {
	return s.Key.Open(nil, sealed, identity)
}
