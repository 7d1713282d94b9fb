package inspect

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/document/lds"
	"github.com/watchpost/watchpost/device/document/trust"
	"github.com/watchpost/watchpost/hwtest/gen/der"
	"github.com/watchpost/watchpost/hwtest/gen/persona"
	"github.com/watchpost/watchpost/hwtest/gen/pki"
	chip "github.com/watchpost/watchpost/hwtest/passport/lds"
)

// at lies within the validity of the sound certificates that hwtest makes.
var at = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// portrait is the beginning of a JPEG of 40x30.
var portrait = []byte{0xFF, 0xD8, 0xFF, 0xC0, 0, 11, 8, 0, 30, 0, 40, 1, 1, 0x11, 0, 0xFF, 0xD9}

var (
	oidPACE = der.OID("0.4.0.127.0.7.2.2.4.2.2")
	pace    = der.Seq(oidPACE, der.SmallInt(2), der.SmallInt(13))
	caInfo  = der.Seq(der.OID("0.4.0.127.0.7.2.2.3.2.2"), der.SmallInt(1))
)

func issuer(t testing.TB, spec pki.Spec) *pki.Issuer {
	t.Helper()
	i, err := pki.New(spec)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func lines(t testing.TB, change func(*persona.Person)) []string {
	t.Helper()
	p := persona.Person{
		Surname: "TESTER", GivenNames: "ANNE MARIE", Sex: "F", Born: "1985-02-28", Nationality: "UTO", Issuer: "UTO",
		DocumentCode: "P", DocumentNumber: "XT1234567", Expires: "2031-01-31",
	}
	if change != nil {
		change(&p)
	}
	l, err := p.MRZ("td3")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// files makes the files of a sound chip of that issuer, with DG1 of those lines.
func files(t testing.TB, i *pki.Issuer, zone []string) map[lds.File][]byte {
	t.Helper()
	dg2, err := chip.DG2(portrait, "F")
	if err != nil {
		t.Fatal(err)
	}
	groups := map[int][]byte{1: chip.DG1(zone), 2: dg2, 14: chip.DG14(pace, caInfo)}
	sod, err := i.SOD(groups)
	if err != nil {
		t.Fatal(err)
	}
	f := map[lds.File][]byte{lds.SOD: sod, lds.COM: chip.COM([]int{1, 2, 14}), lds.CardAccess: chip.CardAccess(pace)}
	for n, b := range groups {
		f[lds.Group(n)] = b
	}
	return f
}

// store makes a trust store that holds those files.
func store(t testing.TB, content ...[]byte) *trust.Store {
	t.Helper()
	im, err := trust.NewImporter(t.Context(), t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer im.Close()
	for _, c := range content {
		if _, err := im.Import("test", c); err != nil {
			t.Fatal(err)
		}
	}
	return im.Store()
}

// expect is a check's code with result and reason: "pass", "fail hash_mismatch".
type expect map[Code]string

func compare(t *testing.T, i Inspection, want expect) {
	t.Helper()
	for code, w := range want {
		c, ok := i.Check(code)
		got := strings.TrimSpace(c.Result.String() + " " + c.Reason)
		if !ok || got != w {
			t.Errorf("%s is %q, want %q", code, got, w)
		}
	}
}

func TestSoundDocument(t *testing.T) {
	utopia := issuer(t, pki.Spec{})
	crl, err := utopia.CRL(at.AddDate(0, 0, -10))
	if err != nil {
		t.Fatal(err)
	}
	zone := lines(t, nil)
	i := Judge(Input{Files: files(t, utopia, zone), At: at, Trust: store(t, utopia.CSCA.DER, crl), Lines: zone,
		Access: &Access{Protocol: ProtocolPACE, Offered: []string{ProtocolPACE, ProtocolBAC}},
		Proofs: []Proof{{Code: ChipAuthentication, Result: Pass, KeyFile: "DG14"}},
	})
	notPerformed := map[Code]bool{}
	for _, c := range i.Checks {
		switch c.Result {
		case Pass:
		case NotPerformed:
			notPerformed[c.Code] = true
			if c.Reason == "" {
				t.Errorf("%s was not performed, and nobody says why", c.Code)
			}
		default:
			t.Errorf("%s: %s %s", c.Code, c.Result, c.Reason)
		}
		if c.Clause == "" || !c.Code.Known() {
			t.Errorf("%s: no clause, or no published code", c.Code)
		}
	}
	for _, c := range []Code{CardSecuritySignature, ActiveAuthentication, PACECAM, TerminalAuth, DocumentDeviation, PortraitDecode, PortraitMatch, PortraitMorph, SealSignature, SealValidity} {
		if !notPerformed[c] {
			t.Errorf("%s was not done, and this is not said", c)
		}
		delete(notPerformed, c)
	}
	if len(notPerformed) != 0 {
		t.Errorf("not performed: %v", notPerformed)
	}
	if !i.Document.Vouched || i.Document.Number != "XT1234567" || i.Document.Expiry != "2031-01-31" || i.Document.Format != "TD3" {
		t.Errorf("document: %#v", i.Document.Vouched)
	}
	if len(i.Data.Face) != 1 || i.Data.Face[0].Width != 40 || i.Data.Signer == nil || i.Data.Anchor == nil || len(i.Data.Groups) != 3 {
		t.Error("data is not complete")
	}
}

func TestEveryCodeIsSaid(t *testing.T) {
	i := Judge(Input{At: at})
	for _, code := range fixedCodes {
		c, ok := i.Check(code)
		if !ok || c.Result == Pass || c.Result == Unknown || c.Reason == "" || c.Clause == "" {
			t.Errorf("%s of nothing: %v %s %q", code, ok, c.Result, c.Reason)
		}
	}
	if len(i.Checks) != len(fixedCodes)+4 {
		t.Errorf("%d checks: those of DG1 and DG2 belong to it", len(i.Checks))
	}
	if i.Document.Vouched {
		t.Error("nothing is vouched for")
	}
}

// One wrong thing each; what is not named here must be as in a sound document
// where it rests on the same thing.
func TestDefects(t *testing.T) {
	utopia := issuer(t, pki.Spec{})
	anchors := store(t, utopia.CSCA.DER)
	other := issuer(t, pki.Spec{Seed: "other", Country: "NL", State: "NLD"})
	made := func(d pki.Defects) map[lds.File][]byte {
		return files(t, issuer(t, pki.Spec{Defects: d}), lines(t, nil))
	}
	plain := func() map[lds.File][]byte { return files(t, utopia, lines(t, nil)) }
	with := func(name lds.File, b []byte) map[lds.File][]byte {
		f := plain()
		if f[name] = b; b == nil {
			delete(f, name)
		}
		return f
	}
	flip := func(name lds.File, fromEnd int) map[lds.File][]byte {
		f := plain()
		b := bytes.Clone(f[name])
		b[len(b)-fromEnd] ^= 1
		f[name] = b
		return f
	}
	foreign, err := chip.DG2(append(bytes.Clone(portrait), 0), "M")
	if err != nil {
		t.Fatal(err)
	}
	type input = Input
	for name, c := range map[string]struct {
		in   input
		want expect
	}{
		"another's portrait": {input{Files: with("DG2", foreign)}, expect{
			GroupHash(2): "fail hash_mismatch", GroupFormat(2): "pass", GroupHash(1): "pass", SODSignature: "pass", DSChain: "pass"}},
		"SOD says another hash": {input{Files: made(pki.Defects{WrongDigest: []int{14}})}, expect{GroupHash(14): "fail hash_mismatch", SODSignature: "pass", GroupHash(1): "pass"}},
		"group the SOD lacks":   {input{Files: made(pki.Defects{Unlisted: []int{14}})}, expect{DGUnlisted: "fail unlisted: dg14", GroupHash(14): "not-performed unlisted", COMMatch: "fail not_in_sod: dg14"}},
		"two more groups": {input{Files: func() map[lds.File][]byte {
			f := with("DG15", []byte{0x6F, 2, 0x30, 0})
			f["DG13"] = []byte{0x6D, 1, 1}
			return f
		}()}, expect{DGUnlisted: "fail unlisted: dg13 dg15", GroupFormat(13): "pass"}},
		"listed group not read":     {input{Files: with("DG14", nil)}, expect{GroupHash(14): "not-performed not_present", GroupFormat(14): "not-performed not_present", DGUnlisted: "pass", CardAccessMatch: "not-performed no_dg14"}},
		"group denied":              {input{Files: with("DG14", nil), Unread: map[lds.File]string{"DG14": "file.denied"}}, expect{GroupHash(14): "not-performed file.denied"}},
		"no DG2":                    {input{Files: with("DG2", nil)}, expect{GroupHash(2): "not-performed not_present", GroupHash(1): "pass"}},
		"signature changed":         {input{Files: flip(lds.SOD, 1)}, expect{SODFormat: "pass", SODSignature: "fail pki.signature", DSChain: "pass", GroupHash(1): "pass"}},
		"signed by another key":     {input{Files: made(pki.Defects{ForeignSigner: true})}, expect{SODSignature: "fail pki.signature", DSChain: "pass"}},
		"digest of something else":  {input{Files: made(pki.Defects{WrongMessageDigest: true})}, expect{SODSignature: "fail pki.digest"}},
		"content type of data":      {input{Files: made(pki.Defects{WrongContentType: true})}, expect{SODSignature: "fail pki.attributes"}},
		"signer's certificate gone": {input{Files: made(pki.Defects{NoCertificate: true})}, expect{SODSignature: "not-assessable no_signer_certificate", DSChain: "not-performed no_signer_certificate", DSValidity: "not-performed no_signer_certificate", GroupHash(1): "pass"}},
		"imitated CSCA":             {input{Files: made(pki.Defects{ForeignCSCA: true})}, expect{SODSignature: "pass", DSChain: "fail no_anchor_fits", CSCATrust: "not-performed no_chain", GroupHash(1): "pass"}},
		"country without anchors":   {input{Files: files(t, other, lines(t, nil))}, expect{SODSignature: "pass", DSChain: "not-assessable no_anchor_for_country", CSCATrust: "not-assessable no_anchor_for_country", DSCountry: "fail country_mismatch"}},
		"no store":                  {input{Files: plain(), Trust: noTrust{}}, expect{DSChain: "not-performed no_store", DSRevocation: "not-performed no_store", SODSignature: "pass"}},
		"signer expired":            {input{Files: made(pki.Defects{DSNotAfter: at.AddDate(0, 0, -1)})}, expect{DSValidity: "fail expired", SODSignature: "pass", DSChain: "pass", CSCAValidity: "pass"}},
		"signer not yet valid":      {input{Files: made(pki.Defects{DSNotBefore: at.AddDate(0, 0, 1)})}, expect{DSValidity: "fail not_yet_valid", DSChain: "pass"}},
		"CSCA not yet valid":        {input{Files: plain(), At: time.Date(2023, 1, 1, 0, 0, 0, 0, time.UTC)}, expect{CSCAValidity: "fail not_yet_valid", DSValidity: "fail not_yet_valid", DSChain: "pass"}},
		"CSCA expired":              {input{Files: plain(), At: time.Date(2041, 1, 1, 0, 0, 0, 0, time.UTC)}, expect{CSCAValidity: "fail expired", DocumentExpiry: "fail expired", SODSignature: "pass"}},
		"signer for other uses":     {input{Files: made(pki.Defects{DSKeyUsage: []int{2}})}, expect{DSKeyUsage: "fail not_for_signatures", SODSignature: "pass"}},
		"signer is a CA":            {input{Files: made(pki.Defects{DSIsCA: true})}, expect{DSKeyUsage: "fail is_ca"}},
		"signer of two countries":   {input{Files: made(pki.Defects{DSCountry: "NL"})}, expect{DSCountry: "fail signer_countries_differ"}},
		"issuer nobody knows":       {input{Files: files(t, utopia, lines(t, func(p *persona.Person) { p.Issuer = "QQQ" }))}, expect{DSCountry: "not-assessable unknown_issuer"}},
		"issuer of another state":   {input{Files: files(t, utopia, lines(t, func(p *persona.Person) { p.Issuer = "NLD" }))}, expect{DSCountry: "fail country_mismatch", GroupHash(1): "pass", DSChain: "pass"}},
		"type the signer may not":   {input{Files: files(t, utopia, lines(t, func(p *persona.Person) { p.DocumentCode = "AC" }))}, expect{DSDocumentType: "fail not_in_list"}},
		"type under one letter":     {input{Files: files(t, utopia, lines(t, func(p *persona.Person) { p.DocumentCode = "PD" }))}, expect{DSDocumentType: "pass"}},
		"document expired":          {input{Files: plain(), At: time.Date(2031, 2, 1, 0, 0, 0, 0, time.UTC)}, expect{DocumentExpiry: "fail expired", DSValidity: "pass"}},
		"document's last day":       {input{Files: plain(), At: time.Date(2031, 1, 31, 23, 59, 0, 0, time.UTC)}, expect{DocumentExpiry: "pass"}},
		"no SOD":                    {input{Files: with(lds.SOD, nil)}, expect{SODFormat: "not-performed no_sod", SODSignature: "not-performed no_sod", GroupHash(1): "not-performed no_sod", COMMatch: "not-performed no_sod", DGUnlisted: "not-performed no_sod", GroupFormat(1): "pass"}},
		"SOD denied":                {input{Files: with(lds.SOD, nil), Unread: map[lds.File]string{lds.SOD: "file.denied"}}, expect{SODFormat: "not-performed file.denied"}},
		"SOD cut off":               {input{Files: with(lds.SOD, plain()[lds.SOD][:100])}, expect{SODFormat: "fail lds.truncated", SODSignature: "not-performed sod_unreadable", GroupHash(1): "not-performed sod_unreadable", GroupFormat(2): "pass"}},
		"SOD of zeros":              {input{Files: with(lds.SOD, make([]byte, 500))}, expect{SODFormat: "fail lds.wrong_tag"}},
		"SOD is no CMS":             {input{Files: with(lds.SOD, []byte{0x77, 4, 0x30, 2, 5, 0})}, expect{SODFormat: "fail pki.malformed"}},
		"SOD without its tag":       {input{Files: with(lds.SOD, plain()[lds.SOD][4:])}, expect{SODFormat: "pass tolerated: no_outer_tag", SODSignature: "pass"}},
		"DG1 cut off":               {input{Files: with("DG1", plain()["DG1"][:50])}, expect{GroupFormat(1): "fail lds.truncated", GroupHash(1): "fail hash_mismatch", GroupHash(2): "pass", DSCountry: "not-performed no_dg1", DocumentExpiry: "not-performed no_zone"}},
		"DG1 with bytes after it":   {input{Files: with("DG1", append(plain()["DG1"], 0, 0, 0))}, expect{GroupFormat(1): "pass tolerated: trailing_bytes", GroupHash(1): "pass"}},
		"DG2 in place of DG1":       {input{Files: with("DG1", plain()["DG2"])}, expect{GroupFormat(1): "fail lds.wrong_tag", GroupHash(1): "fail hash_mismatch", GroupFormat(2): "pass"}},
		"DG2 without an image":      {input{Files: with("DG2", []byte{0x75, 0})}, expect{GroupFormat(2): "fail lds.empty"}},
		"DG1 with wrong digits":     {input{Files: files(t, utopia, []string{lines(t, nil)[0], strings.Replace(lines(t, nil)[1], "XT1234567", "XT1234568", 1)})}, expect{MRZCheckDigits: "fail wrong: document_number composite", GroupHash(1): "pass", GroupFormat(1): "pass"}},
		"page of another document":  {input{Files: plain(), Lines: lines(t, func(p *persona.Person) { p.DocumentNumber, p.Surname = "XT7654321", "OTHER" })}, expect{MRZMatch: "fail different: document_number surname", MRZFormat: "pass", MRZCheckDigits: "pass"}},
		"page of the same":          {input{Files: plain(), Lines: lines(t, nil)}, expect{MRZMatch: "pass", MRZFormat: "pass"}},
		"page not read well":        {input{Files: plain(), Lines: []string{"P<UTO"}}, expect{MRZFormat: "fail mrz.format", MRZMatch: "not-performed zone_unreadable", MRZCheckDigits: "not-performed zone_unreadable"}},
		"page, but no DG1":          {input{Files: with("DG1", nil), Lines: lines(t, nil)}, expect{MRZMatch: "not-performed no_dg1", DocumentExpiry: "pass", MRZFormat: "pass"}},
		"EF.COM hides DG14":         {input{Files: with(lds.COM, chip.COM([]int{1, 2}))}, expect{COMMatch: "fail not_in_com: dg14"}},
		"EF.COM adds DG3":           {input{Files: with(lds.COM, chip.COM([]int{1, 2, 3, 14}))}, expect{COMMatch: "fail not_in_sod: dg3"}},
		"EF.COM broken":             {input{Files: with(lds.COM, []byte{0x60, 0})}, expect{COMMatch: "fail lds.empty"}},
		"EF.COM not read":           {input{Files: with(lds.COM, nil), Unread: map[lds.File]string{lds.COM: "file.missing"}}, expect{COMMatch: "not-performed file.missing"}},
		"card access altered":       {input{Files: with(lds.CardAccess, chip.CardAccess(der.Seq(oidPACE, der.SmallInt(2), der.SmallInt(12))))}, expect{CardAccessMatch: "fail not_in_dg14: 0.4.0.127.0.7.2.2.4.2.2"}},
		"card access says more":     {input{Files: with(lds.CardAccess, chip.CardAccess(pace, der.Seq(der.OID("1.2.3.4"), der.SmallInt(1))))}, expect{CardAccessMatch: "pass"}},
		"card access broken":        {input{Files: with(lds.CardAccess, []byte{0x30, 0})}, expect{CardAccessMatch: "fail lds.malformed"}},
		"card security is garbage":  {input{Files: with(lds.CardSecurity, []byte{0x30, 0})}, expect{CardSecuritySignature: "fail pki.malformed"}},
	} {
		t.Run(name, func(t *testing.T) {
			in := c.in
			switch in.Trust.(type) {
			case nil:
				in.Trust = anchors
			case noTrust:
				in.Trust = nil
			}
			if in.At.IsZero() {
				in.At = at
			}
			i := Judge(in)
			compare(t, i, c.want)
			for code, w := range c.want {
				if (code == SODSignature || code == DSChain || code == GroupHash(1)) && w != "pass" && i.Vouched(1) {
					t.Error("DG1 still counts as vouched for")
				}
			}
		})
	}
}

// noTrust stands for no store in the table above.
type noTrust struct{ Trust }

func TestSHA1ByPolicy(t *testing.T) {
	for _, allow := range []bool{false, true} {
		old := issuer(t, pki.Spec{SODHash: "sha1"})
		i := Judge(Input{Files: files(t, old, lines(t, nil)), At: at, Policy: Policy{AllowSHA1: allow}})
		want := "fail sha1: hashes"
		if allow {
			want = "pass sha1_allowed: hashes"
		}
		compare(t, i, expect{SODAlgorithm: want, SODSignature: "pass", GroupHash(1): "pass"})
	}
}

func TestNoClock(t *testing.T) {
	utopia := issuer(t, pki.Spec{})
	i := Judge(Input{Files: files(t, utopia, lines(t, nil)), Trust: store(t, utopia.CSCA.DER)})
	compare(t, i, expect{
		DSValidity: "not-assessable no_time", CSCAValidity: "not-assessable no_time", DocumentExpiry: "not-assessable no_time",
		DSChain: "pass", SODSignature: "pass",
	})
}

func TestRevocation(t *testing.T) {
	utopia := issuer(t, pki.Spec{})
	list := func(day time.Time, revoked bool) []byte {
		var raw []byte
		var err error
		if revoked {
			raw, err = utopia.CRL(day, utopia.DS.Template.Serial)
		} else {
			raw, err = utopia.CRL(day)
		}
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	for name, c := range map[string]struct {
		crl  []byte
		want string
	}{
		"current":                 {list(at.AddDate(0, 0, -1), false), "pass list_of: 2026-11-20T12:00:00Z"},
		"stale":                   {list(at.AddDate(0, 0, -91), false), "not-assessable list_stale: 2026-11-20T12:00:00Z"},
		"revoked":                 {list(at.AddDate(0, 0, -1), true), "fail revoked"},
		"revoked on a stale list": {list(at.AddDate(-1, 0, 0), true), "fail revoked"},
		"none":                    {nil, "not-assessable no_list"},
	} {
		held := [][]byte{utopia.CSCA.DER}
		if c.crl != nil {
			held = append(held, c.crl)
		}
		i := Judge(Input{Files: files(t, utopia, lines(t, nil)), At: at, Trust: store(t, held...)})
		t.Run(name, func(t *testing.T) { compare(t, i, expect{DSRevocation: c.want, DSChain: "pass"}) })
	}
}

// A proof is worth no more than the key that it was made with.
func TestProofsRestOnPassiveAuthentication(t *testing.T) {
	utopia := issuer(t, pki.Spec{})
	forger := issuer(t, pki.Spec{Defects: pki.Defects{ForeignCSCA: true}})
	anchors := store(t, utopia.CSCA.DER)
	proven := []Proof{{Code: ChipAuthentication, Result: Pass, KeyFile: "DG14"}}
	judged := func(i *pki.Issuer, held Trust, change func(map[lds.File][]byte), proofs []Proof) Inspection {
		f := files(t, i, lines(t, nil))
		if change != nil {
			change(f)
		}
		return Judge(Input{Files: f, At: at, Trust: held, Access: &Access{Protocol: ProtocolBAC}, Proofs: proofs})
	}
	for name, c := range map[string]struct {
		i    Inspection
		want string
	}{
		"vouched for":           {judged(utopia, anchors, nil, proven), "pass"},
		"no store":              {judged(utopia, nil, nil, proven), "not-assessable signer_unverified"},
		"no anchor for country": {judged(utopia, store(t, issuer(t, pki.Spec{Seed: "other", Country: "NL", State: "NLD"}).CSCA.DER), nil, proven), "not-assessable signer_unverified"},
		"copy with own key":     {judged(utopia, anchors, func(f map[lds.File][]byte) { f["DG14"] = chip.DG14(caInfo) }, proven), "not-assessable key_not_vouched"},
		"copy with own CSCA":    {judged(forger, anchors, nil, proven), "not-assessable key_not_vouched"},
		"without SOD":           {judged(utopia, anchors, func(f map[lds.File][]byte) { delete(f, lds.SOD) }, proven), "not-assessable key_not_vouched"},
		"key from nowhere":      {judged(utopia, anchors, nil, []Proof{{Code: ChipAuthentication, Result: Pass}}), "not-assessable key_not_vouched"},
		"unsigned security":     {judged(utopia, anchors, nil, []Proof{{Code: ChipAuthentication, Result: Pass, KeyFile: lds.CardSecurity}}), "not-assessable key_not_vouched"},
		"refused":               {judged(utopia, anchors, nil, []Proof{{Code: ChipAuthentication, Result: Fail, Reason: "ca.refused", KeyFile: "DG14"}}), "fail ca.refused"},
		"no word of it":         {judged(utopia, anchors, nil, []Proof{{Code: ChipAuthentication}}), "not-performed"},
		"not tried":             {judged(utopia, anchors, nil, nil), "not-performed not_tried"},
		"not a proof":           {judged(utopia, anchors, nil, []Proof{{Code: SODSignature, Result: Fail}, {Code: DSChain, Result: Fail}}), "not-performed not_tried"},
	} {
		t.Run(name, func(t *testing.T) { compare(t, c.i, expect{ChipAuthentication: c.want}) })
	}
}

func TestAccess(t *testing.T) {
	for _, c := range []struct {
		access Access
		want   expect
	}{
		{Access{Protocol: ProtocolBAC}, expect{AccessProtocol: "pass protocol: bac", AccessDowngrade: "pass", ChipPresent: "pass"}},
		{Access{Protocol: ProtocolBAC, Offered: []string{ProtocolPACE}}, expect{AccessDowngrade: "fail pace_not_used"}},
		{Access{Protocol: ProtocolBAC, Offered: []string{ProtocolPACE}, Downgrade: "pace.token"}, expect{AccessDowngrade: "fail pace.token"}},
		{Access{Protocol: ProtocolNone}, expect{AccessProtocol: "fail no_access_control"}},
		{Access{}, expect{AccessProtocol: "not-performed not_opened", AccessDowngrade: "not-performed not_opened", ChipPresent: "pass"}},
	} {
		compare(t, Judge(Input{At: at, Access: &c.access}), c.want)
	}
}

func TestFormOfTheContract(t *testing.T) {
	utopia := issuer(t, pki.Spec{})
	raw, err := json.Marshal(Judge(Input{Files: files(t, utopia, lines(t, nil)), At: at}))
	if err != nil {
		t.Fatal(err)
	}
	var top map[string]json.RawMessage
	var checks []map[string]string
	if json.Unmarshal(raw, &top) != nil || json.Unmarshal(top["checks"], &checks) != nil {
		t.Fatal("not the form of the contract")
	}
	keys := make([]string, 0, len(top))
	for k := range top {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	if strings.Join(keys, " ") != "access checks data document" {
		t.Errorf("keys %v", keys)
	}
	for _, c := range checks {
		if len(c) != 4 || c["code"] == "" || c["result"] == "" || c["clause"] == "" {
			t.Errorf("check %v", c)
		}
	}
}

func FuzzJudge(f *testing.F) {
	utopia := issuer(f, pki.Spec{})
	sound := files(f, utopia, lines(f, nil))
	f.Add(sound[lds.SOD], sound["DG1"], sound["DG2"], sound["DG14"], sound[lds.COM], sound[lds.CardAccess], strings.Join(lines(f, nil), "|"))
	f.Add([]byte{0x77, 0}, []byte(nil), []byte{0x75, 0}, []byte{1}, []byte{2}, []byte{3}, "")
	anchors := store(f, utopia.CSCA.DER)
	f.Fuzz(func(t *testing.T, sod, dg1, dg2, dg14, com, access []byte, zone string) {
		in := Input{Files: map[lds.File][]byte{lds.SOD: sod, "DG1": dg1, "DG2": dg2, "DG14": dg14, lds.COM: com, lds.CardAccess: access,
			lds.CardSecurity: access, "DG11": dg14, "DG16": dg2}, At: at, Trust: anchors, Lines: strings.Split(zone, "|")}
		i := Judge(in)
		if i.Vouched(1) && !bytes.Equal(trimmed(dg1), sound["DG1"]) {
			t.Fatal("a forged DG1 is vouched for")
		}
		if i.Vouched(2) && !bytes.Equal(trimmed(dg2), sound["DG2"]) {
			t.Fatal("a forged DG2 is vouched for")
		}
		for _, c := range i.Checks {
			if c.Result == Unknown || c.Result != Pass && c.Reason == "" {
				t.Fatalf("%s: %s without a reason", c.Code, c.Result)
			}
		}
		if _, err := json.Marshal(i); err != nil {
			t.Fatal(err)
		}
	})
}

func trimmed(raw []byte) []byte {
	body, _ := lds.Body(raw)
	return body
}
