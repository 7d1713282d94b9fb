package passport

import (
	"testing"

	"github.com/watchpost/watchpost/hwtest/gen/curve"
	"github.com/watchpost/watchpost/hwtest/gen/cvc"
	"github.com/watchpost/watchpost/hwtest/gen/der"
)

// content is what PSO: VERIFY CERTIFICATE carries of a certificate.
func content(t testing.TB, raw []byte) []byte {
	t.Helper()
	o, rest, ok := nextObject(raw)
	if !ok || o.tag != 0x7F21 || len(rest) != 0 {
		t.Fatal("no certificate")
	}
	return o.value
}

func TestParseCV(t *testing.T) {
	h, err := cvc.New(cvc.Spec{})
	if err != nil {
		t.Fatal(err)
	}
	sound := content(t, h.Terminal.Raw)
	c, ok := parseCV(sound)
	if !ok || c.authority != "UTDVWATCH00001" || c.holder != "UTISWATCH00001" || c.rights != 3 {
		t.Errorf("%+v %t", c, ok)
	}
	brainpool, err := curve.ByName("brainpoolP256r1")
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := parseCVKey(c.key, nil); ok {
		t.Error("a key without domain parameters was taken without an issuer's curve")
	}
	if k, ok := parseCVKey(c.key, brainpool); !ok || k.verify(c.body, c.signature) {
		t.Error("the key is not taken, or verifies what another signed")
	}
	for name, data := range map[string][]byte{
		"nothing": nil, "cut off": sound[:len(sound)-1], "signature first": append(der.TLV(0x5F37, []byte{1}), sound...),
		"object alone": der.TLV(0x7F4E), "empty body": append(der.TLV(0x7F4E), der.TLV(0x5F37, []byte{1})...),
	} {
		if _, ok := parseCV(data); ok {
			t.Errorf("%s: taken", name)
		}
	}
}

func FuzzParseCV(f *testing.F) {
	h, err := cvc.New(cvc.Spec{Linked: true})
	if err != nil {
		f.Fatal(err)
	}
	for _, raw := range h.Chain() {
		f.Add(content(f, raw))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, ok := parseCV(data)
		if !ok {
			return
		}
		if k, ok := parseCVKey(c.key, nil); ok {
			k.verify(c.body, c.signature)
		}
	})
}
