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
	"github.com/watchpost/watchpost/sdk/central/shard"
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
	WorkerByKey(ctx context.Context, publicKey string) (store.Worker, error)
}

// Registry judges connections and gives the keys of posts. It is safe for
// concurrent use.
type Registry struct {
	Devices Devices
	Central string // public nkey of central's own connections
	Log     *slog.Logger
}

var _ server.Authentication = (*Registry)(nil)

// Rights are what a connection may do.
type Rights struct {
	Name      string
	Central   bool // everything
	Publish   []string
	Subscribe []string
	Replies   bool // may answer what comes, and only that
}

// How a worker may answer one question: a word that it is at work, and the
// answer, within more than anybody waits.
const (
	maxReplies  = 4
	replyWithin = time.Minute
)

// Errors of letting in, beside those of the register.
var (
	// ErrProof says that who connects has not proved its key.
	ErrProof = &fault.Error{Code: "link.proof"}
)

// Admit says what whoever has proved key by signature over nonce may do. Posts
// that are to be told something (missing, marked, run out) are let in for it.
func (r *Registry) Admit(ctx context.Context, key, signature string, nonce []byte) (Rights, error) {
	if !proves(key, signature, nonce) {
		return Rights{}, ErrProof
	}
	if subtle.ConstantTimeCompare([]byte(key), []byte(r.Central)) == 1 {
		return Rights{Name: "central", Central: true}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookupLimit)
	defer cancel()
	if l, err := r.Devices.LeaseByKey(ctx, key); err == nil {
		return Rights{Name: l.Device + " (boot)", Publish: []string{linkv1.LeaseSubject(l.Device)}, Subscribe: []string{linkv1.InboxPrefix(l.Device) + ".>"}}, nil
	}
	if w, err := r.Devices.WorkerByKey(ctx, key); err == nil {
		one, all := shard.Subjects(w.Shard)
		return Rights{Name: w.ID + " (worker)", Publish: []string{shard.Here(key)}, Subscribe: []string{one, all}, Replies: true}, nil
	}
	d, err := r.Devices.DeviceByKey(ctx, key)
	if err != nil {
		return Rights{}, err
	}
	out := Rights{Name: d.ID, Publish: []string{linkv1.Owned(d.ID)}, Subscribe: []string{linkv1.Owned(d.ID), linkv1.Feed}}
	if d.Expired(time.Now()) {
		out.Publish = []string{linkv1.HelloSubject(d.ID)}
		out.Subscribe = []string{linkv1.InboxPrefix(d.ID) + ".>", linkv1.PokeSubject(d.ID)}
	}
	return out, nil
}

// Check implements server.Authentication.
func (r *Registry) Check(c server.ClientAuthentication) bool {
	o := c.GetOpts()
	rights, err := r.Admit(context.Background(), o.Nkey, o.Sig, c.GetNonce())
	if err != nil {
		r.Log.Warn("connection refused", "remote", remote(c), "code", string(fault.CodeOf(err)))
		return false
	}
	u := &server.User{Username: rights.Name}
	if !rights.Central {
		u.Permissions = &server.Permissions{Publish: &server.SubjectPermission{Allow: rights.Publish}, Subscribe: &server.SubjectPermission{Allow: rights.Subscribe}}
		if rights.Replies {
			u.Permissions.Response = &server.ResponsePermission{MaxMsgs: maxReplies, Expires: replyWithin}
		}
	}
	c.RegisterUser(u)
	return true
}

// Key returns the public key of a post in use; an error for one that may not
// speak (missing, marked as a copy, certificate run out), which may connect, so
// that it can be told.
func (r *Registry) Key(post string) (ed25519.PublicKey, error) {
	d, err := r.usable(post)
	if err == nil && d.Expired(time.Now()) {
		err = store.ErrCertificate
	}
	if err != nil {
		return nil, err
	}
	return ParseKey(d.PublicKey)
}

// HelloKey is Key for a hello, which renews a certificate that has run out.
func (r *Registry) HelloKey(post string) (ed25519.PublicKey, error) {
	d, err := r.usable(post)
	if err != nil {
		return nil, err
	}
	return ParseKey(d.PublicKey)
}

func (r *Registry) usable(post string) (store.Device, error) {
	ctx, cancel := context.WithTimeout(context.Background(), lookupLimit)
	defer cancel()
	d, err := r.Devices.DeviceByID(ctx, post)
	if err != nil {
		return d, err
	}
	return d, d.Usable(time.Now())
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
