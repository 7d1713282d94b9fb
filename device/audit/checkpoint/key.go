package checkpoint

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/watchpost/watchpost/device/fault"
)

// Kinds of note keys: c2sp.org/signed-note (v1.0.0, 2025), "Signature types".
const (
	kindEd25519     = 1
	kindCosignature = 4
)

// PublicFile is where a post writes down the public half of its audit key, as
// text, in its state folder.
const PublicFile = "audit.pub"

// keyID is the key's 32-bit id: c2sp.org/signed-note, "Signatures".
func keyID(name string, kind byte, public ed25519.PublicKey) uint32 {
	h := sha256.New()
	h.Write([]byte(name + "\n"))
	h.Write([]byte{kind})
	h.Write(public)
	return binary.BigEndian.Uint32(h.Sum(nil))
}

// encodeKey writes a public key as a verifier key, "name+id+base64".
func encodeKey(name string, kind byte, public ed25519.PublicKey) string {
	var id [4]byte
	binary.BigEndian.PutUint32(id[:], keyID(name, kind, public))
	return name + "+" + hex.EncodeToString(id[:]) + "+" + base64.StdEncoding.EncodeToString(append([]byte{kind}, public...))
}

// decodeKey reads a verifier key of a kind.
func decodeKey(s string, kind byte) (name string, public ed25519.PublicKey, err error) {
	bad := fault.New("audit.key_form", "a key is NAME+ID+BASE64, as \"watchpost audit key\" prints it")
	name, rest, _ := strings.Cut(s, "+")
	id, text, _ := strings.Cut(rest, "+")
	raw, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(raw) != 1+ed25519.PublicKeySize || raw[0] != kind || !ValidOrigin(name) {
		return "", nil, bad
	}
	public = raw[1:]
	want, err := hex.DecodeString(id)
	if err != nil || len(want) != 4 || binary.BigEndian.Uint32(want) != keyID(name, kind, public) {
		return "", nil, bad
	}
	return name, public, nil
}

// Key is a post's public audit key under the name of its log, as text.
func Key(origin string, public ed25519.PublicKey) string {
	return encodeKey(origin, kindEd25519, public)
}

// ParseKey reads a post's audit key; its name is the log's origin.
func ParseKey(s string) (note.Verifier, error) {
	if _, _, err := decodeKey(s, kindEd25519); err != nil {
		return nil, err
	}
	v, err := note.NewVerifier(s)
	return v, fault.Wrap("audit.key_form", err)
}

// Signer signs heads with a key that it does not hold itself. It is safe for
// concurrent use if Seed is.
type Signer struct {
	Origin string
	Public ed25519.PublicKey
	// Seed gives the 32 bytes of the private key for one signature; they are
	// wiped after it. It fails once the vault is locked.
	Seed func() ([]byte, error)
}

var _ note.Signer = (*Signer)(nil)

// Name implements note.Signer.
func (s *Signer) Name() string { return s.Origin }

// KeyHash implements note.Signer.
func (s *Signer) KeyHash() uint32 { return keyID(s.Origin, kindEd25519, s.Public) }

// Sign implements note.Signer.
func (s *Signer) Sign(msg []byte) ([]byte, error) {
	seed, err := s.Seed()
	if err != nil {
		return nil, err
	}
	defer clear(seed)
	key := ed25519.NewKeyFromSeed(seed)
	defer clear(key)
	return ed25519.Sign(key, msg), nil
}
