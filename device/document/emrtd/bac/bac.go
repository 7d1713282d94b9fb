// Package bac is Basic Access Control, the inspection system's side (Doc
// 9303-11, 8th edition 2021, 4.3).
package bac

import (
	"context"
	"crypto/subtle"
	"io"

	"github.com/watchpost/watchpost/device/document/emrtd/apdu"
	"github.com/watchpost/watchpost/device/document/emrtd/sm"
	"github.com/watchpost/watchpost/device/fault"
)

// Ways for BAC to fail. Errors of the channel pass through as they are.
var (
	ErrRefused  = &fault.Error{Code: "bac.refused"}        // a step answered with an error status
	ErrPassword = &fault.Error{Code: "bac.wrong_password"} // the chip did not accept our cryptogram
	ErrAnswer   = &fault.Error{Code: "bac.answer"}         // an answer of the wrong length
	ErrMAC      = &fault.Error{Code: "bac.mac"}            // the chip's cryptogram is not authentic
	ErrNonce    = &fault.Error{Code: "bac.nonce"}          // the chip returned other nonces than were sent
)

const (
	nonceLen = 8
	keyLen   = 16
	seedLen  = 16
)

// Run authenticates to the selected application and returns the session.
// passwordHash is the SHA-1 of the MRZ information, whose first 16 octets are
// the key seed. random supplies nonce and key.
func Run(ctx context.Context, exchange apdu.Exchange, passwordHash []byte, random io.Reader) (*sm.Session, error) {
	if len(passwordHash) < seedLen {
		return nil, fault.New(sm.ErrKey.Code, "seed of %d octets", len(passwordHash))
	}
	const suite = sm.TripleDES
	kEnc := suite.Derive(passwordHash[:seedLen], sm.CounterEnc)
	kMAC := suite.Derive(passwordHash[:seedLen], sm.CounterMAC)
	defer clear(kEnc)
	defer clear(kMAC)

	r, err := exchange(ctx, apdu.Command{INS: 0x84, Ne: nonceLen})
	if err != nil {
		return nil, err
	}
	if r.Status != apdu.StatusOK {
		return nil, fault.Wrap(ErrRefused.Code, &apdu.StatusError{Step: "GET CHALLENGE", Status: r.Status})
	}
	if len(r.Data) != nonceLen {
		return nil, fault.New(ErrAnswer.Code, "challenge of %d octets", len(r.Data))
	}
	chipNonce := r.Data

	secret := make([]byte, nonceLen+nonceLen+keyLen) // RND.IFD, RND.IC, K.IFD
	defer clear(secret)
	ownNonce, ownKey := secret[:nonceLen], secret[2*nonceLen:]
	if _, err := io.ReadFull(random, ownNonce); err != nil {
		return nil, fault.Wrap("system.random", err)
	}
	copy(secret[nonceLen:], chipNonce)
	if _, err := io.ReadFull(random, ownKey); err != nil {
		return nil, fault.Wrap("system.random", err)
	}
	data, err := suite.EncryptCBC(kEnc, nil, secret)
	if err != nil {
		return nil, err
	}
	code, err := suite.MAC(kMAC, data)
	if err != nil {
		return nil, err
	}
	data = append(data, code...)

	r, err = exchange(ctx, apdu.Command{INS: 0x82, Data: data, Ne: len(data)})
	if err != nil {
		return nil, err
	}
	if r.Status != apdu.StatusOK {
		return nil, refusal(r.Status)
	}
	if len(r.Data) != len(data) {
		return nil, fault.New(ErrAnswer.Code, "answer of %d octets", len(r.Data))
	}
	sealed, chipCode := r.Data[:len(secret)], r.Data[len(secret):]
	if code, err = suite.MAC(kMAC, sealed); err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare(code, chipCode) != 1 {
		return nil, fault.New(ErrMAC.Code, "EXTERNAL AUTHENTICATE")
	}
	opened, err := suite.DecryptCBC(kEnc, nil, sealed)
	if err != nil {
		return nil, err
	}
	defer clear(opened)
	if subtle.ConstantTimeCompare(opened[:nonceLen], chipNonce)&
		subtle.ConstantTimeCompare(opened[nonceLen:2*nonceLen], ownNonce) != 1 {
		return nil, fault.New(ErrNonce.Code, "EXTERNAL AUTHENTICATE")
	}
	seed := make([]byte, keyLen)
	defer clear(seed)
	subtle.XORBytes(seed, ownKey, opened[2*nonceLen:])
	return newSession(suite, seed, chipNonce, ownNonce)
}

func newSession(suite sm.Suite, seed, chipNonce, ownNonce []byte) (*sm.Session, error) {
	kEnc, kMAC := suite.Derive(seed, sm.CounterEnc), suite.Derive(seed, sm.CounterMAC)
	defer clear(kEnc)
	defer clear(kMAC)
	ssc := append(append(make([]byte, 0, nonceLen), chipNonce[4:]...), ownNonce[4:]...)
	return sm.NewSession(suite, kEnc, kMAC, ssc)
}

// refusal codes the status of EXTERNAL AUTHENTICATE. Chips in the field say
// that a cryptogram was made with another key in several ways.
func refusal(s apdu.Status) error {
	cause := &apdu.StatusError{Step: "EXTERNAL AUTHENTICATE", Status: s}
	_, counted := s.Retries()
	switch {
	case counted, s == apdu.StatusAuthFailed, s == apdu.StatusSecurity, s == apdu.StatusSMIncorrect, s == apdu.StatusWrongData:
		return fault.Wrap(ErrPassword.Code, cause)
	}
	return fault.Wrap(ErrRefused.Code, cause)
}
