package activeauth

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"testing"

	"github.com/watchpost/watchpost/device/document/emrtd/apdu"
	"github.com/watchpost/watchpost/device/fault"
)

var testChallenge = []byte{1, 2, 3, 4, 5, 6, 7, 8}

// representative builds what a signature recovers.
func representative(size int, h crypto.Hash, trailer []byte, padding int, challenge []byte) []byte {
	head := []byte{0x6A}
	if padding > 0 {
		head = append(append([]byte{0x6B}, bytes.Repeat([]byte{0xBB}, padding-1)...), 0xBA)
	}
	m1 := make([]byte, size-len(head)-h.Size()-len(trailer))
	rand.Read(m1)
	d := h.New()
	d.Write(m1)
	d.Write(challenge)
	f := append(head, m1...)
	f = append(f, d.Sum(nil)...)
	return append(f, trailer...)
}

func rsaKey(t testing.TB, bits int) (*rsa.PrivateKey, *Key) {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	k, err := ParseKey(spki, "")
	if err != nil {
		t.Fatal(err)
	}
	return private, k
}

func sign(private *rsa.PrivateKey, f []byte) []byte {
	s := new(big.Int).Exp(new(big.Int).SetBytes(f), private.D, private.N)
	return s.FillBytes(make([]byte, private.Size()))
}

func TestTrailers(t *testing.T) {
	private, k := rsaKey(t, 1024)
	for _, tc := range []struct {
		hash    crypto.Hash
		trailer []byte
	}{
		{crypto.SHA1, []byte{0xBC}}, {crypto.SHA1, []byte{0x33, 0xCC}}, {crypto.SHA256, []byte{0x34, 0xCC}},
		{crypto.SHA384, []byte{0x36, 0xCC}}, {crypto.SHA512, []byte{0x35, 0xCC}}, {crypto.SHA224, []byte{0x38, 0xCC}},
	} {
		for padding := range 4 {
			signature := sign(private, representative(128, tc.hash, tc.trailer, padding, testChallenge))
			if err := k.Verify(testChallenge, signature); err != nil {
				t.Errorf("%X, padding %d: %v", tc.trailer, padding, err)
			}
			// The smaller of s and n-s is the same signature.
			other := new(big.Int).Sub(private.N, new(big.Int).SetBytes(signature)).FillBytes(make([]byte, 128))
			if err := k.Verify(testChallenge, other); err != nil {
				t.Errorf("%X, n-s: %v", tc.trailer, err)
			}
			if err := k.Verify([]byte{8, 7, 6, 5, 4, 3, 2, 1}, signature); !errors.Is(err, ErrSignature) {
				t.Errorf("%X, another challenge: %v", tc.trailer, err)
			}
		}
	}
}

func TestBadSignatures(t *testing.T) {
	private, k := rsaKey(t, 1024)
	good := representative(128, crypto.SHA256, []byte{0x34, 0xCC}, 0, testChallenge)
	with := func(change func(f []byte)) []byte {
		f := bytes.Clone(good)
		change(f)
		return sign(private, f)
	}
	for name, tc := range map[string]struct {
		signature []byte
		want      *fault.Error
	}{
		"empty":              {nil, ErrLength},
		"one octet short":    {sign(private, good)[1:], ErrLength},
		"one octet long":     {append(sign(private, good), 0), ErrLength},
		"zero":               {make([]byte, 128), ErrFormat},
		"over the modulus":   {bytes.Repeat([]byte{0xFF}, 128), ErrSignature},
		"unknown hash":       {with(func(f []byte) { f[126] = 0x31 }), ErrHash},
		"hash of another":    {with(func(f []byte) { f[126] = 0x33 }), ErrSignature},
		"message altered":    {with(func(f []byte) { f[5] ^= 1 }), ErrSignature},
		"hash altered":       {with(func(f []byte) { f[120] ^= 1 }), ErrSignature},
		"no partial message": {with(func(f []byte) { f[0] = 0x4A }), ErrFormat},
		"header 00":          {with(func(f []byte) { f[0] = 0 }), ErrFormat},
		"header 6C":          {with(func(f []byte) { f[0] = 0x6C }), ErrFormat},
		"padding for ever":   {with(func(f []byte) { copy(f, bytes.Repeat([]byte{0xBB}, 127)); f[0] = 0x6B; f[126] = 0x34 }), ErrFormat},
		"another key":        {func() []byte { p, _ := rsaKey(t, 1024); return sign(p, good) }(), nil},
	} {
		err := k.Verify(testChallenge, tc.signature)
		if err == nil || tc.want != nil && !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
}

func TestECDSA(t *testing.T) {
	private, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256(testChallenge)
	r, s, err := ecdsa.Sign(rand.Reader, private, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	plain := append(r.FillBytes(make([]byte, 48)), s.FillBytes(make([]byte, 48))...)
	der, err := ecdsa.SignASN1(rand.Reader, private, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	// A P-384 key that signs SHA-256 with no word of it in DG14 is in use, and
	// so is one whose DG14 names another hash.
	for _, algorithm := range []string{"", oidPlain + "3", oidPlain + "5"} {
		k, err := ParseKey(spki, algorithm)
		if err != nil {
			t.Fatal(err)
		}
		for name, signature := range map[string][]byte{"plain": plain, "DER": der} {
			if err := k.Verify(testChallenge, signature); err != nil {
				t.Errorf("%q, %s: %v", algorithm, name, err)
			}
		}
		altered := bytes.Clone(plain)
		altered[95] ^= 1
		// Which of the two a signature of another length is meant to be its first
		// octet says.
		short, sequence := bytes.Clone(plain[:95]), bytes.Clone(plain[:95])
		short[0], sequence[0] = 0x31, 0x30
		for name, tc := range map[string]struct {
			challenge, signature []byte
			want                 *fault.Error
		}{
			"altered":           {testChallenge, altered, ErrSignature},
			"another challenge": {make([]byte, 8), plain, ErrSignature},
			"short":             {testChallenge, short, ErrLength},
			"short sequence":    {testChallenge, sequence, ErrSignature},
			"empty":             {testChallenge, nil, ErrLength},
			"zero":              {testChallenge, make([]byte, 96), ErrSignature},
			"half a sequence":   {testChallenge, der[:20], ErrSignature},
		} {
			if err := k.Verify(tc.challenge, tc.signature); !errors.Is(err, tc.want) {
				t.Errorf("%s: %v, want %s", name, err, tc.want.Code)
			}
		}
	}
	k, err := ParseKey(spki, "1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Verify(testChallenge, plain); !errors.Is(err, ErrHash) {
		t.Errorf("unknown algorithm: %v", err)
	}
	for _, bad := range [][]byte{nil, {0x30, 0}, spki[:len(spki)-1], append(bytes.Clone(spki), 0)} {
		if _, err := ParseKey(bad, ""); !errors.Is(err, ErrKey) {
			t.Errorf("%d octets: %v", len(bad), err)
		}
	}
}

func TestRefused(t *testing.T) {
	_, k := rsaKey(t, 1024)
	exchange := func(context.Context, apdu.Command) (apdu.Response, error) {
		return apdu.Response{Status: apdu.StatusSecurity}, nil
	}
	if _, _, err := k.Challenge(t.Context(), exchange, rand.Reader, false); !errors.Is(err, ErrRefused) {
		t.Error(err)
	}
}

// TestDoc9303Example checks message recovery on the representative of Doc
// 9303-11, appendix F; the public key is not printed there.
func TestDoc9303Example(t *testing.T) {
	dir := os.Getenv("WATCHPOST_DATA")
	if dir == "" {
		t.Skip("WATCHPOST_DATA is not set: the worked example of Active Authentication is not checked")
	}
	data, err := os.ReadFile(filepath.Join(dir, "emrtd/doc9303/worked_examples.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Examples []struct {
			ID               string
			Inputs, Expected map[string]any
		}
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	for _, e := range file.Examples {
		if e.ID != "active_authentication_rsa" {
			continue
		}
		f, err := hex.DecodeString(e.Expected["f"].(string))
		if err != nil {
			t.Fatal(err)
		}
		challenge, err := hex.DecodeString(e.Inputs["rnd_ifd"].(string))
		if err != nil {
			t.Fatal(err)
		}
		if err := verifyRepresentative(f, challenge); err != nil {
			t.Error(err)
		}
		f[20] ^= 1
		if err := verifyRepresentative(f, challenge); !errors.Is(err, ErrSignature) {
			t.Error(err)
		}
		return
	}
	t.Error("the example is missing")
}

func FuzzRepresentative(f *testing.F) {
	f.Add([]byte{0x6A, 1, 2, 0x33, 0xCC})
	f.Add(bytes.Repeat([]byte{0xBB}, 128))
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) == 0 {
			return // a modulus has octets
		}
		if verifyRepresentative(in, testChallenge) == nil && len(in) < 22 {
			t.Fatal("accepted without room for a hash")
		}
	})
}
