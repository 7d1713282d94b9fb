package inspect

import (
	"bytes"
	"maps"
	"math/big"
	"testing"

	"github.com/watchpost/watchpost/device/document/lds"
	"github.com/watchpost/watchpost/hwtest/gen/persona"
	"github.com/watchpost/watchpost/hwtest/gen/pki"
	chip "github.com/watchpost/watchpost/hwtest/passport/lds"
)

// What a forger with the public certificates, a blank chip and keys of lesser
// worth can put together, and the check that it fails at.
func TestAttackPassiveAuthentication(t *testing.T) {
	utopia := issuer(t, pki.Spec{Seed: "attacked", CSCA: fast, DS: fast})
	neighbour := issuer(t, pki.Spec{Seed: "neighbour", Country: "NL", State: "NLD", CSCA: fast, DS: fast})
	crl, err := utopia.CRL(at.AddDate(0, 0, -1), big.NewInt(0x6666))
	if err != nil {
		t.Fatal(err)
	}
	anchors := store(t, utopia.CSCA.DER, crl, neighbour.CSCA.DER)
	own, other := files(t, utopia, lines(t, nil)), files(t, utopia, lines(t, func(p *persona.Person) { p.Surname, p.DocumentNumber = "OTHER", "XT7654321" }))
	forger, err := pki.NewKey(fast, pki.Stream("forger"))
	if err != nil {
		t.Fatal(err)
	}
	leaf := func(change func(*pki.Template), key, under *pki.Key) *pki.Certificate {
		t.Helper()
		template := utopia.DS.Template
		template.Serial = big.NewInt(0x7777)
		if change != nil {
			change(&template)
		}
		c, err := pki.Issue(template, key, under, pki.Stream("leaf", template.Serial.String(), template.Subject.CommonName))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	signed := func(base map[lds.File][]byte, s pki.Signature) map[lds.File][]byte {
		t.Helper()
		s.Time = at
		raw, err := pki.SOD(pki.SecurityObject{Groups: map[int][]byte{1: base["DG1"], 2: base["DG2"], 14: base["DG14"]}}, s, pki.Stream("attack"))
		if err != nil {
			t.Fatal(err)
		}
		f := maps.Clone(base)
		f[lds.SOD] = raw
		return f
	}
	swap := func(name lds.File, content []byte) map[lds.File][]byte {
		f := maps.Clone(own)
		f[name] = content
		return f
	}
	foreign, err := chip.DG2(append(bytes.Clone(portrait), 1), "F")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		files map[lds.File][]byte
		want  expect
	}{
		"own portrait in a stranger's chip":      {swap("DG2", foreign), expect{GroupHash(2): "fail hash_mismatch", GroupHash(1): "pass"}},
		"own zone in a stranger's chip":          {swap("DG1", other["DG1"]), expect{GroupHash(1): "fail hash_mismatch"}},
		"security object of another passport":    {swap(lds.SOD, other[lds.SOD]), expect{GroupHash(1): "fail hash_mismatch", SODSignature: "pass", DSChain: "pass"}},
		"self-made issuer of the state's name":   {signed(own, pki.Signature{Signer: leaf(nil, forger, forger)}), expect{SODSignature: "pass", DSChain: "fail no_anchor_fits"}},
		"self-signed signer":                     {signed(own, pki.Signature{Signer: leaf(func(x *pki.Template) { x.Issuer = x.Subject }, forger, forger)}), expect{DSChain: "fail no_anchor_fits"}},
		"signer issued by a document signer":     {signed(own, pki.Signature{Signer: leaf(func(x *pki.Template) { x.Issuer = utopia.DS.Template.Subject }, forger, utopia.DS.Key), Certificates: [][]byte{utopia.DS.DER}}), expect{DSChain: "fail no_anchor_fits", SODSignature: "pass"}},
		"genuine certificate, forger's key":      {signed(own, pki.Signature{Signer: utopia.DS, ForeignKey: forger}), expect{SODSignature: "fail pki.signature", DSChain: "pass"}},
		"signer of a neighbour":                  {signed(own, pki.Signature{Signer: neighbour.DS}), expect{DSChain: "pass", DSCountry: "fail country_mismatch"}},
		"neighbour's key in this state's name":   {signed(own, pki.Signature{Signer: leaf(nil, forger, neighbour.CSCA.Key)}), expect{DSChain: "fail no_anchor_fits"}},
		"two countries in one signer":            {signed(own, pki.Signature{Signer: leaf(func(x *pki.Template) { x.Issuer, x.Subject.Country = neighbour.CSCA.Template.Subject, "UT" }, forger, neighbour.CSCA.Key)}), expect{DSCountry: "fail signer_countries_differ"}},
		"the CSCA as document signer":            {signed(own, pki.Signature{Signer: utopia.CSCA}), expect{DSKeyUsage: "fail not_for_signatures is_ca"}},
		"the master list signer's key":           {signed(own, pki.Signature{Signer: leaf(func(x *pki.Template) { x.ExtKeyUsage, x.DocumentTypes = []string{pki.OIDMasterListSigner}, nil }, forger, utopia.CSCA.Key)}), expect{DSKeyUsage: "fail other_purpose", DSChain: "pass"}},
		"a key for encryption":                   {signed(own, pki.Signature{Signer: leaf(func(x *pki.Template) { x.KeyUsage = []int{2} }, forger, utopia.CSCA.Key)}), expect{DSKeyUsage: "fail not_for_signatures", DSChain: "pass"}},
		"a signer for other documents":           {signed(own, pki.Signature{Signer: leaf(func(x *pki.Template) { x.DocumentTypes = []string{"AC"} }, forger, utopia.CSCA.Key)}), expect{DSDocumentType: "fail not_in_list", DSChain: "pass"}},
		"a stolen key that was revoked":          {signed(own, pki.Signature{Signer: leaf(func(x *pki.Template) { x.Serial = big.NewInt(0x6666) }, forger, utopia.CSCA.Key)}), expect{DSRevocation: "fail revoked", DSChain: "pass"}},
		"an expired key and a clock set back":    {signed(own, pki.Signature{Signer: leaf(func(x *pki.Template) { x.NotAfter = at.AddDate(0, 0, -1) }, forger, utopia.CSCA.Key)}), expect{DSValidity: "fail expired", DSChain: "pass"}},
		"signature over the content itself":      {signed(own, pki.Signature{Signer: utopia.DS, NoSignedAttributes: true}), expect{SODSignature: "fail pki.attributes"}},
		"attributes of another kind of message":  {signed(own, pki.Signature{Signer: utopia.DS, WrongContentType: pki.OIDMasterList}), expect{SODSignature: "fail pki.attributes"}},
		"digest of another object":               {signed(own, pki.Signature{Signer: utopia.DS, WrongMessageDigest: true}), expect{SODSignature: "fail pki.digest"}},
		"genuine signer beside, forger's named":  {signed(own, pki.Signature{Signer: leaf(nil, forger, forger), Certificates: [][]byte{utopia.DS.DER, utopia.CSCA.DER}}), expect{DSChain: "fail no_anchor_fits"}},
		"genuine signer named, forger's carried": {signed(own, pki.Signature{Signer: utopia.DS, ForeignKey: forger, NoCertificate: true, Certificates: [][]byte{leaf(nil, forger, forger).DER}}), expect{SODSignature: "pass tolerated: cms.signer_identifier", DSChain: "fail no_anchor_fits"}},
		"group that nobody signed":               {swap("DG11", []byte{0x6B, 0x00}), expect{DGUnlisted: "fail unlisted: dg11", GroupHash(11): "not-performed unlisted"}},
		"EF.COM that hides the chip's key":       {swap(lds.COM, chip.COM([]int{1, 2})), expect{COMMatch: "fail not_in_com: dg14"}},
	} {
		t.Run(name, func(t *testing.T) {
			in := Input{Files: c.files, At: at, Trust: anchors, Lines: lines(t, nil)}
			i := Judge(in)
			compare(t, i, c.want)
			if r := i.Report(in); r.Overall != ReportFailed {
				t.Errorf("the report comes to %s", r.Overall)
			}
		})
	}
}
