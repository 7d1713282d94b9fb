package pace

import (
	"math/big"

	"github.com/watchpost/watchpost/device/document/pki"
	"github.com/watchpost/watchpost/device/document/pki/curve"
	"github.com/watchpost/watchpost/device/document/pki/der"
	"github.com/watchpost/watchpost/device/fault"
)

// ErrDomain: domain parameters that a chip gives itself and that are none, or
// none that are known to be safe.
var ErrDomain = &fault.Error{Code: "pace.domain"}

// Algorithms of domain parameters (Doc 9303-11, 9.5).
const (
	oidECKey        = "1.2.840.10045.2.1"
	oidDHNumber     = "1.2.840.10046.2.1" // ANSI X9.42: p, g, q
	oidStandardized = "0.4.0.127.0.7.1.2"
)

// Proprietary returns the variant of a PACEInfo whose domain parameters the
// chip gives itself, in a PACEDomainParameterInfo. parameterID is the reference
// by which PACEInfo names them, -1 where there is one set and no reference.
// algorithm is their AlgorithmIdentifier. Curve or group must be one that is
// known, in every one of its values: parameters come unsigned, bad ones give the
// password away, and an inspection system must not use any that it does not know
// to be secure (Doc 9303-11, 9.2.2). Errors: ErrDomain.
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

// numberDomain reads DomainParameters of ANSI X9.42 (RFC 3279:2002, 2.3.3) and
// returns the known group that they are.
func numberDomain(parameters der.Element) (group, error) {
	if parameters.ID != der.Sequence {
		return nil, fault.New(ErrDomain.Code, "group is no sequence")
	}
	var p, g, q *big.Int
	r := parameters.Reader()
	for _, n := range []**big.Int{&p, &g, &q} {
		e, err := r.Expect(der.Integer)
		if err != nil {
			return nil, fault.Wrap(ErrDomain.Code, err)
		}
		if *n, err = e.StrictUint(); err != nil {
			return nil, fault.Wrap(ErrDomain.Code, err)
		}
	}
	for _, known := range modps() {
		if p.Cmp(known.p) == 0 && g.Cmp(known.g) == 0 && q.Cmp(known.q) == 0 {
			return known, nil
		}
	}
	return nil, fault.New(ErrDomain.Code, "a group of %d bits that is not known", p.BitLen())
}
