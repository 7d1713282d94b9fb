package pki

import (
	"math/big"

	"github.com/watchpost/watchpost/hwtest/gen/der"
)

// PKCS8 is the private key as PrivateKeyInfo (RFC 5208 (2008), RFC 8017
// (2016), A.1.2, RFC 5915 (2010)), curves by name.
func (k *Key) PKCS8() []byte {
	if k.RSA == nil {
		private := der.Seq(der.SmallInt(1), der.Octets(k.D.FillBytes(make([]byte, (k.Curve.N.BitLen()+7)/8))))
		return der.Seq(der.SmallInt(0), der.Seq(der.OID(oidECKey), der.OID(k.Curve.OID)), der.Octets(private))
	}
	one := big.NewInt(1)
	r := k.RSA
	mod := func(factor *big.Int) []byte { return der.Int(new(big.Int).Mod(r.D, new(big.Int).Sub(factor, one))) }
	private := der.Seq(der.SmallInt(0), der.Int(r.N), der.SmallInt(int64(r.E)), der.Int(r.D), der.Int(r.P), der.Int(r.Q),
		mod(r.P), mod(r.Q), der.Int(new(big.Int).ModInverse(r.Q, r.P)))
	return der.Seq(der.SmallInt(0), der.Seq(der.OID(oidRSA), der.Null()), der.Octets(private))
}
