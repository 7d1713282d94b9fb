package pace

import (
	"math/big"

	"github.com/watchpost/watchpost/device/document/pki"
	"github.com/watchpost/watchpost/device/document/pki/curve"
	"github.com/watchpost/watchpost/device/document/pki/der"
	"github.com/watchpost/watchpost/device/fault"
)

// ErrDomain: domain parameters that a chip gives itself and that are none, or
// none that are safe to use.
var ErrDomain = &fault.Error{Code: "pace.domain"}

// Algorithms of domain parameters (Doc 9303-11, 9.2.1 and 9.4).
const (
	oidECKey        = "1.2.840.10045.2.1"
	oidDHNumber     = "1.2.840.10046.2.1" // ANSI X9.42: p, g, q
	oidStandardized = "0.4.0.127.0.7.1.2"
)

// Bounds of groups that a chip brings along. Under 1024 bits a session can be
// broken, over 4096 a hostile chip costs the reader seconds.
const (
	minPrimeBits = 1024
	maxPrimeBits = 4096
	minOrderBits = 160
	maxOrderBits = 512
	primeRounds  = 20 // of Miller-Rabin, with random bases and Baillie-PSW behind
)

// Proprietary returns the variant of a PACEInfo whose domain parameters the
// chip gives itself, in a PACEDomainParameterInfo. parameterID is the reference
// by which PACEInfo names them, -1 where there is one set and no reference.
// algorithm is their AlgorithmIdentifier. A curve must be one that is known,
// in every one of its values: nobody can check a curve of a chip's own within a
// reading. A group of numbers is checked: both primes, the order, the generator.
// Errors: ErrDomain.
func Proprietary(oid string, parameterID int, algorithm []byte) (Variant, error) {
	g, err := domain(algorithm)
	if err != nil {
		return Variant{}, err
	}
	v, ok := variantOf(oid, parameterID, g)
	if !ok {
		return Variant{}, fault.New(ErrDomain.Code, "parameters do not fit the protocol")
	}
	return v, nil
}

// AgreementOf cuts the cipher off the identifier of a protocol: what a
// PACEDomainParameterInfo names. "" where oid is no protocol.
func AgreementOf(oid string) string {
	if !IsPACE(oid) || len(oid) != len(oidPACE)+4 {
		return ""
	}
	return oid[:len(oid)-2]
}

func domain(algorithm []byte) (group, error) {
	e, err := der.ParseStrict(algorithm)
	if err != nil || e.ID != der.Sequence {
		return nil, fault.New(ErrDomain.Code, "no algorithm identifier")
	}
	r := e.Reader()
	name, err := r.Expect(der.ObjectID)
	if err != nil {
		return nil, fault.Wrap(ErrDomain.Code, err)
	}
	oid, err := name.OID()
	if err != nil {
		return nil, fault.Wrap(ErrDomain.Code, err)
	}
	parameters, err := r.Next()
	if err != nil || !r.Empty() {
		return nil, fault.New(ErrDomain.Code, "algorithm %s without parameters, or with too many", oid)
	}
	switch oid {
	case oidStandardized:
		id, err := parameters.SmallInt(31)
		if err != nil {
			return nil, fault.Wrap(ErrDomain.Code, err)
		}
		if g := standardGroup(id); g != nil {
			return g, nil
		}
		return nil, fault.New(ErrDomain.Code, "standardized parameters %d", id)
	case oidECKey:
		return curveDomain(parameters)
	case oidDHNumber:
		return numberDomain(parameters)
	}
	return nil, fault.New(ErrDomain.Code, "algorithm %s", oid)
}

func curveDomain(parameters der.Element) (group, error) {
	if parameters.ID == der.ObjectID {
		oid, err := parameters.OID()
		if err != nil {
			return nil, fault.Wrap(ErrDomain.Code, err)
		}
		if c := curve.ByOID(oid); c != nil {
			return elliptic{c}, nil
		}
		return nil, fault.New(ErrDomain.Code, "curve %s", oid)
	}
	c, err := pki.ParseExplicitCurve(parameters.Raw)
	if err != nil {
		return nil, fault.Wrap(ErrDomain.Code, err)
	}
	return elliptic{c}, nil
}

// numberDomain reads and checks DomainParameters of ANSI X9.42 (RFC 3279:2002, 2.3.3).
func numberDomain(parameters der.Element) (group, error) {
	if parameters.ID != der.Sequence {
		return nil, fault.New(ErrDomain.Code, "group is no sequence")
	}
	g := modp{}
	r := parameters.Reader()
	for _, n := range []**big.Int{&g.p, &g.g, &g.q} {
		e, err := r.Expect(der.Integer)
		if err != nil {
			return nil, fault.Wrap(ErrDomain.Code, err)
		}
		if *n, err = e.StrictUint(); err != nil {
			return nil, fault.Wrap(ErrDomain.Code, err)
		}
	}
	for _, known := range modps() {
		if g.p.Cmp(known.p) == 0 && g.g.Cmp(known.g) == 0 && g.q.Cmp(known.q) == 0 {
			return known, nil
		}
	}
	bits, order := g.p.BitLen(), g.q.BitLen()
	if bits < minPrimeBits || bits > maxPrimeBits || order < minOrderBits || order > maxOrderBits {
		return nil, fault.New(ErrDomain.Code, "group of %d bits with an order of %d", bits, order)
	}
	one := big.NewInt(1)
	cofactor := new(big.Int).Sub(g.p, one)
	rest := new(big.Int)
	cofactor.DivMod(cofactor, g.q, rest)
	switch {
	case rest.Sign() != 0:
		return nil, fault.New(ErrDomain.Code, "the order does not divide the group's")
	case g.g.Cmp(one) <= 0 || g.g.Cmp(g.p) >= 0 || new(big.Int).Exp(g.g, g.q, g.p).Cmp(one) != 0:
		return nil, fault.New(ErrDomain.Code, "the generator is not of the order")
	case !g.q.ProbablyPrime(primeRounds) || !g.p.ProbablyPrime(primeRounds):
		return nil, fault.New(ErrDomain.Code, "prime or order is composite")
	}
	g.label = "modp" + big.NewInt(int64(bits)).String() + " of the chip"
	return g, nil
}
