package activeauth

import (
	"crypto"
	"crypto/subtle"
	"math/big"

	"github.com/watchpost/watchpost/device/document/pki"
	"github.com/watchpost/watchpost/device/fault"
)

// Trailers of ISO/IEC 9796-2:2010, digital signature scheme 1: one octet BC
// for the hash agreed on (SHA-1 by Doc 9303-11, 6.1.2.2), or a hash identifier
// of ISO/IEC 10118-3 before CC.
const (
	trailerImplicit = 0xBC
	trailerExplicit = 0xCC
)

var trailerHashes = map[byte]crypto.Hash{
	0x33: crypto.SHA1, 0x34: crypto.SHA256, 0x35: crypto.SHA512, 0x36: crypto.SHA384, 0x38: crypto.SHA224,
}

// verifyRSA opens a signature with partial message recovery and compares the
// hash over what it recovers and the challenge.
func verifyRSA(key *pki.RSAKey, challenge, signature []byte) error {
	size := (key.N.BitLen() + 7) / 8
	if len(signature) != size {
		return fault.New(ErrLength.Code, "%d octets, want %d", len(signature), size)
	}
	s := new(big.Int).SetBytes(signature)
	if s.Cmp(key.N) >= 0 {
		return fault.New(ErrSignature.Code, "number out of range")
	}
	m := new(big.Int).Exp(s, key.E, key.N)
	// The signer may have chosen the smaller of s and n-s (ISO/IEC 9796-2,
	// B.6): then n-m is what ends in C.
	if m.Bit(0) != 0 || m.Bit(1) != 0 || m.Bit(2) != 1 || m.Bit(3) != 1 {
		m.Sub(key.N, m)
	}
	return verifyRepresentative(m.FillBytes(make([]byte, size)), challenge)
}

// verifyRepresentative checks what a signature recovers: header 6A (more data
// in M2, no padding) or 4B BB ... BA with the same bit, M1, hash, trailer.
func verifyRepresentative(f, challenge []byte) error {
	hash, trailer := crypto.SHA1, 1
	switch last := f[len(f)-1]; last {
	case trailerImplicit:
	case trailerExplicit:
		trailer = 2
		var ok bool
		if len(f) < 2 {
			return fault.New(ErrFormat.Code, "no trailer")
		}
		if hash, ok = trailerHashes[f[len(f)-2]]; !ok {
			return fault.New(ErrHash.Code, "trailer %02XCC", f[len(f)-2])
		}
	default:
		return fault.New(ErrFormat.Code, "trailer %02X", last)
	}
	const partial, sequence = 0x60, 0xF0
	if f[0]&sequence != partial {
		return fault.New(ErrFormat.Code, "header %02X", f[0])
	}
	start := 1
	switch f[0] & 0x0F {
	case 0x0A:
	case 0x0B:
		for start < len(f) && f[start] == 0xBB {
			start++
		}
		if start == len(f) || f[start] != 0xBA {
			return fault.New(ErrFormat.Code, "padding without an end")
		}
		start++
	default:
		return fault.New(ErrFormat.Code, "header %02X", f[0])
	}
	end := len(f) - trailer - hash.Size()
	if end <= start {
		return fault.New(ErrFormat.Code, "no room for message and hash")
	}
	h := hash.New()
	h.Write(f[start:end])
	h.Write(challenge)
	if subtle.ConstantTimeCompare(h.Sum(nil), f[end:len(f)-trailer]) != 1 {
		return fault.New(ErrSignature.Code, "hash differs")
	}
	return nil
}
