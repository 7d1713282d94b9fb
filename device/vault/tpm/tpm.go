package tpm

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
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
	// Officer names whose PIN it is, where a vault opens for several officers,
	// each with a PIN of their own; "" where there is one PIN for all.
	Officer string
	// Boots is the file of signed boots, "" where there is none.
	Boots string
	// BootKey, at enrolment, is the key of the maker of the image: the vault
	// then opens under every boot that it has signed. Where it is nil the vault
	// opens under the boot of the enrolment alone.
	BootKey *ecdsa.PublicKey
	// Sibling, at enrolment, is what the vault keeps for another way in by this
	// chip: both share the count of starts.
	Sibling json.RawMessage
}

var _ vault.Named = Unlocker{}

// Kind implements vault.Unlocker.
func (Unlocker) Kind() string { return Kind }

// SlotName implements vault.Named.
func (u Unlocker) SlotName() string { return u.Officer }

// Beside returns u enrolling beside a way in with the given parameters, nil for
// none: both share the count of starts and whose boots they take.
func (u Unlocker) Beside(sibling json.RawMessage) (Unlocker, error) {
	if sibling == nil {
		return u, nil
	}
	p, err := decodeParams(sibling)
	if err != nil {
		return u, err
	}
	u.Sibling = sibling
	if p.Policy == policySigned {
		if u.BootKey, err = ecdsa.ParseUncompressedPublicKey(elliptic.P256(), p.BootKey); err != nil {
			return u, damaged("read the key of signed boots: %w", err)
		}
	}
	return u, nil
}

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
	p := &params{Policy: policyPCR, PCRs: BootPCRs(), PIN: len(u.PIN) > 0, Salt: make([]byte, saltSize), Parent: c.parent.Name.Buffer}
	if u.BootKey != nil {
		p.Policy = policySigned
		if p.BootKey, err = u.BootKey.Bytes(); err != nil {
			return nil, fault.New("tpm.boot_key", "boots are signed by a key on P-256: %w", err)
		}
		if _, err := bootKeyPublic(p.BootKey); err != nil {
			return nil, fault.New("tpm.boot_key", "boots are signed by a key on P-256: %w", err)
		}
	}
	rand.Read(p.Salt)
	if u.Sibling != nil {
		sibling, err := decodeParams(u.Sibling)
		if err != nil {
			return nil, err
		}
		p.Starts, p.Lists = sibling.Starts, sibling.Lists
	}
	made := []*index{&p.Epoch}
	if p.Starts == (index{}) {
		made = append(made, &p.Starts, &p.Lists)
	}
	for _, i := range made {
		if *i, err = c.newCounter(); err != nil {
			break
		}
	}
	if err == nil {
		err = c.seal(p, u.PIN)
	}
	if err != nil {
		for _, i := range made {
			_ = c.forget(*i) // the enrolment's own error is the one to tell
		}
		return nil, err
	}
	raw, err := json.Marshal(p)
	return raw, fault.Wrap("vault.key", err)
}

// seal makes the sealed object of p with a fresh random key in it.
func (c *chip) seal(p *params, pin []byte) error {
	_, end, digest, err := c.policy(p, nil, true, tpm2.Trial())
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
	var boots []SignedBoot
	if p.Policy == policySigned {
		if boots, err = readBoots(u.Boots); err != nil {
			return nil, err
		}
	}
	c, err := open(ctx, u.Device, p.Parent)
	if err != nil {
		return nil, err
	}
	defer c.close()
	key, err := c.unseal(p, u.PIN, boots)
	if err != nil {
		return nil, c.withTries(err)
	}
	return key, nil
}

func (c *chip) unseal(p *params, pin []byte, boots []SignedBoot) ([]byte, error) {
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
	s, end, digest, err := c.policy(p, boots, false, opts...)
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
	return u.drop(ctx, raw, func(p *params) []index { return []index{p.Epoch, p.Starts, p.Lists} })
}

// ForgetWay makes the chip unable to open the vault in the way of these
// parameters, and leaves what it shares with other ways.
func (u Unlocker) ForgetWay(ctx context.Context, raw json.RawMessage) error {
	return u.drop(ctx, raw, func(p *params) []index { return []index{p.Epoch} })
}

// Abandon frees the places of an enrolment that came to nothing. What is left
// where that fails costs the chip a place and opens nothing.
func (u Unlocker) Abandon(ctx context.Context, raw json.RawMessage) {
	if u.Sibling != nil {
		_ = u.ForgetWay(ctx, raw)
		return
	}
	_ = u.Forget(ctx, raw)
}

func (u Unlocker) drop(ctx context.Context, raw json.RawMessage, which func(*params) []index) error {
	p, err := decodeParams(raw)
	if err != nil {
		return err
	}
	c, err := open(ctx, u.Device, p.Parent)
	if err != nil {
		return err
	}
	defer c.close()
	for _, i := range which(p) {
		if err := c.forget(i); err != nil {
			return err
		}
	}
	return nil
}

func (c *chip) forget(i index) error {
	if !i.valid() {
		return nil // never made
	}
	return c.dropCounter(i.Handle)
}
