package chipauth_test

import (
	"bytes"
	"context"
	"crypto/ecdh"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"math/big"
	"testing"

	"github.com/watchpost/watchpost/device/document/emrtd/apdu"
	"github.com/watchpost/watchpost/device/document/emrtd/chipauth"
	"github.com/watchpost/watchpost/device/document/emrtd/pace"
	"github.com/watchpost/watchpost/device/document/emrtd/sm"
	"github.com/watchpost/watchpost/device/document/lds"
	"github.com/watchpost/watchpost/device/fault"
)

const (
	oidCA = "0.4.0.127.0.7.2.2.3."
	oidPK = "0.4.0.127.0.7.2.2.1."
)

// tlv puts parts together under tag.
func tlv(tag uint16, parts ...[]byte) []byte {
	return apdu.AppendTLV(nil, tag, bytes.Join(parts, nil))
}

func oid(s string) []byte { return tlv(0x06, apdu.OID(s)) }

func integer(v *big.Int) []byte {
	b := v.Bytes()
	if len(b) == 0 || b[0]&0x80 != 0 {
		b = append([]byte{0}, b...)
	}
	return tlv(0x02, b)
}

func small(n int64) []byte { return integer(big.NewInt(n)) }

// infos parses SecurityInfos given as their sequences.
func infos(t testing.TB, entries ...[]byte) []lds.SecurityInfo {
	t.Helper()
	parsed, err := lds.ParseSecurityInfos(tlv(0x31, entries...))
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func ecKey(t testing.TB) (*ecdh.PrivateKey, []byte) {
	t.Helper()
	k, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(k.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	return k, spki
}

// sessionKeys compares a session with the one that secret makes.
func sameSession(t testing.TB, got *sm.Session, suite sm.Suite, secret []byte) {
	t.Helper()
	want, err := sm.FromSecret(suite, secret)
	if err != nil {
		t.Fatal(err)
	}
	a, err := got.Wrap(apdu.Command{INS: 0xB0, Ne: 4})
	if err != nil {
		t.Fatal(err)
	}
	b, err := want.Wrap(apdu.Command{INS: 0xB0, Ne: 4})
	if err != nil || !bytes.Equal(a.Data, b.Data) {
		t.Fatalf("session keys differ, %v", err)
	}
}

// TestLeadingZeros runs the agreement against crypto/ecdh as the chip, with
// ephemeral keys whose shared secret starts with a zero octet among them.
func TestLeadingZeros(t *testing.T) {
	chip, spki := ecKey(t)
	offers, err := chipauth.Offers(infos(t,
		tlv(0x30, oid(oidCA+"2.2"), small(1)),
		tlv(0x30, oid(oidPK+"2"), spki)))
	if err != nil || len(offers) != 1 || offers[0].Suite != sm.AES128 {
		t.Fatalf("%v %v", offers, err)
	}
	zeros := 0
	for k := int64(1); zeros < 2 && k < 5000; k++ {
		private := big.NewInt(k).FillBytes(make([]byte, 32))
		own, err := ecdh.P256().NewPrivateKey(private)
		if err != nil {
			t.Fatal(err)
		}
		secret, err := chip.ECDH(own.PublicKey())
		if err != nil {
			t.Fatal(err)
		}
		if secret[0] != 0 && k > 2 {
			continue
		}
		if secret[0] == 0 {
			zeros++
		}
		var sent []byte
		exchange := func(_ context.Context, c apdu.Command) (apdu.Response, error) {
			if c.INS == 0x86 {
				sent = c.Data
				return apdu.Response{Data: []byte{0x7C, 0}, Status: apdu.StatusOK}, nil
			}
			return apdu.Response{Status: apdu.StatusOK}, nil
		}
		result, err := offers[0].Run(t.Context(), exchange, bytes.NewReader(private))
		if err != nil {
			t.Fatal(err)
		}
		if want := tlv(0x7C, tlv(0x80, own.PublicKey().Bytes())); !bytes.Equal(sent, want) {
			t.Fatalf("sent %X", sent)
		}
		sameSession(t, result.Session, sm.AES128, secret)
	}
	if zeros == 0 {
		t.Error("no secret started with a zero octet")
	}
}

// TestFinite agrees over RFC 5114's group, named and written out, with the
// public number padded to the prime.
func TestFinite(t *testing.T) {
	p, g, q, ok := pace.StandardGroup(0)
	if !ok {
		t.Fatal("no group 0")
	}
	x := big.NewInt(0x1234567)
	y := new(big.Int).Exp(g, x, p)
	bits := tlv(0x03, []byte{0}, integer(y))
	for name, algorithm := range map[string][]byte{
		"named":   tlv(0x30, oid("0.4.0.127.0.7.1.2"), small(0)),
		"X9.42":   tlv(0x30, oid("1.2.840.10046.2.1"), tlv(0x30, integer(p), integer(g), integer(q))),
		"PKCS #3": tlv(0x30, oid("1.2.840.113549.1.3.1"), tlv(0x30, integer(p), integer(g))),
	} {
		offers, err := chipauth.Offers(infos(t,
			tlv(0x30, oid(oidCA+"1.1"), small(1), small(5)),
			tlv(0x30, oid(oidPK+"1"), tlv(0x30, algorithm, bits), small(5))))
		if err != nil || len(offers) != 1 || offers[0].Suite != sm.TripleDES || offers[0].KeyID() != "5" {
			t.Fatalf("%s: %v %v", name, offers, err)
		}
		var sent apdu.Command
		result, err := offers[0].Run(t.Context(), func(_ context.Context, c apdu.Command) (apdu.Response, error) {
			sent = c
			return apdu.Response{Status: apdu.StatusOK}, nil
		}, rand.Reader)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		tag, public, rest, err := apdu.NextTLV(sent.Data)
		if err != nil || sent.P2 != 0xA6 || tag != 0x91 || len(public) != 128 || !bytes.Equal(rest, []byte{0x84, 1, 5}) {
			t.Fatalf("%s: sent %X", name, sent.Data)
		}
		secret := new(big.Int).Exp(new(big.Int).SetBytes(public), x, p).FillBytes(make([]byte, 128))
		sameSession(t, result.Session, sm.TripleDES, secret)
	}
}

func TestOffers(t *testing.T) {
	_, one := ecKey(t)
	_, two := ecKey(t)
	key := func(spki []byte, id int64) []byte { return tlv(0x30, oid(oidPK+"2"), spki, small(id)) }
	info := func(suite string, id int64) []byte { return tlv(0x30, oid(oidCA+"2."+suite), small(1), small(id)) }

	offers, err := chipauth.Offers(infos(t, info("1", 1), info("4", 2), key(one, 1), key(two, 2)))
	if err != nil || len(offers) != 2 || offers[0].Suite != sm.AES256 || offers[0].KeyID() != "2" || offers[1].Suite != sm.TripleDES {
		t.Errorf("two keys: %v %v", offers, err)
	}
	if offers, err = chipauth.Offers(infos(t, tlv(0x30, oid(oidPK+"2"), one))); err != nil || offers[0].Suite != sm.TripleDES || offers[0].KeyID() != "" {
		t.Errorf("no info: %v %v", offers, err)
	}
	if offers, err = chipauth.Offers(infos(t, info("2", 9), key(one, 1))); err != nil || offers[0].Suite != sm.TripleDES {
		t.Errorf("info of another key: %v %v", offers, err)
	}
	if offers, err = chipauth.Offers(infos(t, tlv(0x30, oid(oidCA+"2.2"), small(2), small(1)), key(one, 1))); err != nil || offers[0].Suite != sm.TripleDES {
		t.Errorf("info of version 2: %v %v", offers, err)
	}
	if _, err = chipauth.Offers(infos(t, info("2", 1))); !errors.Is(err, chipauth.ErrNoKey) {
		t.Errorf("info alone: %v", err)
	}

	p, g, q, _ := pace.StandardGroup(1)
	dh := func(p, g, q, y *big.Int) []byte {
		return tlv(0x30, oid(oidPK+"1"), tlv(0x30, tlv(0x30, oid("1.2.840.10046.2.1"), tlv(0x30, integer(p), integer(g), integer(q))), tlv(0x03, []byte{0}, integer(y))))
	}
	offPoint := bytes.Clone(one)
	offPoint[len(offPoint)-1] ^= 1
	n := big.NewInt
	for name, entry := range map[string][]byte{
		"point off the curve":    key(offPoint, 1),
		"curve under the DH arc": tlv(0x30, oid(oidPK+"1"), one),
		"number 1":               dh(p, g, q, n(1)),
		"number p-1":             dh(p, g, q, new(big.Int).Sub(p, n(1))),
		"number over p":          dh(p, g, q, new(big.Int).Add(p, n(5))),
		"not of the group":       dh(p, g, q, n(3)),
		"prime of 512 bits":      dh(new(big.Int).Rsh(p, 1536), g, q, n(2)),
		"prime of 9000 bits":     dh(new(big.Int).Add(new(big.Int).Lsh(p, 6952), n(1)), g, q, n(2)),
		"generator 1":            dh(p, n(1), q, new(big.Int).Exp(g, n(9), p)),
		"unknown algorithm":      tlv(0x30, oid(oidPK+"2"), tlv(0x30, tlv(0x30, oid("1.2.3")), tlv(0x03, []byte{0, 4}))),
		"parameters 31":          tlv(0x30, oid(oidPK+"2"), tlv(0x30, tlv(0x30, oid("0.4.0.127.0.7.1.2"), small(31)), tlv(0x03, []byte{0, 4}))),
		"no key at all":          tlv(0x30, oid(oidPK+"2"), tlv(0x30)),
	} {
		if offers, err := chipauth.Offers(infos(t, entry)); !errors.Is(err, chipauth.ErrKey) {
			t.Errorf("%s: %v %v", name, offers, err)
		}
	}
}

func TestChipThatMisbehaves(t *testing.T) {
	_, spki := ecKey(t)
	for _, suite := range []string{"1", "2"} {
		offers, err := chipauth.Offers(infos(t, tlv(0x30, oid(oidCA+"2."+suite), small(1)), tlv(0x30, oid(oidPK+"2"), spki)))
		if err != nil {
			t.Fatal(err)
		}
		for name, tc := range map[string]struct {
			answer apdu.Response
			want   *fault.Error
		}{
			"6A80":            {apdu.Response{Status: apdu.StatusWrongData}, chipauth.ErrRefused},
			"6300":            {apdu.Response{Status: apdu.StatusAuthFailed}, chipauth.ErrRefused},
			"a warning":       {apdu.Response{Status: apdu.StatusEndOfFile}, chipauth.ErrRefused},
			"another object":  {apdu.Response{Data: []byte{0x7D, 0}, Status: apdu.StatusOK}, chipauth.ErrAnswer},
			"trailing octets": {apdu.Response{Data: []byte{0x7C, 0, 0}, Status: apdu.StatusOK}, chipauth.ErrAnswer},
		} {
			if suite == "1" && tc.want == chipauth.ErrAnswer {
				continue // MSE:Set KAT has no answer to look at
			}
			exchange := func(context.Context, apdu.Command) (apdu.Response, error) { return tc.answer, nil }
			if result, err := offers[0].Run(t.Context(), exchange, rand.Reader); !errors.Is(err, tc.want) || result != nil {
				t.Errorf("suite %s, %s: %v", suite, name, err)
			}
		}
	}
}

func FuzzParseKey(f *testing.F) {
	_, spki := ecKey(f)
	f.Add(spki)
	f.Add(tlv(0x30, tlv(0x30, oid("0.4.0.127.0.7.1.2"), small(13)), tlv(0x03, []byte{0, 4})))
	f.Fuzz(func(t *testing.T, in []byte) {
		k, err := chipauth.ParseKey(in)
		if err != nil && !errors.Is(err, chipauth.ErrKey) {
			t.Fatal(err)
		}
		if err == nil && k.Domain() == "" {
			t.Fatal("a key of no domain")
		}
	})
}
