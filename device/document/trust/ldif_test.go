package trust_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/watchpost/watchpost/device/document/trust"
)

// fold writes an attribute value in base64, folded at 76 characters (RFC 2849 note 2).
func fold(name string, value []byte) string {
	line := name + ":: " + base64.StdEncoding.EncodeToString(value)
	var b strings.Builder
	for width := 76; len(line) > width; width = 75 {
		b.WriteString(line[:width] + "\r\n ")
		line = line[width:]
	}
	return b.String() + line + "\r\n"
}

func TestLDIF(t *testing.T) {
	u, x, b := newState(t, "UT"), newState(t, "XO"), newBench(t)
	file := "# PKD\r\nversion: 1\r\n\r\n" +
		"dn: cn=DS 1,o=dsc,c=UT\r\nobjectClass: inetOrgPerson\r\nc: UT\r\n" + fold("userCertificate;binary", u.dsRaw) + "\r\n" +
		"dn: cn=DS 1,o=dsc,c=XO\r\n" + fold("userCertificate;binary", x.dsRaw) + "\r\n" +
		"dn: cn=CSCA,c=XO\r\n" + fold("cACertificate;binary", x.rootRaw) + "\r\n" +
		"dn: cn=broken,c=UT\r\n" + fold("userCertificate;binary", []byte{0x30, 0x03, 1, 2, 3}) + "\r\n" +
		"dn: cn=crl,c=UT\r\n" + fold("certificateRevocationList;binary", u.crl(now, 10)) + "\r\n" +
		"dn:: " + base64.StdEncoding.EncodeToString([]byte("cn=list,c=UT")) + "\r\ndescription:: aGVsbG8=\r\njpegPhoto:< file:///etc/passwd\r\n" +
		fold("pkdMasterListContent", u.masterList(now, u.rootRaw, u.nextRaw))
	r, err := b.try([]byte(file), u.rootRaw)
	if err != nil {
		t.Fatal(err)
	}
	// Lists come first whatever their place: DS 1 and the CRL hang on the list's CSCA.
	if r.Kind != trust.FileLDIF || r.Certificates != 5 || r.Accepted != 3 || len(r.Refused) != 3 {
		t.Fatalf("%+v", r)
	}
	want := map[string]int{"C=XO,O=State,CN=DS 1 trust.unanchored": 1, "C=XO,O=State,CN=CSCA trust.unanchored": 1, "cn=broken,c=UT trust.unrecognized": 1}
	for _, x := range r.Refused {
		want[x.Subject+" "+string(x.Reason)]--
	}
	for k, n := range want {
		if n != 0 {
			t.Errorf("%s: %+v", k, r.Refused)
		}
	}
	if c := b.open().Chain(parse(t, u.dsRaw), now); c.Revocation.State != trust.RevocationRevoked {
		t.Errorf("%+v", c.Revocation)
	}
	if e := b.open().Find(parse(t, u.dsRaw)); e.Kind != trust.KindDS || e.Provenance[0].Entry != "cn=DS 1,o=dsc,c=UT" {
		t.Errorf("%+v", e.Provenance)
	}
}

func TestUnreadableFiles(t *testing.T) {
	u, b := newState(t, "UT"), newBench(t)
	b.take(u.rootRaw)
	for name, x := range map[string]struct {
		raw  string
		want error
	}{
		"empty":             {"", trust.ErrUnrecognized},
		"text":              {"hello\n", trust.ErrUnrecognized},
		"a sequence":        {"\x30\x03\x02\x01\x01", trust.ErrUnrecognized},
		"a length past end": {"\x30\x84\xff\xff\xff\xff\x30\x10", trust.ErrUnrecognized},
		"a private key":     {string(pemOf("EC PRIVATE KEY", []byte{0x30, 0})), trust.ErrUnrecognized},
		"an unknown block":  {string(pemOf("DH PARAMETERS", []byte{0x30, 0})), trust.ErrUnrecognized},
		"LDIF without data": {"version: 1\n\ndn: c=UT\nc: UT\n", trust.ErrUnrecognized},
		"LDIF, not base64":  {"dn: c=UT\nuserCertificate;binary:: !!!\n", trust.ErrLDIF},
		"LDIF, no colon":    {"dn: c=UT\nhello\n", trust.ErrLDIF},
		"cut certificate":   {string(u.nextRaw[:200]), trust.ErrUnrecognized},
	} {
		t.Run(name, func(t *testing.T) { b.refuse(x.want, []byte(x.raw)) })
	}
}
