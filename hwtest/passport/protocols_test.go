package passport

import (
	"bytes"
	"crypto/sha1"
	"encoding/json"
	"fmt"
	"math/big"
	"testing"

	"github.com/watchpost/watchpost/hwtest/gen/curve"
	"github.com/watchpost/watchpost/hwtest/gen/der"
	"github.com/watchpost/watchpost/hwtest/gen/persona"
	"github.com/watchpost/watchpost/hwtest/gen/pki"
)

// wide are the octets from which curve.Scalar draws exactly this key.
func wide(t *testing.T, key string) []byte {
	t.Helper()
	k := new(big.Int).SetBytes(unhex(t, key))
	return k.Sub(k, big.NewInt(1)).FillBytes(make([]byte, 40))
}

// TestPACEOfTheStandardsExample plays Doc 9303-11 (2021), appendix G.1.
func TestPACEOfTheStandardsExample(t *testing.T) {
	c, err := New(Profile{
		Holder: persona.Person{
			Surname: "ERIKSSON", Nationality: "UTO", Issuer: "UTO", DocumentCode: "P",
			DocumentNumber: "T22000129", Born: "1964-08-12", Expires: "2010-10-31",
		},
		Access: Access{PACE: []PACE{{Suite: "aes128", Parameter: 13}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	c.rand = bytes.NewReader(bytes.Join([][]byte{
		unhex(t, "3f00c4d39d153f2b2a214a078d899b22"),
		wide(t, "498ff49756f2dc1587840041839a85982be7761d14715fb091efa7bce9058560"),
		wide(t, "107cf58696ef6155053340fd633392ba81909df7b9706f226f32086c7aff974a"),
	}, nil))
	if got, want := c.doc.Files["CardAccess"], unhex(t, "31143012060a04007f0007020204020202010202010d"); !bytes.Equal(got, want) {
		t.Errorf("EF.CardAccess %X, want %X", got, want)
	}
	play(t, c, []exchange{
		{"MSE:Set AT", "0022c1a40f800a04007f00070202040202830101", "9000"},
		{"nonce", "10860000027c0000", "7c12801095a3a016522ee98d01e76cb6b98b42c39000"},
		{"map", "10860000457c438141047acf3efc982ec45565a4b155129efbc74650dcbfa6362d896fc70262e0c2cc5e544552dcb6725218799115b55c9baa6d9f6bc3a9618e70c25af71777a9c4922d00",
			"7c43824104824fba91c9cbe26bef53a0ebe7342a3bf178cea9f45de0b70aa601651fba3f5730d8c879aaa9c9f73991e61b58f4d52eb87a0a0c709a49dc63719363ccd13c549000"},
		{"agree", "10860000457c438341042db7a64c0355044ec9df190514c625cba2cea48754887122f3a5ef0d5edd301c3556f3b3b186df10b857b58f6a7eb80f20ba5dc7be1d43d9bf850149fbb3646200",
			"7c438441049e880f842905b8b3181f7af7caa9f0efb743847f44a306d2d28c1d9ec65df6db7764b22277a2eddc3c265a9f018f9cb852e111b768b326904b59a0193776f0949000"},
		{"confirm", "008600000c7c0a8508c2b0bd78d94ba86600", "7c0a86083abb9674bce93c089000"},
	})
	if !c.state.granted || c.state.sm == nil || !bytes.Equal(c.state.sm.encKey, unhex(t, "f5f0e35c0d7161ee6724ee513a0d9a7f")) {
		t.Error("no session with the example's key")
	}
}

func portrait(size int) []byte {
	// The head of a JPEG of 413 by 531: the chip and the record look no further.
	head := []byte{0xFF, 0xD8, 0xFF, 0xC0, 0x00, 0x11, 8, 531 >> 8, 531 & 0xFF, 413 >> 8, 413 & 0xFF, 3}
	return append(head, bytes.Repeat([]byte{0xA5}, size-len(head))...)
}

func TestPACEAndReadingOverEveryCurveAndSuite(t *testing.T) {
	for parameter := 8; parameter <= 18; parameter++ {
		s := []string{"3des", "aes128", "aes192", "aes256"}[parameter%4]
		t.Run(fmt.Sprintf("%d %s", parameter, s), func(t *testing.T) {
			offer := PACE{Suite: s, Parameter: parameter}
			c, err := New(Profile{PortraitData: portrait(3000), Access: Access{NoBAC: true, CAN: "123456", PACE: []PACE{offer}}})
			if err != nil {
				t.Fatal(err)
			}
			r := &terminal{t: t, chip: c}
			sum := sha1.Sum([]byte(c.doc.Secret.AccessInfo))
			r.pace(offer, passwordMRZ, sum[:])
			c.Reset()
			r.pace(offer, passwordCAN, []byte("123456"))
			r.must(0xA4, 4, 0x0C, aid, 0)
			if got := r.readFile("DG2", 1000); !bytes.Equal(got, c.doc.Files["DG2"]) {
				t.Error("DG2 comes out otherwise than it went in")
			}
		})
	}
}

// selection is MSE:Set AT for PACE with one reference, in hexadecimal.
func selection(offer PACE, reference string) string {
	data := append(der.Retag(0x80, der.OID(offer.oid())), []byte{0x83, 1}...)
	return fmt.Sprintf("0022C1A4%02X%X%s", len(data)+1, data, reference)
}

func TestPACERefusals(t *testing.T) {
	offer := PACE{Suite: "aes128", Parameter: 13}
	choose := exchange{"select", selection(offer, "01"), "9000"}
	for _, tc := range []struct {
		name   string
		script []exchange
	}{
		{"protocol not offered", []exchange{{"", selection(PACE{Suite: "aes256", Parameter: 13}, "01"), "6A80"}}},
		{"no CAN", []exchange{{"", selection(offer, "02"), "6A88"}}},
		{"parameters not offered", []exchange{{"", "0022C1A412800A04007F0007020204020283010184010C", "6A80"}}},
		{"nothing selected", []exchange{{"", "10860000027C0000", "6985"}}},
		{"first step without chaining bit", []exchange{choose, {"", "00860000027C0000", "6884"}}},
		{"second step first", []exchange{choose, {"", "10860000047C02810000", "6A80"}}},
		{"point of the wrong length", []exchange{choose, {"", "10860000067C0481020400" + "00", "6A80"}}},
		{"other command in between", []exchange{choose, {"", "0084000008", "6985"}, {"", "10860000027C0000", "6985"}}},
		{"step parameters", []exchange{choose, {"", "10860001027C0000", "6A86"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := chipWith(t, func(d *Document) { d.Access.PACE = []PACE{offer} })
			play(t, c, tc.script)
		})
	}
}

func TestLeadingZeroSecrets(t *testing.T) {
	// A field element of secp521r1 begins with a zero octet half the time: cheap.
	for step, parameter := range map[string]int{"pace-2": 18, "pace-3": 12} {
		offer := PACE{Suite: "aes128", Parameter: parameter}
		c := chipWith(t, func(d *Document) {
			d.Access.PACE, d.Faults = []PACE{offer}, []Fault{{Kind: KindLeadingZero, Step: step}}
		})
		r := &terminal{t: t, chip: c}
		sum := sha1.Sum([]byte(c.doc.Secret.AccessInfo))
		r.pace(offer, passwordMRZ, sum[:]) // a terminal that pads agrees with the chip
	}
}

func TestChipAuthentication(t *testing.T) {
	for _, key := range []ChipKey{
		{Curve: "brainpoolP256r1", Suite: "aes128"},
		{Curve: "secp384r1", Suite: "aes256", KeyID: 7, Explicit: true},
		{Curve: "brainpoolP320r1", Suite: "3des"},
		{Curve: "secp224r1", Suite: "3des", OmitInfo: true},
	} {
		for _, clone := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s %s clone %v", key.Curve, key.Suite, clone), func(t *testing.T) {
				c, err := New(Profile{Authenticity: Authenticity{ChipKeys: []ChipKey{key}, Clone: clone}})
				if err != nil {
					t.Fatal(err)
				}
				r := &terminal{t: t, chip: c}
				r.bac()
				chipAuthenticate(t, r, key)
				answer := r.sealedRead(t)
				if refused := bytes.Equal(answer, []byte{0x69, 0x88}); refused != clone {
					t.Errorf("answer under the new keys: %X", answer)
				}
			})
		}
	}
}

// chipAuthenticate runs the protocol with the public key that DG14 names and
// goes over to the new keys.
func chipAuthenticate(t *testing.T, r *terminal, key ChipKey) {
	t.Helper()
	domain, err := curve.ByName(key.Curve)
	if err != nil {
		t.Fatal(err)
	}
	dg14 := r.readFile("DG14", 200)
	if !bytes.Contains(dg14, der.OID(oidPublicKeyECDH)) || bytes.Contains(dg14, der.OID(key.oid())) == key.OmitInfo {
		t.Fatal("DG14 does not announce the protocol as meant")
	}
	// The point is what the one BIT STRING of DG14 holds.
	size := 1 + 2*domain.Size()
	head := append(der.TLV(0x03, make([]byte, size+1))[:2], 0)
	if size >= 0x7F {
		head = append([]byte{0x03, 0x81, byte(size + 1)}, 0)
	}
	at := bytes.LastIndex(dg14, head)
	if at < 0 {
		t.Fatal("no public key in DG14")
	}
	static, ok := domain.Decode(dg14[at+len(head) : at+len(head)+size])
	if !ok {
		t.Fatal("the public key in DG14 is no point")
	}
	k, err := domain.Scalar(pki.Stream("terminal", key.Curve))
	if err != nil {
		t.Fatal(err)
	}
	point := domain.Encode(domain.Public(k))
	var id []byte
	if key.KeyID != 0 {
		id = []byte{0x84, 1, byte(key.KeyID)}
	}
	if key.Suite == "3des" {
		r.must(0x22, 0x41, 0xA6, append(der.TLV(0x91, point), id...), 0)
	} else {
		r.must(0x22, 0x41, 0xA4, append(der.Retag(0x80, der.OID(key.oid())), id...), 0)
		if got := r.must(0x86, 0, 0, der.TLV(0x7C, der.TLV(0x80, point)), 256); !bytes.Equal(got, []byte{0x7C, 0}) {
			t.Fatalf("general authenticate: %X", got)
		}
	}
	r.start(suites[key.Suite], domain.Shared(k, static))
}

// sealedRead sends a protected READ BINARY and returns the answer as it came.
func (r *terminal) sealedRead(t *testing.T) []byte {
	t.Helper()
	ssc := r.counter()
	le := der.TLV(0x97, []byte{4})
	header := []byte{0x0C, 0xB0, 0, 0}
	block := r.suite.blockSize()
	mac := r.suite.mac(r.macKey, pad(append(append(ssc, pad(header, block)...), le...), block))
	body := append(le, der.TLV(0x8E, mac)...)
	return r.raw(append(append(append(header, byte(len(body))), body...), 0))
}

func TestChipAuthenticationRefusals(t *testing.T) {
	c, err := New(Profile{Authenticity: Authenticity{ChipKeys: []ChipKey{{Curve: "secp256r1", Suite: "aes128", KeyID: 3}}}})
	if err != nil {
		t.Fatal(err)
	}
	play(t, c, []exchange{{"without a session", "002241A40C800A04007F00070202030202", "6982"}})
	oid := der.Retag(0x80, der.OID("0.4.0.127.0.7.2.2.3.2.2"))
	for _, tc := range []struct {
		name   string
		p2     byte
		data   []byte
		status int
	}{
		{"other key id", 0xA4, append(bytes.Clone(oid), 0x84, 1, 4), swReferenceAbsent},
		{"other protocol", 0xA4, der.Retag(0x80, der.OID("0.4.0.127.0.7.2.2.3.2.4")), swReferenceAbsent},
		{"no 3DES key", 0xA6, der.TLV(0x91, []byte{4}), swReferenceAbsent},
		{"unknown object", 0xA4, append(bytes.Clone(oid), 0x85, 0), swData},
	} {
		r := &terminal{t: t, chip: c}
		c.Reset()
		r.bac()
		if _, sw := r.protected(0x22, 0x41, tc.p2, tc.data, 0); sw != tc.status {
			t.Errorf("%s: status %04X, want %04X", tc.name, sw, tc.status)
		}
		if _, sw := r.protected(0x86, 0, 0, der.TLV(0x7C, der.TLV(0x80, []byte{4})), 256); sw != swConditions {
			t.Errorf("%s: agreement goes on with status %04X", tc.name, sw)
		}
	}
}

func TestActiveAuthentication(t *testing.T) {
	challenge := []byte("12345678")
	for _, scheme := range []pki.Scheme{
		{Key: "rsa-1024", Hash: "sha1"}, {Key: "rsa-1024", Hash: "sha256"}, {Key: "rsa-1280", Hash: "sha512"},
		{Key: "brainpoolP256r1", Hash: "sha256"}, {Key: "secp384r1", Hash: "sha256"}, {Key: "secp521r1", Hash: "sha512"},
	} {
		for _, clone := range []bool{false, true} {
			p := Profile{Authenticity: Authenticity{Active: &scheme, Clone: clone}}
			c, err := New(p)
			if err != nil {
				t.Fatal(err)
			}
			r := &terminal{t: t, chip: c}
			r.bac()
			signature := r.must(0x88, 0, 0, challenge, 256)
			public, err := p.chipKey(scheme, "active authentication") // the key that DG15 names
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Contains(c.doc.Files["DG15"], public.PublicKey()) {
				t.Fatal("DG15 names another key")
			}
			if got := verifyActive(t, public, challenge, signature); got == clone {
				t.Errorf("%s %s, clone %v: verifies %v", scheme.Key, scheme.Hash, clone, got)
			}
		}
	}
}

func verifyActive(t *testing.T, key *pki.Key, challenge, signature []byte) bool {
	t.Helper()
	if key.RSA == nil {
		half := len(signature) / 2
		digest, err := pki.Digest(key.Scheme.Hash, challenge)
		if err != nil {
			t.Fatal(err)
		}
		return key.Curve.Verify(key.Curve.Public(key.D), digest, new(big.Int).SetBytes(signature[:half]), new(big.Int).SetBytes(signature[half:]))
	}
	m := new(big.Int).SetBytes(signature)
	f := m.Exp(m, big.NewInt(int64(key.RSA.E)), key.RSA.N).FillBytes(make([]byte, key.RSA.Size()))
	trailer := aaHashes[key.Scheme.Hash].trailer
	if f[0] != 0x6A || !bytes.HasSuffix(f, trailer) {
		return false
	}
	empty, err := pki.Digest(key.Scheme.Hash, nil)
	if err != nil {
		t.Fatal(err)
	}
	end := len(f) - len(trailer)
	own, sum := f[1:end-len(empty)], f[end-len(empty):end]
	want, err := pki.Digest(key.Scheme.Hash, append(bytes.Clone(own), challenge...))
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Equal(sum, want)
}

// TestDocumentSurvivesTheWayToAnotherProcess is what the bench relies on.
func TestDocumentSurvivesTheWayToAnotherProcess(t *testing.T) {
	doc, err := Personalise(Profile{
		PortraitData: portrait(500),
		Access:       Access{CAN: "000001", PACE: []PACE{{Suite: "aes256", Parameter: 17}}},
		Authenticity: Authenticity{ChipKeys: []ChipKey{{Curve: "brainpoolP512r1", Suite: "aes256"}}, Active: &pki.Scheme{Key: "rsa-1024", Hash: "sha1"}},
		Faults:       []Fault{{Kind: KindTear, At: 900}},
	})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	var again Document
	if err := json.Unmarshal(text, &again); err != nil {
		t.Fatal(err)
	}
	c, err := NewChip(&again)
	if err != nil {
		t.Fatal(err)
	}
	r := &terminal{t: t, chip: c}
	r.pace(again.Access.PACE[0], passwordCAN, []byte("000001"))
	r.must(0xA4, 4, 0x0C, aid, 0)
	if got := r.readFile("DG2", 200); !bytes.Equal(got, doc.Files["DG2"]) {
		t.Error("DG2 has changed on the way")
	}
	if len(r.must(0x88, 0, 0, []byte("12345678"), 256)) != 128 {
		t.Error("the key of active authentication has changed on the way")
	}
	chipAuthenticate(t, r, again.Secret.ChipKeys[0])
	if answer := r.sealedRead(t); bytes.Equal(answer, []byte{0x69, 0x88}) {
		t.Error("the key of chip authentication has changed on the way")
	}
}
