// Package activeauth is Active Authentication, the inspection system's side
// (Doc 9303-11, 8th edition 2021, 6.1): the chip signs a challenge with the
// key whose public half is in DG15.
package activeauth

import (
	"context"
	"io"

	"github.com/watchpost/watchpost/device/document/emrtd/apdu"
	"github.com/watchpost/watchpost/device/document/pki"
	"github.com/watchpost/watchpost/device/fault"
)

// Ways for Active Authentication to fail.
var (
	ErrKey       = &fault.Error{Code: "aa.key"}       // DG15 holds no key that can be used
	ErrRefused   = &fault.Error{Code: "aa.refused"}   // INTERNAL AUTHENTICATE answered with an error status
	ErrLength    = &fault.Error{Code: "aa.length"}    // the signature has not the length of the key
	ErrFormat    = &fault.Error{Code: "aa.format"}    // what the signature recovers has not the form of ISO/IEC 9796-2
	ErrHash      = &fault.Error{Code: "aa.hash"}      // it names a hash that is not known or not allowed
	ErrSignature = &fault.Error{Code: "aa.signature"} // it does not verify
)

// ChallengeLen is the octets of RND.IFD.
const ChallengeLen = 8

// Key is a public key of Active Authentication.
type Key struct {
	public *pki.PublicKey
	hash   string // object identifier of the plain ECDSA algorithm that DG14 names, "" for none
}

// ParseKey takes the SubjectPublicKeyInfo of DG15 and, for elliptic curves,
// the signature algorithm that an ActiveAuthenticationInfo of DG14 names ("" for
// none).
func ParseKey(spki []byte, algorithm string) (*Key, error) {
	k, err := pki.ParsePublicKey(spki)
	if err != nil {
		return nil, fault.Wrap(ErrKey.Code, err)
	}
	if k.Err != nil {
		return nil, fault.Wrap(ErrKey.Code, k.Err)
	}
	return &Key{public: k, hash: algorithm}, nil
}

// Detail names the algorithm, for people.
func (k *Key) Detail() string { return k.public.String() }

// SignatureLen is the octets of a signature by k.
func (k *Key) SignatureLen() int {
	if k.public.RSA != nil {
		return (k.public.RSA.N.BitLen() + 7) / 8
	}
	return 2 * k.public.EC.Curve.OrderBytes()
}

// Challenge has the chip sign a fresh challenge and returns both. long asks
// for the whole signature where it outgrows a short response under secure
// messaging; otherwise Le is 256, which every chip takes.
func (k *Key) Challenge(ctx context.Context, exchange apdu.Exchange, random io.Reader, long bool) (challenge, signature []byte, err error) {
	challenge = make([]byte, ChallengeLen)
	if _, err := io.ReadFull(random, challenge); err != nil {
		return nil, nil, fault.Wrap("system.random", err)
	}
	ne := apdu.MaxShortLe
	if long {
		ne = max(ne+1, k.SignatureLen())
	}
	r, err := exchange(ctx, apdu.Command{INS: 0x88, Data: challenge, Ne: ne})
	if err != nil {
		return nil, nil, err
	}
	if r.Status != apdu.StatusOK {
		return nil, nil, fault.Wrap(ErrRefused.Code, &apdu.StatusError{Step: "INTERNAL AUTHENTICATE", Status: r.Status})
	}
	return challenge, r.Data, nil
}

// Verify checks a signature over challenge. nil is proof.
func (k *Key) Verify(challenge, signature []byte) error {
	if k.public.RSA != nil {
		return verifyRSA(k.public.RSA, challenge, signature)
	}
	return k.verifyECDSA(challenge, signature)
}
