// Package authenticator is a passkey in software (W3C Web Authentication,
// Level 3, section 6) that says whatever a test wants said: the counterpart of
// device/officer/passkey, and not made from it.
package authenticator

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

// Flags of authenticator data (section 6.1).
const (
	UserPresent  = 0x01
	UserVerified = 0x04
	attested     = 0x40
)

// Key is one discoverable credential with ES256. Every field may be bent by a
// test before an answer is made. It is for one goroutine.
type Key struct {
	Private *ecdsa.PrivateKey
	ID      []byte // of the credential
	Handle  []byte // of the user, taken from the options of Create
	Origin  string // of the page that it believes to be on
	Host    string // relying party id
	Count   uint32 // signatures made; the next answer says one more
	Flags   byte   // of the next answer
}

// New makes a key for a page.
func New(host, origin string) (*Key, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	id := make([]byte, 16)
	rand.Read(id) // never fails (crypto/rand, Go 1.24)
	return &Key{Private: private, ID: id, Origin: origin, Host: host, Flags: UserPresent | UserVerified}, nil
}

// options are what both ceremonies need of the browser's options.
type options struct {
	Challenge string `json:"challenge"`
	User      struct {
		ID string `json:"id"`
	} `json:"user"`
}

func (k *Key) read(raw []byte) (options, error) {
	var o options
	if err := json.Unmarshal(raw, &o); err != nil {
		return o, fmt.Errorf("read the options: %w", err)
	}
	if o.Challenge == "" {
		return o, errors.New("the options have no challenge")
	}
	return o, nil
}

// credential is RegistrationResponseJSON and AuthenticationResponseJSON
// (sections 5.1.8 and 5.1.10) as far as they are asked for.
type credential struct {
	ID       string            `json:"id"`
	RawID    string            `json:"rawId"`
	Type     string            `json:"type"`
	Response map[string]string `json:"response"`
}

func (k *Key) answer(response map[string]string) ([]byte, error) {
	return json.Marshal(credential{encode(k.ID), encode(k.ID), "public-key", response})
}

// Create answers PublicKeyCredentialCreationOptionsJSON.
func (k *Key) Create(raw []byte) ([]byte, error) {
	o, err := k.read(raw)
	if err != nil {
		return nil, err
	}
	if k.Handle, err = base64.RawURLEncoding.DecodeString(o.User.ID); err != nil {
		return nil, fmt.Errorf("read the user's handle: %w", err)
	}
	point, err := k.Private.PublicKey.Bytes()
	if err != nil {
		return nil, fmt.Errorf("write the public key: %w", err)
	}
	public, err := cbor.Marshal(map[int]any{1: 2, 3: -7, -1: 1, -2: point[1:33], -3: point[33:]}) // COSE EC2, ES256 (RFC 9053, 7.1.1)
	if err != nil {
		return nil, fmt.Errorf("write the public key: %w", err)
	}
	data := append(k.data(k.Flags|attested), make([]byte, 16)...) // AAGUID zero: of no make
	data = binary.BigEndian.AppendUint16(data, uint16(len(k.ID)))
	data = append(append(data, k.ID...), public...)
	object, err := cbor.Marshal(map[string]any{"fmt": "none", "attStmt": map[string]any{}, "authData": data})
	if err != nil {
		return nil, fmt.Errorf("write the attestation: %w", err)
	}
	client, err := k.client("webauthn.create", o.Challenge)
	if err != nil {
		return nil, err
	}
	return k.answer(map[string]string{"clientDataJSON": encode(client), "attestationObject": encode(object)})
}

// Get answers PublicKeyCredentialRequestOptionsJSON.
func (k *Key) Get(raw []byte) ([]byte, error) {
	o, err := k.read(raw)
	if err != nil {
		return nil, err
	}
	data := k.data(k.Flags)
	client, err := k.client("webauthn.get", o.Challenge)
	if err != nil {
		return nil, err
	}
	hash := sha256.Sum256(client)
	digest := sha256.Sum256(append(append([]byte{}, data...), hash[:]...))
	signature, err := ecdsa.SignASN1(rand.Reader, k.Private, digest[:])
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	return k.answer(map[string]string{
		"clientDataJSON": encode(client), "authenticatorData": encode(data), "signature": encode(signature), "userHandle": encode(k.Handle),
	})
}

// client is the client data of a ceremony (section 5.8.1).
func (k *Key) client(kind, challenge string) ([]byte, error) {
	return json.Marshal(map[string]any{"type": kind, "challenge": challenge, "origin": k.Origin, "crossOrigin": false})
}

// data is authenticator data up to the counter (section 6.1).
func (k *Key) data(flags byte) []byte {
	k.Count++
	hash := sha256.Sum256([]byte(k.Host))
	return binary.BigEndian.AppendUint32(append(hash[:], flags), k.Count)
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
