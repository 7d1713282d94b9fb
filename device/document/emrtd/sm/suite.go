// Package sm is the cryptography of the session with a travel document's
// chip: key derivation, message authentication and secure messaging as Doc
// 9303-11, 8th edition (2021), 9.7 and 9.8, lay them down, for 3DES and for
// AES with 128, 192 and 256 bits.
package sm

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"hash"
	"math/bits"

	"github.com/aead/cmac"

	"github.com/watchpost/watchpost/device/fault"
)

// Suite is a cipher with the key derivation and the authentication code that
// Doc 9303-11 binds to it. The zero value is no suite and derives nothing.
type Suite uint8

// The suites of Doc 9303-11, 9.8.
const (
	SuiteUnknown Suite = 0
	TripleDES    Suite = 1
	AES128       Suite = 2
	AES192       Suite = 3
	AES256       Suite = 4
)

// Counters of the key derivation function (Doc 9303-11, 9.7.1).
const (
	CounterEnc      uint32 = 1
	CounterMAC      uint32 = 2
	CounterPassword uint32 = 3 // K-pi of PACE
)

// MACLen is the octets of every authentication code and token.
const MACLen = 8

// ErrKey is the code of a key that does not fit its suite: a defect of ours.
var ErrKey = &fault.Error{Code: "sm.key"}

func (s Suite) String() string {
	switch s {
	case TripleDES:
		return "3DES"
	case AES128:
		return "AES-128"
	case AES192:
		return "AES-192"
	case AES256:
		return "AES-256"
	}
	return "unknown"
}

// KeyLen returns the octets of a key, 0 for an unknown suite.
func (s Suite) KeyLen() int {
	switch s {
	case TripleDES, AES128:
		return 16
	case AES192:
		return 24
	case AES256:
		return 32
	}
	return 0
}

// BlockLen returns the block size of the cipher in octets, 0 for an unknown
// suite. It is also the length of the send sequence counter.
func (s Suite) BlockLen() int {
	switch s {
	case TripleDES:
		return des.BlockSize
	case AES128, AES192, AES256:
		return aes.BlockSize
	}
	return 0
}

// Derive is the key derivation function of Doc 9303-11, 9.7.1: SHA-1 for 3DES
// and AES-128, SHA-256 for the longer keys; 3DES keys get odd parity.
func (s Suite) Derive(secret []byte, counter uint32) []byte {
	var h hash.Hash
	if s == TripleDES || s == AES128 {
		h = sha1.New()
	} else {
		h = sha256.New()
	}
	h.Write(secret)
	var c [4]byte
	binary.BigEndian.PutUint32(c[:], counter)
	h.Write(c[:])
	key := h.Sum(nil)[:s.KeyLen()]
	if s == TripleDES {
		oddParity(key)
	}
	return key
}

func oddParity(key []byte) {
	for i, b := range key {
		if bits.OnesCount8(b)%2 == 0 {
			key[i] = b ^ 1
		}
	}
}

// block returns the cipher under key. A 3DES key of two parts is used as
// K1 K2 K1.
func (s Suite) block(key []byte) (cipher.Block, error) {
	if s.KeyLen() == 0 || len(key) != s.KeyLen() {
		return nil, fault.New(ErrKey.Code, "%d octets for %s", len(key), s)
	}
	if s != TripleDES {
		return aes.NewCipher(key)
	}
	var k [24]byte
	copy(k[:], key)
	copy(k[16:], key[:8])
	defer clear(k[:])
	return des.NewTripleDESCipher(k[:])
}

// EncryptCBC enciphers whole blocks under key; a nil iv is all zero.
func (s Suite) EncryptCBC(key, iv, plain []byte) ([]byte, error) {
	return s.cbc(key, iv, plain, cipher.NewCBCEncrypter)
}

// DecryptCBC is the inverse of EncryptCBC.
func (s Suite) DecryptCBC(key, iv, secret []byte) ([]byte, error) {
	return s.cbc(key, iv, secret, cipher.NewCBCDecrypter)
}

func (s Suite) cbc(key, iv, in []byte, mode func(cipher.Block, []byte) cipher.BlockMode) ([]byte, error) {
	b, err := s.block(key)
	if err != nil {
		return nil, err
	}
	if iv == nil {
		iv = make([]byte, b.BlockSize())
	}
	if len(in)%b.BlockSize() != 0 || len(iv) != b.BlockSize() {
		return nil, fault.New(ErrKey.Code, "%d octets with an initial vector of %d for blocks of %d", len(in), len(iv), b.BlockSize())
	}
	out := make([]byte, len(in))
	mode(b, iv).CryptBlocks(out, in)
	return out, nil
}

// EncryptBlock enciphers one block, as the initial vectors of AES secure
// messaging and of PACE-CAM are made.
func (s Suite) EncryptBlock(key, in []byte) ([]byte, error) {
	b, err := s.block(key)
	if err != nil {
		return nil, err
	}
	if len(in) != b.BlockSize() {
		return nil, fault.New(ErrKey.Code, "block of %d octets for blocks of %d", len(in), b.BlockSize())
	}
	out := make([]byte, len(in))
	b.Encrypt(out, in)
	return out, nil
}

// MAC returns the 8-octet code over message: AES-CMAC truncated, or for 3DES
// the retail MAC (ISO/IEC 9797-1:2011, algorithm 3 with DES, padding method
// 2). The retail MAC pads; CMAC takes the message as it is.
func (s Suite) MAC(key, message []byte) ([]byte, error) {
	if s == TripleDES {
		return retailMAC(key, Pad(message, des.BlockSize))
	}
	b, err := s.block(key)
	if err != nil {
		return nil, err
	}
	sum, err := cmac.Sum(message, b, aes.BlockSize)
	if err != nil {
		return nil, fault.Wrap(ErrKey.Code, err)
	}
	return sum[:MACLen], nil
}

// retailMAC runs DES-CBC under the first half of key over padded and ends
// with a decryption under the second and an encryption under the first.
func retailMAC(key, padded []byte) ([]byte, error) {
	if len(key) != TripleDES.KeyLen() {
		return nil, fault.New(ErrKey.Code, "%d octets for a retail MAC", len(key))
	}
	first, err := des.NewCipher(key[:8])
	if err != nil {
		return nil, fault.Wrap(ErrKey.Code, err)
	}
	second, err := des.NewCipher(key[8:])
	if err != nil {
		return nil, fault.Wrap(ErrKey.Code, err)
	}
	y := make([]byte, des.BlockSize)
	for len(padded) > 0 {
		subtle.XORBytes(y, y, padded[:des.BlockSize])
		first.Encrypt(y, y)
		padded = padded[des.BlockSize:]
	}
	second.Decrypt(y, y)
	first.Encrypt(y, y)
	return y, nil
}

// Pad appends padding method 2 of ISO/IEC 9797-1: 80, then 00 up to a whole
// block. data is not changed.
func Pad(data []byte, block int) []byte {
	out := make([]byte, len(data), len(data)+block)
	copy(out, data)
	out = append(out, 0x80)
	for len(out)%block != 0 {
		out = append(out, 0)
	}
	return out
}

// Unpad removes padding method 2. ok is false where the last block holds no
// 80 followed by zeros only.
func Unpad(data []byte, block int) (plain []byte, ok bool) {
	if len(data) == 0 || len(data)%block != 0 {
		return nil, false
	}
	for i := len(data) - 1; i >= len(data)-block; i-- {
		switch data[i] {
		case 0:
		case 0x80:
			return data[:i], true
		default:
			return nil, false
		}
	}
	return nil, false
}
