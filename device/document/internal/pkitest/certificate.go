package pkitest

import (
	"crypto"
	"math/big"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/document/pki/der"
)

// SHA256 is the algorithm that tests use where it does not matter.
var SHA256 = Algorithm{Hash: crypto.SHA256}

// Certificate says what to issue. Zero values give a usable one.
type Certificate struct {
	Serial          int64
	Issuer, Subject []byte // encoded names
	From, Until     time.Time
	Key             *Key
	Signer          *Key // the issuer's key; nil means self-signed
	Algorithm       Algorithm
	Inner           []byte // algorithm identifier inside, when it shall differ

	CA          bool
	KeyUsage    byte     // first octet of the bit string; zero for none
	ExtKeyUsage [][]byte // encoded object identifiers
	NoKeyIDs    bool
	AuthorityID []byte // when it shall not be the signer's
	Extensions  [][]byte
}

// Key usages, first octet.
const (
	UsageSign    = 0x80 // digitalSignature
	UsageCA      = 0x06 // keyCertSign, cRLSign
	UsageNoCRL   = 0x04 // keyCertSign alone
	UsageNothing = 0x20 // keyEncipherment
)

// From and Until are the dates where a test does not care.
var (
	From  = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	Until = time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC)
)

// Extension encodes one extension.
func Extension(oid []byte, critical bool, value []byte) []byte {
	parts := [][]byte{oid}
	if critical {
		parts = append(parts, []byte{1, 1, 0xFF})
	}
	return der.Marshal(der.Sequence, append(parts, der.Marshal(der.OctetString, value))...)
}

// Issue signs the certificate.
func (c Certificate) Issue(t testing.TB) []byte {
	t.Helper()
	if c.Signer == nil {
		c.Signer = c.Key
	}
	if c.Issuer == nil {
		c.Issuer = c.Subject
	}
	if c.Algorithm.Hash == 0 {
		c.Algorithm.Hash = crypto.SHA256
	}
	if c.From.IsZero() {
		c.From, c.Until = From, Until
	}
	if c.Serial == 0 {
		c.Serial = 1
	}
	identifier := c.Algorithm.Identifier(c.Signer)
	inner := identifier
	if c.Inner != nil {
		inner = c.Inner
	}
	tbs := der.Marshal(der.Sequence,
		der.Marshal(der.ContextConstructed(0), Int(big.NewInt(2))), Int(big.NewInt(c.Serial)), inner, c.Issuer,
		der.Marshal(der.Sequence, Time(c.From), Time(c.Until)), c.Subject, c.Key.SPKI(),
		der.Marshal(der.ContextConstructed(3), der.Marshal(der.Sequence, c.extensions()...)))
	return der.Marshal(der.Sequence, tbs, identifier, der.Marshal(der.BitString, []byte{0}, c.Signer.Sign(t, c.Algorithm, tbs)))
}

func (c Certificate) extensions() [][]byte {
	var x [][]byte
	if c.CA {
		x = append(x, Extension(OID(2, 5, 29, 19), true, der.Marshal(der.Sequence, []byte{1, 1, 0xFF}, Int(big.NewInt(0)))))
	}
	if c.KeyUsage != 0 {
		x = append(x, Extension(OID(2, 5, 29, 15), true, der.Marshal(der.BitString, []byte{0, c.KeyUsage})))
	}
	if c.ExtKeyUsage != nil {
		x = append(x, Extension(OID(2, 5, 29, 37), true, der.Marshal(der.Sequence, c.ExtKeyUsage...)))
	}
	if !c.NoKeyIDs {
		authority := c.AuthorityID
		if authority == nil {
			authority = c.Signer.ID()
		}
		x = append(x, Extension(OID(2, 5, 29, 14), false, der.Marshal(der.OctetString, c.Key.ID())),
			Extension(OID(2, 5, 29, 35), false, der.Marshal(der.Sequence, der.Marshal(der.Context(0), authority))))
	}
	return append(x, c.Extensions...)
}

// CRL says what list to issue.
type CRL struct {
	Issuer     []byte
	Key        *Key
	Algorithm  Algorithm
	This, Next time.Time // Next may be zero
	Serials    []int64
	Number     int64 // zero for none
	Extensions [][]byte
}

// Issue signs the list.
func (c CRL) Issue(t testing.TB) []byte {
	t.Helper()
	if c.Algorithm.Hash == 0 {
		c.Algorithm.Hash = crypto.SHA256
	}
	identifier := c.Algorithm.Identifier(c.Key)
	parts := [][]byte{Int(big.NewInt(1)), identifier, c.Issuer, Time(c.This)}
	if !c.Next.IsZero() {
		parts = append(parts, Time(c.Next))
	}
	var entries [][]byte
	for _, s := range c.Serials {
		entries = append(entries, der.Marshal(der.Sequence, Int(big.NewInt(s)), Time(c.This),
			der.Marshal(der.Sequence, Extension(OID(2, 5, 29, 21), false, der.Marshal(der.Enumerated, []byte{1})))))
	}
	if entries != nil {
		parts = append(parts, der.Marshal(der.Sequence, entries...))
	}
	x := append([][]byte{Extension(OID(2, 5, 29, 35), false, der.Marshal(der.Sequence, der.Marshal(der.Context(0), c.Key.ID())))}, c.Extensions...)
	if c.Number != 0 {
		x = append(x, Extension(OID(2, 5, 29, 20), false, Int(big.NewInt(c.Number))))
	}
	tbs := der.Marshal(der.Sequence, append(parts, der.Marshal(der.ContextConstructed(0), der.Marshal(der.Sequence, x...)))...)
	return der.Marshal(der.Sequence, tbs, identifier, der.Marshal(der.BitString, []byte{0}, c.Key.Sign(t, c.Algorithm, tbs)))
}
