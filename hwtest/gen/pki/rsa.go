package pki

import (
	"bytes"
	"crypto/subtle"
	"encoding/binary"
	"io"
	"math/big"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/hwtest/gen/der"
)

// RSAKey is an RSA key made from a seed. The standard library draws keys and
// salts from the system only, and refuses sizes and exponents that real
// documents have; this one is for documents that do not exist.
type RSAKey struct {
	N, D *big.Int
	P, Q *big.Int // factors of N
	E    int
}

func newRSA(bits, e int, random io.Reader) (*RSAKey, error) {
	exponent := big.NewInt(int64(e))
	one := big.NewInt(1)
	for {
		p, err := prime(bits/2, exponent, random)
		if err != nil {
			return nil, err
		}
		q, err := prime(bits/2, exponent, random)
		if err != nil {
			return nil, err
		}
		n := new(big.Int).Mul(p, q)
		if p.Cmp(q) == 0 || n.BitLen() != bits {
			continue
		}
		phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
		return &RSAKey{N: n, D: new(big.Int).ModInverse(exponent, phi), P: p, Q: q, E: e}, nil
	}
}

// prime draws a prime with its two upper bits set, so that a product of two
// has full length, and with p-1 prime to the exponent.
func prime(bits int, exponent *big.Int, random io.Reader) (*big.Int, error) {
	buf := make([]byte, (bits+7)/8)
	one := big.NewInt(1)
	for {
		if _, err := io.ReadFull(random, buf); err != nil {
			return nil, err
		}
		p := new(big.Int).SetBytes(buf)
		p.Rsh(p, uint(8*len(buf)-bits))
		p.SetBit(p, bits-1, 1).SetBit(p, bits-2, 1).SetBit(p, 0, 1)
		for range 1 << 10 { // walk on from the start: cheaper than drawing anew
			if p.ProbablyPrime(0) && p.ProbablyPrime(8) && new(big.Int).GCD(nil, nil, new(big.Int).Sub(p, one), exponent).Cmp(one) == 0 {
				if p.BitLen() == bits {
					return p, nil
				}
				break
			}
			p.Add(p, big.NewInt(2))
		}
	}
}

// Size is the length of the modulus in octets.
func (k *RSAKey) Size() int { return (k.N.BitLen() + 7) / 8 }

func (k *RSAKey) public() []byte { return der.Seq(der.Int(k.N), der.SmallInt(int64(k.E))) }

// Private is the plain RSA operation on a full-length message representative.
func (k *RSAKey) Private(em []byte) []byte {
	m := new(big.Int).SetBytes(em)
	return m.Exp(m, k.D, k.N).FillBytes(make([]byte, k.Size()))
}

// signPKCS1 is RSASSA-PKCS1-v1_5 (RFC 8017 (2016), 8.2.1 and 9.2).
func (k *RSAKey) signPKCS1(h hashInfo, digest []byte) ([]byte, error) {
	info := der.Seq(der.Seq(der.OID(h.oid), der.Null()), der.Octets(digest))
	fill := k.Size() - 3 - len(info)
	if fill < 8 {
		return nil, fault.New(codeSpec, "RSA key of %d octets is too short for this hash", k.Size())
	}
	em := append([]byte{0, 1}, bytes.Repeat([]byte{0xFF}, fill)...)
	em = append(append(em, 0), info...)
	return k.Private(em), nil
}

// signPSS is RSASSA-PSS (RFC 8017 (2016), 8.1.1 and 9.1.1).
func (k *RSAKey) signPSS(h, mgf hashInfo, digest, salt []byte) ([]byte, error) {
	emBits := k.N.BitLen() - 1
	emLen := (emBits + 7) / 8
	dbLen := emLen - len(digest) - 1
	if dbLen < len(salt)+1 {
		return nil, fault.New(codeSpec, "RSA key of %d octets is too short for this hash and salt", k.Size())
	}
	seed := h.sum(append(append(make([]byte, 8), digest...), salt...))
	db := make([]byte, dbLen)
	db[dbLen-len(salt)-1] = 1
	copy(db[dbLen-len(salt):], salt)
	subtle.XORBytes(db, db, mask(mgf, seed, dbLen))
	db[0] &= 0xFF >> (8*emLen - emBits)
	return k.Private(append(append(db, seed...), 0xBC)), nil
}

// mask is MGF1 (RFC 8017 (2016), B.2.1).
func mask(h hashInfo, seed []byte, length int) []byte {
	var out []byte
	for counter := uint32(0); len(out) < length; counter++ {
		out = append(out, h.sum(binary.BigEndian.AppendUint32(bytes.Clone(seed), counter))...)
	}
	return out[:length]
}
