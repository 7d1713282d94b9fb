package tpm

import (
	"bytes"
	"context"
	"encoding/binary"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"github.com/watchpost/watchpost/device/fault"
)

// nameSize is a name under SHA-256: algorithm and digest.
const nameSize = 2 + 32

// nonceSize is that of sessions' nonces in bytes.
const nonceSize = 16

// chip is an open TPM with its storage key loaded. One goroutine only.
type chip struct {
	*conn
	parent tpm2.NamedHandle
	pub    tpm2.TPMTPublic
}

// open reaches the chip and makes its storage key, which comes out the same
// each time until the chip is cleared. A name asked for that it does not have
// is tpm.other: this also keeps something between us and the chip from
// putting its own key in the place of the chip's.
func open(ctx context.Context, device string, name []byte) (*chip, error) {
	c, err := dial(ctx, device)
	if err != nil {
		return nil, err
	}
	made, err := tpm2.CreatePrimary{PrimaryHandle: tpm2.TPMRHOwner, InPublic: tpm2.New2B(tpm2.ECCSRKTemplate)}.Execute(c)
	if err != nil {
		c.Close()
		return nil, coded("make the storage key", err)
	}
	ch := &chip{conn: c, parent: tpm2.NamedHandle{Handle: made.ObjectHandle}}
	pub, err := made.OutPublic.Contents()
	if err != nil {
		ch.close()
		return nil, coded("read the storage key", err)
	}
	own, err := tpm2.ObjectName(pub) // computed, never taken from the answer
	if err != nil {
		ch.close()
		return nil, coded("name the storage key", err)
	}
	ch.pub, ch.parent.Name = *pub, *own
	if name != nil && !bytes.Equal(name, own.Buffer) {
		ch.close()
		return nil, fault.New("tpm.other", "the key was sealed by another TPM, or this one has been cleared").
			WithHint("this disk belongs to another box; a box whose TPM was cleared is enrolled again")
	}
	return ch, nil
}

func (c *chip) close() {
	c.flush(c.parent.Handle)
	c.Close()
}

// flush frees a place in the chip. Its failure has no consequence that could
// be told: the next open says what is wrong.
func (c *chip) flush(h tpm2.TPMHandle) {
	_, _ = tpm2.FlushContext{FlushHandle: h}.Execute(c)
}

// salted makes sessions that only this chip can follow, with parameters
// encrypted in the given direction.
func (c *chip) salted() tpm2.AuthOption { return tpm2.Salted(c.parent.Handle, c.pub) }

// storage is the storage key with a session that encrypts what goes in.
func (c *chip) storage() tpm2.AuthHandle {
	return tpm2.AuthHandle{Handle: c.parent.Handle, Name: c.parent.Name, Auth: tpm2.HMAC(tpm2.TPMAlgSHA256, nonceSize,
		c.salted(), tpm2.AESEncryption(128, tpm2.EncryptIn))}
}

// assert runs the policy of p in a session. It fails with tpm.wiped where the
// vault's counter is gone or has moved on, and with tpm.policy where the boot
// is not a signed one.
func (c *chip) assert(session tpm2.TPMHandle, p *params, boots []SignedBoot, trial bool) error {
	_, err := tpm2.PolicyPCR{PolicySession: session, Pcrs: selection(p.PCRs)}.Execute(c)
	if err != nil {
		return coded("state the registers", err)
	}
	if p.Policy == policySigned {
		if err := c.approve(session, p, boots, trial); err != nil {
			return err
		}
	}
	if err := c.assertEpoch(session, p.Epoch); err != nil {
		return err
	}
	if p.PIN {
		if _, err := (tpm2.PolicyAuthValue{PolicySession: session}).Execute(c); err != nil {
			return coded("state the PIN", err)
		}
	}
	return nil
}

// policy opens a session in which the policy of p is stated, and its digest.
func (c *chip) policy(p *params, boots []SignedBoot, trial bool, opts ...tpm2.AuthOption) (tpm2.Session, func(), []byte, error) {
	s, done, err := tpm2.PolicySession(c, tpm2.TPMAlgSHA256, nonceSize, opts...)
	if err != nil {
		return nil, nil, nil, coded("open a session", err)
	}
	end := func() { _ = done() } // as flush
	if err := c.assert(s.Handle(), p, boots, trial); err != nil {
		end()
		return nil, nil, nil, err
	}
	got, err := tpm2.PolicyGetDigest{PolicySession: s.Handle()}.Execute(c)
	if err != nil {
		end()
		return nil, nil, nil, coded("read the policy", err)
	}
	return s, end, got.PolicyDigest.Buffer, nil
}

// dictionaryAttackParameters is TPM2_DictionaryAttackParameters (Part 3,
// section 25.3), which the library does not have, under the empty
// authorisation of a lockout hierarchy that nobody has taken.
func dictionaryAttackParameters(t transport.TPM, maxTries, recovery, lockoutRecovery uint32) error {
	const (
		tagSessions = 0x8002
		code        = 0x0000013A
		passwordIs  = 0x40000009 // TPM_RS_PW
	)
	body := binary.BigEndian.AppendUint32(nil, uint32(tpm2.TPMRHLockout))
	body = binary.BigEndian.AppendUint32(body, 9) // the authorisation's size
	body = binary.BigEndian.AppendUint32(body, passwordIs)
	body = append(body, 0, 0, 0, 0, 0) // no nonce, no attributes, empty password
	for _, n := range []uint32{maxTries, recovery, lockoutRecovery} {
		body = binary.BigEndian.AppendUint32(body, n)
	}
	command := binary.BigEndian.AppendUint16(nil, tagSessions)
	command = binary.BigEndian.AppendUint32(command, uint32(headerSize+len(body)))
	command = binary.BigEndian.AppendUint32(command, code)
	answer, err := t.Send(append(command, body...))
	if err != nil {
		return err
	}
	if rc := tpm2.TPMRC(binary.BigEndian.Uint32(answer[6:10])); rc != tpm2.TPMRCSuccess {
		return coded("set the limit of wrong PINs", rc)
	}
	return nil
}
