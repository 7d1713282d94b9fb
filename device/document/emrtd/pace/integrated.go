package pace

import (
	"math/big"

	"github.com/watchpost/watchpost/device/document/emrtd/sm"
)

// Constants of the pseudo-random function for ciphers with keys of 128 bits
// and longer (Doc 9303-11, 4.4.3.3.2).
const (
	c0Short = "a668892a7c41e3ca739f40b057d85904"
	c1Short = "a4e136ac725f738b01c1f60217c188ad"
	c0Long  = "d463d65234124ef7897054986dca0a174e28df758cbaa03f240616414d5a1676"
	c1Long  = "54bd7255f0aaf831bec3423fcf39d69b6cbf066677d0faae5aadd99df8e53517"
)

// extraBits make the reduction modulo the prime nearly uniform.
const extraBits = 64

// pseudoRandom is R(s,t) of Doc 9303-11, 4.4.3.3.2: t enciphers s to the
// first key, each key enciphers c1 to the next piece of output and c0 to the
// next key. A cryptogram longer than a key is cut.
func pseudoRandom(suite sm.Suite, s, t []byte, fieldBits int) (*big.Int, error) {
	size := 16
	c0, c1 := hex(c0Short), hex(c1Short)
	if suite.KeyLen() > size {
		size = 32
		c0, c1 = hex(c0Long), hex(c1Long)
	}
	next, piece := c0.FillBytes(make([]byte, size)), c1.FillBytes(make([]byte, size))
	key, err := suite.EncryptCBC(t, nil, s)
	if err != nil {
		return nil, err
	}
	var out []byte
	for len(out)*8 < fieldBits+extraBits {
		k := key[:suite.KeyLen()]
		x, err := suite.EncryptCBC(k, nil, piece)
		if err != nil {
			return nil, err
		}
		out = append(out, x...)
		if key, err = suite.EncryptCBC(k, nil, next); err != nil {
			return nil, err
		}
	}
	return new(big.Int).SetBytes(out), nil
}
