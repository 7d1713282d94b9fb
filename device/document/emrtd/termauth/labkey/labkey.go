// Package labkey is the key of an inspection system in a file, for
// laboratories and benches: at a post the key is in other hands, and the post
// asks for signatures (termauth.ISKey).
package labkey

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha1" // chips of the first years know nothing else
	_ "crypto/sha256"
	_ "crypto/sha512"
	"crypto/x509"
	"log/slog"
	"math/big"
	"slices"

	"github.com/watchpost/watchpost/device/document/emrtd/cvc"
	"github.com/watchpost/watchpost/device/document/emrtd/pace"
	"github.com/watchpost/watchpost/device/document/pki"
	"github.com/watchpost/watchpost/device/document/pki/curve"
	"github.com/watchpost/watchpost/device/document/pki/der"
	"github.com/watchpost/watchpost/device/fault"
)

// ErrFile: a file that holds no usable key with certificates.
var ErrFile = &fault.Error{
	Code: "is_key.file",
	Hint: "a PEM file with one PRIVATE KEY (PKCS #8) and the CV CERTIFICATE blocks from the verifying authority to the inspection system",
}

// Key is a private key with its certificates. It prints as nothing and is
// safe for concurrent use.
type Key struct {
	certificates []*cvc.Certificate
	terminal     *cvc.Certificate // whose key it is

	rsa    *rsa.PrivateKey
	curve  *curve.Curve
	scalar *big.Int
}

// LogValue keeps the key out of logs.
func (*Key) LogValue() slog.Value { return slog.StringValue("inspection system's key (redacted)") }

// String keeps the key out of the fmt verbs.
func (*Key) String() string { return "inspection system's key (redacted)" }

// GoString keeps the key out of %#v.
func (k *Key) GoString() string { return k.String() }

func bad(format string, args ...any) error {
	return fault.New(ErrFile.Code, format, args...).WithHint(ErrFile.Hint)
}

// Parse reads a PEM file: one PRIVATE KEY (PKCS #8, RSA or a named curve) and
// CV CERTIFICATE blocks in any order, of which one is an inspection system's.
func Parse(file []byte) (*Key, error) {
	k := &Key{}
	for _, block := range pki.DecodePEM(file) {
		switch block.Type {
		case "PRIVATE KEY":
			if k.rsa != nil || k.curve != nil {
				return nil, bad("more than one private key")
			}
			if err := k.readPrivate(block.Bytes); err != nil {
				return nil, err
			}
		case "CV CERTIFICATE":
			c, err := cvc.Parse(block.Bytes)
			if err != nil {
				return nil, bad("%w", err)
			}
			k.certificates = append(k.certificates, c)
			if c.Role == cvc.RoleInspection {
				k.terminal = c
			}
		}
	}
	switch {
	case k.rsa == nil && k.curve == nil:
		return nil, bad("no private key")
	case k.terminal == nil:
		return nil, bad("no certificate of an inspection system")
	}
	if _, err := k.hash(); err != nil {
		return nil, err
	}
	return k, nil
}

func (k *Key) readPrivate(b []byte) error {
	if parsed, err := x509.ParsePKCS8PrivateKey(b); err == nil {
		if key, ok := parsed.(*rsa.PrivateKey); ok {
			k.rsa = key
			return nil
		}
	}
	// Curves come here all alike: the standard library knows no Brainpool.
	outer, err := der.ParseStrict(b)
	if err != nil {
		return bad("private key: %w", err)
	}
	r := outer.Reader()
	if _, err := r.Expect(der.Integer); err != nil {
		return bad("private key: %w", err)
	}
	algorithm, err := r.Expect(der.Sequence)
	if err != nil {
		return bad("private key: %w", err)
	}
	secret, err := r.Expect(der.OctetString)
	if err != nil {
		return bad("private key: %w", err)
	}
	a := algorithm.Reader()
	if _, err := a.Expect(der.ObjectID); err != nil {
		return bad("private key: %w", err)
	}
	name, err := a.Expect(der.ObjectID)
	if err != nil {
		return bad("private key is neither RSA nor on a named curve")
	}
	oid, err := name.OID()
	if err != nil {
		return bad("private key: %w", err)
	}
	inner, err := der.ParseStrict(secret.Content)
	if err != nil {
		return bad("private key: %w", err)
	}
	i := inner.Reader()
	if _, err := i.Expect(der.Integer); err != nil {
		return bad("private key: %w", err)
	}
	scalar, err := i.Expect(der.OctetString)
	if err != nil {
		return bad("private key: %w", err)
	}
	c := curve.ByOID(oid)
	d := new(big.Int).SetBytes(scalar.Content)
	if c == nil || d.Sign() == 0 || d.Cmp(c.N) >= 0 {
		return bad("private key on a curve that is not known, or out of range")
	}
	k.curve, k.scalar = c, d
	return nil
}

// Certificates implements termauth.ISKey: the chain up to the first of the
// authorities that it reaches.
func (k *Key) Certificates(_ context.Context, authorities []string) ([][]byte, error) {
	for _, authority := range authorities {
		chain := [][]byte{k.terminal.Raw}
		for c := k.terminal; len(chain) <= len(k.certificates); {
			if c.Authority == authority {
				slices.Reverse(chain)
				return chain, nil
			}
			at := slices.IndexFunc(k.certificates, func(p *cvc.Certificate) bool { return p.Holder == c.Authority && p.Authority != p.Holder })
			if at < 0 {
				break
			}
			c = k.certificates[at]
			chain = append(chain, c.Raw)
		}
	}
	return nil, nil
}

// hash is the hash of the terminal's algorithm; it fails where the algorithm
// is not of the key's kind.
func (k *Key) hash() (crypto.Hash, error) {
	kinds := map[string]struct {
		rsa  bool
		hash crypto.Hash
	}{
		"RSA SHA-1": {true, crypto.SHA1}, "RSA SHA-256": {true, crypto.SHA256}, "RSA SHA-512": {true, crypto.SHA512},
		"RSA-PSS SHA-1": {true, crypto.SHA1}, "RSA-PSS SHA-256": {true, crypto.SHA256}, "RSA-PSS SHA-512": {true, crypto.SHA512},
		"ECDSA SHA-1": {false, crypto.SHA1}, "ECDSA SHA-224": {false, crypto.SHA224}, "ECDSA SHA-256": {false, crypto.SHA256},
		"ECDSA SHA-384": {false, crypto.SHA384}, "ECDSA SHA-512": {false, crypto.SHA512},
	}
	kind, ok := kinds[cvc.AlgorithmName(k.terminal.Algorithm)]
	if !ok || kind.rsa != (k.rsa != nil) {
		return 0, bad("the certificate is for a key of another kind")
	}
	return kind.hash, nil
}

// Sign implements termauth.ISKey.
func (k *Key) Sign(_ context.Context, data []byte) ([]byte, error) {
	hash, err := k.hash()
	if err != nil {
		return nil, err
	}
	h := hash.New()
	h.Write(data)
	digest := h.Sum(nil)
	if k.rsa == nil {
		return k.ecdsa(digest)
	}
	var signature []byte
	if name := cvc.AlgorithmName(k.terminal.Algorithm); len(name) > 7 && name[:7] == "RSA-PSS" {
		signature, err = rsa.SignPSS(rand.Reader, k.rsa, hash, digest, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	} else {
		signature, err = rsa.SignPKCS1v15(nil, k.rsa, hash, digest)
	}
	return signature, fault.Wrap("is_key.sign", err)
}

// ecdsa signs a digest (ANSI X9.62:2005, 7.3) and returns r and s at the
// length of the order (BSI TR-03111 v2.10, 2018, 5.2.1).
func (k *Key) ecdsa(digest []byte) ([]byte, error) {
	n, size := k.curve.N, k.curve.OrderBytes()
	e := new(big.Int).SetBytes(digest)
	if over := 8*len(digest) - n.BitLen(); over > 0 {
		e.Rsh(e, uint(over))
	}
	for range 64 {
		nonce, err := pace.Scalar(rand.Reader, n)
		if err != nil {
			return nil, err
		}
		r := new(big.Int).Mod(k.curve.ScalarBaseMult(nonce).X, n)
		s := new(big.Int).Mul(r, k.scalar)
		s.Add(s, e).Mul(s, new(big.Int).ModInverse(nonce, n)).Mod(s, n)
		if r.Sign() != 0 && s.Sign() != 0 {
			return slices.Concat(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))), nil
		}
	}
	return nil, fault.New("is_key.sign", "no signature in 64 draws")
}
