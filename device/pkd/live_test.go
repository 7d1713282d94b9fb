package pkd_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	docpki "github.com/watchpost/watchpost/device/document/pki"
	"github.com/watchpost/watchpost/device/document/trust"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/pkd"
	"github.com/watchpost/watchpost/hwtest/directory"
	"github.com/watchpost/watchpost/hwtest/gen/pki"
)

var today = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// state is an issuing state that publishes.
type state struct {
	*pki.Issuer
	t *testing.T
}

func newState(t *testing.T, country, code string) state {
	t.Helper()
	i, err := pki.New(pki.Spec{Seed: country, Country: country, State: code, CSCA: pki.Scheme{Key: "secp256r1"}, DS: pki.Scheme{Key: "secp256r1"}})
	if err != nil {
		t.Fatal(err)
	}
	return state{i, t}
}

// signer is the certificate of another document signer of this state.
func (s state) signer(serial int64) []byte {
	s.t.Helper()
	template := s.DS.Template
	template.Serial = big.NewInt(serial)
	c, err := pki.Issue(template, s.DS.Key, s.CSCA.Key, pki.Stream("signer", template.Serial.String()))
	if err != nil {
		s.t.Fatal(err)
	}
	return c.DER
}

func (s state) list(edition time.Time, certificates ...[]byte) []byte {
	s.t.Helper()
	raw, err := s.MasterListAt(edition, certificates...)
	if err != nil {
		s.t.Fatal(err)
	}
	return raw
}

func (s state) crl(day time.Time, serials ...int64) []byte {
	s.t.Helper()
	var all []*big.Int
	for _, n := range serials {
		all = append(all, big.NewInt(n))
	}
	raw, err := s.CRL(day, all...)
	if err != nil {
		s.t.Fatal(err)
	}
	return raw
}

func certificate(t *testing.T, raw []byte) *docpki.Certificate {
	t.Helper()
	c, err := docpki.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// published is what the two states of a test directory publish.
func published(u, x state, signers int) []directory.Entry {
	all := []directory.Entry{
		{Kind: "ml", Country: "UT", Name: "list", Version: 1, Raw: u.list(today.AddDate(0, -2, 0), u.CSCA.DER, x.CSCA.DER)},
		{Kind: "crl", Country: "UT", Name: "crl", Version: 2, Raw: u.crl(today.AddDate(0, 0, -9), 1000)},
		{Kind: "dsc", Country: "XO", Name: "signer", Version: 3, Raw: x.DS.DER},
	}
	for i := range signers {
		all = append(all, directory.Entry{Kind: "dsc", Country: "UT", Name: fmt.Sprint("signer ", i), Version: int64(4 + i), Raw: u.signer(int64(1000 + i))})
	}
	return all
}

// pageSize is more than the directory gives at once: the client has to learn it.
const pageSize = 2 * directory.PageSize

// request asks d for everything, into a store of its own.
func request(t *testing.T, d *directory.Directory, pin []byte) pkd.Request {
	t.Helper()
	target, err := pkd.ParseURL(d.URL("ldap", directory.Base))
	if err != nil {
		t.Fatal(err)
	}
	r := pkd.Request{Target: target, Store: t.TempDir(), Limits: pkd.Limits{PageSize: pageSize}}
	if pin != nil {
		r.Pins = []*docpki.Certificate{certificate(t, pin)}
	}
	return r
}

func fetch(t *testing.T, r pkd.Request) pkd.Report {
	t.Helper()
	report, err := pkd.Fetch(t.Context(), r)
	if err != nil {
		t.Fatalf("%v (%s) %+v", err, fault.CodeOf(err), report)
	}
	return report
}

func manager(t *testing.T, d *directory.Directory) *ldap.Conn {
	t.Helper()
	c, err := ldap.DialURL(d.URL("ldap", ""))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.Bind(directory.Manager, directory.Password); err != nil {
		t.Fatal(err)
	}
	return c
}

// change gives an entry of the running directory another content and version.
func change(t *testing.T, d *directory.Directory, e directory.Entry) {
	t.Helper()
	m := ldap.NewModifyRequest(e.DN(), nil)
	m.Replace(e.Attribute(), []string{string(e.Raw)})
	m.Replace("pkdVersion", []string{fmt.Sprint(e.Version)})
	if err := manager(t, d).Modify(m); err != nil {
		t.Fatal(err)
	}
}

func load(t *testing.T, d *directory.Directory, entries ...directory.Entry) {
	t.Helper()
	d.Stop()
	if err := d.Load(entries...); err != nil {
		t.Fatal(err)
	}
	if err := d.Run(); err != nil {
		t.Fatal(err)
	}
}

// The life of a store that is kept up to date from a real directory: all of
// it, nothing new, one change, and going back.
func TestRealDirectory(t *testing.T) {
	u, x := newState(t, "UT", "UTO"), newState(t, "XO", "XOM")
	d := directory.ForTest(t, nil, "UT", "XO")
	const signers = 40
	load(t, d, published(u, x, signers)...)
	r := request(t, d, u.CSCA.DER)

	// What a client that does not page gets: the directory's limit bites.
	anonymous, err := ldap.DialURL(d.URL("ldap", ""))
	if err != nil {
		t.Fatal(err)
	}
	defer anonymous.Close()
	if _, err := anonymous.Search(ldap.NewSearchRequest(directory.Base, ldap.ScopeWholeSubtree, 0, 0, 0, false, "(objectClass=*)", []string{"cn"}, nil)); !ldap.IsErrorWithCode(err, ldap.LDAPResultSizeLimitExceeded) {
		t.Fatalf("the directory does not limit searches: %v", err)
	}

	first := fetch(t, r)
	if first.Entries != signers+3 || first.Fetched != signers+3 || first.Unchanged != 0 || len(first.Result.Refused) != 0 {
		t.Fatalf("first: %+v", first)
	}
	s, err := trust.Open(r.Store)
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[trust.Kind]int{}
	for _, e := range s.Entries() {
		kinds[e.Kind]++
	}
	if kinds[trust.KindCSCA] != 2 || kinds[trust.KindDS] != signers+1 {
		t.Fatalf("%v", kinds)
	}
	if c := s.Chain(certificate(t, u.signer(1000)), today); c.State != trust.ChainFound || c.Revocation.State != trust.RevocationRevoked {
		t.Errorf("revoked signer: %+v", c)
	}
	if c := s.Chain(certificate(t, u.signer(1001)), today); c.State != trust.ChainFound || c.Revocation.State != trust.RevocationGood {
		t.Errorf("good signer: %+v", c)
	}
	e := s.Find(certificate(t, x.DS.DER))
	if e == nil || e.Provenance[0].Kind != trust.FileLDAP || e.Provenance[0].Entry != "cn=signer,o=dsc,c=XO,"+directory.Base {
		t.Errorf("provenance: %+v", e)
	}

	second := fetch(t, r)
	if second.Unchanged != signers+3 || second.Fetched != 0 {
		t.Errorf("second: %+v", second)
	}

	change(t, d, directory.Entry{Kind: "crl", Country: "UT", Name: "crl", Version: 900, Raw: u.crl(today, 1000, 1001)})
	third := fetch(t, r)
	if third.Fetched != 1 || third.Unchanged != signers+2 {
		t.Errorf("third: %+v", third)
	}
	if s, err = trust.Open(r.Store); err != nil {
		t.Fatal(err)
	}
	if c := s.Chain(certificate(t, u.signer(1001)), today); c.Revocation.State != trust.RevocationRevoked {
		t.Errorf("after the change: %+v", c.Revocation)
	}

	full := r
	full.Full = true
	if fourth := fetch(t, full); fourth.Fetched != signers+3 || fourth.Result.Added != 0 {
		t.Errorf("full: %+v", fourth)
	}
}

// What must not come in although the directory has it.
func TestRealDirectoryIsNotBelieved(t *testing.T) {
	u, x, stranger := newState(t, "UT", "UTO"), newState(t, "XO", "XOM"), newState(t, "YY", "YYY")
	damaged := append([]byte(nil), u.crl(today, 1001)...)
	damaged[len(damaged)-5] ^= 1
	d := directory.ForTest(t, nil, "UT", "XO")
	load(t, d, append(published(u, x, 3),
		directory.Entry{Kind: "dsc", Country: "UT", Name: "csca", Version: 50, Raw: stranger.CSCA.DER},
		directory.Entry{Kind: "dsc", Country: "UT", Name: "orphan", Version: 51, Raw: stranger.DS.DER},
		directory.Entry{Kind: "crl", Country: "XO", Name: "damaged", Version: 52, Raw: damaged},
		directory.Entry{Kind: "ml", Country: "XO", Name: "stranger", Version: 53, Raw: stranger.list(today, stranger.CSCA.DER)},
	)...)
	r := request(t, d, u.CSCA.DER)
	report := fetch(t, r)
	reasons := map[fault.Code]int{}
	for _, refused := range report.Result.Refused {
		reasons[refused.Reason]++
	}
	if reasons[trust.ErrUnanchored.Code] != 3 || reasons[trust.ErrSignature.Code] != 1 || len(report.Result.Refused) != 4 {
		t.Errorf("%+v", report.Result.Refused)
	}

	// Nothing of it is asked for again until an anchor comes that may change it.
	if again := fetch(t, r); again.Fetched != 0 || again.Unchanged != 10 {
		t.Errorf("again: %+v", again)
	}
	im, err := trust.NewImporter(t.Context(), r.Store, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := im.Import("stranger.cer", stranger.CSCA.DER); err != nil {
		t.Fatal(err)
	}
	if err := im.Commit(); err != nil {
		t.Fatal(err)
	}
	im.Close()
	if after := fetch(t, r); after.Fetched != 4 || after.Result.Accepted != 3 {
		t.Errorf("with the anchor: %+v", after)
	}
}

// A directory, an entry or a list that goes back in time is refused, and the
// store stays as it was.
func TestRealDirectoryRollback(t *testing.T) {
	u, x := newState(t, "UT", "UTO"), newState(t, "XO", "XOM")
	d := directory.ForTest(t, nil, "UT", "XO")
	load(t, d, published(u, x, 5)...)
	r := request(t, d, u.CSCA.DER)
	fetch(t, r)

	older := u.list(today.AddDate(-1, 0, 0), u.CSCA.DER)
	change(t, d, directory.Entry{Kind: "ml", Country: "UT", Name: "list", Version: 60, Raw: older})
	report, err := pkd.Fetch(t.Context(), r)
	if !errors.Is(err, trust.ErrRollback) || len(report.Result.Refused) != 1 || report.Result.Refused[0].Reason != trust.ErrRollback.Code {
		t.Fatalf("older list under a newer version: %v %+v", err, report)
	}
	change(t, d, directory.Entry{Kind: "ml", Country: "UT", Name: "list", Version: 1, Raw: older})
	if _, err := pkd.Fetch(t.Context(), r); !errors.Is(err, pkd.ErrRollback) {
		t.Fatalf("the directory's newest version fell: %v", err)
	}
	change(t, d, directory.Entry{Kind: "dsc", Country: "UT", Name: "signer 4", Version: 61, Raw: u.signer(1004)})
	report = fetch(t, r)
	if len(report.Result.Refused) != 1 || report.Result.Refused[0].Reason != pkd.ErrRollback.Code {
		t.Fatalf("one entry fell back: %+v", report)
	}
	s, err := trust.Open(r.Store)
	if err != nil {
		t.Fatal(err)
	}
	if lists := s.Lists(); len(lists) != 1 || !lists[0].Edition.Equal(today.AddDate(0, -2, 0)) {
		t.Errorf("%+v", lists)
	}
}

func TestRealDirectoryWithTLS(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "directory"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	server := &directory.Certificate{CertPEM: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw}),
		KeyPEM: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})}
	u, x := newState(t, "UT", "UTO"), newState(t, "XO", "XOM")
	d := directory.ForTest(t, server, "UT", "XO")
	load(t, d, published(u, x, 3)...)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(server.CertPEM)
	r := request(t, d, u.CSCA.DER)
	for name, c := range map[string]struct {
		access pkd.Access
		want   error
	}{
		"name and password under TLS": {pkd.Access{StartTLS: true, Roots: roots, Name: directory.Manager, Password: directory.Password}, nil},
		"without a name":              {pkd.Access{StartTLS: true, Roots: roots}, nil},
		"wrong password":              {pkd.Access{StartTLS: true, Roots: roots, Name: directory.Manager, Password: "guess"}, pkd.ErrBind},
		"server of nobody we know":    {pkd.Access{StartTLS: true, Roots: x509.NewCertPool()}, pkd.ErrConnect},
		"password in clear":           {pkd.Access{Name: directory.Manager, Password: directory.Password}, pkd.ErrCleartext},
	} {
		r.Access, r.Store = c.access, t.TempDir()
		if _, err := pkd.Fetch(t.Context(), r); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	r.Access, r.Store = pkd.Access{}, t.TempDir()
	r.Target.Base = "dc=elsewhere," + directory.Base
	if _, err := pkd.Fetch(t.Context(), r); !errors.Is(err, pkd.ErrBase) {
		t.Errorf("base that is not there: %v", err)
	}
	d.Stop()
	if _, err := pkd.Fetch(t.Context(), r); !errors.Is(err, pkd.ErrConnect) {
		t.Errorf("nobody there: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := pkd.Fetch(ctx, r); err == nil {
		t.Error("a cancelled download succeeded")
	}
}
