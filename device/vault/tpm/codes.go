package tpm

import (
	"errors"

	"github.com/google/go-tpm/tpm2"

	"github.com/watchpost/watchpost/device/fault"
)

// What opening can end in. Each is also the code of a case of TestAttackTPM.
var (
	ErrMissing = &fault.Error{Code: "tpm.missing"}        // no chip answers
	ErrOther   = &fault.Error{Code: "tpm.other"}          // the chip is not the one that sealed, or was cleared
	ErrPolicy  = &fault.Error{Code: "tpm.policy"}         // firmware, boot settings or image are others
	ErrWiped   = &fault.Error{Code: "tpm.wiped"}          // the vault was wiped or replaced in the chip
	ErrLockout = &fault.Error{Code: "tpm.lockout"}        // too many wrong PINs
	ErrPIN     = &fault.Error{Code: "vault.pin"}          // wrong PIN
	ErrNoPIN   = &fault.Error{Code: "vault.pin_none"}     // a PIN is needed and was not given
	ErrShort   = &fault.Error{Code: "vault.pin_short"}    // a new PIN is too short
	ErrDamaged = &fault.Error{Code: "tpm.damaged"}        // the sealed object is not as written
	ErrBoot    = &fault.Error{Code: "tpm.boot_signature"} // the boot's approval is forged
)

// coded turns what the chip answered into a code. Codes given further down
// are kept.
func coded(what string, err error) error {
	var known *fault.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return err
	case errors.Is(err, tpm2.TPMRCLockout):
		return fault.New("tpm.lockout", "%s: %w", what, err).
			WithHint("too many wrong PINs: the TPM takes one more try every ten minutes")
	case errors.Is(err, tpm2.TPMRCAuthFail):
		return fault.New("vault.pin", "%s: %w", what, err).
			WithHint("check the PIN; after ten wrong ones the TPM refuses for a while")
	case errors.Is(err, tpm2.TPMRCPolicyFail), errors.Is(err, tpm2.TPMRCPCRChanged):
		return errPolicy()
	case errors.Is(err, tpm2.TPMRCIntegrity), errors.Is(err, tpm2.TPMRCBinding), errors.Is(err, tpm2.TPMRCSize),
		errors.Is(err, tpm2.TPMRCInsufficient), errors.Is(err, tpm2.TPMRCAttributes), errors.Is(err, tpm2.TPMRCSensitive):
		return damaged("%s: %w", what, err)
	}
	return fault.New("tpm.failed", "%s: %w", what, err)
}

func errPolicy() error {
	return fault.New("tpm.policy", "the boot is not the one the key was sealed under").
		WithHint("start the box from its own signed image with its own firmware settings, or enrol it again")
}
