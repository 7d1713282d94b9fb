package passport

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/binary"
)

// suite is the pair of symmetric algorithms of one secure messaging session
// (Doc 9303-11 (2021), 9.8.6 and 9.8.7).
type suite int

const (
	suiteNone   suite = 0
	suite3DES   suite = 1
	suiteAES128 suite = 2
	suiteAES192 suite = 3
	suiteAES256 suite = 4
)

// Counters of the key derivation function (Doc 9303-11 (2021), 9.7.1).
const (
	kdfEncrypt  = 1
	kdfMAC      = 2
	kdfPassword = 3
)

func (s suite) blockSize() int {
	if s == suite3DES {
		return des.BlockSize
	}
	return aes.BlockSize
}

// derive is the key derivation function of Doc 9303-11 (2021), 9.7.1. Parity
// bits of DES keys are left as they fall: DES ignores them.
func (s suite) derive(secret []byte, counter uint32) []byte {
	seed := binary.BigEndian.AppendUint32(bytes.Clone(secret), counter)
	if s == suiteAES192 || s == suiteAES256 {
		sum := sha256.Sum256(seed)
		if s == suiteAES192 {
			return sum[:24]
		}
		return sum[:]
	}
	sum := sha1.Sum(seed)
	return sum[:16]
}

func (s suite) cipher(key []byte) cipher.Block {
	var block cipher.Block
	var err error
	if s == suite3DES {
		block, err = des.NewTripleDESCipher(append(bytes.Clone(key), key[:8]...))
	} else {
		block, err = aes.NewCipher(key)
	}
	if err != nil {
		panic("passport: a derived key has the wrong length: " + err.Error())
	}
	return block
}

func cbcEncrypt(b cipher.Block, iv, data []byte) []byte {
	out := make([]byte, len(data))
	cipher.NewCBCEncrypter(b, iv).CryptBlocks(out, data)
	return out
}

func cbcDecrypt(b cipher.Block, iv, data []byte) []byte {
	out := make([]byte, len(data))
	cipher.NewCBCDecrypter(b, iv).CryptBlocks(out, data)
	return out
}

// mac is the eight-octet checksum over data. 3DES takes padded data (ISO/IEC
// 9797-1:2011, MAC algorithm 3); AES takes CMAC of it as it is, which secure
// messaging too has padded before (Doc 9303-11 (2021), 9.8.7.2).
func (s suite) mac(key, data []byte) []byte {
	if s == suite3DES {
		return retailMAC(key, data)
	}
	return cmac(s.cipher(key), data)[:8]
}

func retailMAC(key, data []byte) []byte {
	first, err := des.NewCipher(key[:8])
	if err != nil {
		panic("passport: " + err.Error())
	}
	second, err := des.NewCipher(key[8:16])
	if err != nil {
		panic("passport: " + err.Error())
	}
	chain := cbcEncrypt(first, make([]byte, 8), data)
	last := chain[len(chain)-8:]
	out := make([]byte, 8)
	second.Decrypt(out, last)
	first.Encrypt(out, out)
	return out
}

// cmac is NIST SP 800-38B (2016) with a 16-octet block.
func cmac(b cipher.Block, data []byte) []byte {
	subkey := make([]byte, 16)
	b.Encrypt(subkey, subkey)
	double(subkey)
	full := len(data) > 0 && len(data)%16 == 0
	if !full {
		double(subkey)
		data = pad(data, 16)
	}
	data = bytes.Clone(data)
	last := data[len(data)-16:]
	for i := range last {
		last[i] ^= subkey[i]
	}
	chain := cbcEncrypt(b, make([]byte, 16), data)
	return chain[len(chain)-16:]
}

// double multiplies by x in GF(2^128).
func double(block []byte) {
	carry := byte(0)
	for i := len(block) - 1; i >= 0; i-- {
		next := block[i] >> 7
		block[i] = block[i]<<1 | carry
		carry = next
	}
	if carry != 0 {
		block[len(block)-1] ^= 0x87
	}
}

// pad is padding method 2 of ISO/IEC 9797-1:2011: one bit, then zeros.
func pad(data []byte, block int) []byte {
	out := append(bytes.Clone(data), 0x80)
	for len(out)%block != 0 {
		out = append(out, 0)
	}
	return out
}

func unpad(data []byte) ([]byte, bool) {
	i := bytes.LastIndexByte(data, 0x80)
	if i < 0 || len(bytes.Trim(data[i+1:], "\x00")) != 0 {
		return nil, false
	}
	return data[:i], true
}
