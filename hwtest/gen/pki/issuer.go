package pki

import (
	"crypto/sha256"
	"io"
	"math/big"
	"math/rand/v2"
	"time"
)

// Spec describes an issuing state: one CSCA, one document signer, and what is
// wrong with them. The zero value is a sound issuer of Utopia. Equal specs make
// equal keys and equal octets, whatever the process and the day.
type Spec struct {
	Seed         string `yaml:"seed,omitempty" json:"seed,omitempty"`       // keys depend on it, and on nothing else but the schemes
	Country      string `yaml:"country,omitempty" json:"country,omitempty"` // of certificates, UT by default
	State        string `yaml:"state,omitempty" json:"state,omitempty"`     // MRZ code in the alternative names, UTO by default
	Organization string `yaml:"organization,omitempty" json:"organization,omitempty"`
	CSCA         Scheme `yaml:"csca,omitempty" json:"csca,omitempty"`
	DS           Scheme `yaml:"ds,omitempty" json:"ds,omitempty"`

	SODHash    string `yaml:"sod_hash,omitempty" json:"sod_hash,omitempty"`       // of the data groups, sha256 by default
	SODVersion int    `yaml:"sod_version,omitempty" json:"sod_version,omitempty"` // LDS security object v0 or v1
	BySKI      bool   `yaml:"by_ski,omitempty" json:"by_ski,omitempty"`           // signer named by its key identifier

	// SODContentType is the content's identifier in place of that of Doc 9303,
	// as documents of the first years have it: "1.3.27.1.1.1" or
	// "1.2.528.1.1006.1.20.1". Indefinite writes EF.SOD's message in BER with
	// indefinite lengths.
	SODContentType string `yaml:"sod_content_type,omitempty" json:"sod_content_type,omitempty"`
	Indefinite     bool   `yaml:"indefinite,omitempty" json:"indefinite,omitempty"`

	DocumentTypes []string `yaml:"document_types,omitempty" json:"document_types,omitempty"` // docTypeList of the signer, P by default
	Defects       Defects  `yaml:"defects,omitempty" json:"defects,omitempty"`
}

// Defects are what an issuer, or a forger in its place, got wrong. The zero
// value is nothing.
type Defects struct {
	WrongDigest         []int     `yaml:"wrong_digest,omitempty" json:"wrong_digest,omitempty"`                 // groups whose digest in the SOD is wrong
	Unlisted            []int     `yaml:"unlisted,omitempty" json:"unlisted,omitempty"`                         // groups on the chip that the SOD does not name
	ForeignSigner       bool      `yaml:"foreign_signer,omitempty" json:"foreign_signer,omitempty"`             // the SOD is signed by a key that is not the certificate's
	ForeignCSCA         bool      `yaml:"foreign_csca,omitempty" json:"foreign_csca,omitempty"`                 // the document signer is signed by another key under the CSCA's name
	WrongMessageDigest  bool      `yaml:"wrong_message_digest,omitempty" json:"wrong_message_digest,omitempty"` // the SOD's digest attribute is of something else
	WrongContentType    bool      `yaml:"wrong_content_type,omitempty" json:"wrong_content_type,omitempty"`     // the SOD's content type attribute says plain data
	NoCertificate       bool      `yaml:"no_certificate,omitempty" json:"no_certificate,omitempty"`             // the SOD does not carry the signer's certificate
	NamedSerial         int64     `yaml:"named_serial,omitempty" json:"named_serial,omitempty"`                 // the SOD names its signer by this serial number
	DSNotBefore         time.Time `yaml:"ds_not_before,omitempty" json:"ds_not_before,omitempty"`
	DSNotAfter          time.Time `yaml:"ds_not_after,omitempty" json:"ds_not_after,omitempty"`
	DSKeyUsage          []int     `yaml:"ds_key_usage,omitempty" json:"ds_key_usage,omitempty"` // bits in place of digitalSignature
	DSCountry           string    `yaml:"ds_country,omitempty" json:"ds_country,omitempty"`     // the signer's subject is of this country
	DSIsCA              bool      `yaml:"ds_is_ca,omitempty" json:"ds_is_ca,omitempty"`
	ForeignCardSecurity bool      `yaml:"foreign_card_security,omitempty" json:"foreign_card_security,omitempty"` // EF.CardSecurity is signed by a key that is not the certificate's
	CSCANotAfter        time.Time `yaml:"csca_not_after,omitempty" json:"csca_not_after,omitempty"`
	CSCANotCA           bool      `yaml:"csca_not_ca,omitempty" json:"csca_not_ca,omitempty"` // the CSCA's certificate is that of a signer
}

// Dates of sound certificates: the CSCA signs for five years and is checked
// against for eleven more; a signer signs for three months (Doc 9303-12
// (2021), 5.1).
var (
	cscaFrom   = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	cscaSigns  = time.Date(2029, 1, 1, 0, 0, 0, 0, time.UTC)
	cscaUntil  = time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC)
	dsFrom     = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	dsSigns    = time.Date(2025, 4, 1, 0, 0, 0, 0, time.UTC)
	dsUntil    = time.Date(2036, 1, 1, 0, 0, 0, 0, time.UTC)
	signedAt   = time.Date(2025, 2, 3, 9, 30, 0, 0, time.UTC)
	linkedFrom = time.Date(2028, 10, 1, 0, 0, 0, 0, time.UTC)
)

// Issuer is an issuing state at work. It is read only and safe for concurrent
// use.
type Issuer struct {
	Spec Spec
	CSCA *Certificate
	DS   *Certificate
}

// Stream returns octets that depend on the words alone.
func Stream(words ...string) io.Reader {
	h := sha256.New()
	for _, w := range words {
		h.Write([]byte(w))
		h.Write([]byte{0})
	}
	return rand.NewChaCha8([32]byte(h.Sum(nil)))
}

func (s Spec) withDefaults() Spec {
	if s.Country == "" {
		s.Country = "UT"
	}
	if s.State == "" {
		s.State = "UTO"
	}
	if s.Organization == "" {
		s.Organization = "Watchpost test issuer, no document of a state"
	}
	if s.DocumentTypes == nil {
		s.DocumentTypes = []string{"P"}
	}
	s.CSCA, s.DS = s.CSCA.withDefaults(), s.DS.withDefaults()
	return s
}

// New makes the issuer that spec describes. RSA keys take up to a second each.
func New(spec Spec) (*Issuer, error) {
	s := spec.withDefaults()
	cscaKey, err := NewKey(s.CSCA, s.stream("csca key", s.CSCA.Key))
	if err != nil {
		return nil, err
	}
	dsKey, err := NewKey(s.DS, s.stream("ds key", s.DS.Key))
	if err != nil {
		return nil, err
	}
	name := s.cscaName()
	cscaUsage := []int{UsageCertSign, UsageCRLSign}
	if s.Defects.CSCANotCA {
		cscaUsage = []int{UsageDigitalSignature}
	}
	csca, err := Issue(Template{
		Subject: name, Issuer: name, Serial: big.NewInt(1),
		NotBefore: cscaFrom, NotAfter: either(s.Defects.CSCANotAfter, cscaUntil), PrivateUsageNotAfter: cscaSigns,
		CA: !s.Defects.CSCANotCA, KeyUsage: cscaUsage, Locality: s.State, CRLURL: crlURL,
	}, cscaKey, nil, s.stream("csca certificate"))
	if err != nil {
		return nil, err
	}
	dsIssuer := cscaKey
	if s.Defects.ForeignCSCA {
		if dsIssuer, err = NewKey(s.CSCA, s.stream("foreign csca key", s.CSCA.Key)); err != nil {
			return nil, err
		}
	}
	ds, err := Issue(s.dsTemplate(), dsKey, dsIssuer, s.stream("ds certificate"))
	if err != nil {
		return nil, err
	}
	return &Issuer{Spec: s, CSCA: csca, DS: ds}, nil
}

// crlURL is in a domain that can never exist (RFC 6761 (2013), 6.4).
const crlURL = "http://pkd.watchpost.invalid/csca.crl"

func (s Spec) stream(purpose ...string) io.Reader {
	return Stream(append([]string{"hwtest/gen/pki", s.Seed}, purpose...)...)
}

func (s Spec) cscaName() Name {
	return Name{Country: s.Country, Organization: s.Organization, CommonName: "CSCA " + s.State}
}

func (s Spec) dsTemplate() Template {
	d := s.Defects
	country := s.Country
	if d.DSCountry != "" {
		country = d.DSCountry
	}
	usage := []int{UsageDigitalSignature}
	if d.DSKeyUsage != nil {
		usage = d.DSKeyUsage
	}
	from := either(d.DSNotBefore, dsFrom)
	return Template{
		Subject: Name{Country: country, Organization: s.Organization, CommonName: "Document Signer " + s.State + " 1"},
		Issuer:  s.cscaName(), Serial: big.NewInt(0x1001),
		NotBefore: from, NotAfter: either(d.DSNotAfter, dsUntil), PrivateUsageNotAfter: from.Add(dsSigns.Sub(dsFrom)),
		CA: d.DSIsCA, KeyUsage: usage, DocumentTypes: s.DocumentTypes, Locality: s.State, CRLURL: crlURL,
	}
}

func either(t, otherwise time.Time) time.Time {
	if t.IsZero() {
		return otherwise
	}
	return t
}

// SOD writes EF.SOD for the data groups given, with the defects of the spec.
func (i *Issuer) SOD(groups map[int][]byte) ([]byte, error) {
	d := i.Spec.Defects
	listed := map[int][]byte{}
	for group, content := range groups {
		listed[group] = content
	}
	for _, group := range d.Unlisted {
		delete(listed, group)
	}
	s := Signature{
		Signer: i.DS, Time: signedAt, BySKI: i.Spec.BySKI,
		NoCertificate: d.NoCertificate, WrongMessageDigest: d.WrongMessageDigest, Indefinite: i.Spec.Indefinite,
	}
	if d.NamedSerial != 0 {
		s.NamedSerial = big.NewInt(d.NamedSerial)
	}
	if d.WrongContentType {
		s.WrongContentType = "1.2.840.113549.1.7.1"
	}
	if d.ForeignSigner {
		key, err := NewKey(i.Spec.DS, i.Spec.stream("foreign ds key", i.Spec.DS.Key))
		if err != nil {
			return nil, err
		}
		s.ForeignKey = key
	}
	object := SecurityObject{
		Groups: listed, Hash: i.Spec.SODHash, Version: i.Spec.SODVersion, WrongDigest: d.WrongDigest, ContentType: i.Spec.SODContentType,
	}
	content, err := object.Encode()
	if err != nil {
		return nil, err
	}
	// A nonce must not be used for two contents: it depends on the content.
	return SOD(object, s, i.Spec.stream("sod", string(content)))
}

// CardSecurity writes EF.CardSecurity over a SET OF SecurityInfo, signed by
// the document signer, with the defects of the spec.
func (i *Issuer) CardSecurity(infos []byte) ([]byte, error) {
	s := Signature{Signer: i.DS, Time: signedAt}
	if i.Spec.Defects.ForeignCardSecurity {
		key, err := NewKey(i.Spec.DS, i.Spec.stream("foreign card security key", i.Spec.DS.Key))
		if err != nil {
			return nil, err
		}
		s.ForeignKey = key
	}
	return SignedData(oidSecurityInfos, infos, s, i.Spec.stream("card security", string(infos)))
}

// CRL signs a revocation list of this day, good for 90 days (Doc 9303-12
// (2021), 5.3), that revokes these serial numbers.
func (i *Issuer) CRL(day time.Time, revoked ...*big.Int) ([]byte, error) {
	number := big.NewInt(day.Unix() / 86400)
	var words string
	for _, serial := range revoked {
		words += serial.String() + " "
	}
	return CRL(CRLTemplate{
		Issuer: i.Spec.cscaName(), Number: number, ThisUpdate: day, NextUpdate: day.AddDate(0, 0, 90), Revoked: revoked,
	}, i.CSCA.Key, i.Spec.stream("crl", day.UTC().String(), words))
}

// Link makes a new key for the CSCA and the link certificate by which the old
// one vouches for it: the same name, no change of it, another serial number.
func (i *Issuer) Link() (next *Certificate, link *Certificate, err error) {
	key, err := NewKey(i.Spec.CSCA, i.Spec.stream("next csca key", i.Spec.CSCA.Key))
	if err != nil {
		return nil, nil, err
	}
	t := i.CSCA.Template
	t.Serial, t.NotBefore, t.NotAfter, t.PrivateUsageNotAfter = big.NewInt(2), linkedFrom, cscaUntil.AddDate(5, 0, 0), linkedFrom.AddDate(5, 0, 0)
	if next, err = Issue(t, key, nil, i.Spec.stream("next csca certificate")); err != nil {
		return nil, nil, err
	}
	t.Serial, t.NotAfter = big.NewInt(3), cscaUntil
	link, err = Issue(t, key, i.CSCA.Key, i.Spec.stream("link certificate"))
	return next, link, err
}

// MasterList publishes these CSCA certificates, signed by a master list signer
// of this issuer (Doc 9303-12 (2021), 8).
func (i *Issuer) MasterList(certificates ...[]byte) ([]byte, error) {
	return i.MasterListAt(signedAt, certificates...)
}

// MasterListAt is MasterList of another edition.
func (i *Issuer) MasterListAt(edition time.Time, certificates ...[]byte) ([]byte, error) {
	key, err := NewKey(i.Spec.DS, i.Spec.stream("master list signer key", i.Spec.DS.Key))
	if err != nil {
		return nil, err
	}
	signer, err := Issue(Template{
		Subject: Name{Country: i.Spec.Country, Organization: i.Spec.Organization, CommonName: "Master List Signer " + i.Spec.State},
		Issuer:  i.Spec.cscaName(), Serial: big.NewInt(0x2001), NotBefore: dsFrom, NotAfter: dsUntil,
		KeyUsage: []int{UsageDigitalSignature}, ExtKeyUsage: []string{OIDMasterListSigner}, Locality: i.Spec.State,
	}, key, i.CSCA.Key, i.Spec.stream("master list signer certificate"))
	if err != nil {
		return nil, err
	}
	words := sha256.New()
	words.Write([]byte(edition.UTC().String()))
	for _, c := range certificates {
		words.Write(c)
	}
	return MasterList(certificates, Signature{Signer: signer, Time: edition, Certificates: [][]byte{i.CSCA.DER}},
		i.Spec.stream("master list", string(words.Sum(nil))))
}
