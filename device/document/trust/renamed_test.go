package trust_test

import (
	"bytes"
	"encoding/pem"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/document/internal/pkitest"
	"github.com/watchpost/watchpost/device/document/pki/der"
	"github.com/watchpost/watchpost/device/document/trust"
)

// renamed is a state whose CSCA changed key and name: the certificates of the
// younger one, by itself and linked, and lists by either.
type renamed struct {
	*state
	newName                []byte
	youngerRaw, renamedRaw []byte
}

func newRenamed(t *testing.T) renamed {
	t.Helper()
	r := renamed{state: newState(t, "UT"), newName: pkitest.Name("UT", "Ministry", "CSCA of later days")}
	ca := pkitest.Certificate{Serial: 20, Subject: r.newName, Key: r.next, CA: true, KeyUsage: pkitest.UsageCA}
	r.youngerRaw = ca.Issue(t)
	ca.Serial, ca.Issuer, ca.Signer = 21, r.name, r.root
	r.renamedRaw = ca.Issue(t)
	return r
}

func (r renamed) laterCRL(at time.Time, serials ...int64) []byte {
	return pkitest.CRL{Issuer: r.newName, Key: r.next, This: at, Next: at.AddDate(0, 3, 0), Serials: serials}.Issue(r.t)
}

// TestRenamedCSCA: a CSCA revokes what it signed under its former name and key
// by lists under its present ones (Doc 9303-12:2021 4.1.5, D.1.2.3).
func TestRenamedCSCA(t *testing.T) {
	month := func(n int) time.Time { return now.AddDate(0, -n, 0) }
	r := newRenamed(t)
	other := newState(t, "UT") // another CSCA of the same country, tied to it by nothing
	otherCSCA := pkitest.Certificate{Serial: 1, Subject: pkitest.Name("UT", "Ships", "CSCA"), Key: other.root, CA: true, KeyUsage: pkitest.UsageCA}.Issue(t)
	otherCRL := pkitest.CRL{Issuer: pkitest.Name("UT", "Ships", "CSCA"), Key: other.root, This: month(1), Next: now.AddDate(0, 3, 0), Serials: []int64{10}}.Issue(t)
	foreign := newState(t, "NL")
	for name, tc := range map[string]struct {
		files   [][]byte
		want    trust.RevocationState
		country bool
	}{
		"linked, revoked":                        {[][]byte{r.rootRaw, r.renamedRaw, r.laterCRL(month(1), 10)}, trust.RevocationRevoked, false},
		"linked, good":                           {[][]byte{r.rootRaw, r.renamedRaw, r.laterCRL(month(1), 99)}, trust.RevocationGood, false},
		"linked beside its root":                 {[][]byte{r.rootRaw, r.youngerRaw, r.renamedRaw, r.laterCRL(month(1), 10)}, trust.RevocationRevoked, false},
		"linked, the older list is current too":  {[][]byte{r.rootRaw, r.renamedRaw, r.crl(month(1)), r.laterCRL(month(1), 10)}, trust.RevocationRevoked, false},
		"no link, revoked":                       {[][]byte{r.rootRaw, r.youngerRaw, r.laterCRL(month(1), 10)}, trust.RevocationRevoked, true},
		"no link, good":                          {[][]byte{r.rootRaw, r.youngerRaw, r.laterCRL(month(1))}, trust.RevocationGood, true},
		"no link, stale":                         {[][]byte{r.rootRaw, r.youngerRaw, r.laterCRL(month(9))}, trust.RevocationStale, true},
		"no link, the own list is stale":         {[][]byte{r.rootRaw, r.youngerRaw, r.crl(month(9)), r.laterCRL(month(1))}, trust.RevocationGood, true},
		"another CSCA uses the same number":      {[][]byte{r.rootRaw, otherCSCA, r.crl(month(1)), otherCRL}, trust.RevocationGood, false},
		"the own list revokes, though old":       {[][]byte{r.rootRaw, r.youngerRaw, r.crl(month(9), 10), r.laterCRL(month(1))}, trust.RevocationRevoked, false},
		"a list of another country says nothing": {[][]byte{r.rootRaw, foreign.rootRaw, foreign.crl(month(1), 10)}, trust.RevocationNoCRL, false},
	} {
		b := newBench(t)
		for _, f := range tc.files {
			b.take(f)
		}
		got := b.open().Chain(parse(t, r.dsRaw), now).Revocation
		if got.State != tc.want || got.ByCountry != tc.country {
			t.Errorf("%s: %v, by country %v", name, got.State, got.ByCountry)
		}
	}
}

// TestRevokedCSCA: with a CSCA all is revoked that it signed, links included
// (Doc 9303-12:2021 4.1.5.1).
func TestRevokedCSCA(t *testing.T) {
	s := newState(t, "UT")
	month := now.AddDate(0, -1, 0)
	for name, tc := range map[string]struct {
		files [][]byte
		ds    []byte
		want  bool
	}{
		"the anchor itself":           {[][]byte{s.rootRaw, s.crl(month, 1)}, s.dsRaw, true},
		"the root behind a link":      {[][]byte{s.rootRaw, s.linkRaw, s.crl(month, 1)}, s.dsNextRaw, true},
		"the link":                    {[][]byte{s.rootRaw, s.linkRaw, s.crl(month, 3)}, s.dsNextRaw, true},
		"a signer only":               {[][]byte{s.rootRaw, s.crl(month, 10)}, s.dsRaw, false},
		"the younger CSCA by itself":  {[][]byte{s.rootRaw, s.nextRaw, s.crl(month, 1)}, s.dsNextRaw, false},
		"no list":                     {[][]byte{s.rootRaw}, s.dsRaw, false},
		"a list of another's numbers": {[][]byte{s.rootRaw, s.crl(month, 77)}, s.dsRaw, false},
	} {
		b := newBench(t)
		for _, f := range tc.files {
			b.take(f)
		}
		chain := b.open().Chain(parse(t, tc.ds), now)
		if chain.State != trust.ChainFound || chain.AnchorRevoked != tc.want {
			t.Errorf("%s: %v, revoked %v", name, chain.State, chain.AnchorRevoked)
		}
	}
}

// TestAttackForgedRoots: a bare certificate becomes an anchor because it was
// given, but not one whose signature shows that it was changed.
func TestAttackForgedRoots(t *testing.T) {
	s := newState(t, "UT")
	forged := func(raw []byte) []byte {
		c := bytes.Clone(raw)
		c[len(c)-3] ^= 1
		return c
	}
	plain := pkitest.Certificate{Serial: 5, Subject: s.name, Key: s.root, CA: true, KeyUsage: pkitest.UsageCA, NoKeyIDs: true}.Issue(t)
	strange := pkitest.Certificate{Serial: 6, Subject: s.name, Key: s.next, Signer: s.signer, CA: true, KeyUsage: pkitest.UsageCA, NoKeyIDs: true}.Issue(t)
	t.Run("root that names its key", func(t *testing.T) { newBench(t).refuse(trust.ErrSelfSignature, forged(s.rootRaw)) })
	t.Run("root that names no key", func(t *testing.T) { newBench(t).refuse(trust.ErrSelfSignature, forged(plain)) })
	t.Run("signed by nobody known", func(t *testing.T) { newBench(t).refuse(trust.ErrSelfSignature, strange) })
	t.Run("link whose issuer is held", func(t *testing.T) {
		b := newBench(t)
		b.take(s.rootRaw)
		b.refuse(trust.ErrSignature, forged(s.linkRaw))
	})
	b := newBench(t)
	b.take(plain)
	b.take(s.linkRaw)
}

// TestWrittenOtherwise: what editors and other programs make of a PEM file.
func TestWrittenOtherwise(t *testing.T) {
	s := newState(t, "UT")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.rootRaw})
	bundle := pem.EncodeToMemory(&pem.Block{Type: "PKCS7", Bytes: certificatesOnly(s.rootRaw, s.nextRaw)})
	for name, tc := range map[string]struct {
		raw  []byte
		want int
	}{
		"byte order mark": {append([]byte("\uFEFF"), text...), 1},
		"CRLF":            {bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n")), 1},
		"words before":    {append([]byte("subject=C = UT\n"), text...), 1},
		"PKCS7":           {bundle, 2},
		"PKCS7 and more":  {append(bundle, text...), 3},
	} {
		if r := newBench(t).take(tc.raw); r.Kind != trust.FileCertificate || r.Certificates != tc.want || r.Accepted != tc.want {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// certificatesOnly is a SignedData that signs nothing ("p7b").
func certificatesOnly(certificates ...[]byte) []byte {
	signed := der.Marshal(der.Sequence, []byte{2, 1, 1}, der.Marshal(der.Set), der.Marshal(der.Sequence, pkitest.OID(1, 2, 840, 113549, 1, 7, 1)),
		der.Marshal(der.ContextConstructed(0), certificates...), der.Marshal(der.Set))
	return der.Marshal(der.Sequence, pkitest.OID(1, 2, 840, 113549, 1, 7, 2), der.Marshal(der.ContextConstructed(0), signed))
}

// TestUnjudgedRoots: a root that its operator gives is an anchor by his word,
// also where its own signature cannot be judged.
func TestUnjudgedRoots(t *testing.T) {
	s := newState(t, "UT")
	md5 := der.Marshal(der.Sequence, pkitest.OID(1, 2, 840, 113549, 1, 1, 4), []byte{5, 0})
	for name, noIDs := range map[string]bool{"key named": false, "no key named": true} {
		raw := pkitest.Certificate{Serial: 7, Subject: s.name, Key: s.root, CA: true, KeyUsage: pkitest.UsageCA, NoKeyIDs: noIDs}.Issue(t)
		b := newBench(t)
		b.take(withAlgorithm(t, raw, pkitest.SHA256.Identifier(s.root), md5))
		if k := b.kinds(); k[trust.KindCSCA] != 1 {
			t.Errorf("%s: %v", name, k)
		}
	}
}

// withAlgorithm puts a certificate of serial number 7 together again with
// another algorithm in both places.
func withAlgorithm(t *testing.T, raw, given, algorithm []byte) []byte {
	t.Helper()
	parts := bytes.SplitN(raw, given, 3)
	if len(parts) != 3 {
		t.Fatal("algorithm not found")
	}
	tbs := der.Marshal(der.Sequence, der.Marshal(der.ContextConstructed(0), []byte{2, 1, 2}), []byte{2, 1, 7}, algorithm, parts[1])
	return der.Marshal(der.Sequence, tbs, algorithm, parts[2])
}
