package central

import (
	"path/filepath"
	"strconv"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nkeys"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/sdk/central/store"
	linkv1 "github.com/watchpost/watchpost/sdk/proto/link/v1"
)

// Account opens central's account key: it signs the certificates of posts and,
// where the broker is a cluster, what the auth callout answers.
func Account(state string, v *vault.Vault) (nkeys.KeyPair, error) {
	key, err := wrappedKey(filepath.Join(state, keyFile), v)
	if err != nil {
		return nil, err
	}
	defer key.Destroy()
	seed, err := key.MAC([]byte("watchpost/central-account/1"))
	if err != nil {
		return nil, err
	}
	defer clear(seed[:])
	pair, err := nkeys.FromRawSeed(nkeys.PrefixByteAccount, seed[:])
	return pair, fault.Wrap("central.key", err)
}

// certify returns a function that writes a post's certificate: a NATS user JWT
// that names the post, its key, its subjects and its end, signed by central's
// account key. The register decides all the same: a certificate that is
// revoked there is worth nothing, however long it says it holds.
func certify(account nkeys.KeyPair) func(store.Device) (string, error) {
	return func(d store.Device) (string, error) {
		c := jwt.NewUserClaims(d.PublicKey)
		c.Name = d.ID
		c.Expires = d.Expires.Unix()
		c.Tags.Add("serial:" + strconv.FormatInt(*d.Certificate, 10))
		c.Pub.Allow.Add(linkv1.Owned(d.ID))
		c.Sub.Allow.Add(linkv1.Owned(d.ID), linkv1.Feed)
		out, err := c.Encode(account)
		return out, fault.Wrap("central.certificate", err)
	}
}
