package lease

import (
	"crypto/ed25519"
	"crypto/hpke"
	"encoding/json"
	"time"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/vault"
)

// Releaser is the other side: who gives halves out. It is safe for concurrent
// use.
type Releaser struct {
	SignWith ed25519.PrivateKey
	OpenWith hpke.PrivateKey // of the halves in registrations
	Life     time.Duration   // of a lease, at most MaxLife
}

// Check reports whether a registration is for this releaser: its half opens.
func (r *Releaser) Check(reg *Registration) error {
	half, err := r.half(reg)
	clear(half)
	return err
}

func (r *Releaser) half(reg *Registration) ([]byte, error) {
	half, err := hpke.Open(r.OpenWith, hpke.HKDFSHA256(), hpke.AES256GCM(), reg.info(), reg.Half)
	if err != nil || len(half) != vault.KeySize {
		return nil, fault.New(ErrForged.Code, "the registration is not for this releaser, or was changed")
	}
	return half, nil
}

// Release answers a request of the registered post. Whether the post may have
// a lease, the caller has judged.
func (r *Releaser) Release(reg *Registration, q *Request) ([]byte, error) {
	if q.Post != reg.Post {
		return nil, fault.New(ErrPost.Code, "a request of another post")
	}
	if r.Life < time.Second || r.Life > MaxLife {
		return nil, fault.New(ErrForm.Code, "a lease of %v", r.Life)
	}
	t := terms{Post: q.Post, Nonce: q.Nonce, Seconds: uint32(r.Life / time.Second)}
	if q.SealTo != nil {
		to, err := kem().NewPublicKey(q.SealTo)
		if err != nil {
			return nil, fault.New(ErrForm.Code, "the request's key: %w", err)
		}
		half, err := r.half(reg)
		if err != nil {
			return nil, err
		}
		defer clear(half)
		if t.Half, err = hpke.Seal(to, hpke.HKDFSHA256(), hpke.AES256GCM(), halfInfo(t.Post, t.Nonce), half); err != nil {
			return nil, fault.Wrap(ErrForm.Code, err)
		}
	}
	raw, err := json.Marshal(t)
	if err != nil {
		return nil, fault.Wrap(ErrForm.Code, err)
	}
	out, err := json.Marshal(signed{Terms: raw, Signature: ed25519.Sign(r.SignWith, append([]byte(signContext), raw...))})
	return out, fault.Wrap(ErrForm.Code, err)
}
