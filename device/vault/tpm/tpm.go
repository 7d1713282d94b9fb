package tpm

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"

	"github.com/google/go-tpm/tpm2"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/vault"
)

// Kind is the name of this way of unlocking in a vault file.
const Kind = "tpm"

// MinPIN is the shortest PIN taken at enrolment, in bytes: with ten tries and
// then one in ten minutes, six random digits last 19 years, half of that on
// average.
const MinPIN = 6

// MaxPIN bounds a PIN in bytes.
const MaxPIN = 128

const saltSize = 16

// Unlocker opens a vault by a TPM. Its methods each open the chip, and leave
// nothing in it; calls must not overlap on a device that takes one user at a
// time (/dev/tpm0, swtpm). The caller keeps and wipes the PIN.
type Unlocker struct {
	// Device is the chip: a device node or unix:PATH.
	Device string
	// PIN is the officer's shift PIN. Where it is nil at enrolment the vault
	// opens by the boot alone, which a box that may be stolen must not.
	PIN []byte
	// Starts is the file that follows the chip's counter of starts. Where it
	// is set, Derive raises the counter, and refuses a disk that is older
	// than the chip (post.counter). Where it is empty nothing is counted.
	Starts string
}

var _ vault.Unlocker = Unlocker{}

// Kind implements vault.Unlocker.
func (Unlocker) Kind() string { return Kind }

// String keeps the PIN out of formatted text.
func (Unlocker) String() string { return "[tpm]" }

// GoString keeps the PIN out of formatted text.
func (Unlocker) GoString() string { return "[tpm]" }

// auth is the value by which the chip knows the PIN. One hash is enough: only
// the chip can try it, and the chip counts. It is written in hexadecimal, half
// a hash in the 32 bytes there are, since go-tpm v0.9.8 cuts a value at its
// first zero byte where the chip cuts only those at the end.
func auth(pin, salt []byte) []byte {
	if len(pin) == 0 {
		return nil
	}
	sum := sha256.Sum256(append(vault.Identity("watchpost/tpm-pin/1", string(salt)), pin...))
	return hex.AppendEncode(nil, sum[:16])
}

// Enrol implements vault.Unlocker: it seals a fresh key in the chip, under the
// boot as it is now. It fails with vault.pin_short, tpm.missing or tpm.full.
func (u Unlocker) Enrol(ctx context.Context) (json.RawMessage, error) {
	if len(u.PIN) > MaxPIN || u.PIN != nil && len(u.PIN) < MinPIN {
		return nil, fault.New("vault.pin_short", "a PIN has %d to %d bytes", MinPIN, MaxPIN)
	}
	c, err := open(ctx, u.Device, nil)
	if err != nil {
		return nil, err
	}
	defer c.close()
	if len(u.PIN) > 0 {
		if err := c.limitTries(); err != nil {
			return nil, err
		}
	}
	p := &params{Policy: policyPCR, PCRs: []uint{7, 11}, PIN: len(u.PIN) > 0, Salt: make([]byte, saltSize), Parent: c.parent.Name.Buffer}
	rand.Read(p.Salt)
	if p.Epoch, err = c.newCounter(); err != nil {
		return nil, err
	}
	if p.Starts, err = c.newCounter(); err == nil {
		err = c.seal(p, u.PIN)
	}
	if err != nil {
		_ = c.forget(p) // the enrolment's own error is the one to tell
		return nil, err
	}
	raw, err := json.Marshal(p)
	return raw, fault.Wrap("vault.key", err)
}

// seal makes the sealed object of p with a fresh random key in it.
func (c *chip) seal(p *params, pin []byte) error {
	_, end, digest, err := c.policy(p, tpm2.Trial())
	if err != nil {
		return err
	}
	end()
	secret := make([]byte, vault.KeySize)
	defer clear(secret)
	rand.Read(secret)
	made, err := tpm2.Create{
		ParentHandle: c.storage(),
		InSensitive: tpm2.TPM2BSensitiveCreate{Sensitive: &tpm2.TPMSSensitiveCreate{
			UserAuth: tpm2.TPM2BAuth{Buffer: auth(pin, p.Salt)},
			Data:     tpm2.NewTPMUSensitiveCreate(&tpm2.TPM2BSensitiveData{Buffer: secret}),
		}},
		InPublic: tpm2.New2B(tpm2.TPMTPublic{
			Type: tpm2.TPMAlgKeyedHash, NameAlg: tpm2.TPMAlgSHA256,
			// Without a PIN there is nothing to guess, and a lockout by
			// another's guesses would shut the box for no gain.
			ObjectAttributes: tpm2.TPMAObject{FixedTPM: true, FixedParent: true, NoDA: !p.PIN},
			AuthPolicy:       tpm2.TPM2BDigest{Buffer: digest},
		}),
	}.Execute(c)
	if err != nil {
		return coded("seal the key", err)
	}
	pub, err := made.OutPublic.Contents()
	if err != nil {
		return coded("read the sealed key", err)
	}
	p.Public, p.Private = tpm2.Marshal(pub), made.OutPrivate.Buffer
	return nil
}

// Derive implements vault.Unlocker. What it can end in stands beside
// ErrMissing.
func (u Unlocker) Derive(ctx context.Context, raw json.RawMessage) ([]byte, error) {
	p, err := decodeParams(raw)
	if err != nil {
		return nil, err
	}
	if p.PIN && len(u.PIN) == 0 {
		return nil, fault.New("vault.pin_none", "this vault opens with a PIN").WithHint("give the PIN's file with --pin-file")
	}
	if len(u.PIN) > MaxPIN {
		return nil, fault.New("vault.pin", "a PIN of %d bytes", len(u.PIN))
	}
	c, err := open(ctx, u.Device, p.Parent)
	if err != nil {
		return nil, err
	}
	defer c.close()
	key, err := c.unseal(p, u.PIN)
	if err != nil {
		return nil, err
	}
	if u.Starts != "" {
		if err := c.countStart(u.Starts, key, p.Starts); err != nil {
			clear(key)
			return nil, err
		}
	}
	return key, nil
}

func (c *chip) unseal(p *params, pin []byte) ([]byte, error) {
	pub, err := p.public()
	if err != nil {
		return nil, err
	}
	loaded, err := tpm2.Load{ParentHandle: c.storage(), InPrivate: tpm2.TPM2BPrivate{Buffer: p.Private}, InPublic: tpm2.New2B(*pub)}.Execute(c)
	if err != nil {
		return nil, coded("load the sealed key", err)
	}
	defer c.flush(loaded.ObjectHandle)
	name, err := tpm2.ObjectName(pub)
	if err != nil {
		return nil, coded("name the sealed key", err)
	}
	opts := []tpm2.AuthOption{c.salted(), tpm2.AESEncryption(128, tpm2.EncryptOut)}
	if p.PIN {
		opts = append(opts, tpm2.Auth(auth(pin, p.Salt)))
	}
	s, end, digest, err := c.policy(p, opts...)
	if err != nil {
		return nil, err
	}
	defer end()
	// The chip would say the same; asking it would only cost a try.
	if subtle.ConstantTimeCompare(digest, pub.AuthPolicy.Buffer) != 1 {
		return nil, errPolicy()
	}
	got, err := tpm2.Unseal{ItemHandle: tpm2.AuthHandle{Handle: loaded.ObjectHandle, Name: *name, Auth: s}}.Execute(c)
	if err != nil {
		return nil, coded("open the sealed key", err)
	}
	if len(got.OutData.Buffer) != vault.KeySize {
		clear(got.OutData.Buffer)
		return nil, damaged("the sealed key has another size")
	}
	return got.OutData.Buffer, nil
}

// Forget makes the chip unable to open the vault of these parameters again,
// from this disk or from any copy of it. It needs no PIN, so that whoever
// must can do it at once.
func (u Unlocker) Forget(ctx context.Context, raw json.RawMessage) error {
	p, err := decodeParams(raw)
	if err != nil {
		return err
	}
	c, err := open(ctx, u.Device, p.Parent)
	if err != nil {
		return err
	}
	defer c.close()
	return c.forget(p)
}

func (c *chip) forget(p *params) error {
	for _, i := range []index{p.Epoch, p.Starts} {
		if !i.valid() {
			continue // never made
		}
		if err := c.dropCounter(i.Handle); err != nil {
			return err
		}
	}
	return nil
}
