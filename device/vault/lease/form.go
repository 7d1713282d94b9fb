package lease

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/hpke"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"time"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/vault"
)

// Bounds of the forms.
const (
	maxForm    = 4096 // bytes of each
	nonceSize  = 16
	maxPost    = 64
	sealedHalf = 32 + vault.KeySize + 16 // HPKE: X25519 key, text, tag
)

// MaxLife is the longest a lease may last: a post that central has not heard
// of for so long is taken for lost.
const MaxLife = 7 * 24 * time.Hour

// What a lease or a registration can end in.
var (
	ErrForm     = &fault.Error{Code: "lease.form"}     // not of the form
	ErrForged   = &fault.Error{Code: "lease.forged"}   // not signed by the releaser
	ErrReplayed = &fault.Error{Code: "lease.replayed"} // answers another request
	ErrPost     = &fault.Error{Code: "lease.post"}     // is another post's
	ErrExpired  = &fault.Error{Code: "lease.expired"}  // has run out
	ErrMissing  = &fault.Error{Code: "link.missing"}   // the box is reported missing
)

// signContext keeps a lease's signature from being shown as another thing's.
const signContext = "watchpost/lease/1\x00"

func kem() hpke.KEM { return hpke.DHKEM(ecdh.X25519()) }

// decode reads one JSON value of the form, strictly.
func decode(raw []byte, into any) error {
	if len(raw) > maxForm {
		return fault.New(ErrForm.Code, "%d bytes", len(raw))
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return fault.New(ErrForm.Code, "not of the form") // the cause may quote it
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return fault.New(ErrForm.Code, "something follows")
	}
	return nil
}

// Registration is what a releaser is given of a post, once, in the workshop.
type Registration struct {
	Post    string `json:"post"`
	BootKey []byte `json:"boot_key"` // Ed25519, 32 bytes: signs what the box asks before its vault is open
	Half    []byte `json:"half"`     // the releaser's half, sealed to the releaser
}

func (r *Registration) info() []byte {
	return vault.Identity("watchpost/lease-half/1", r.Post, string(r.BootKey))
}

// Encode writes r as one word.
func (r *Registration) Encode() (string, error) {
	raw, err := json.Marshal(r)
	return base64.RawURLEncoding.EncodeToString(raw), fault.Wrap(ErrForm.Code, err)
}

// DecodeRegistration reads what Encode wrote.
func DecodeRegistration(word string) (*Registration, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(word)
	if err != nil {
		return nil, fault.New(ErrForm.Code, "not a registration")
	}
	r := new(Registration)
	if err := decode(raw, r); err != nil {
		return nil, err
	}
	if r.Post == "" || len(r.Post) > maxPost || len(r.BootKey) != ed25519.PublicKeySize || len(r.Half) != sealedHalf {
		return nil, fault.New(ErrForm.Code, "a registration out of bounds")
	}
	return r, nil
}

// Request asks for a lease.
type Request struct {
	Post   string `json:"post"`
	Nonce  []byte `json:"nonce"`             // 16 random bytes
	SealTo []byte `json:"seal_to,omitempty"` // X25519, made for this request; none at a renewal, which gives no half out
}

// DecodeRequest reads a request.
func DecodeRequest(raw []byte) (*Request, error) {
	r := new(Request)
	if err := decode(raw, r); err != nil {
		return nil, err
	}
	if r.Post == "" || len(r.Post) > maxPost || len(r.Nonce) != nonceSize || r.SealTo != nil && len(r.SealTo) != 32 {
		return nil, fault.New(ErrForm.Code, "a request out of bounds")
	}
	return r, nil
}

// terms are what a releaser signs.
type terms struct {
	Post    string `json:"post"`
	Nonce   []byte `json:"nonce"`   // the request's
	Seconds uint32 `json:"seconds"` // from the sending of the request
	Half    []byte `json:"half,omitempty"`
}

// signed is a lease on the way.
type signed struct {
	Terms     []byte `json:"terms"`
	Signature []byte `json:"signature"`
}

func halfInfo(post string, nonce []byte) []byte {
	return vault.Identity("watchpost/lease-grant/1", post, string(nonce))
}

// Pending is a request under way: what opens its lease, and no other.
type Pending struct {
	request Request
	open    hpke.PrivateKey // nil at a renewal
	sent    time.Duration
	clock   Clock
}

// newPending makes a request; its lease counts from now.
func newPending(post string, renewal bool, clock Clock) (*Pending, error) {
	p := &Pending{request: Request{Post: post, Nonce: make([]byte, nonceSize)}, clock: clock, sent: clock()}
	rand.Read(p.request.Nonce)
	if renewal {
		return p, nil
	}
	var err error
	if p.open, err = kem().GenerateKey(); err != nil {
		return nil, fault.Wrap(ErrForm.Code, err)
	}
	p.request.SealTo = p.open.PublicKey().Bytes()
	return p, nil
}

// Encode writes the request as it is sent.
func (p *Pending) Encode() ([]byte, error) {
	raw, err := json.Marshal(p.request)
	return raw, fault.Wrap(ErrForm.Code, err)
}

// Grant is an opened lease.
type Grant struct {
	half []byte        // the releaser's half; nil at a renewal. Wiped by who takes it.
	ends time.Duration // on the clock of the request
	life time.Duration
}

// Open reads the lease that answers the request. It fails with ErrForm,
// ErrForged, ErrPost, ErrReplayed or ErrExpired.
func (p *Pending) Open(raw []byte, releaser ed25519.PublicKey) (*Grant, error) {
	var s signed
	if err := decode(raw, &s); err != nil {
		return nil, err
	}
	if len(releaser) != ed25519.PublicKeySize || !ed25519.Verify(releaser, append([]byte(signContext), s.Terms...), s.Signature) {
		return nil, fault.New(ErrForged.Code, "the lease is not signed by the releaser")
	}
	var t terms
	if err := decode(s.Terms, &t); err != nil {
		return nil, err
	}
	if t.Post != p.request.Post {
		return nil, fault.New(ErrPost.Code, "the lease is another post's")
	}
	if !bytes.Equal(t.Nonce, p.request.Nonce) {
		return nil, fault.New(ErrReplayed.Code, "the lease answers another request")
	}
	g := &Grant{life: time.Duration(t.Seconds) * time.Second}
	if g.life <= 0 || g.life > MaxLife {
		return nil, fault.New(ErrForm.Code, "a lease of %v", g.life)
	}
	g.ends = p.sent + g.life
	if p.clock() >= g.ends {
		return nil, expired()
	}
	if p.open == nil {
		return g, nil
	}
	half, err := hpke.Open(p.open, hpke.HKDFSHA256(), hpke.AES256GCM(), halfInfo(t.Post, t.Nonce), t.Half)
	if err != nil || len(half) != vault.KeySize {
		return nil, fault.New(ErrForged.Code, "the releaser's half does not open for this request")
	}
	g.half = half
	return g, nil
}

func expired() error {
	return fault.New(ErrExpired.Code, "the lease has run out").
		WithHint("the post opens again when central, or the site's server, can be reached and releases it")
}
