package inspect

import (
	"bytes"
	"maps"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/document/lds"
	"github.com/watchpost/watchpost/hwtest/gen/persona"
	"github.com/watchpost/watchpost/hwtest/gen/pki"
	chip "github.com/watchpost/watchpost/hwtest/passport/lds"
)

// fast is a key that is quick to make and to use.
var fast = pki.Scheme{Key: "secp256r1"}

// ways are all ways to sign that issuers use, and what users of other readers
// report that these get wrong. Each must pass as it is, and not be vouched for
// when one bit of the object's signature or of the signer's certificate changes.
var ways = map[string]pki.Spec{
	"RSA PKCS #1":                                    {CSCA: pki.Scheme{Key: "rsa-1024"}, DS: pki.Scheme{Key: "rsa-1024"}},
	"RSA of exponent 3 and of 107903":                {CSCA: pki.Scheme{Key: "rsa-1024", Exponent: 3}, DS: pki.Scheme{Key: "rsa-1024", Exponent: 107903}},
	"RSASSA-PSS":                                     {CSCA: pki.Scheme{Key: "rsa-1024", PSS: true}, DS: pki.Scheme{Key: "rsa-1024", PSS: true}},
	"RSASSA-PSS with SHA-384 (AndyQ#200)":            {CSCA: fast, DS: pki.Scheme{Key: "rsa-1026", PSS: true, Hash: "sha384"}},
	"RSASSA-PSS, another hash for the mask":          {CSCA: fast, DS: pki.Scheme{Key: "rsa-1024", PSS: true, MGFHash: "sha1"}},
	"RSASSA-PSS, salt of 20":                         {CSCA: fast, DS: pki.Scheme{Key: "rsa-1024", PSS: true, SaltLen: 20}},
	"object PKCS #1, certificate PSS (self#1302)":    {CSCA: pki.Scheme{Key: "rsa-1024", PSS: true}, DS: pki.Scheme{Key: "rsa-1024"}},
	"object PSS, certificate PKCS #1":                {CSCA: pki.Scheme{Key: "rsa-1024"}, DS: pki.Scheme{Key: "rsa-1024", PSS: true}},
	"ECDSA brainpoolP256r1":                          {},
	"ECDSA brainpoolP384r1, SHA-384":                 {CSCA: pki.Scheme{Key: "brainpoolP384r1", Hash: "sha384"}, DS: pki.Scheme{Key: "brainpoolP384r1", Hash: "sha384"}},
	"ECDSA brainpoolP512r1, SHA-512":                 {CSCA: fast, DS: pki.Scheme{Key: "brainpoolP512r1", Hash: "sha512"}, SODHash: "sha512"},
	"ECDSA P-384 with SHA-256 (gmrtd#477)":           {CSCA: fast, DS: pki.Scheme{Key: "secp384r1", Hash: "sha256"}},
	"ECDSA P-521, SHA-512":                           {CSCA: pki.Scheme{Key: "secp521r1", Hash: "sha512"}, DS: fast},
	"ECDSA, parameters written out":                  {CSCA: pki.Scheme{Key: "brainpoolP256r1", Explicit: true}, DS: pki.Scheme{Key: "secp256r1", Explicit: true}},
	"SHA-224":                                        {CSCA: fast, DS: pki.Scheme{Key: "secp224r1", Hash: "sha224"}, SODHash: "sha224"},
	"object of version 1":                            {CSCA: fast, DS: fast, SODVersion: 1},
	"signer by its key identifier":                   {CSCA: fast, DS: fast, BySKI: true},
	"indefinite lengths":                             {CSCA: fast, DS: fast, Indefinite: true},
	"content type of ICAO's former arc":              {CSCA: fast, DS: fast, SODContentType: "1.3.27.1.1.1"},
	"content type of the first Dutch (gmrtd#425)":    {CSCA: fast, DS: fast, SODContentType: "1.2.528.1.1006.1.20.1"},
	"signer named by a serial of nobody (gmrtd#353)": {CSCA: fast, DS: fast, Defects: pki.Defects{NamedSerial: 4711}},
}

// oddities are what has to be said of a way that is tolerated, by check.
var oddities = map[string]expect{
	"indefinite lengths":                             {SODFormat: "pass tolerated: ber.indefinite_length"},
	"content type of ICAO's former arc":              {SODFormat: "pass tolerated: cms.legacy_content_type"},
	"content type of the first Dutch (gmrtd#425)":    {SODFormat: "pass tolerated: cms.legacy_content_type"},
	"signer named by a serial of nobody (gmrtd#353)": {SODSignature: "pass tolerated: cms.signer_identifier"},
}

func TestWaysToSign(t *testing.T) {
	for name, spec := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := issuer(t, spec)
			anchors := store(t, i.CSCA.DER)
			sound := files(t, i, lines(t, nil))
			judged := func(change func(map[lds.File][]byte)) Inspection {
				f := maps.Clone(sound)
				if change != nil {
					change(f)
				}
				return Judge(Input{Files: f, At: at, Trust: anchors})
			}
			want := expect{SODFormat: "pass", SODSignature: "pass", SODAlgorithm: "pass", DSChain: "pass", GroupHash(1): "pass", GroupHash(2): "pass"}
			for code, w := range oddities[name] {
				want[code] = w
			}
			compare(t, judged(nil), want)

			flip := func(b []byte, from int) []byte {
				b = bytes.Clone(b)
				b[from] ^= 1
				return b
			}
			forged := judged(func(f map[lds.File][]byte) {
				end := len(f[lds.SOD]) - 1
				for f[lds.SOD][end] == 0 { // ends of contents
					end--
				}
				f[lds.SOD] = flip(f[lds.SOD], end)
			})
			if forged.Result(SODSignature) == Pass || forged.Vouched(1) {
				t.Errorf("a changed signature: %s", forged.Result(SODSignature))
			}
			// The certificate's subject key: neither the object's signature nor the
			// chain may stand.
			middle := bytes.Index(sound[lds.SOD], i.DS.DER) + len(i.DS.DER)/2
			if spec.Indefinite {
				return // the certificate lies as it is; the index below would miss by the lengths
			}
			changed := judged(func(f map[lds.File][]byte) { f[lds.SOD] = flip(f[lds.SOD], middle) })
			if changed.Vouched(1) {
				t.Errorf("a changed certificate: %s, %s", changed.Result(SODSignature), changed.Result(DSChain))
			}
		})
	}
}

// Issuers that no ISO code has, or whose certificates bear another one.
func TestCountryRules(t *testing.T) {
	for _, c := range []struct{ issuer, country, want string }{
		{"EUE", "EU", "pass"}, {"UNO", "ZZ", "pass"}, {"RKS", "KS", "pass"}, {"GBD", "GB", "pass"}, {"XOM", "XO", "pass"}, {"D", "de", "pass"}, {"CHN", "HK", "pass"},
		{"EUE", "DE", "fail country_mismatch"}, {"RKS", "RS", "fail country_mismatch"}, {"XOM", "OM", "fail country_mismatch"}, {"D", "DK", "fail country_mismatch"},
		{"CHN", "CH", "fail country_mismatch"}, {"XXA", "XX", "not-assessable unknown_issuer"}, {"QQQ", "QQ", "not-assessable unknown_issuer"},
	} {
		i := issuer(t, pki.Spec{Country: c.country, State: c.issuer, CSCA: fast, DS: fast})
		zone := lines(t, func(p *persona.Person) { p.Issuer = c.issuer })
		j := Judge(Input{Files: files(t, i, zone), At: at, Trust: store(t, i.CSCA.DER)})
		t.Run(c.issuer+" by "+c.country, func(t *testing.T) { compare(t, j, expect{DSCountry: c.want, DSChain: "pass", SODSignature: "pass"}) })
	}
}

// A CSCA that changes its key under the same name vouches over the link, and
// an impostor of that name does not.
func TestLinksOfEqualNames(t *testing.T) {
	old := issuer(t, pki.Spec{Seed: "links", CSCA: fast, DS: fast})
	next, link, err := old.Link()
	if err != nil {
		t.Fatal(err)
	}
	template := old.DS.Template
	template.Serial = big.NewInt(0x4444)
	ds, err := pki.Issue(template, old.DS.Key, next.Key, pki.Stream("ds under the next key"))
	if err != nil {
		t.Fatal(err)
	}
	renewed := *old
	renewed.DS = ds
	impostor := issuer(t, pki.Spec{Seed: "impostor", CSCA: fast, DS: fast})
	for name, c := range map[string]struct {
		issuer *pki.Issuer
		held   [][]byte
		want   expect
	}{
		"old key, old anchor":              {old, [][]byte{old.CSCA.DER}, expect{DSChain: "pass"}},
		"new key over the link":            {&renewed, [][]byte{old.CSCA.DER, link.DER}, expect{DSChain: "pass"}},
		"new key, link alone":              {&renewed, [][]byte{link.DER}, expect{DSChain: "pass"}},
		"new key, new anchor":              {&renewed, [][]byte{next.DER}, expect{DSChain: "pass"}},
		"new key, old anchor alone":        {&renewed, [][]byte{old.CSCA.DER}, expect{DSChain: "fail no_anchor_fits"}},
		"old key, new anchor alone":        {old, [][]byte{next.DER}, expect{DSChain: "fail no_anchor_fits"}},
		"impostor of the name":             {impostor, [][]byte{old.CSCA.DER, link.DER, next.DER}, expect{DSChain: "fail no_anchor_fits", SODSignature: "pass"}},
		"nobody of the country (gmrtd#14)": {old, nil, expect{DSChain: "not-assessable no_anchor_for_country", CSCATrust: "not-assessable no_anchor_for_country"}},
	} {
		j := Judge(Input{Files: files(t, c.issuer, lines(t, nil)), At: at, Trust: store(t, c.held...)})
		t.Run(name, func(t *testing.T) { compare(t, j, c.want) })
	}
}

// The signer's own clock judges nothing (gmrtd#329): an object that claims to
// have been signed in time is refused when its signer has expired, and the
// other way round.
func TestSignersClockIsNotAsked(t *testing.T) {
	sound := issuer(t, pki.Spec{CSCA: fast, DS: fast})
	f, anchors := files(t, sound, lines(t, nil)), store(t, sound.CSCA.DER)
	for name, c := range map[string]struct {
		at   time.Time
		want string
	}{
		"within":        {at, "pass"},
		"last second":   {sound.DS.Template.NotAfter, "pass"},
		"one after":     {sound.DS.Template.NotAfter.Add(time.Second), "fail expired"},
		"first second":  {sound.DS.Template.NotBefore, "pass"},
		"one before":    {sound.DS.Template.NotBefore.Add(-time.Second), "fail not_yet_valid"},
		"without clock": {time.Time{}, "not-assessable no_time"},
	} {
		j := Judge(Input{Files: f, At: c.at, Trust: anchors})
		t.Run(name, func(t *testing.T) { compare(t, j, expect{DSValidity: c.want, SODSignature: "pass", DSChain: "pass"}) })
	}
}

// A data group is hashed as the chip gave it, whatever its form (AndyQ#44):
// here with a length in a longer form than DER has, which a re-encoding loses.
func TestRawOctetsAreHashed(t *testing.T) {
	i := issuer(t, pki.Spec{CSCA: fast, DS: fast})
	zone := lines(t, nil)
	short := chip.DG1(zone)
	long := append([]byte{0x61, 0x82, 0x00, short[1]}, short[2:]...)
	for name, c := range map[string]struct {
		signed, read []byte
		want         string
	}{
		"as signed":              {long, long, "pass"},
		"the short form instead": {long, short, "fail hash_mismatch"},
		"the long form instead":  {short, long, "fail hash_mismatch"},
	} {
		sod, err := i.SOD(map[int][]byte{1: c.signed})
		if err != nil {
			t.Fatal(err)
		}
		j := Judge(Input{Files: map[lds.File][]byte{lds.SOD: sod, "DG1": c.read}, At: at})
		t.Run(name, func(t *testing.T) { compare(t, j, expect{GroupHash(1): c.want, SODSignature: "pass"}) })
	}
}

// Document types of a signer, with one letter standing for all that begin so.
func TestDocumentTypeList(t *testing.T) {
	for _, c := range []struct {
		list []string
		code string
		want string
	}{
		{[]string{"ID", "P"}, "PD", "pass"}, {[]string{"PD", "PS"}, "PS", "pass"},
		{[]string{"PD"}, "P", "fail not_in_list"}, {[]string{"AR", "ID"}, "P", "fail not_in_list"}, {[]string{}, "P", "fail not_in_list"},
	} {
		i := issuer(t, pki.Spec{CSCA: fast, DS: fast, DocumentTypes: c.list})
		j := Judge(Input{Files: files(t, i, lines(t, func(p *persona.Person) { p.DocumentCode = c.code })), At: at})
		t.Run(strings.Join(c.list, " ")+" for "+c.code, func(t *testing.T) { compare(t, j, expect{DSDocumentType: c.want}) })
	}
}

// Where an anchor came from is said, with the list's publisher and date.
func TestProvenanceIsSaid(t *testing.T) {
	i := issuer(t, pki.Spec{CSCA: fast, DS: fast})
	list, err := i.MasterListAt(time.Date(2026, 2, 3, 0, 0, 0, 0, time.UTC), i.CSCA.DER)
	if err != nil {
		t.Fatal(err)
	}
	f := files(t, i, lines(t, nil))
	for want, held := range map[string][][]byte{
		"pass source: certificate":               {i.CSCA.DER},
		"pass source: master_list UT 2026-02-03": {i.CSCA.DER, list},
	} {
		j := Judge(Input{Files: f, At: at, Trust: store(t, held...)})
		compare(t, j, expect{CSCATrust: want, DSChain: "pass"})
	}
}
