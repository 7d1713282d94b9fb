package examine_test

import (
	"bytes"
	"math/big"
	"testing"
	"time"

	"github.com/watchpost/watchpost/hwtest/gen/der"
	"github.com/watchpost/watchpost/hwtest/gen/persona"
	"github.com/watchpost/watchpost/hwtest/gen/pki"
	"github.com/watchpost/watchpost/hwtest/passport"
	"github.com/watchpost/watchpost/hwtest/passport/lds"
)

func noBAC(_ testing.TB, b *bench) { b.p.Access.NoBAC = true }

// both does one thing after another.
func both(all ...func(testing.TB, *bench)) func(testing.TB, *bench) {
	return func(t testing.TB, b *bench) {
		for _, f := range all {
			f(t, b)
		}
	}
}

func faults(f ...passport.Fault) func(testing.TB, *bench) {
	return func(_ testing.TB, b *bench) { b.p.Faults = f }
}

func status(step, sw string) passport.Fault {
	return passport.Fault{Kind: passport.KindStatus, Step: step, Status: sw}
}

var accessCases = []negative{
	{"access", "another's zone", func(_ testing.TB, b *bench) { b.zone = "X0000000,700101,300101" }, "error access.wrong_password bac.wrong_password"},
	{"access", "CAN, but no PACE", func(_ testing.TB, b *bench) { b.p.Access.PACE, b.can = nil, "123456" }, "error access.no_password file.denied"},
	with("access", "PACE refused at selection", "access.downgrade fail pace.refused", status("pace-select", "6982")),
	with("access", "PACE refused at the token", "access.downgrade fail pace.wrong_password", status("pace-4", "6300")),
	with("access", "point off the curve", "access.downgrade fail pace.key", passport.Fault{Kind: passport.KindOffCurve, Step: "pace-3"}),
	with("access", "wrong token", "access.downgrade fail pace.token", passport.Fault{Kind: passport.KindWrongToken}),
	{"access", "nonce too short", both(func(_ testing.TB, b *bench) {
		b.p.Access.PACE = []passport.PACE{{Mapping: passport.MappingIntegrated, Suite: "aes256", Parameter: 12}}
	}, faults(passport.Fault{Kind: passport.KindShortNonce})), "access.downgrade fail pace.nonce"},
	fileOf("access", "PACE that nobody knows", "CardAccess", "access.downgrade fail pace.unsupported", func([]byte) []byte {
		return lds.CardAccess(der.Seq(der.OID("0.4.0.127.0.7.2.2.4.2.9"), der.SmallInt(2), der.SmallInt(12)))
	}),
	fileOf("access", "CardAccess is no list", "CardAccess", "access.downgrade fail pace.card_access", is(0x31, 0x02, 0x05, 0x00)),
	{"access", "no access control", func(_ testing.TB, b *bench) { b.p.Access = passport.Access{Open: true} }, "access.protocol fail no_access_control"},
	{"access", "PACE only, wrong token", both(noBAC, faults(passport.Fault{Kind: passport.KindWrongToken})), "error access.failed pace.token"},
	{"access", "PACE only, refused", both(noBAC, faults(status("pace-1", "6A80"))), "error access.failed pace.refused"},
	with("access", "no such application", "error chip.no_application chip.no_application", status("select:LDS", "6A82")),
	fileOf("access", "CardAccess altered", "CardAccess", "card_access.match fail not_in_dg14: 0.4.0.127.0.7.2.2.4.2.2", func([]byte) []byte {
		return lds.CardAccess(der.Seq(der.OID("0.4.0.127.0.7.2.2.4.2.2"), der.SmallInt(2), der.SmallInt(12)), der.Seq(der.OID("0.4.0.127.0.7.2.2.4.2.2"), der.SmallInt(2), der.SmallInt(13)))
	}),
}

var messagingCases = []negative{
	with("messaging", "wrong checksum", "error chip.session_lost sm.mac_wrong", passport.Fault{Kind: passport.KindWrongMAC, Step: "read:DG2"}),
	with("messaging", "no checksum", "error chip.session_lost sm.mac_missing", passport.Fault{Kind: passport.KindDropMAC, Step: "read:DG2"}),
	with("messaging", "no status object", "error chip.session_lost sm.status_missing", passport.Fault{Kind: passport.KindDropStatus, Step: "read:DG2"}),
	with("messaging", "two statuses", "error chip.session_lost sm.status_differs", passport.Fault{Kind: passport.KindInnerStatus, Step: "read:DG2", Status: "6282"}),
	with("messaging", "plain status", "error chip.session_lost sm.plain_status", passport.Fault{Kind: passport.KindPlainStatus, Step: "read:DG2", Status: "6988"}),
	with("messaging", "plain data", "error chip.session_lost sm.structure", passport.Fault{Kind: passport.KindPlainAnswer, Step: "read:DG2"}),
	with("messaging", "bad padding", "error chip.session_lost sm.padding", passport.Fault{Kind: passport.KindBadPadding, Step: "read:DG2"}),
	with("messaging", "silence", "error chip.session_lost apdu.malformed", passport.Fault{Kind: passport.KindSilence, Step: "read:DG2"}),
	with("messaging", "torn", "error card.removed passport.torn", passport.Fault{Kind: passport.KindTear, Step: "read:DG2"}),
}

var readingCases = []negative{
	with("reading", "denied", "dg2.hash not-performed file.denied", status("read:DG2", "6982"), status("select:DG2", "6982")),
	with("reading", "missing", "dg2.hash not-performed file.missing", status("read:DG2", "6A82"), status("select:DG2", "6A82")),
	with("reading", "refused", "dg2.hash not-performed file.refused", status("read:DG2", "6F00"), status("select:DG2", "6F00")),
	with("reading", "empty", "dg1.hash not-performed file.truncated", passport.Fault{Kind: passport.KindEmptyRead, Step: "read:DG1"}),
	with("reading", "endless", "dg1.hash not-performed file.blank", passport.Fault{Kind: passport.KindEndlessRead, Step: "read:DG1"}),
	with("reading", "one octet at a time", "dg2.hash not-performed file.endless", passport.Fault{Kind: passport.KindShortRead, Step: "read:DG2", Bytes: 1}),
	fileOf("reading", "cut off", "DG2", "dg2.hash not-performed file.truncated", func(b []byte) []byte { return b[:200] }),
	fileOf("reading", "blank", "DG2", "dg2.hash not-performed file.blank", is(0, 0, 0, 0, 0, 0, 0, 0)),
	fileOf("reading", "length of five octets", "DG2", "dg2.hash not-performed file.length", is(0x75, 0x85, 1, 1, 1, 1, 1, 1)),
	fileOf("reading", "two gigabytes", "DG2", "dg2.hash not-performed file.too_large", is(0x75, 0x84, 0x7F, 0xFF, 0xFF, 0xFF, 0x7F, 0x61)),
	with("reading", "SOD denied", "sod.format not-performed file.denied", status("read:SOD", "6982"), status("select:SOD", "6982")),
	with("reading", "COM missing", "com.match not-performed file.missing", status("read:COM", "6A82"), status("select:COM", "6A82")),
}

var proofCases = []negative{
	{"proof", "clone", func(_ testing.TB, b *bench) { b.p.Authenticity.Clone = true }, "chip.authentication fail ca.reply"},
	{"proof", "clone without CA", func(_ testing.TB, b *bench) { b.p.Authenticity.Clone, b.p.Authenticity.ChipKeys = true, nil }, "active.authentication fail aa.signature"},
	with("proof", "CA refused", "chip.authentication fail ca.refused", status("ca-agree", "6A80")),
	with("proof", "AA refused", "active.authentication fail aa.refused", status("internal-authenticate", "6F00")),
	fileOf("proof", "own chip key", "DG14", "chip.authentication not-performed ca.key", is(0x6E, 0x02, 0x31, 0x00)),
	{"proof", "no store", func(_ testing.TB, b *bench) { b.anchors = nil }, "chip.authentication not-assessable signer_unverified"},
	{"proof", "copy with a CSCA of its own", func(_ testing.TB, b *bench) { b.p.Issuer.Defects.ForeignCSCA = true }, "chip.authentication not-assessable key_not_vouched"},
	fileOf("proof", "DG15 of another", "DG15", "active.authentication not-performed aa.key", is(0x6F, 0x02, 0x30, 0x00)),
	issuerOf("proof", "DG15 unsigned", "active.authentication not-assessable key_not_vouched", func(s *pki.Spec) { s.Defects.Unlisted = []int{15} }),
	{"proof", "RSA signature too long for the reader", func(_ testing.TB, b *bench) {
		b.p.Authenticity.Active, b.maxResponse = &pki.Scheme{Key: "rsa-2048", Hash: "sha256"}, 258
	}, "active.authentication not-performed aa.length"},
	{"proof", "RSA signature broken", both(func(_ testing.TB, b *bench) {
		b.p.Authenticity.Active = &pki.Scheme{Key: "rsa-1024", Hash: "sha256"}
	}, faults(passport.Fault{Kind: passport.KindBadSignature})), "active.authentication fail aa.format"},
	{"proof", "CAM clone", cam(func(b *bench) { b.p.Authenticity.Clone = true }), "pace.cam fail pace.cam_proof"},
	{"proof", "CAM without data", cam(func(b *bench) { b.p.Faults = []passport.Fault{{Kind: passport.KindNoChipData}} }), "pace.cam fail pace.chip_data"},
	{"proof", "CAM without CardSecurity", cam(func(b *bench) { b.p.FileData = map[string][]byte{"CardSecurity": nil} }), "pace.cam not-performed file.missing"},
	{"proof", "CardSecurity signed by another", cam(func(b *bench) { b.p.Issuer.Defects.ForeignCardSecurity = true }), "card_security.signature fail pki.signature"},
	{"proof", "CAM without a store", cam(func(b *bench) { b.anchors = nil }), "pace.cam not-assessable signer_unverified"},
}

func cam(change func(*bench)) func(testing.TB, *bench) {
	return func(_ testing.TB, b *bench) {
		b.p.Access.PACE = []passport.PACE{{Mapping: passport.MappingChip, Suite: "aes128", Parameter: 12}}
		change(b)
	}
}

var sodCases = []negative{
	issuerOf("sod", "signed by another key", "sod.signature fail pki.signature", func(s *pki.Spec) { s.Defects.ForeignSigner = true }),
	issuerOf("sod", "digest of something else", "sod.signature fail pki.digest", func(s *pki.Spec) { s.Defects.WrongMessageDigest = true }),
	issuerOf("sod", "content type of data", "sod.signature fail pki.attributes", func(s *pki.Spec) { s.Defects.WrongContentType = true }),
	issuerOf("sod", "no certificate", "sod.signature not-assessable no_signer_certificate", func(s *pki.Spec) { s.Defects.NoCertificate = true }),
	issuerOf("sod", "SHA-1", "sod.algorithm fail sha1: hashes", func(s *pki.Spec) { s.SODHash = "sha1" }),
	issuerOf("sod", "SHA-1 signature", "sod.algorithm fail sha1: signature", func(s *pki.Spec) { s.DS = pki.Scheme{Key: "secp256r1", Hash: "sha1"} }),
	issuerOf("sod", "wrong hash of DG14", "dg14.hash fail hash_mismatch", func(s *pki.Spec) { s.Defects.WrongDigest = []int{14} }),
	issuerOf("sod", "DG2 unlisted", "dg.unlisted fail unlisted: dg2", func(s *pki.Spec) { s.Defects.Unlisted = []int{2} }),
	fileOf("sod", "another tag", "SOD", "sod.format fail lds.wrong_tag", func(b []byte) []byte { b[0] = 0x60; return b }),
	fileOf("sod", "no CMS", "SOD", "sod.format fail pki.malformed", is(0x77, 0x04, 0x30, 0x02, 0x05, 0x00)),
	fileOf("sod", "signs a master list", "SOD", "sod.format fail pki.content_type", func(b []byte) []byte {
		return bytes.Replace(b, []byte{0x67, 0x81, 0x08, 0x01, 0x01, 0x01}, []byte{0x67, 0x81, 0x08, 0x01, 0x01, 0x02}, -1)
	}),
	{"sod", "portrait exchanged", func(_ testing.TB, b *bench) { b.p.ForgedPortraitData = picture(700) }, "dg2.hash fail hash_mismatch"},
}

var chainCases = []negative{
	issuerOf("chain", "imitated CSCA", "ds.chain fail no_anchor_fits", func(s *pki.Spec) { s.Defects.ForeignCSCA = true }),
	{"chain", "no anchor for the country", func(t testing.TB, b *bench) { b.anchors = [][]byte{other(t).CSCA.DER} }, "ds.chain not-assessable no_anchor_for_country"},
	{"chain", "no store", func(_ testing.TB, b *bench) { b.anchors = nil }, "ds.chain not-performed no_store"},
	{"chain", "no CRL", func(_ testing.TB, b *bench) { b.anchors = b.anchors[:1] }, "ds.revocation not-assessable no_list"},
	{"chain", "CRL too old", func(_ testing.TB, b *bench) { b.at = today.AddDate(1, 0, 0) }, "ds.revocation not-assessable list_stale: 2026-05-20T00:00:00Z"},
	{"chain", "revoked", func(t testing.TB, b *bench) {
		crl, err := mustIssuer(t, b.p).CRL(today.AddDate(0, 0, -5), big.NewInt(0x1001))
		if err != nil {
			t.Fatal(err)
		}
		b.anchors[1] = crl
	}, "ds.revocation fail revoked"},
	issuerOf("chain", "signer expired", "ds.validity fail expired", func(s *pki.Spec) { s.Defects.DSNotAfter = today.AddDate(0, 0, -1) }),
	issuerOf("chain", "signer not yet valid", "ds.validity fail not_yet_valid", func(s *pki.Spec) { s.Defects.DSNotBefore = today.AddDate(0, 0, 1) }),
	{"chain", "CSCA expired", func(_ testing.TB, b *bench) { b.at = time.Date(2041, 1, 1, 0, 0, 0, 0, time.UTC) }, "csca.validity fail expired"},
	{"chain", "CSCA not yet valid", func(_ testing.TB, b *bench) { b.at = time.Date(2023, 1, 1, 0, 0, 0, 0, time.UTC) }, "csca.validity fail not_yet_valid"},
	issuerOf("chain", "signer for other uses", "ds.key_usage fail not_for_signatures", func(s *pki.Spec) { s.Defects.DSKeyUsage = []int{2} }),
	issuerOf("chain", "signer is a CA", "ds.key_usage fail is_ca", func(s *pki.Spec) { s.Defects.DSIsCA = true }),
	issuerOf("chain", "signer of two countries", "ds.country fail signer_countries_differ", func(s *pki.Spec) { s.Defects.DSCountry = "NL" }),
	issuerOf("chain", "signer of another state", "ds.country fail country_mismatch", func(s *pki.Spec) { s.Country, s.State = "NL", "NLD" }),
	issuerOf("chain", "type the signer may not", "ds.document_type fail not_in_list", func(s *pki.Spec) { s.DocumentTypes = []string{"I"} }),
	{"chain", "no clock", func(_ testing.TB, b *bench) { b.at = time.Time{} }, "ds.validity not-assessable no_time"},
}

func mustIssuer(t testing.TB, p passport.Profile) *pki.Issuer {
	t.Helper()
	spec, err := p.IssuerSpec()
	if err != nil {
		t.Fatal(err)
	}
	i, err := pki.New(spec)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// other is the issuer of another state.
func other(t testing.TB) *pki.Issuer {
	t.Helper()
	i, err := pki.New(pki.Spec{Seed: "other", Country: "NL", State: "NLD"})
	if err != nil {
		t.Fatal(err)
	}
	return i
}

var ldsCases = []negative{
	fileOf("lds", "DG1 with the tag of DG2", "DG1", "dg1.format fail lds.wrong_tag", func(b []byte) []byte { b[0] = 0x75; return b }),
	fileOf("lds", "DG1 without a zone", "DG1", "dg1.format fail lds.malformed", is(0x61, 0x03, 0x5F, 0x20, 0x00)),
	fileOf("lds", "DG1 empty", "DG1", "dg1.format fail lds.empty", is(0x61, 0x00)),
	{"lds", "wrong check digit", func(_ testing.TB, b *bench) {
		b.p.FileData = map[string][]byte{"DG1": lds.DG1([]string{"P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "L898902C37UTO7408122F1204159ZE184226B<<<<<10"})}
	}, "mrz.check_digits fail wrong: document_number composite"},
	fileOf("lds", "COM hides DG14", "COM", "com.match fail not_in_com: dg14", func([]byte) []byte { return lds.COM([]int{1, 2, 15}) }),
	fileOf("lds", "COM adds DG3", "COM", "com.match fail not_in_sod: dg3", func([]byte) []byte { return lds.COM([]int{1, 2, 3, 14, 15}) }),
	fileOf("lds", "COM is broken", "COM", "com.match fail lds.empty", is(0x60, 0x00)),
	fileOf("lds", "DG14 is no set", "DG14", "dg14.format fail lds.malformed", is(0x6E, 0x02, 0x30, 0x00)),
	fileOf("lds", "DG15 without a key", "DG15", "dg15.format fail lds.malformed", is(0x6F, 0x02, 0x05, 0x00)),
	{"lds", "expired", func(_ testing.TB, b *bench) {
		b.p.Holder = person(b, func(p *persona.Person) { p.Expires = "2026-02-28" })
	}, "document.expiry fail expired"},
	{"lds", "zone of another document", func(t testing.TB, b *bench) {
		holder := person(b, func(p *persona.Person) { p.Surname = "OTHER" })
		lines, err := holder.MRZ(persona.TD3)
		if err != nil {
			t.Fatal(err)
		}
		b.zone = lines[0] + "\n" + lines[1]
	}, "mrz.match fail different: surname"},
	{"lds", "issuer nobody knows", func(_ testing.TB, b *bench) {
		b.p.Issuer.Country, b.p.Issuer.State = "UT", "UTO"
		b.p.Holder = person(b, func(p *persona.Person) { p.Issuer = "QQQ" })
	}, "ds.country not-assessable unknown_issuer"},
}

func person(b *bench, change func(*persona.Person)) persona.Person {
	p := b.p.Person()
	change(&p)
	return p
}

// face puts octets where the face record of the sound DG2 is.
func face(name, want string, change func(record []byte) []byte) negative {
	return fileOf("images", name, "DG2", want, func(b []byte) []byte {
		at := bytes.Index(b, []byte("FAC\x00"))
		record := change(bytes.Clone(b[at:]))
		header := der.TLV(0xA1, der.TLV(0x80, []byte{1, 1}), der.TLV(0x81, []byte{2}), der.TLV(0x87, []byte{1, 1}), der.TLV(0x88, []byte{0, 8}))
		return der.TLV(0x75, der.TLV(0x7F61, der.SmallInt(1), der.TLV(0x7F60, header, der.TLV(0x5F2E, record))))
	})
}

// group adds a data group that was never signed.
func group(name, file, want string, content []byte) negative {
	return negative{"images", name, func(_ testing.TB, b *bench) {
		b.p.FileData = map[string][]byte{file: content, "COM": lds.COM([]int{1, 2, 5, 14, 15})}
	}, want}
}

var imageCases = []negative{
	face("no image in the record", "dg2.format fail lds.image_format", func(r []byte) []byte {
		at := bytes.Index(r, []byte{0xFF, 0xD8})
		r[at], r[at+1] = 0x42, 0x4D
		return r
	}),
	face("record of another edition", "dg2.format fail lds.version", func(r []byte) []byte { copy(r[4:], "020"); return r }),
	face("record says it is longer", "dg2.format fail lds.malformed", func(r []byte) []byte { r[11]++; return r }),
	face("record with 65,535 faces", "dg2.format fail lds.too_large", func(r []byte) []byte { r[12], r[13] = 0xFF, 0xFF; return r }),
	fileOf("images", "DG2 without a face", "DG2", "dg2.format fail lds.empty", func([]byte) []byte { return der.TLV(0x75, der.TLV(0x7F61, der.SmallInt(0))) }),
	fileOf("images", "DG2 is DG1", "DG2", "dg2.format fail lds.wrong_tag", is(0x61, 0x03, 0x5F, 0x1F, 0x00)),
	{"images", "picture of gigapixels", func(_ testing.TB, b *bench) { b.p.PortraitData, b.p.Bomb = nil, lds.BombJP2 }, "dg2.format fail lds.image_size"},
	group("displayed portrait is no image", "DG5", "dg5.format fail lds.image_format", der.TLV(0x65, der.SmallInt(1), der.TLV(0x5F40, []byte("GIF89a  ")))),
	group("displayed portrait missing", "DG5", "dg5.format fail lds.empty", der.TLV(0x65, der.SmallInt(0))),
	group("displayed portrait uncounted", "DG5", "dg5.format fail lds.malformed", der.TLV(0x65, der.TLV(0x5F40, picture(40)))),
	group("displayed portrait is DG6", "DG5", "dg5.format fail lds.wrong_tag", der.TLV(0x66, der.SmallInt(1), der.TLV(0x5F40, picture(40)))),
}
