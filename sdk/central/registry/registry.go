// Package registry says which posts may connect to central's broker, and to
// which subjects each is held. A post proves its nkey (Ed25519) by signing the
// broker's nonce; the rights follow from the register in the database, so a
// post is added or retired without restarting anything.
package registry

import (
	"context"
	"crypto/ed25519"
	"crypto/subtle"
	"encoding/base64"
	"log/slog"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/sdk/central/store"
	linkv1 "github.com/watchpost/watchpost/sdk/proto/link/v1"
)

// lookupLimit bounds one look into the register.
const lookupLimit = 2 * time.Second

// Devices is the register.
type Devices interface {
	DeviceByID(ctx context.Context, id string) (store.Device, error)
	DeviceByKey(ctx context.Context, publicKey string) (store.Device, error)
	LeaseOf(ctx context.Context, device string) (store.Lease, error)
	LeaseByKey(ctx context.Context, bootKey string) (store.Lease, error)
}

// Registry judges connections and gives the keys of posts. It is safe for
// concurrent use.
type Registry struct {
	Devices Devices
	Central string // public nkey of central's own connections
	Log     *slog.Logger
}

var _ server.Authentication = (*Registry)(nil)

// Check implements server.Authentication.
func (r *Registry) Check(c server.ClientAuthentication) bool {
	o := c.GetOpts()
	if !proves(o.Nkey, o.Sig, c.GetNonce()) {
		r.Log.Warn("connection refused", "remote", remote(c), "code", "link.proof")
		return false
	}
	if subtle.ConstantTimeCompare([]byte(o.Nkey), []byte(r.Central)) == 1 {
		c.RegisterUser(&server.User{Username: "central"})
		return true
	}
	ctx, cancel := context.WithTimeout(context.Background(), lookupLimit)
	defer cancel()
	if l, err := r.Devices.LeaseByKey(ctx, o.Nkey); err == nil {
		c.RegisterUser(&server.User{Username: l.Device + " (boot)", Permissions: &server.Permissions{
			Publish:   &server.SubjectPermission{Allow: []string{linkv1.LeaseSubject(l.Device)}},
			Subscribe: &server.SubjectPermission{Allow: []string{linkv1.InboxPrefix(l.Device) + ".>"}},
		}})
		return true
	}
	d, err := r.Devices.DeviceByKey(ctx, o.Nkey)
	if err != nil {
		r.Log.Warn("connection refused", "remote", remote(c), "code", string(fault.CodeOf(err)))
		return false
	}
	own := &server.SubjectPermission{Allow: []string{linkv1.Owned(d.ID)}}
	c.RegisterUser(&server.User{Username: d.ID, Permissions: &server.Permissions{Publish: own, Subscribe: own}})
	return true
}

// Key returns the public key of a post in use; store.ErrMissing for one that is
// reported missing, which may connect, so that it can be told.
func (r *Registry) Key(post string) (ed25519.PublicKey, error) {
	ctx, cancel := context.WithTimeout(context.Background(), lookupLimit)
	defer cancel()
	d, err := r.Devices.DeviceByID(ctx, post)
	if err != nil {
		return nil, err
	}
	if d.Missing != nil {
		return nil, store.ErrMissing
	}
	return ParseKey(d.PublicKey)
}

// BootKey returns the key by which a post asks for a lease.
func (r *Registry) BootKey(post string) (ed25519.PublicKey, error) {
	ctx, cancel := context.WithTimeout(context.Background(), lookupLimit)
	defer cancel()
	l, err := r.Devices.LeaseOf(ctx, post)
	if err != nil {
		return nil, err
	}
	return ParseKey(l.BootKey)
}

// ParseKey reads a public nkey of type user.
func ParseKey(s string) (ed25519.PublicKey, error) {
	raw, err := nkeys.Decode(nkeys.PrefixByteUser, []byte(s))
	if err != nil || len(raw) != ed25519.PublicKeySize {
		return nil, fault.New("central.device_key", "a post's key is a public nkey: U and 55 letters or digits")
	}
	return raw, nil
}

// proves reports whether signature is the key's over nonce.
func proves(key, signature string, nonce []byte) bool {
	public, err := ParseKey(key)
	if err != nil || len(nonce) == 0 {
		return false
	}
	raw, err := base64.RawURLEncoding.DecodeString(signature)
	if err != nil { // some clients pad
		if raw, err = base64.StdEncoding.DecodeString(signature); err != nil {
			return false
		}
	}
	return ed25519.Verify(public, nonce, raw)
}

// remote is where a connection comes from.
func remote(c server.ClientAuthentication) string {
	if a := c.RemoteAddress(); a != nil {
		return a.String()
	}
	return "in-process"
}
