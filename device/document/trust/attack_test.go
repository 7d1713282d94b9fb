package trust_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/document/internal/pkitest"
	"github.com/watchpost/watchpost/device/document/pki"
	"github.com/watchpost/watchpost/device/document/pki/der"
	"github.com/watchpost/watchpost/device/document/trust"
)

// Whatever a file makes of its own size, depth or number: refused, in bounded
// time, and the store stays as it was.
func TestAttackFiles(t *testing.T) {
	u, b := newState(t, "UT"), newBench(t)
	b.take(u.rootRaw)
	signed := func(content []byte) []byte {
		return pkitest.SignedData{ContentType: pkitest.ContentMasterList, Content: content, Certificates: [][]byte{u.signerRaw}, Key: u.signer, SigningTime: now}.Sign(t)
	}
	many := make([][]byte, 20_001)
	for i := range many {
		many[i] = der.Marshal(der.Sequence, der.Marshal(der.Integer, []byte{byte(i >> 16), byte(i >> 8), byte(i)}))
	}
	wide := der.Marshal(der.Sequence, der.Marshal(der.ObjectID, []byte{0x2A}))
	for range 1000 {
		wide = append(wide, der.Marshal(der.Sequence, der.Marshal(der.ObjectID, []byte{0x2A}))...)
	}
	for name, raw := range map[string][]byte{
		"nested indefinite lengths":     bytes.Repeat([]byte{0x30, 0x80}, 1<<20),
		"nested definite lengths":       bytes.Repeat([]byte{0x30, 0x84, 0x7F, 0xFF, 0xFF, 0xFF}, 1<<16),
		"CMS of a length past its end":  {0x30, 0x84, 0x7F, 0xFF, 0xFF, 0xFF, 0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07, 0x02},
		"list of 20,001 certificates":   signed(pkitest.MasterList(many...)),
		"list in a list":                signed(signed(pkitest.MasterList(u.rootRaw))),
		"list cut in its signature":     signed(pkitest.MasterList(u.rootRaw))[:900],
		"PEM of nothing, 100,000 times": []byte(strings.Repeat("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", 100_000)),
		"PEM without an end":            []byte("-----BEGIN CERTIFICATE-----\n" + strings.Repeat("AAAA\n", 100_000)),
		"LDIF folded a million times":   []byte("dn: c=UT\nuserCertificate;binary:: AAAA\n" + strings.Repeat(" A\n", 1_000_000)),
		"LDIF of empty values":          []byte(strings.Repeat("dn: c=UT\nuserCertificate;binary::\n\n", 20_000)),
		"LDIF that points to a file":    []byte("dn: c=UT\nuserCertificate;binary:< file:///etc/passwd\n"),
		"LDIF that points to a server":  []byte("dn: c=UT\nuserCertificate;binary:< http://127.0.0.1:1/\n"),
		"a thousand extensions":         der.Marshal(der.Sequence, der.Marshal(der.Sequence, wide), wide),
		"zeros":                         make([]byte, 1<<20),
		"certificate cut in half":       u.rootRaw[:len(u.rootRaw)/2],
	} {
		t.Run(name, func(t *testing.T) {
			c := b
			c.t = t
			start := time.Now()
			before := len(c.open().Entries())
			r, err := c.try(raw)
			if err == nil || r.Accepted != 0 || len(c.open().Entries()) != before {
				t.Errorf("taken: %v %+v", err, r.Accepted)
			}
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

// Among very many anchors of one name and country the search for an issuer
// ends.
func TestAttackManyAnchors(t *testing.T) {
	u, b := newState(t, "UT"), newBench(t)
	var all [][]byte
	for i := range 150 {
		k := pkitest.NewEC(t, "P-256")
		all = append(all, pkitest.Certificate{Serial: int64(100 + i), Subject: u.name, Key: k, CA: true, KeyUsage: pkitest.UsageCA, NoKeyIDs: true}.Issue(t))
	}
	b.take(pemOf("CERTIFICATE", all...))
	start := time.Now()
	c := b.open().Chain(parse(t, u.dsRaw), now)
	if c.State != trust.ChainNoFit || time.Since(start) > 5*time.Second {
		t.Errorf("%v after %v", c.State, time.Since(start))
	}
}

// One state's list out of a directory cannot bring another state's anchors:
// nobody chose that list. A pin is such a choice, and so is a file of its own.
func TestAttackForeignAnchors(t *testing.T) {
	u, x := newState(t, "UT"), newState(t, "XO")
	forged := newState(t, "UT")
	list := x.masterList(now, x.rootRaw, x.nextRaw, forged.rootRaw)
	value := []trust.Value{{Entry: "cn=list,c=XO", Attribute: "pkdMasterListContent", Raw: list}}
	directory := func(b bench, pins ...*pki.Certificate) (trust.Result, []error) {
		t.Helper()
		im, err := trust.NewImporter(t.Context(), b.dir, pins)
		if err != nil {
			t.Fatal(err)
		}
		defer im.Close()
		r, refused := im.Directory("ldap://host/", value)
		if err := im.Commit(); err != nil {
			t.Fatal(err)
		}
		return r, refused
	}
	held := func(b bench) bool { return b.open().Find(parse(t, forged.rootRaw)) != nil }

	b := newBench(t)
	b.take(pemOf("CERTIFICATE", u.rootRaw, x.rootRaw))
	r, refused := directory(b)
	if held(b) || !errors.Is(refused[0], trust.ErrForeign) || r.Accepted != 2 || len(r.Refused) != 1 || r.Refused[0].Reason != trust.ErrForeign.Code {
		t.Errorf("under an anchor held: %v %+v", refused, r)
	}
	if c := b.open().Chain(parse(t, forged.dsRaw), now); c.State != trust.ChainNoFit {
		t.Errorf("the forged state's signer: %+v", c.State)
	}
	if b.open().Find(parse(t, x.nextRaw)) == nil {
		t.Error("the publisher's own new key was not taken")
	}
	ldif := newBench(t)
	ldif.take(pemOf("CERTIFICATE", u.rootRaw, x.rootRaw))
	if _, err := ldif.try([]byte("dn: cn=list,c=XO\n" + fold("pkdMasterListContent", list))); err != nil || held(ldif) {
		t.Errorf("LDIF: %v", err)
	}
	pinned := newBench(t)
	pinned.take(pemOf("CERTIFICATE", u.rootRaw, x.rootRaw))
	if r, refused := directory(pinned, parse(t, x.rootRaw)); !held(pinned) || refused[0] != nil || r.Accepted != 3 {
		t.Errorf("under a pin: %v %+v", refused, r)
	}
	// First without the pin, then with it: the same list brings the rest.
	if r, refused := directory(b, parse(t, x.rootRaw)); !held(b) || refused[0] != nil || r.Added != 1 {
		t.Errorf("pinned afterwards: %v %+v", refused, r)
	}
	named := newBench(t)
	named.take(pemOf("CERTIFICATE", u.rootRaw, x.rootRaw))
	if named.take(list); !held(named) {
		t.Error("a list that the operator named was not taken whole")
	}
}
