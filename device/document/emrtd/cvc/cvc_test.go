package cvc_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/document/emrtd/cvc"
	made "github.com/watchpost/watchpost/hwtest/gen/cvc"
	"github.com/watchpost/watchpost/hwtest/gen/der"
	"github.com/watchpost/watchpost/hwtest/gen/pki"
)

func hierarchy(t testing.TB, s made.Spec) *made.Hierarchy {
	t.Helper()
	h, err := made.New(s)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestParse(t *testing.T) {
	h := hierarchy(t, made.Spec{Linked: true, Rights: "finger", Terminal: pki.Scheme{Key: "brainpoolP256r1", Hash: "sha384"}})
	for i, want := range []cvc.Certificate{
		{Authority: "UTCVWATCH00001", Holder: "UTCVWATCH00001", Role: cvc.RoleCVCA, Rights: 3},
		{Authority: "UTCVWATCH00001", Holder: "UTCVWATCH00002", Role: cvc.RoleCVCA, Rights: 3},
		{Authority: "UTCVWATCH00002", Holder: "UTDVWATCH00001", Role: cvc.RoleDomesticDV, Rights: 3},
		{Authority: "UTDVWATCH00001", Holder: "UTISWATCH00001", Role: cvc.RoleInspection, Rights: cvc.RightFinger},
	} {
		raw := append([][]byte{h.CVCA.Raw}, h.Chain()...)[i]
		c, err := cvc.Parse(raw)
		if err != nil || c.Authority != want.Authority || c.Holder != want.Holder || c.Role != want.Role || c.Rights != want.Rights || !bytes.HasSuffix(raw, c.Content) {
			t.Errorf("certificate %d: %+v, %v", i, c, err)
		}
	}
	c, err := cvc.Parse(h.Terminal.Raw)
	if err != nil || cvc.AlgorithmName(c.Algorithm) != "ECDSA SHA-384" || !c.Until.Equal(time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("%+v, %v", c, err)
	}
	if !c.Rights.Group(3) || c.Rights.Group(4) || c.Rights.Group(2) {
		t.Errorf("rights %v", c.Rights)
	}
}

// body is a certificate with parts of one's own.
func body(change func(parts map[string][]byte)) []byte {
	parts := map[string][]byte{
		"0 profile": der.TLV(0x5F29, []byte{0}), "1 authority": der.TLV(0x42, []byte("UTCVWATCH00001")),
		"2 key":    der.TLV(0x7F49, der.OID("0.4.0.127.0.7.2.2.2.2.3"), der.TLV(0x86, []byte{4})),
		"3 holder": der.TLV(0x5F20, []byte("UTISWATCH00001")),
		"4 rights": der.TLV(0x7F4C, der.OID("0.4.0.127.0.7.3.1.2.1"), der.TLV(0x53, []byte{3})),
		"5 from":   der.TLV(0x5F25, []byte{2, 5, 0, 1, 0, 1}), "6 until": der.TLV(0x5F24, []byte{2, 6, 0, 1, 0, 1}),
	}
	change(parts)
	var all []byte
	for _, name := range []string{"0 profile", "1 authority", "2 key", "3 holder", "4 rights", "5 from", "6 until", "7"} {
		all = append(all, parts[name]...)
	}
	return der.TLV(0x7F21, der.TLV(0x7F4E, all), der.TLV(0x5F37, []byte{1}))
}

func TestParseRefuses(t *testing.T) {
	if _, err := cvc.Parse(body(func(map[string][]byte) {})); err != nil {
		t.Fatal(err)
	}
	set := func(name string, value []byte) []byte {
		return body(func(p map[string][]byte) { p[name] = value })
	}
	sound := hierarchy(t, made.Spec{}).Terminal.Raw
	for name, raw := range map[string][]byte{
		"nothing":              nil,
		"another tag":          append([]byte{0x7F, 0x22}, sound[2:]...),
		"cut off":              sound[:len(sound)-1],
		"something after":      append(bytes.Clone(sound), 0),
		"no signature":         der.TLV(0x7F21, der.TLV(0x7F4E)),
		"two signatures":       der.TLV(0x7F21, der.TLV(0x7F4E), der.TLV(0x5F37), der.TLV(0x5F37)),
		"profile 2":            set("0 profile", der.TLV(0x5F29, []byte{1})),
		"no profile":           set("0 profile", nil),
		"short reference":      set("1 authority", der.TLV(0x42, []byte("UT00001"))),
		"long reference":       set("3 holder", der.TLV(0x5F20, []byte("UTISWATCHPOST0001"))),
		"no key":               set("2 key", nil),
		"key of no algorithm":  set("2 key", der.TLV(0x7F49, der.TLV(0x86, []byte{4}))),
		"key for other things": set("2 key", der.TLV(0x7F49, der.OID("1.2.840.10045.2.1"))),
		"another terminal":     set("4 rights", der.TLV(0x7F4C, der.OID("0.4.0.127.0.7.3.1.2.2"), der.TLV(0x53, []byte{3}))),
		"long rights":          set("4 rights", der.TLV(0x7F4C, der.OID("0.4.0.127.0.7.3.1.2.1"), der.TLV(0x53, []byte{0, 0, 3}))),
		"month 13":             set("5 from", der.TLV(0x5F25, []byte{2, 5, 1, 3, 0, 1})),
		"day in letters":       set("6 until", der.TLV(0x5F24, []byte("260101"))),
		"short date":           set("6 until", der.TLV(0x5F24, []byte{2, 6})),
		"something behind":     set("7", der.TLV(0x42, []byte("UTCVWATCH00001"))),
		"huge":                 append(bytes.Clone(sound), make([]byte, 9000)...),
	} {
		if c, err := cvc.Parse(raw); !errors.Is(err, cvc.ErrMalformed) {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
}

func TestReferences(t *testing.T) {
	one, two := der.TLV(0x42, []byte("UTCVWATCH00001")), der.TLV(0x42, []byte("UTCVWATCH00002"))
	filled := func(parts ...[]byte) []byte { return append(bytes.Join(parts, nil), make([]byte, 8)...) }
	for name, tc := range map[string]struct {
		file []byte
		want int
	}{
		"one": {filled(one), 1}, "two": {filled(two, one), 2}, "three": {filled(two, one, two), 2}, "whole": {one, 1},
		"second cut off": {append(bytes.Clone(one), two[:5]...), 1},
	} {
		got, err := cvc.References(tc.file)
		if err != nil || len(got) != tc.want {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	for name, file := range map[string][]byte{"empty": nil, "blank": make([]byte, 36), "short": {0x42, 2, 'U', 'T'}, "cut off": one[:9], "another": der.TLV(0x43, []byte("UTCVWATCH00001"))} {
		if got, err := cvc.References(file); !errors.Is(err, cvc.ErrMalformed) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	h := hierarchy(f, made.Spec{Linked: true})
	for _, raw := range append(h.Chain(), h.CVCA.Raw) {
		f.Add(raw)
	}
	f.Add(append(der.TLV(0x42, []byte("UTCVWATCH00001")), make([]byte, 20)...))
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := cvc.Parse(raw)
		if err != nil && !errors.Is(err, cvc.ErrMalformed) || err == nil && (c.Holder == "" || cvc.AlgorithmName(c.Algorithm) == "") {
			t.Errorf("%+v, %v", c, err)
		}
		if names, err := cvc.References(raw); (err == nil) != (len(names) > 0) {
			t.Errorf("%v, %v", names, err)
		}
	})
}
