package path_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/document/internal/pkitest"
	"github.com/watchpost/watchpost/device/document/pki"
	"github.com/watchpost/watchpost/device/document/pki/der"
	"github.com/watchpost/watchpost/device/document/pki/path"
)

var (
	now  = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	keys = map[string]*pkitest.Key{}
)

func key(t testing.TB, name string) *pkitest.Key {
	if keys[name] == nil {
		keys[name] = pkitest.NewEC(t, "P-256")
	}
	return keys[name]
}

func name(common string) []byte { return pkitest.Name("UT", "State", common) }

func certificate(t testing.TB, c pkitest.Certificate) *pki.Certificate {
	t.Helper()
	parsed, err := pki.ParseCertificate(c.Issue(t))
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func list(t testing.TB, l pkitest.CRL) *pki.CRL {
	t.Helper()
	parsed, err := pki.ParseCRL(l.Issue(t))
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// basic constraints: an authority with a path length, -1 for none.
func authority(length int) []byte {
	parts := [][]byte{{1, 1, 0xFF}}
	if length >= 0 {
		parts = append(parts, der.Marshal(der.Integer, []byte{byte(length)}))
	}
	return pkitest.Extension(pkitest.OID(2, 5, 29, 19), true, der.Marshal(der.Sequence, parts...))
}

func sequence(parts ...[]byte) []byte { return der.Marshal(der.Sequence, parts...) }

// What can be wrong with root, middle, end and their lists, one thing at a
// time, and how it is named.
func TestVerify(t *testing.T) {
	root := pkitest.Certificate{Subject: name("Root"), Key: key(t, "root"), CA: true, KeyUsage: pkitest.UsageCA}
	middle := pkitest.Certificate{Serial: 2, Subject: name("Middle"), Issuer: name("Root"), Key: key(t, "middle"), Signer: key(t, "root"), KeyUsage: pkitest.UsageCA,
		Extensions: [][]byte{authority(-1)}}
	end := pkitest.Certificate{Serial: 3, Subject: name("End"), Issuer: name("Middle"), Key: key(t, "end"), Signer: key(t, "middle"), KeyUsage: pkitest.UsageSign}
	lists := []pkitest.CRL{
		{Issuer: name("Root"), Key: key(t, "root"), This: now.AddDate(0, 0, -1), Next: now.AddDate(0, 0, 30)},
		{Issuer: name("Middle"), Key: key(t, "middle"), This: now.AddDate(0, 0, -1), Next: now.AddDate(0, 0, 30)},
	}
	constraint := func(tag byte, base []byte) []byte {
		return pkitest.Extension(pkitest.OID(2, 5, 29, 30), true, sequence(der.Marshal(der.ContextConstructed(tag), sequence(base))))
	}
	directory := func(n []byte) []byte { return der.Marshal(der.ContextConstructed(4), n) }
	requirePolicy := pkitest.Extension(pkitest.OID(2, 5, 29, 36), true, sequence(der.Marshal(der.Context(0), []byte{0})))
	policies := func(oids ...[]byte) []byte {
		var all [][]byte
		for _, o := range oids {
			all = append(all, sequence(o))
		}
		return pkitest.Extension(pkitest.OID(2, 5, 29, 32), false, sequence(all...))
	}
	scope := func(parts ...[]byte) []byte {
		return pkitest.Extension(pkitest.OID(2, 5, 29, 28), true, sequence(parts...))
	}

	for label, c := range map[string]struct {
		change func(root, middle, end *pkitest.Certificate, lists *[]pkitest.CRL)
		at     time.Time
		want   error
	}{
		"sound":                    {func(_, _, _ *pkitest.Certificate, _ *[]pkitest.CRL) {}, now, nil},
		"path length that is kept": {func(_, m, _ *pkitest.Certificate, _ *[]pkitest.CRL) { m.Extensions = [][]byte{authority(0)} }, now, nil},
		"policy that is required": {func(_, m, e *pkitest.Certificate, _ *[]pkitest.CRL) {
			p := policies(pkitest.OID(1, 2, 3))
			m.Extensions = append([][]byte{requirePolicy, p}, m.Extensions...)
			e.Extensions = [][]byte{p}
		}, now, nil},
		"name that is permitted": {func(_, m, _ *pkitest.Certificate, _ *[]pkitest.CRL) {
			m.Extensions = append([][]byte{constraint(0, directory(name("End")))}, m.Extensions...)
		}, now, nil},
		"list of signers alone": {func(_, _, _ *pkitest.Certificate, l *[]pkitest.CRL) {
			(*l)[1].Extensions = [][]byte{scope(der.Marshal(der.Context(1), []byte{0xFF}))}
		}, now, nil},
		"expired":       {func(_, _, _ *pkitest.Certificate, _ *[]pkitest.CRL) {}, now.AddDate(30, 0, 0), path.ErrValidity},
		"not yet valid": {func(_, _, _ *pkitest.Certificate, _ *[]pkitest.CRL) {}, now.AddDate(-30, 0, 0), path.ErrValidity},
		"middle expired": {func(_, m, _ *pkitest.Certificate, _ *[]pkitest.CRL) {
			m.From, m.Until = pkitest.From, now.AddDate(0, 0, -1)
		}, now, path.ErrValidity},
		"end signed by another":    {func(_, _, e *pkitest.Certificate, _ *[]pkitest.CRL) { e.Signer = key(t, "stranger") }, now, path.ErrSignature},
		"middle signed by another": {func(_, m, _ *pkitest.Certificate, _ *[]pkitest.CRL) { m.Signer = key(t, "stranger") }, now, path.ErrSignature},
		"issuer that is not given": {func(_, _, e *pkitest.Certificate, _ *[]pkitest.CRL) { e.Issuer = name("Nobody") }, now, path.ErrNoPath},
		"middle is no authority":   {func(_, m, _ *pkitest.Certificate, _ *[]pkitest.CRL) { m.Extensions = nil }, now, path.ErrNotCA},
		"middle may not issue":     {func(_, m, _ *pkitest.Certificate, _ *[]pkitest.CRL) { m.KeyUsage = pkitest.UsageSign }, now, path.ErrUsage},
		"unknown critical extension": {func(_, _, e *pkitest.Certificate, _ *[]pkitest.CRL) {
			e.Extensions = [][]byte{pkitest.Extension(pkitest.OID(1, 2, 3), true, pkitest.Null)}
		}, now, path.ErrCritical},
		"constraints that are no list": {func(_, m, _ *pkitest.Certificate, _ *[]pkitest.CRL) {
			m.Extensions = append([][]byte{pkitest.Extension(pkitest.OID(2, 5, 29, 30), true, pkitest.Null)}, m.Extensions...)
		}, now, path.ErrCritical},
		"policy that is missing": {func(_, m, _ *pkitest.Certificate, _ *[]pkitest.CRL) {
			m.Extensions = append([][]byte{requirePolicy}, m.Extensions...)
		}, now, path.ErrPolicy},
		"policy that differs": {func(_, m, e *pkitest.Certificate, _ *[]pkitest.CRL) {
			m.Extensions = append([][]byte{requirePolicy, policies(pkitest.OID(1, 2, 3))}, m.Extensions...)
			e.Extensions = [][]byte{policies(pkitest.OID(1, 2, 4))}
		}, now, path.ErrPolicy},
		"name that is not permitted": {func(_, m, _ *pkitest.Certificate, _ *[]pkitest.CRL) {
			m.Extensions = append([][]byte{constraint(0, directory(name("Other")))}, m.Extensions...)
		}, now, path.ErrName},
		"name that is excluded": {func(_, m, _ *pkitest.Certificate, _ *[]pkitest.CRL) {
			m.Extensions = append([][]byte{constraint(1, directory(name("End")))}, m.Extensions...)
		}, now, path.ErrName},
		"end revoked":             {func(_, _, _ *pkitest.Certificate, l *[]pkitest.CRL) { (*l)[1].Serials = []int64{3} }, now, path.ErrRevoked},
		"middle revoked":          {func(_, _, _ *pkitest.Certificate, l *[]pkitest.CRL) { (*l)[0].Serials = []int64{2} }, now, path.ErrRevoked},
		"revoked on an old list":  {func(_, _, _ *pkitest.Certificate, l *[]pkitest.CRL) { (*l)[1].Serials = []int64{3} }, now.AddDate(1, 0, 0), path.ErrStaleCRL},
		"no list":                 {func(_, _, _ *pkitest.Certificate, l *[]pkitest.CRL) { *l = (*l)[:1] }, now, path.ErrNoCRL},
		"list of another's key":   {func(_, _, _ *pkitest.Certificate, l *[]pkitest.CRL) { (*l)[1].Key = key(t, "stranger") }, now, path.ErrNoCRL},
		"list without a next one": {func(_, _, _ *pkitest.Certificate, l *[]pkitest.CRL) { (*l)[1].Next = time.Time{} }, now, path.ErrStaleCRL},
		"list of the future":      {func(_, _, _ *pkitest.Certificate, l *[]pkitest.CRL) { (*l)[1].This = now.AddDate(0, 0, 2) }, now, path.ErrStaleCRL},
		"list of authorities alone": {func(_, _, _ *pkitest.Certificate, l *[]pkitest.CRL) {
			(*l)[1].Extensions = [][]byte{scope(der.Marshal(der.Context(2), []byte{0xFF}))}
		}, now, path.ErrNoCRL},
		"indirect list": {func(_, _, _ *pkitest.Certificate, l *[]pkitest.CRL) {
			(*l)[1].Extensions = [][]byte{scope(der.Marshal(der.Context(4), []byte{0xFF}))}
		}, now, path.ErrNoCRL},
		"list of some point": {func(_, _, _ *pkitest.Certificate, l *[]pkitest.CRL) {
			(*l)[1].Extensions = [][]byte{scope(der.Marshal(der.ContextConstructed(0), der.Marshal(der.ContextConstructed(0), der.Marshal(der.Context(6), []byte("http://a")))))}
		}, now, path.ErrNoCRL},
		"too long a path": {func(r, m, e *pkitest.Certificate, l *[]pkitest.CRL) {
			m.Extensions = [][]byte{authority(0)}
			e.Issuer = name("Below")
		}, now, path.ErrLength},
	} {
		r, m, e := root, middle, end
		l := append([]pkitest.CRL(nil), lists...)
		c.change(&r, &m, &e, &l)
		in := path.Input{At: c.at, RequireCRL: true, Anchors: []*pki.Certificate{certificate(t, r)}, Intermediates: []*pki.Certificate{certificate(t, m)}}
		if errors.Is(c.want, path.ErrLength) {
			below := pkitest.Certificate{Serial: 4, Subject: name("Below"), Issuer: name("Middle"), Key: key(t, "below"), Signer: key(t, "middle"), KeyUsage: pkitest.UsageCA, Extensions: [][]byte{authority(-1)}}
			in.Intermediates = append(in.Intermediates, certificate(t, below))
			e.Signer = key(t, "below")
		}
		for _, x := range l {
			in.CRLs = append(in.CRLs, list(t, x))
		}
		got, err := path.Verify(t.Context(), certificate(t, e), in)
		if !errors.Is(err, c.want) || err == nil && len(got) != 2 {
			t.Errorf("%s: %v", label, err)
		}
	}
}

// Authorities that vouch for each other in circles end the search, and so do
// very many of one name.
func TestAttackManyIssuers(t *testing.T) {
	in := path.Input{At: now, Anchors: []*pki.Certificate{certificate(t, pkitest.Certificate{Subject: name("Circle"), Key: key(t, "root"), CA: true})}}
	for i := range 40 {
		in.Intermediates = append(in.Intermediates, certificate(t, pkitest.Certificate{Serial: int64(i + 2), Subject: name("Circle"), Issuer: name("Circle"),
			Key: key(t, fmt.Sprint("circle ", i)), Signer: key(t, fmt.Sprint("circle ", (i+1)%40)), Extensions: [][]byte{authority(-1)}}))
	}
	end := certificate(t, pkitest.Certificate{Serial: 99, Subject: name("End"), Issuer: name("Circle"), Key: key(t, "end"), Signer: key(t, "circle 0")})
	if _, err := path.Verify(t.Context(), end, in); err == nil {
		t.Error("a circle led to an anchor")
	}
	in.Anchors = []*pki.Certificate{certificate(t, pkitest.Certificate{Subject: name("Elsewhere"), Key: key(t, "root"), CA: true})}
	if _, err := path.Verify(t.Context(), end, in); err == nil {
		t.Error("without an anchor of the name a circle led to one")
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := path.Verify(ended, end, in); err == nil {
		t.Error("a search that was called off found a path")
	}
}

// No bytes in an extension panic the validation.
func FuzzExtensions(f *testing.F) {
	for i := range uint8(7) {
		f.Add(i, []byte{0x30, 0x05, 0x30, 0x03, 0x06, 0x01, 0x2A})
	}
	f.Add(uint8(4), []byte{0x30, 0x0A, 0xA0, 0x08, 0x30, 0x06, 0x82, 0x04, 'h', 'o', 's', 't'})
	f.Add(uint8(6), []byte{0x30, 0x06, 0xA0, 0x04, 0xA0, 0x02, 0x86, 0x00})
	root := certificate(f, pkitest.Certificate{Subject: name("Root"), Key: key(f, "root"), CA: true})
	end := certificate(f, pkitest.Certificate{Serial: 2, Subject: name("End"), Issuer: name("Root"), Key: key(f, "end"), Signer: key(f, "root")})
	crl := list(f, pkitest.CRL{Issuer: name("Root"), Key: key(f, "root"), This: now, Next: now.AddDate(0, 1, 0)})
	oids := []string{"2.5.29.32", "2.5.29.33", "2.5.29.36", "2.5.29.54", "2.5.29.30", "2.5.29.17", "2.5.29.31"}
	f.Fuzz(func(t *testing.T, which uint8, value []byte) {
		middle, c, l := *root, *end, *crl
		oid := oids[int(which)%len(oids)]
		middle.Extensions = append(middle.Extensions[:len(middle.Extensions):len(middle.Extensions)], pki.Extension{OID: oid, Critical: true, Value: value})
		c.Extensions = append(c.Extensions[:len(c.Extensions):len(c.Extensions)], pki.Extension{OID: oid, Value: value})
		l.IssuingPoint, l.UnknownCritical = value, []string{"2.5.29.28"}
		path.Covers(&l, &c)
		_, _ = path.Verify(t.Context(), &c, path.Input{At: now, Anchors: []*pki.Certificate{root}, Intermediates: []*pki.Certificate{&middle}, CRLs: []*pki.CRL{&l}, RequireCRL: which > 128})
	})
}
