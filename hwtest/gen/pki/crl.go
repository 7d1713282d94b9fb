package pki

import (
	"io"
	"math/big"
	"time"

	"github.com/watchpost/watchpost/hwtest/gen/der"
)

// CRLTemplate is what a revocation list says (RFC 5280 (2008), 5; Doc 9303-12
// (2021), 7.1.4).
type CRLTemplate struct {
	Issuer                 Name
	Number                 *big.Int
	ThisUpdate, NextUpdate time.Time
	Revoked                []*big.Int // serial numbers, revoked at ThisUpdate
}

// CRL signs a revocation list with the key of an authority.
func CRL(template CRLTemplate, issuer *Key, random io.Reader) ([]byte, error) {
	algorithm, err := issuer.SignatureAlgorithm()
	if err != nil {
		return nil, err
	}
	t := template
	parts := [][]byte{
		der.SmallInt(1), // version 2
		algorithm,
		t.Issuer.Encode(),
		der.Time(t.ThisUpdate),
		der.Time(t.NextUpdate),
	}
	if len(t.Revoked) > 0 { // an empty list must be absent
		var entries [][]byte
		for _, serial := range t.Revoked {
			entries = append(entries, der.Seq(der.Int(serial), der.Time(t.ThisUpdate)))
		}
		parts = append(parts, der.Seq(entries...))
	}
	parts = append(parts, der.Context(0, der.Seq(
		extension(oidAKI, false, der.Seq(der.ContextPrimitive(0, issuer.identifier()))),
		extension(oidCRLNumber, false, der.Int(t.Number)))))
	tbs := der.Seq(parts...)
	signature, err := issuer.Sign(random, tbs)
	if err != nil {
		return nil, err
	}
	return der.Seq(tbs, algorithm, der.Bits(signature)), nil
}
