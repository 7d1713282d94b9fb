package lease

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/hpke"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/vault"
)

// Kind is the name of this way of unlocking in a vault file.
const Kind = "lease"

// maxParams bounds the parameters in bytes.
const maxParams = 16 << 10

// params is what the vault file keeps in clear.
type params struct {
	Post  string          `json:"post"`
	Kind  string          `json:"kind"`  // of the box's half
	Local json.RawMessage `json:"local"` // its parameters
}

// Ask sends a request, signed by the boot key, to the releaser, and returns
// the lease. It returns ErrMissing and other refusals of the releaser's as they
// are, and only if the releaser signed them.
type Ask func(ctx context.Context, boot ed25519.PrivateKey, request []byte) ([]byte, error)

// Options of New.
type Options struct {
	Post     string
	Local    vault.Unlocker    // opens the box's half: a TPM without a PIN
	Releaser ed25519.PublicKey // whose signature a lease needs
	SealTo   []byte            // X25519: to whom the other half is sealed at enrolment
	Ask      Ask
	Clock    Clock // nil is CLOCK_BOOTTIME
}

// Unlocker opens a vault by a lease, and holds what renews it. It is safe for
// concurrent use. The caller closes it.
type Unlocker struct {
	o Options

	mu           sync.Mutex // protects what follows
	ring         *vault.Ring
	boot         *vault.Key    // from which the boot key is derived; nil until Derive
	half         []byte        // the releaser's, between Enrol and the first Derive
	registration *Registration // after Enrol
	ends         time.Duration // of the lease, on the clock
	life         time.Duration
}

var _ vault.Unlocker = (*Unlocker)(nil)

// New returns a way in by a lease.
func New(o Options) *Unlocker {
	if o.Clock == nil {
		o.Clock = sinceBoot
	}
	return &Unlocker{o: o, ring: vault.NewRing()}
}

// Kind implements vault.Unlocker.
func (*Unlocker) Kind() string { return Kind }

// String keeps what it holds out of formatted text.
func (*Unlocker) String() string { return "[lease]" }

// GoString keeps what it holds out of formatted text.
func (*Unlocker) GoString() string { return "[lease]" }

// Close wipes what renews the lease.
func (u *Unlocker) Close() {
	u.mu.Lock()
	defer u.mu.Unlock()
	clear(u.half)
	u.half, u.boot = nil, nil
	u.ring.Close()
}

// Enrol implements vault.Unlocker. Registration then tells what the releaser
// has to be given.
func (u *Unlocker) Enrol(ctx context.Context) (json.RawMessage, error) {
	to, err := kem().NewPublicKey(u.o.SealTo)
	if err != nil {
		return nil, fault.New("lease.releaser", "read the releaser's key: %w", err)
	}
	local, err := u.o.Local.Enrol(ctx)
	if err != nil {
		return nil, err
	}
	secret, err := u.o.Local.Derive(ctx, local)
	if err != nil {
		return nil, err
	}
	defer clear(secret)
	boot := bootKey(secret)
	defer clear(boot)
	half := make([]byte, vault.KeySize)
	rand.Read(half)
	reg := &Registration{Post: u.o.Post, BootKey: boot.Public().(ed25519.PublicKey)}
	if reg.Half, err = hpke.Seal(to, hpke.HKDFSHA256(), hpke.AES256GCM(), reg.info(), half); err != nil {
		return nil, fault.Wrap("lease.releaser", err)
	}
	u.mu.Lock()
	u.half, u.registration = half, reg
	u.mu.Unlock()
	raw, err := json.Marshal(params{Post: u.o.Post, Kind: u.o.Local.Kind(), Local: local})
	return raw, fault.Wrap("vault.key", err)
}

// Registration is what the releaser has to be given after Enrol, else nil.
func (u *Unlocker) Registration() *Registration {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.registration
}

// Derive implements vault.Unlocker: it opens the box's half, asks for a lease
// and joins the halves.
func (u *Unlocker) Derive(ctx context.Context, raw json.RawMessage) ([]byte, error) {
	p, err := decodeParams(raw)
	if err != nil {
		return nil, err
	}
	if p.Post != u.o.Post || p.Kind != u.o.Local.Kind() {
		return nil, fault.New(ErrPost.Code, "the vault was enrolled for another post, or its half of the box opens by %s", p.Kind)
	}
	secret, err := u.o.Local.Derive(ctx, p.Local)
	if err != nil {
		return nil, err
	}
	defer clear(secret)
	u.mu.Lock()
	half := u.half
	u.half = nil
	u.mu.Unlock()
	if half == nil { // not straight after Enrol
		g, err := u.ask(ctx, bootKey(secret), false)
		if err != nil {
			return nil, err
		}
		half = g.half
	}
	defer clear(half)
	u.mu.Lock()
	u.boot, err = u.ring.Import(bytes.Clone(secret))
	u.mu.Unlock()
	if err != nil {
		return nil, err
	}
	key, err := hkdf.Key(sha256.New, append(bytes.Clone(secret), half...), nil, "watchpost/lease-key/1", vault.KeySize)
	return key, fault.Wrap("vault.key", err)
}

// bootLabel is what the boot key's seed is derived for.
var bootLabel = []byte("watchpost/lease-boot/1")

// bootKey derives what the box signs with before its vault is open. Renew gets
// the same from the key kept in the ring.
func bootKey(secret []byte) ed25519.PrivateKey {
	h := hmac.New(sha256.New, secret)
	h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(bootLabel)))) // as vault.Key.MAC
	h.Write(bootLabel)
	return ed25519.NewKeyFromSeed(h.Sum(nil))
}

// ask gets a lease and notes when it ends.
func (u *Unlocker) ask(ctx context.Context, boot ed25519.PrivateKey, renewal bool) (*Grant, error) {
	defer clear(boot)
	p, err := newPending(u.o.Post, renewal, u.o.Clock)
	if err != nil {
		return nil, err
	}
	request, err := p.Encode()
	if err != nil {
		return nil, err
	}
	raw, err := u.o.Ask(ctx, boot, request)
	if err != nil {
		return nil, err
	}
	g, err := p.Open(raw, u.o.Releaser)
	if err != nil {
		return nil, err
	}
	u.mu.Lock()
	u.ends, u.life = g.ends, g.life
	u.mu.Unlock()
	return g, nil
}

// Renew asks for more time. It fails as Open does, and with what the releaser
// refuses with.
func (u *Unlocker) Renew(ctx context.Context) error {
	u.mu.Lock()
	key := u.boot
	u.mu.Unlock()
	if key == nil {
		return fault.New("vault.locked", "nothing was released")
	}
	seed, err := key.MAC(bootLabel)
	if err != nil {
		return err
	}
	_, err = u.ask(ctx, ed25519.NewKeyFromSeed(seed[:]), true)
	return err
}

// Left is how long the lease still lasts, below zero once it has run out, and
// how long one lasts in all. Both are 0 straight after the enrolment, when
// nobody has released anything.
func (u *Unlocker) Left() (left, life time.Duration) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.life == 0 {
		return 0, 0
	}
	return u.ends - u.o.Clock(), u.life
}

// Local returns the parameters of the box's half and its kind, for who wipes
// it.
func Local(raw json.RawMessage) (kind string, local json.RawMessage, err error) {
	p, err := decodeParams(raw)
	if err != nil {
		return "", nil, err
	}
	return p.Kind, p.Local, nil
}

func decodeParams(raw []byte) (*params, error) {
	bad := fault.New("vault.damaged", "the parameters of the lease are not of the form")
	if len(raw) > maxParams {
		return nil, bad
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	p := new(params)
	if err := dec.Decode(p); err != nil {
		return nil, bad
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) || p.Post == "" || len(p.Post) > maxPost || p.Kind == "" {
		return nil, bad
	}
	return p, nil
}
