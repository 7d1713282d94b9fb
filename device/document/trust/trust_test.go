package trust_test

import (
	"context"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/document/deviation"
	"github.com/watchpost/watchpost/device/document/internal/pkitest"
	"github.com/watchpost/watchpost/device/document/pki"
	"github.com/watchpost/watchpost/device/document/pki/der"
	"github.com/watchpost/watchpost/device/document/trust"
	"github.com/watchpost/watchpost/device/fault"
)

var now = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)

// state is a fictional state with its keys and certificates.
type state struct {
	t                *testing.T
	country          string
	name             []byte
	root, next, ds   *pkitest.Key
	rootRaw, nextRaw []byte // CSCA 1 and CSCA 2, of equal names
	linkRaw          []byte // CSCA 2 signed by CSCA 1, same names
	dsRaw, dsNextRaw []byte // document signers under CSCA 1 and CSCA 2
	signer           *pkitest.Key
	signerRaw        []byte // master list signer under CSCA 1
	deviationsRaw    []byte // deviation list signer under CSCA 1
}

func newState(t *testing.T, country string) *state {
	t.Helper()
	s := &state{t: t, country: country, name: pkitest.Name(country, "State", "CSCA"),
		root: pkitest.NewEC(t, "P-256"), next: pkitest.NewEC(t, "brainpoolP256r1"), ds: pkitest.NewEC(t, "P-256"), signer: pkitest.NewEC(t, "P-256")}
	s.next.Explicit = true
	ca := pkitest.Certificate{Subject: s.name, CA: true, KeyUsage: pkitest.UsageCA}
	issue := func(change func(*pkitest.Certificate)) []byte {
		c := ca
		change(&c)
		return c.Issue(t)
	}
	s.rootRaw = issue(func(c *pkitest.Certificate) { c.Serial, c.Key = 1, s.root })
	s.nextRaw = issue(func(c *pkitest.Certificate) { c.Serial, c.Key = 2, s.next })
	s.linkRaw = issue(func(c *pkitest.Certificate) { c.Serial, c.Key, c.Signer = 3, s.next, s.root })
	leaf := func(serial int64, common string, key, signer *pkitest.Key, usage ...[]byte) []byte {
		return pkitest.Certificate{Serial: serial, Issuer: s.name, Subject: pkitest.Name(country, "State", common), Key: key, Signer: signer,
			KeyUsage: pkitest.UsageSign, ExtKeyUsage: usage}.Issue(t)
	}
	s.dsRaw = leaf(10, "DS 1", s.ds, s.root)
	s.dsNextRaw = leaf(11, "DS 2", s.ds, s.next)
	s.signerRaw = leaf(12, "ML", s.signer, s.root, pkitest.UsageMasterList)
	s.deviationsRaw = leaf(13, "DL", s.signer, s.root, pkitest.UsageDeviationList)
	return s
}

func (s *state) masterList(at time.Time, certificates ...[]byte) []byte {
	return pkitest.SignedData{ContentType: pkitest.ContentMasterList, Content: pkitest.MasterList(certificates...),
		Certificates: [][]byte{s.signerRaw}, Key: s.signer, SigningTime: at}.Sign(s.t)
}

func (s *state) crl(at time.Time, serials ...int64) []byte {
	return pkitest.CRL{Issuer: s.name, Key: s.root, This: at, Next: at.AddDate(0, 3, 0), Serials: serials}.Issue(s.t)
}

func parse(t *testing.T, raw []byte) *pki.Certificate {
	t.Helper()
	c, err := pki.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// bench is a store being filled.
type bench struct {
	t   *testing.T
	dir string
}

func newBench(t *testing.T) bench { return bench{t, t.TempDir()} }

// try imports one file and commits, with pins.
func (b bench) try(raw []byte, pins ...[]byte) (trust.Result, error) {
	b.t.Helper()
	var certificates []*pki.Certificate
	for _, p := range pins {
		certificates = append(certificates, parse(b.t, p))
	}
	im, err := trust.NewImporter(context.Background(), b.dir, certificates)
	if err != nil {
		b.t.Fatal(err)
	}
	defer im.Close()
	r, err := im.Import("file", raw)
	if cerr := im.Commit(); cerr != nil {
		b.t.Fatal(cerr)
	}
	return r, err
}

// take imports what must be taken whole.
func (b bench) take(raw []byte, pins ...[]byte) trust.Result {
	b.t.Helper()
	r, err := b.try(raw, pins...)
	if err != nil || len(r.Refused) != 0 {
		b.t.Fatalf("refused: %v, %+v", err, r)
	}
	return r
}

func (b bench) refuse(want error, raw []byte, pins ...[]byte) {
	b.t.Helper()
	before, _ := os.ReadFile(filepath.Join(b.dir, "trust.json"))
	r, err := b.try(raw, pins...)
	if !errors.Is(err, want) {
		b.t.Fatalf("error %v, want %v; %+v", err, want, r)
	}
	if after, _ := os.ReadFile(filepath.Join(b.dir, "trust.json")); string(before) != string(after) {
		b.t.Fatal("a refused file changed the store")
	}
}

func (b bench) open() *trust.Store {
	b.t.Helper()
	s, err := trust.Open(b.dir)
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

func (b bench) kinds() map[trust.Kind]int {
	n := map[trust.Kind]int{}
	for _, e := range b.open().Entries() {
		n[e.Kind]++
	}
	return n
}

func pemOf(kind string, raw ...[]byte) []byte {
	var s strings.Builder
	for _, b := range raw {
		s.WriteString("-----BEGIN " + kind + "-----\n" + base64.StdEncoding.EncodeToString(b) + "\n-----END " + kind + "-----\n")
	}
	return []byte(s.String())
}

func TestBareCertificates(t *testing.T) {
	u, b := newState(t, "UT"), newBench(t)
	b.refuse(trust.ErrUnanchored, u.dsRaw) // a document signer is no anchor
	if r := b.take(u.rootRaw); r.Kind != trust.FileCertificate || r.Certificates != 1 || r.Accepted != 1 || r.Added != 1 {
		t.Errorf("%+v", r)
	}
	if r := b.take(pemOf("CERTIFICATE", u.rootRaw, u.nextRaw, u.linkRaw, u.dsRaw)); r.Certificates != 4 || r.Accepted != 4 || r.Added != 3 {
		t.Errorf("%+v", r)
	}
	if got := b.kinds(); got[trust.KindCSCA] != 2 || got[trust.KindLink] != 1 || got[trust.KindDS] != 1 {
		t.Errorf("%v", got)
	}
	for _, e := range b.open().Entries() {
		if want := trust.StandingSelf; e.Kind == trust.KindCSCA && b.open().Verify(e) != want {
			t.Errorf("%s does not verify itself", e.Certificate.Serial)
		}
		if e.Kind == trust.KindLink && b.open().Verify(e) != trust.StandingIssuer {
			t.Error("the link's issuer is held")
		}
	}
}

// One certificate of a file that cannot be taken is named and the rest is taken.
func TestPartlyRefused(t *testing.T) {
	u, foreign, b := newState(t, "UT"), newState(t, "XO"), newBench(t)
	forged := slices.Clone(u.nextRaw)
	forged[len(forged)-1] ^= 1
	r, err := b.try(pemOf("CERTIFICATE", u.rootRaw, foreign.dsRaw, forged, []byte{0x30, 0x00}))
	if err != nil || r.Certificates != 4 || r.Accepted != 1 || len(r.Refused) != 3 {
		t.Fatalf("%v %+v", err, r)
	}
	want := map[fault.Code]string{trust.ErrUnanchored.Code: "C=XO,O=State,CN=DS 1", trust.ErrSelfSignature.Code: "C=UT,O=State,CN=CSCA", pki.ErrMalformed.Code: ""}
	for _, x := range r.Refused {
		if s, ok := want[x.Reason]; !ok || s != x.Subject {
			t.Errorf("%+v", x)
		}
	}
}

func TestMasterListNeedsAnchor(t *testing.T) {
	u, x := newState(t, "UT"), newState(t, "XO")
	list := u.masterList(now, u.rootRaw, u.nextRaw, u.linkRaw, x.rootRaw)
	stranger := newState(t, "UT")
	for name, pin := range map[string][]byte{"CSCA": u.rootRaw, "signer": u.signerRaw} {
		b := newBench(t)
		if r := b.take(list, pin); r.Kind != trust.FileMasterList || r.Certificates != 4 || r.Accepted != 4 {
			t.Errorf("%s: %+v", name, r)
		}
		if name == "signer" && b.open().Find(parse(t, u.signerRaw)) != nil {
			t.Error("the pin was stored")
		}
	}
	b := newBench(t)
	b.refuse(trust.ErrUnanchored, list)
	b.refuse(trust.ErrUnanchored, list, stranger.rootRaw) // same names, other key
	b.refuse(trust.ErrUnanchored, list, u.nextRaw)        // the newer key does not vouch for the older
	b.take(u.rootRaw)
	b.take(list) // a CSCA held vouches

	// The list's own link leads from a signer under CSCA 2 to the pinned CSCA 1.
	late := pkitest.Certificate{Serial: 50, Issuer: u.name, Subject: pkitest.Name("UT", "State", "ML 2"), Key: u.signer, Signer: u.next, ExtKeyUsage: [][]byte{pkitest.UsageMasterList}}.Issue(t)
	byLink := func(certificates ...[]byte) []byte {
		return pkitest.SignedData{ContentType: pkitest.ContentMasterList, Content: pkitest.MasterList(certificates...), Certificates: [][]byte{late}, Key: u.signer, SigningTime: now}.Sign(t)
	}
	newBench(t).take(byLink(u.rootRaw, u.linkRaw), u.rootRaw)
	newBench(t).refuse(trust.ErrUnanchored, byLink(u.rootRaw, u.nextRaw), u.rootRaw)
}

// An anchor held vouches in its own country's name alone; a pin for whom the operator says.
func TestNoStateSpeaksForAnother(t *testing.T) {
	u, x, b := newState(t, "UT"), newState(t, "XO"), newBench(t)
	b.take(pemOf("CERTIFICATE", u.rootRaw, x.rootRaw))
	posing := pkitest.Certificate{Serial: 60, Issuer: x.name, Subject: pkitest.Name("UT", "State", "ML"), Key: x.signer, Signer: x.root, ExtKeyUsage: [][]byte{pkitest.UsageMasterList}}.Issue(t)
	list := pkitest.SignedData{ContentType: pkitest.ContentMasterList, Content: pkitest.MasterList(x.rootRaw), Certificates: [][]byte{posing}, Key: x.signer, SigningTime: now}.Sign(t)
	b.refuse(trust.ErrUnanchored, list)
	crl := pkitest.CRL{Issuer: u.name, Key: x.root, This: now, Serials: []int64{10}}.Issue(t)
	b.refuse(trust.ErrUnanchored, crl)
	newBench(t).take(list, x.rootRaw)
}

func TestMasterListsThatAreRefused(t *testing.T) {
	u, b := newState(t, "UT"), newBench(t)
	good := pkitest.SignedData{ContentType: pkitest.ContentMasterList, Content: pkitest.MasterList(u.rootRaw), Certificates: [][]byte{u.signerRaw}, Key: u.signer, SigningTime: now}
	with := func(change func(*pkitest.SignedData)) []byte {
		m := good
		change(&m)
		return m.Sign(t)
	}
	dsSigned := with(func(m *pkitest.SignedData) { m.Certificates, m.Key = [][]byte{u.dsRaw}, u.ds })
	for name, x := range map[string]struct {
		raw  []byte
		want error
	}{
		"signed by a document signer": {dsSigned, trust.ErrSignerUsage},
		"by the deviation signer":     {with(func(m *pkitest.SignedData) { m.Certificates = [][]byte{u.deviationsRaw} }), trust.ErrSignerUsage},
		"changed signature":           {with(func(m *pkitest.SignedData) { m.Signature = func(s []byte) []byte { s[len(s)-1] ^= 1; return s } }), trust.ErrSignature},
		"no attributes":               {with(func(m *pkitest.SignedData) { m.NoAttributes = true }), trust.ErrSignature},
		"no certificate":              {with(func(m *pkitest.SignedData) { m.Certificates = nil }), trust.ErrSignature},
		"content is no list":          {with(func(m *pkitest.SignedData) { m.Content = []byte("list") }), trust.ErrList},
		"content of version 7": {with(func(m *pkitest.SignedData) {
			m.Content = der.Marshal(der.Sequence, []byte{2, 1, 7}, der.Marshal(der.Set))
		}), trust.ErrList},
		"trailing content":  {with(func(m *pkitest.SignedData) { m.Content = append(pkitest.MasterList(u.rootRaw), 0) }), trust.ErrList},
		"a security object": {with(func(m *pkitest.SignedData) { m.ContentType = pkitest.ContentSecurity }), trust.ErrUnrecognized},
		"cut off":           {good.Sign(t)[:500], pki.ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) { b.refuse(x.want, x.raw, u.rootRaw) })
	}
}

func TestEditions(t *testing.T) {
	u, x, b := newState(t, "UT"), newState(t, "XO"), newBench(t)
	first, second := u.masterList(now, u.rootRaw, x.rootRaw), u.masterList(now.AddDate(0, 1, 0), u.rootRaw, u.nextRaw)
	b.take(first, u.rootRaw)
	if r := b.take(second, u.rootRaw); r.Added != 1 || r.Withdrawn != 1 {
		t.Errorf("%+v", r)
	}
	if b.open().Find(parse(t, x.rootRaw)) != nil {
		t.Error("a certificate that left the list is still trusted")
	}
	b.refuse(trust.ErrRollback, first, u.rootRaw)
	b.refuse(trust.ErrRollback, u.masterList(time.Time{}, u.rootRaw), u.rootRaw)
	if r := b.take(second, u.rootRaw); r.Added != 0 || r.Accepted != 2 {
		t.Errorf("the same edition again: %+v", r)
	}
	e := b.open().Find(parse(t, u.rootRaw))
	if len(e.Provenance) != 1 || !e.Edition().Equal(now.AddDate(0, 1, 0)) || e.Provenance[0].List != "UT" || e.Provenance[0].File != "file" {
		t.Errorf("%+v", e.Provenance)
	}
	// Another publisher's list has editions of its own, and a bare import stays.
	b.take(x.rootRaw)
	b.take(x.masterList(now.AddDate(-1, 0, 0), x.rootRaw, u.rootRaw))
	b.take(u.masterList(now.AddDate(0, 2, 0), u.nextRaw))
	s := b.open()
	if s.Find(parse(t, u.rootRaw)) == nil || s.Find(parse(t, x.rootRaw)) == nil || len(s.Lists()) != 2 {
		t.Errorf("what others vouch for has left")
	}
}

func TestRevocationLists(t *testing.T) {
	u, b := newState(t, "UT"), newBench(t)
	b.refuse(trust.ErrUnanchored, u.crl(now))
	b.take(u.rootRaw)
	ds := parse(t, u.dsRaw)
	state := func(at time.Time) trust.RevocationState { return b.open().Chain(ds, at).Revocation.State }
	if got := state(now); got != trust.RevocationNoCRL {
		t.Errorf("without a list: %v", got)
	}
	b.take(pemOf("X509 CRL", u.crl(now, 99)))
	if r := b.open().Chain(ds, now.AddDate(0, 0, 10)).Revocation; r.State != trust.RevocationGood || r.Age(now.AddDate(0, 0, 10)) != 240*time.Hour {
		t.Errorf("%+v", r)
	}
	if got := state(now.AddDate(1, 0, 0)); got != trust.RevocationStale {
		t.Errorf("a year later: %v", got)
	}
	forged := u.crl(now.AddDate(0, 0, 1), 10)
	forged[len(forged)-1] ^= 1
	b.refuse(trust.ErrSignature, forged)
	b.take(u.crl(now.AddDate(0, 0, 1), 10))
	if r := b.open().Chain(ds, now.AddDate(1, 0, 0)).Revocation; r.State != trust.RevocationRevoked || r.Reason != 1 {
		t.Errorf("%+v", r)
	}
	b.refuse(trust.ErrRollback, u.crl(now, 99))
	b.take(u.crl(now.AddDate(0, 0, 1), 10))

	narrow := newBench(t)
	narrow.take(u.rootRaw)
	narrow.take(pkitest.CRL{Issuer: u.name, Key: u.root, This: now, Extensions: [][]byte{pkitest.Extension(pkitest.OID(2, 5, 29, 28), true, pkitest.Null)}}.Issue(t))
	if got := narrow.open().Chain(ds, now).Revocation.State; got != trust.RevocationUnusable {
		t.Errorf("a list of narrowed scope: %v", got)
	}
}

func TestChains(t *testing.T) {
	u, x, b := newState(t, "UT"), newState(t, "XO"), newBench(t)
	b.take(pemOf("CERTIFICATE", u.rootRaw, u.linkRaw))
	s := b.open()
	if c := s.Chain(parse(t, u.dsRaw), now); c.State != trust.ChainFound || len(c.Path) != 1 || c.Issuer.Kind != trust.KindCSCA || c.IssuerNameDiffers || c.SubjectCountryDiffers {
		t.Errorf("under the root: %+v", c)
	}
	// Equal names, another key: over the link to the root.
	if c := s.Chain(parse(t, u.dsNextRaw), now); c.State != trust.ChainFound || len(c.Path) != 2 || c.Issuer.Kind != trust.KindLink || c.Path[1].Kind != trust.KindCSCA {
		t.Errorf("over the link: %+v", c)
	}
	if c := s.Chain(parse(t, x.dsRaw), now); c.State != trust.ChainNoAnchor || c.Country != "XO" || c.Anchors != 0 {
		t.Errorf("country without anchors: %+v", c)
	}
	imitation := newState(t, "ut") // the case of a country tells nothing
	if c := s.Chain(parse(t, imitation.dsRaw), now); c.State != trust.ChainNoFit || c.Anchors != 2 || !errors.Is(c.Err, pki.ErrSignature) {
		t.Errorf("imitation: %+v", c)
	}
	// A held state's key does not vouch for another state's signer.
	borrowed := pkitest.Certificate{Issuer: pkitest.Name("XO", "State", "CSCA"), Subject: pkitest.Name("XO", "", "DS"), Key: u.ds, Signer: u.root}.Issue(t)
	if c := s.Chain(parse(t, borrowed), now); c.State != trust.ChainNoAnchor {
		t.Errorf("signed by another state: %+v", c)
	}
	b.take(x.rootRaw)
	if c := b.open().Chain(parse(t, borrowed), now); c.State != trust.ChainNoFit {
		t.Errorf("signed by another state, own anchor held: %+v", c)
	}
	// Wrong names and identifiers around the right key are tolerated and told.
	renamed := pkitest.Certificate{Issuer: pkitest.Name("UT", "State", "Renamed"), Subject: pkitest.Name("XO", "", "DS"), Key: u.ds, Signer: u.root, AuthorityID: []byte{1, 2, 3}}.Issue(t)
	if c := s.Chain(parse(t, renamed), now); c.State != trust.ChainFound || !c.IssuerNameDiffers || !c.SubjectCountryDiffers {
		t.Errorf("renamed issuer: %+v", c)
	}
	nameless := pkitest.Certificate{Subject: pkitest.Name("", "State", "DS"), Issuer: pkitest.Name("", "State", "CSCA"), Key: u.ds, Signer: u.root}.Issue(t)
	if c := s.Chain(parse(t, nameless), now); c.State != trust.ChainNoAnchor {
		t.Errorf("no country: %+v", c)
	}
	// A document signer in the store is no anchor for what it signs.
	b.take(u.dsRaw)
	forged := pkitest.Certificate{Issuer: pkitest.Name("UT", "State", "DS 1"), Subject: pkitest.Name("UT", "", "DS 9"), Key: u.ds, Signer: u.ds}.Issue(t)
	if c := b.open().Chain(parse(t, forged), now); c.State != trust.ChainNoFit {
		t.Errorf("issued by a document signer: %+v", c)
	}
	// An anchor whose key usage excludes signing certificates does not vouch.
	other := newBench(t)
	other.take(pkitest.Certificate{Subject: u.name, Key: u.root, CA: true, KeyUsage: pkitest.UsageNothing}.Issue(t))
	if c := other.open().Chain(parse(t, u.dsRaw), now); c.State != trust.ChainNoFit {
		t.Errorf("anchor without certificate signing: %+v", c)
	}
	if (trust.Chain{}).State != trust.ChainUnknown {
		t.Error("the zero chain says something")
	}
}

func TestDeviationLists(t *testing.T) {
	u, b := newState(t, "UT"), newBench(t)
	empty := der.Marshal(der.Sequence, der.Marshal(der.Integer, []byte{0}), der.Marshal(der.Set))
	list := func(at time.Time) []byte {
		return pkitest.SignedData{ContentType: pkitest.ContentDeviationList, Content: empty, Certificates: [][]byte{u.deviationsRaw},
			Key: u.signer, SigningTime: at}.Sign(t)
	}
	b.refuse(trust.ErrUnanchored, list(now))
	b.take(u.rootRaw)
	first, second := list(now), list(now.AddDate(0, 0, 1))
	b.take(first)
	if r := b.take(second); r.Kind != trust.FileDeviationList || r.Certificates != 0 {
		t.Errorf("%+v", r)
	}
	b.refuse(trust.ErrRollback, first)
	raw, err := b.open().DeviationList("UT")
	if err != nil || string(raw) != string(second) {
		t.Errorf("not the newest list: %v", err)
	}
	if files, _ := filepath.Glob(filepath.Join(b.dir, "*.der")); len(files) != 1 {
		t.Errorf("files left: %v", files)
	}
	b.refuse(deviation.ErrList, pkitest.SignedData{ContentType: pkitest.ContentDeviationList, Content: der.Marshal(der.Sequence), Certificates: [][]byte{u.deviationsRaw},
		Key: u.signer, SigningTime: now.AddDate(0, 0, 2)}.Sign(t))
	if l, err := b.open().Deviations("UT"); err != nil || l == nil {
		t.Errorf("list taken apart: %v", err)
	}
	if l, err := b.open().Deviations("XO"); err != nil || l != nil {
		t.Errorf("list of another state, taken apart: %v", err)
	}
	if raw, err := b.open().DeviationList("XO"); raw != nil || err != nil {
		t.Errorf("list of another state: %v", err)
	}
	s := b.open()
	files, _ := filepath.Glob(filepath.Join(b.dir, "*.der"))
	if err := os.WriteFile(files[0], []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.DeviationList("UT"); !errors.Is(err, trust.ErrDamaged) {
		t.Errorf("changed list: %v", err)
	}
}
