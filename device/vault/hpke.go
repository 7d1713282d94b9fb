package vault

import (
	"bytes"
	"crypto/ecdh"
	"crypto/hpke"
	"crypto/sha256"
	"encoding/hex"

	"github.com/watchpost/watchpost/device/fault"
)

func kem() hpke.KEM { return hpke.DHKEM(ecdh.X25519()) }

func hpkeInfo(scope Scope, name string) []byte {
	return append(Identity("watchpost/hpke/1", name), byte(scope))
}

// Recipient is a device's public key: what others wrap keys to. 32 bytes of
// X25519.
type Recipient []byte

// ID is a short name of the recipient: the first 16 hex digits of SHA-256.
func (r Recipient) ID() string {
	sum := sha256.Sum256(r)
	return hex.EncodeToString(sum[:8])
}

// WrapTo wraps key for the recipient as the key of the given scope and name.
func WrapTo(r Recipient, key *Key, scope Scope, name string) ([]byte, error) {
	if !scope.valid() || name == "" {
		return nil, fault.New("vault.scope", "a wrapped key needs a scope and a name")
	}
	pub, err := kem().NewPublicKey(r)
	if err != nil {
		return nil, fault.New("vault.recipient", "read the recipient's public key: %w", err)
	}
	var wrapped []byte
	err = key.use(func() (err error) {
		wrapped, err = hpke.Seal(pub, hpke.HKDFSHA256(), hpke.AES256GCM(), hpkeInfo(scope, name), key.raw)
		return fault.Wrap("vault.recipient", err)
	})
	return wrapped, err
}

// deviceKEM derives the device's key pair from its key. Derived afresh at
// each use, and wiped by the caller after it.
func (v *Vault) deviceKEM() (hpke.PrivateKey, error) {
	seed, err := v.device.MAC([]byte("watchpost/device-kem/1"))
	if err != nil {
		return nil, err
	}
	defer wipe(seed[:])
	priv, err := kem().DeriveKeyPair(seed[:])
	return priv, fault.Wrap("vault.key", err)
}

// Recipient returns the device's public key.
func (v *Vault) Recipient() (Recipient, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	priv, err := v.deviceKEM()
	if err != nil {
		return nil, err
	}
	public := bytes.Clone(priv.PublicKey().Bytes())
	wipeDeep(priv)
	return public, nil
}

// receive opens a key that WrapTo made for this device. The caller holds mu.
func (v *Vault) receive(wrapped []byte, scope Scope, name string) (*Key, error) {
	priv, err := v.deviceKEM()
	if err != nil {
		return nil, err
	}
	defer wipeDeep(priv)
	raw, err := hpke.Open(priv, hpke.HKDFSHA256(), hpke.AES256GCM(), hpkeInfo(scope, name), wrapped)
	if err != nil {
		return nil, fault.New("vault.open", "the wrapped key is not for this device, scope and name")
	}
	return v.ring.Import(raw)
}
