package tpm

import (
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/google/go-tpm/tpm2"

	"github.com/watchpost/watchpost/device/fault"
)

// How the chip answers to wrong PINs.
const (
	maxTries        = 10    // wrong ones, then it refuses
	recoverySeconds = 600   // after which one more is taken
	lockoutSeconds  = 86400 // after a wrong lockout authorisation
)

// maxForeignTries is the weakest limit taken where the box's owner set it.
const maxForeignTries = 32

// lockoutAuthSet is the bit of TPM_PT_PERMANENT (Part 2, section 8.6).
const lockoutAuthSet = 1 << 2

// limitTries makes the chip count wrong PINs. The authorisation that could
// reset the count becomes random and is told to nobody: a thief with the
// running box must not be able to start the count anew. A chip on which the
// box's owner set it before keeps the owner's limit, if that is one.
func (c *chip) limitTries() error {
	set, err := c.property(tpm2.TPMPTPermanent)
	if err != nil {
		return err
	}
	if set&lockoutAuthSet != 0 {
		tries, err := c.property(tpm2.TPMPTMaxAuthFail)
		if err != nil {
			return err
		}
		if tries == 0 || tries > maxForeignTries {
			return fault.New("tpm.unlimited", "the TPM takes %d wrong PINs", tries).
				WithHint("the TPM's owner has to set at most 32 tries, or clear the TPM in the firmware")
		}
		return nil
	}
	if err := dictionaryAttackParameters(c, maxTries, recoverySeconds, lockoutSeconds); err != nil {
		return err
	}
	random := make([]byte, 32)
	defer clear(random)
	rand.Read(random)
	// The answer to this command is authenticated under the new value, which
	// a session that authorises cannot follow: it is encrypted by one beside.
	_, err = tpm2.HierarchyChangeAuth{
		AuthHandle: tpm2.AuthHandle{Handle: tpm2.TPMRHLockout, Auth: tpm2.PasswordAuth(nil)},
		NewAuth:    tpm2.TPM2BAuth{Buffer: random},
	}.Execute(c, tpm2.HMAC(tpm2.TPMAlgSHA256, nonceSize, c.salted(), tpm2.AESEncryption(128, tpm2.EncryptIn)))
	return coded("take the lockout authorisation", err)
}

// withTries tells with a wrong PIN how many the chip still takes, and with a
// lockout when it takes one more. Where the chip does not say, err stays.
func (c *chip) withTries(err error) error {
	var known *fault.Error
	if !errors.As(err, &known) || known.Code != ErrPIN.Code && known.Code != ErrLockout.Code {
		return err
	}
	failed, e1 := c.property(tpm2.TPMPTLockoutCounter)
	most, e2 := c.property(tpm2.TPMPTMaxAuthFail)
	seconds, e3 := c.property(tpm2.TPMPTLockoutInterval)
	if errors.Join(e1, e2, e3) != nil {
		return err
	}
	wait := time.Duration(seconds) * time.Second
	if known.Code == ErrLockout.Code || failed >= most {
		return known.WithHint(fmt.Sprintf("too many wrong PINs: the TPM takes one more in at most %v, while the box is switched on", wait))
	}
	return known.WithHint(fmt.Sprintf("check the PIN: the TPM takes %d more wrong ones, and forgets one every %v", most-failed, wait))
}

func (c *chip) property(which tpm2.TPMPT) (uint32, error) {
	got, err := tpm2.GetCapability{Capability: tpm2.TPMCapTPMProperties, Property: uint32(which), PropertyCount: 1}.Execute(c)
	if err != nil {
		return 0, coded("ask the TPM about itself", err)
	}
	list, err := got.CapabilityData.Data.TPMProperties()
	if err != nil || len(list.TPMProperty) != 1 || list.TPMProperty[0].Property != which {
		return 0, fault.New("tpm.failed", "the TPM does not tell a property")
	}
	return list.TPMProperty[0].Value, nil
}
