package pki

import (
	"io"
	"math/big"
	"time"

	"github.com/watchpost/watchpost/hwtest/gen/der"
)

// Object identifiers of names and extensions (RFC 5280 (2008); Doc 9303-12
// (2021), 7.1).
const (
	oidCountry       = "2.5.4.6"
	oidOrganization  = "2.5.4.10"
	oidUnit          = "2.5.4.11"
	oidCommonName    = "2.5.4.3"
	oidLocality      = "2.5.4.7"
	oidSKI           = "2.5.29.14"
	oidKeyUsage      = "2.5.29.15"
	oidPrivateUsage  = "2.5.29.16"
	oidSubjectAlt    = "2.5.29.17"
	oidIssuerAlt     = "2.5.29.18"
	oidBasic         = "2.5.29.19"
	oidCRLNumber     = "2.5.29.20"
	oidCRLPoints     = "2.5.29.31"
	oidAKI           = "2.5.29.35"
	oidExtKeyUsage   = "2.5.29.37"
	oidNameChange    = "2.23.136.1.1.6.1"
	oidDocumentTypes = "2.23.136.1.1.6.2"

	// OIDMasterListSigner is the extended key usage of master list signers.
	OIDMasterListSigner = "2.23.136.1.1.3"
)

// Bits of the key usage extension (RFC 5280 (2008), 4.2.1.3).
const (
	UsageDigitalSignature = 0
	UsageNonRepudiation   = 1
	UsageCertSign         = 5
	UsageCRLSign          = 6
)

// Name is a distinguished name; empty parts are left out.
type Name struct{ Country, Organization, Unit, CommonName string }

// Encode writes the RDNSequence, country as PrintableString in capitals and
// the rest as UTF8String (Doc 9303-12 (2021), 7.1.1).
func (n Name) Encode() []byte {
	var rdns [][]byte
	add := func(oid, value string, enc func(string) []byte) {
		if value != "" {
			rdns = append(rdns, der.Set(der.Seq(der.OID(oid), enc(value))))
		}
	}
	add(oidCountry, n.Country, der.Printable)
	add(oidOrganization, n.Organization, der.UTF8)
	add(oidUnit, n.Unit, der.UTF8)
	add(oidCommonName, n.CommonName, der.UTF8)
	return der.Seq(rdns...)
}

// Template is what a certificate says. Nothing is filled in that is left out,
// so that a certificate can be wrong on purpose; the key identifiers are
// written unless NoKeyIdentifiers.
type Template struct {
	Subject, Issuer      Name
	Serial               *big.Int
	NotBefore, NotAfter  time.Time
	PrivateUsageNotAfter time.Time // private key usage period from NotBefore; zero is none
	CA                   bool      // basic constraints with path length 0
	KeyUsage             []int     // bits; nil is no extension
	ExtKeyUsage          []string
	DocumentTypes        []string // docTypeList, such as "P"; nil is no extension
	Locality             string   // MRZ code of the state in the alternative names; "" is none
	CRLURL               string
	NameChange           bool
	NoKeyIdentifiers     bool
}

// Certificate is a certificate with the private key that belongs to it.
type Certificate struct {
	Template Template
	Key      *Key
	DER      []byte
}

// Issue signs template for subject's key. issuer nil means that the
// certificate signs itself.
func Issue(template Template, subject *Key, issuer *Key, random io.Reader) (*Certificate, error) {
	if issuer == nil {
		issuer = subject
	}
	algorithm, err := issuer.SignatureAlgorithm()
	if err != nil {
		return nil, err
	}
	t := template
	tbs := der.Seq(
		der.Context(0, der.SmallInt(2)),
		der.Int(t.Serial),
		algorithm,
		t.Issuer.Encode(),
		der.Seq(der.Time(t.NotBefore), der.Time(t.NotAfter)),
		t.Subject.Encode(),
		subject.PublicKey(),
		der.Context(3, der.Seq(t.extensions(subject, issuer)...)),
	)
	signature, err := issuer.Sign(random, tbs)
	if err != nil {
		return nil, err
	}
	return &Certificate{Template: t, Key: subject, DER: der.Seq(tbs, algorithm, der.Bits(signature))}, nil
}

func extension(oid string, critical bool, value []byte) []byte {
	if critical {
		return der.Seq(der.OID(oid), der.Bool(true), der.Octets(value))
	}
	return der.Seq(der.OID(oid), der.Octets(value))
}

func (t Template) extensions(subject, issuer *Key) [][]byte {
	var out [][]byte
	if !t.NoKeyIdentifiers {
		out = append(out,
			extension(oidAKI, false, der.Seq(der.ContextPrimitive(0, issuer.identifier()))),
			extension(oidSKI, false, der.Octets(subject.identifier())))
	}
	if t.KeyUsage != nil {
		out = append(out, extension(oidKeyUsage, true, der.NamedBits(t.KeyUsage...)))
	}
	if !t.PrivateUsageNotAfter.IsZero() {
		const layout = "20060102150405Z"
		out = append(out, extension(oidPrivateUsage, false, der.Seq(
			der.ContextPrimitive(0, []byte(t.NotBefore.UTC().Format(layout))),
			der.ContextPrimitive(1, []byte(t.PrivateUsageNotAfter.UTC().Format(layout))))))
	}
	if t.CA {
		out = append(out, extension(oidBasic, true, der.Seq(der.Bool(true), der.SmallInt(0))))
	}
	if t.Locality != "" {
		place := der.Seq(der.Context(4, der.Seq(der.Set(der.Seq(der.OID(oidLocality), der.Printable(t.Locality))))))
		out = append(out, extension(oidSubjectAlt, false, place), extension(oidIssuerAlt, false, place))
	}
	if t.CRLURL != "" {
		point := der.Context(0, der.Context(0, der.ContextPrimitive(6, []byte(t.CRLURL))))
		out = append(out, extension(oidCRLPoints, false, der.Seq(der.Seq(point))))
	}
	if len(t.ExtKeyUsage) > 0 {
		var uses [][]byte
		for _, oid := range t.ExtKeyUsage {
			uses = append(uses, der.OID(oid))
		}
		out = append(out, extension(oidExtKeyUsage, true, der.Seq(uses...)))
	}
	if t.DocumentTypes != nil {
		var types [][]byte
		for _, dt := range t.DocumentTypes {
			types = append(types, der.Printable(dt))
		}
		out = append(out, extension(oidDocumentTypes, false, der.Seq(der.SmallInt(0), der.Set(types...))))
	}
	if t.NameChange {
		out = append(out, extension(oidNameChange, false, der.Null()))
	}
	return out
}
