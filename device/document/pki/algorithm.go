package pki

import (
	"crypto"
	_ "crypto/sha1" // registered for crypto.Hash.New
	_ "crypto/sha256"
	_ "crypto/sha512"
	"fmt"

	"github.com/watchpost/watchpost/device/document/pki/der"
	"github.com/watchpost/watchpost/device/fault"
)

// hashes by digest algorithm identifier (RFC 5754:2010, RFC 3370:2002 2.1).
var hashes = map[string]crypto.Hash{
	"1.3.14.3.2.26":          crypto.SHA1,
	"2.16.840.1.101.3.4.2.1": crypto.SHA256,
	"2.16.840.1.101.3.4.2.2": crypto.SHA384,
	"2.16.840.1.101.3.4.2.3": crypto.SHA512,
	"2.16.840.1.101.3.4.2.4": crypto.SHA224,
}

// forbiddenOIDs are digests and signatures with MD2, MD4 and MD5: collisions
// have forged certificates since 2008.
var forbiddenOIDs = map[string]bool{
	"1.2.840.113549.2.2": true, "1.2.840.113549.2.4": true, "1.2.840.113549.2.5": true,
	"1.2.840.113549.1.1.2": true, "1.2.840.113549.1.1.3": true, "1.2.840.113549.1.1.4": true,
	"1.3.14.3.2.2": true, "1.3.14.3.2.3": true, "1.3.14.3.2.4": true,
}

type signatureScheme struct {
	scheme Scheme
	hash   crypto.Hash
}

// signatureSchemes by OID: RFC 8017:2016 appendix C, RFC 5758:2010, X9.62:2005
// (ECDSA), RFC 3279:2002 and RFC 5758:2010 (DSA), BSI TR-03111 v2.10 5.2.1 (plain ECDSA), RFC 3279:2002 (OIW SHA-1).
var signatureSchemes = map[string]signatureScheme{
	"1.2.840.113549.1.1.1":   {SchemeRSAUnbound, 0},
	"1.2.840.113549.1.1.5":   {SchemeRSAPKCS1, crypto.SHA1},
	"1.3.14.3.2.29":          {SchemeRSAPKCS1, crypto.SHA1},
	"1.2.840.113549.1.1.11":  {SchemeRSAPKCS1, crypto.SHA256},
	"1.2.840.113549.1.1.12":  {SchemeRSAPKCS1, crypto.SHA384},
	"1.2.840.113549.1.1.13":  {SchemeRSAPKCS1, crypto.SHA512},
	"1.2.840.113549.1.1.14":  {SchemeRSAPKCS1, crypto.SHA224},
	"1.2.840.10045.4.1":      {SchemeECDSA, crypto.SHA1},
	"1.2.840.10045.4.3.1":    {SchemeECDSA, crypto.SHA224},
	"1.2.840.10045.4.3.2":    {SchemeECDSA, crypto.SHA256},
	"1.2.840.10045.4.3.3":    {SchemeECDSA, crypto.SHA384},
	"1.2.840.10045.4.3.4":    {SchemeECDSA, crypto.SHA512},
	oidDSAKey:                {SchemeDSA, 0}, // hash named beside it
	"1.2.840.10040.4.3":      {SchemeDSA, crypto.SHA1},
	"1.3.14.3.2.27":          {SchemeDSA, crypto.SHA1},
	"2.16.840.1.101.3.4.3.1": {SchemeDSA, crypto.SHA224},
	"2.16.840.1.101.3.4.3.2": {SchemeDSA, crypto.SHA256},
	"2.16.840.1.101.3.4.3.3": {SchemeDSA, crypto.SHA384},
	"2.16.840.1.101.3.4.3.4": {SchemeDSA, crypto.SHA512},
	// id-ecPublicKey where a signature algorithm is due: hash named beside it.
	"1.2.840.10045.2.1":       {SchemeECDSA, 0},
	"0.4.0.127.0.7.1.1.4.1.1": {SchemePlainECDSA, crypto.SHA1},
	"0.4.0.127.0.7.1.1.4.1.2": {SchemePlainECDSA, crypto.SHA224},
	"0.4.0.127.0.7.1.1.4.1.3": {SchemePlainECDSA, crypto.SHA256},
	"0.4.0.127.0.7.1.1.4.1.4": {SchemePlainECDSA, crypto.SHA384},
	"0.4.0.127.0.7.1.1.4.1.5": {SchemePlainECDSA, crypto.SHA512},
}

const (
	oidRSAPSS = "1.2.840.113549.1.1.10"
	oidMGF1   = "1.2.840.113549.1.1.8"
)

// HashByOID returns the hash function of a digest algorithm identifier, or of
// a signature algorithm that names its hash, as some signers put there.
// Errors: ErrAlgorithm, ErrForbiddenHash.
func HashByOID(oid string) (crypto.Hash, error) {
	if h, ok := hashes[oid]; ok {
		return h, nil
	}
	if forbiddenOIDs[oid] {
		return 0, fault.New(ErrForbiddenHash.Code, "digest %s", oid)
	}
	if s := signatureSchemes[oid]; s.hash != 0 {
		return s.hash, nil
	}
	return 0, fault.New(ErrAlgorithm.Code, "digest %s", oid)
}

// IsWeakHash reports whether h is SHA-1, which verifies but is left to policy.
func IsWeakHash(h crypto.Hash) bool { return h == crypto.SHA1 }

// HashName is the usual name of h: "SHA-256".
func HashName(h crypto.Hash) string {
	if h == 0 {
		return "unknown"
	}
	return h.String()
}

// String names the algorithm with its parameters: "RSASSA-PSS SHA-256, MGF1
// SHA-1, salt 32", "ECDSA SHA-384", "unknown 1.2.3".
func (a Algorithm) String() string {
	switch a.Scheme {
	case SchemeRSAPKCS1:
		return "RSA " + HashName(a.Hash)
	case SchemeRSAUnbound:
		return "RSA"
	case SchemeRSAPSS:
		s := "RSASSA-PSS " + HashName(a.Hash)
		if a.MGFHash != a.Hash {
			s += ", MGF1 " + HashName(a.MGFHash)
		}
		if a.Hash != 0 && a.SaltLength != a.Hash.Size() { // parameters that cannot be read leave no hash
			s += fmt.Sprintf(", salt %d", a.SaltLength)
		}
		return s
	case SchemeECDSA:
		return "ECDSA " + HashName(a.Hash)
	case SchemeDSA:
		return "DSA " + HashName(a.Hash)
	case SchemePlainECDSA:
		return "plain ECDSA " + HashName(a.Hash)
	}
	return "unknown " + a.OID
}

// WeakHash reports whether SHA-1 bears on what is signed. A mask generated
// with SHA-1 (MGF1) does not: it needs no collision resistance.
func (a Algorithm) WeakHash() bool { return IsWeakHash(a.Hash) }

// algorithmIdentifier splits an AlgorithmIdentifier.
func algorithmIdentifier(e der.Element) (oid string, parameters der.Element, has bool, err error) {
	if e.ID != der.Sequence {
		return "", parameters, false, malformedf("algorithm identifier")
	}
	r := e.Reader()
	id, err := r.Expect(der.ObjectID)
	if err != nil {
		return "", parameters, false, err
	}
	if oid, err = id.OID(); err != nil {
		return "", parameters, false, err
	}
	if r.Empty() {
		return oid, parameters, false, nil
	}
	if parameters, err = r.Next(); err != nil {
		return "", parameters, false, err
	}
	return oid, parameters, true, r.End()
}

// parseAlgorithm reads a signature algorithm. What is not supported is told in
// Err, so that a certificate with an unknown algorithm still parses.
func parseAlgorithm(e der.Element) (Algorithm, error) {
	oid, parameters, has, err := algorithmIdentifier(e)
	if err != nil {
		return Algorithm{}, err
	}
	a := Algorithm{OID: oid}
	if oid == oidRSAPSS {
		return parsePSS(a, parameters, has), nil
	}
	if s, ok := signatureSchemes[oid]; ok {
		a.Scheme, a.Hash = s.scheme, s.hash
		return a, nil
	}
	if forbiddenOIDs[oid] {
		a.Err = fault.New(ErrForbiddenHash.Code, "signature algorithm %s", oid)
	} else {
		a.Err = fault.New(ErrAlgorithm.Code, "signature algorithm %s", oid)
	}
	return a, nil
}

// parsePSS reads RSASSA-PSS-params (RFC 4055:2005 3.1). Every default there is
// SHA-1 with 20 bytes of salt.
func parsePSS(a Algorithm, parameters der.Element, has bool) Algorithm {
	a.Scheme, a.Hash, a.MGFHash, a.SaltLength = SchemeRSAPSS, crypto.SHA1, crypto.SHA1, 20
	if !has {
		return a
	}
	if err := readPSS(&a, parameters); err != nil {
		return Algorithm{OID: a.OID, Scheme: SchemeRSAPSS, Err: err}
	}
	return a
}

func readPSS(a *Algorithm, parameters der.Element) error {
	if parameters.ID != der.Sequence {
		return fault.New(ErrAlgorithm.Code, "RSASSA-PSS parameters are no sequence")
	}
	r := parameters.Reader()
	if e, ok, err := r.Optional(der.ContextConstructed(0)); err != nil {
		return fault.Wrap(ErrAlgorithm.Code, err)
	} else if ok {
		if a.Hash, err = wrappedHash(e.Content); err != nil {
			return err
		}
	}
	if e, ok, err := r.Optional(der.ContextConstructed(1)); err != nil {
		return fault.Wrap(ErrAlgorithm.Code, err)
	} else if ok {
		inner, err := der.NewReader(e.Content).Expect(der.Sequence)
		if err != nil {
			return fault.Wrap(ErrAlgorithm.Code, err)
		}
		oid, mgf, hasMGF, err := algorithmIdentifier(inner)
		if err != nil {
			return fault.Wrap(ErrAlgorithm.Code, err)
		}
		if oid != oidMGF1 || !hasMGF {
			return fault.New(ErrAlgorithm.Code, "mask generation %s", oid)
		}
		if a.MGFHash, err = wrappedHash(mgf.Raw); err != nil {
			return err
		}
	}
	if e, ok, err := r.Optional(der.ContextConstructed(2)); err != nil {
		return fault.Wrap(ErrAlgorithm.Code, err)
	} else if ok {
		n, err := der.NewReader(e.Content).Expect(der.Integer)
		if err != nil {
			return fault.Wrap(ErrAlgorithm.Code, err)
		}
		if a.SaltLength, err = n.SmallInt(maxModulusBits / 8); err != nil {
			return fault.Wrap(ErrAlgorithm.Code, err)
		}
	}
	if e, ok, err := r.Optional(der.ContextConstructed(3)); err != nil {
		return fault.Wrap(ErrAlgorithm.Code, err)
	} else if ok {
		n, err := der.NewReader(e.Content).Expect(der.Integer)
		if err != nil {
			return fault.Wrap(ErrAlgorithm.Code, err)
		}
		if v, err := n.SmallInt(1); err != nil || v != 1 {
			return fault.New(ErrAlgorithm.Code, "RSASSA-PSS trailer field is not 1")
		}
	}
	return fault.Wrap(ErrAlgorithm.Code, r.End())
}

// wrappedHash reads a digest AlgorithmIdentifier.
func wrappedHash(b []byte) (crypto.Hash, error) {
	e, err := der.NewReader(b).Expect(der.Sequence)
	if err != nil {
		return 0, fault.Wrap(ErrAlgorithm.Code, err)
	}
	oid, _, _, err := algorithmIdentifier(e)
	if err != nil {
		return 0, fault.Wrap(ErrAlgorithm.Code, err)
	}
	return HashByOID(oid)
}

func malformedf(format string, args ...any) error {
	return fault.New(ErrMalformed.Code, format, args...)
}

func asMalformed(err error) error { return fault.Wrap(ErrMalformed.Code, err) }
