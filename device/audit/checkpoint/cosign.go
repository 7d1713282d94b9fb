package checkpoint

import (
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/watchpost/watchpost/device/fault"
)

// cosigned is the message of a cosignature: c2sp.org/tlog-cosignature,
// "Ed25519 signed message".
func cosigned(at uint64, text []byte) []byte {
	return append(fmt.Appendf(nil, "cosignature/v1\ntime %d\n", at), text...)
}

// timeBytes stand before the signature in a cosignature.
const timeBytes = 8

// Cosigner signs other logs' heads as a witness (cosignature/v1). It is safe
// for concurrent use.
type Cosigner struct {
	name string
	key  ed25519.PrivateKey
}

// NewCosigner returns a witness's key under its name.
func NewCosigner(name string, key ed25519.PrivateKey) (*Cosigner, error) {
	if !ValidOrigin(name) || len(key) != ed25519.PrivateKeySize {
		return nil, fault.New("audit.key_form", "a witness has a name without spaces and plus, and an Ed25519 key")
	}
	return &Cosigner{name, key}, nil
}

// Key is the witness's public key as text; posts are configured with it.
func (c *Cosigner) Key() string {
	return encodeKey(c.name, kindCosignature, c.key.Public().(ed25519.PublicKey))
}

// Cosign returns the signature line over head's text at a time.
func (c *Cosigner) Cosign(head []byte, at time.Time) ([]byte, error) {
	text, err := body(head)
	if err != nil {
		return nil, err
	}
	signed, err := note.Sign(&note.Note{Text: text}, &cosigner{c, uint64(max(0, at.Unix()))})
	if err != nil {
		return nil, fault.Wrap("audit.head_sign", err)
	}
	return signed[len(text)+1:], nil // after the empty line
}

// cosigner is a Cosigner at one moment.
type cosigner struct {
	*Cosigner
	at uint64
}

func (c *cosigner) Name() string { return c.name }

func (c *cosigner) KeyHash() uint32 {
	return keyID(c.name, kindCosignature, c.key.Public().(ed25519.PublicKey))
}

func (c *cosigner) Sign(msg []byte) ([]byte, error) {
	return append(binary.BigEndian.AppendUint64(nil, c.at), ed25519.Sign(c.key, cosigned(c.at, msg))...), nil
}

// cosignatures verifies those of one witness.
type cosignatures struct {
	name   string
	public ed25519.PublicKey
}

// ParseWitnessKey reads a witness's public key, for opening what it cosigned.
func ParseWitnessKey(s string) (note.Verifier, error) {
	name, public, err := decodeKey(s, kindCosignature)
	if err != nil {
		return nil, err
	}
	return cosignatures{name, public}, nil
}

func (v cosignatures) Name() string { return v.name }

func (v cosignatures) KeyHash() uint32 { return keyID(v.name, kindCosignature, v.public) }

func (v cosignatures) Verify(msg, sig []byte) bool {
	if len(sig) != timeBytes+ed25519.SignatureSize {
		return false
	}
	at := binary.BigEndian.Uint64(sig)
	return at <= math.MaxInt64 && ed25519.Verify(v.public, cosigned(at, msg), sig[timeBytes:])
}

// WithCosignature returns head with the lines that a witness answered, if the
// witness of key made one of them over it. Signatures of others are dropped.
func WithCosignature(head, lines []byte, key note.Verifier) ([]byte, error) {
	if len(head)+len(lines) > MaxBytes {
		return nil, fault.New(ErrForm.Code, "the witness answers more than a head can hold")
	}
	text, err := body(head)
	if err != nil {
		return nil, err
	}
	n, err := note.Open([]byte(text+"\n"+string(lines)), note.VerifierList(key))
	if err != nil {
		return nil, fault.New(ErrKey.Code, "the answer is no cosignature of the witness expected")
	}
	var out strings.Builder
	out.Write(head)
	for _, s := range n.Sigs {
		fmt.Fprintf(&out, "— %s %s\n", s.Name, s.Base64)
	}
	return []byte(out.String()), nil
}
