package pki

import (
	"fmt"
	"math/big"

	"github.com/watchpost/watchpost/device/document/pki/curve"
	"github.com/watchpost/watchpost/device/document/pki/der"
	"github.com/watchpost/watchpost/device/fault"
)

// Bounds of RSA keys. CSCA keys reach 6144 bits in the field; a public
// exponent as long as the modulus is accepted up to fastModulusBits, above
// that up to 256 bits (FIPS 186-5:2023 5.1), so that a hostile key cannot
// hold the processor for seconds.
const (
	minModulusBits  = 512
	maxModulusBits  = 16384
	fastModulusBits = 4096
	maxExponentBits = 256
)

const (
	oidRSAKey   = "1.2.840.113549.1.1.1"
	oidECKey    = "1.2.840.10045.2.1"
	oidECDHKey  = "1.3.132.1.12" // id-ecDH (RFC 5480:2009 2.1.2)
	oidPrimeFld = "1.2.840.10045.1.1"
)

// String names the key's kind and size: "RSA 4096", "EC brainpoolP384r1".
func (k *PublicKey) String() string {
	switch {
	case k.RSA != nil:
		return fmt.Sprintf("RSA %d", k.RSA.N.BitLen())
	case k.DSA != nil && k.DSA.P != nil:
		return fmt.Sprintf("DSA %d", k.DSA.P.BitLen())
	case k.EC != nil && k.Explicit:
		return "EC " + k.EC.Curve.Name + " explicit"
	case k.EC != nil:
		return "EC " + k.EC.Curve.Name
	}
	return "unknown " + k.OID
}

// Bits is the size of the modulus, of the prime or of the curve's field, 0 when unknown.
func (k *PublicKey) Bits() int {
	switch {
	case k.RSA != nil:
		return k.RSA.N.BitLen()
	case k.EC != nil:
		return k.EC.Curve.P.BitLen()
	case k.DSA != nil && k.DSA.P != nil:
		return k.DSA.P.BitLen()
	}
	return 0
}

// ParsePublicKey reads a SubjectPublicKeyInfo. The error is ErrMalformed; a
// key that cannot be used is returned with its Err set.
func ParsePublicKey(raw []byte) (*PublicKey, error) {
	e, rest, err := der.Parse(raw)
	if err != nil {
		return nil, asMalformed(err)
	}
	if len(rest) != 0 {
		return nil, malformedf("%d bytes after the public key", len(rest))
	}
	return parseSPKI(e)
}

func parseSPKI(e der.Element) (*PublicKey, error) {
	if e.ID != der.Sequence {
		return nil, malformedf("public key is no sequence")
	}
	r := e.Reader()
	alg, err := r.Next()
	if err != nil {
		return nil, asMalformed(err)
	}
	oid, parameters, has, err := algorithmIdentifier(alg)
	if err != nil {
		return nil, asMalformed(err)
	}
	bits, err := r.Expect(der.BitString)
	if err != nil {
		return nil, asMalformed(err)
	}
	key, unused, err := bits.Bits()
	if err != nil {
		return nil, asMalformed(err)
	}
	k := &PublicKey{OID: oid}
	if unused != 0 {
		k.Err = fault.New(ErrKey.Code, "%d unused bits", unused)
		return k, nil
	}
	switch oid {
	// id-RSASSA-PSS keys have the form of RSA keys (RFC 4055:2005 1.2).
	case oidRSAKey, oidRSAPSS, "2.5.8.1.1":
		k.RSA, k.Err = parseRSA(key)
	case oidDSAKey:
		k.DSA, k.Err = parseDSA(parameters, has, key)
	case oidECKey, oidECDHKey:
		k.EC, k.Explicit, k.Err = parseEC(parameters, has, key)
	default:
		k.Err = fault.New(ErrAlgorithm.Code, "public key algorithm %s", oid)
	}
	return k, nil
}

func parseRSA(b []byte) (*RSAKey, error) {
	e, _, err := der.Parse(b)
	if err != nil || e.ID != der.Sequence {
		return nil, fault.New(ErrKey.Code, "RSA key is no sequence")
	}
	r := e.Reader()
	n, err := r.Expect(der.Integer)
	if err != nil {
		return nil, fault.Wrap(ErrKey.Code, err)
	}
	x, err := r.Expect(der.Integer)
	if err != nil {
		return nil, fault.Wrap(ErrKey.Code, err)
	}
	modulus, err := n.Int()
	if err != nil {
		return nil, fault.Wrap(ErrKey.Code, err)
	}
	exponent, err := x.Int()
	if err != nil {
		return nil, fault.Wrap(ErrKey.Code, err)
	}
	k := &RSAKey{N: modulus, E: exponent}
	if err := k.check(); err != nil {
		return nil, err
	}
	return k, nil
}

func (k *RSAKey) check() error {
	bits, exponent := k.N.BitLen(), k.E.BitLen()
	switch {
	case k.N.Sign() <= 0 || k.N.Bit(0) == 0 || bits < minModulusBits || bits > maxModulusBits:
		return fault.New(ErrKey.Code, "RSA modulus of %d bits, even or negative", bits)
	case k.E.Sign() <= 0 || k.E.Bit(0) == 0 || exponent < 2 || k.E.Cmp(k.N) >= 0:
		return fault.New(ErrKey.Code, "RSA exponent is even, 1, negative or over the modulus")
	case bits > fastModulusBits && exponent > maxExponentBits:
		return fault.New(ErrKey.Code, "RSA exponent of %d bits with a modulus of %d", exponent, bits)
	}
	return nil
}

func parseEC(parameters der.Element, has bool, key []byte) (*ECKey, bool, error) {
	if !has {
		return nil, false, fault.New(ErrCurve.Code, "curve is not given")
	}
	var c *curve.Curve
	explicit := false
	switch parameters.ID {
	case der.ObjectID:
		oid, err := parameters.OID()
		if err != nil {
			return nil, false, fault.Wrap(ErrCurve.Code, err)
		}
		if c = curve.ByOID(oid); c == nil {
			return nil, false, fault.New(ErrCurve.Code, "curve %s", oid)
		}
	case der.Sequence:
		explicit = true
		var err error
		if c, err = ParseExplicitCurve(parameters.Raw); err != nil {
			return nil, true, err
		}
	default:
		return nil, false, fault.New(ErrCurve.Code, "curve is inherited, which certificates may not (RFC 5480:2009 2.1.1)")
	}
	p, err := c.Unmarshal(key)
	if err != nil {
		return nil, explicit, fault.Wrap(ErrPoint.Code, err)
	}
	return &ECKey{Curve: c, Point: p}, explicit, nil
}

// ParseExplicitCurve reads ECParameters (X9.62:2005, RFC 3279:2002 2.3.5) and
// returns the known curve that equals every value given: p, a, b, G, n and,
// where stated, the cofactor. Errors: ErrCurve.
func ParseExplicitCurve(raw []byte) (*curve.Curve, error) {
	v, err := readECParameters(raw)
	if err != nil {
		return nil, fault.Wrap(ErrCurve.Code, err)
	}
	base, err := v.base()
	if err != nil {
		return nil, err
	}
	c := curve.ByParameters(v.p, v.a, v.b, base, v.n, v.h)
	if c == nil {
		return nil, fault.New(ErrCurve.Code, "parameters over a field of %d bits are no curve we know", v.p.BitLen())
	}
	return c, nil
}

type ecParameters struct {
	p, a, b, n, h *big.Int
	g             []byte
}

func readECParameters(raw []byte) (ecParameters, error) {
	var v ecParameters
	e, _, err := der.Parse(raw)
	if err != nil {
		return v, err
	}
	r := e.Reader()
	if _, err = r.Expect(der.Integer); err != nil { // version 1 to 3; it changes nothing here
		return v, err
	}
	field, err := r.Expect(der.Sequence)
	if err != nil {
		return v, err
	}
	fr := field.Reader()
	id, err := fr.Expect(der.ObjectID)
	if err != nil {
		return v, err
	}
	if oid, err := id.OID(); err != nil || oid != oidPrimeFld {
		return v, malformedf("field is not a prime field")
	}
	prime, err := fr.Expect(der.Integer)
	if err != nil {
		return v, err
	}
	if v.p, err = prime.Int(); err != nil {
		return v, err
	}
	coefficients, err := r.Expect(der.Sequence)
	if err != nil {
		return v, err
	}
	cr := coefficients.Reader()
	if v.a, err = fieldElement(cr); err != nil {
		return v, err
	}
	if v.b, err = fieldElement(cr); err != nil {
		return v, err
	}
	g, err := r.Expect(der.OctetString)
	if err != nil {
		return v, err
	}
	v.g = g.Content
	order, err := r.Expect(der.Integer)
	if err != nil {
		return v, err
	}
	if v.n, err = order.Int(); err != nil {
		return v, err
	}
	if cofactor, ok, err := r.Optional(der.Integer); err != nil {
		return v, err
	} else if ok {
		if v.h, err = cofactor.Int(); err != nil {
			return v, err
		}
	}
	return v, nil
}

// fieldElement reads an octet string of any length as a number; a and b come
// with and without leading zeros.
func fieldElement(r *der.Reader) (*big.Int, error) {
	e, err := r.Expect(der.OctetString)
	if err != nil {
		return nil, err
	}
	if len(e.Content) > maxModulusBits/8 {
		return nil, malformedf("field element of %d bytes", len(e.Content))
	}
	return new(big.Int).SetBytes(e.Content), nil
}

// base decodes the generator on the curve of the same prime and coefficients;
// a compressed one cannot be expanded without knowing them to be a curve.
func (v ecParameters) base() (curve.Point, error) {
	for _, c := range curve.All() {
		if c.P.Cmp(v.p) != 0 || c.A.Cmp(v.a) != 0 || c.B.Cmp(v.b) != 0 {
			continue
		}
		g, err := c.Unmarshal(v.g)
		if err != nil {
			return curve.Point{}, fault.Wrap(ErrCurve.Code, err)
		}
		return g, nil
	}
	return curve.Point{}, fault.New(ErrCurve.Code, "prime and coefficients are no curve we know")
}
