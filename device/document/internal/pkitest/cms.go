package pkitest

import (
	"bytes"
	"crypto"
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/document/pki/der"
)

// Content types, encoded.
var (
	ContentData          = OID(1, 2, 840, 113549, 1, 7, 1)
	ContentSecurity      = OID(2, 23, 136, 1, 1, 1)
	ContentMasterList    = OID(2, 23, 136, 1, 1, 2)
	ContentDeviationList = OID(2, 23, 136, 1, 1, 7)

	UsageMasterList    = OID(2, 23, 136, 1, 1, 3)
	UsageDeviationList = OID(2, 23, 136, 1, 1, 8)
)

// SignedData says what message to sign. Zero values give a good one with one
// signer named by its key identifier.
type SignedData struct {
	ContentType  []byte
	Content      []byte
	Certificates [][]byte
	Key          *Key
	KeyID        []byte // signer identifier; nil means the key's own
	Issuer       []byte // with Serial, names the signer instead
	Serial       int64
	Digest       crypto.Hash
	DigestID     []byte // digest algorithm identifier when it shall differ
	Algorithm    Algorithm
	SigningTime  time.Time

	AttributeType []byte                        // content-type attribute when it shall differ
	Attributes    func(all [][]byte) [][]byte   // changes the attributes before signing
	Sent          func(all [][]byte) [][]byte   // changes them after signing
	NoAttributes  bool                          // sign the content itself
	Signature     func(signature []byte) []byte // changes the signature
	Indefinite    bool                          // outer levels in indefinite length, content in parts
}

// Attribute encodes one attribute.
func Attribute(oid []byte, values ...[]byte) []byte {
	return der.Marshal(der.Sequence, oid, der.Marshal(der.Set, values...))
}

// Attribute types, encoded.
var (
	AttributeContentType   = OID(1, 2, 840, 113549, 1, 9, 3)
	AttributeMessageDigest = OID(1, 2, 840, 113549, 1, 9, 4)
	AttributeSigningTime   = OID(1, 2, 840, 113549, 1, 9, 5)
)

// Sign builds the message.
func (m SignedData) Sign(t testing.TB) []byte {
	t.Helper()
	if m.Digest == 0 {
		m.Digest = crypto.SHA256
	}
	if m.Algorithm.Hash == 0 {
		m.Algorithm.Hash = m.Digest
	}
	if m.ContentType == nil {
		m.ContentType = ContentSecurity
	}
	if m.DigestID == nil {
		m.DigestID = HashIdentifier(m.Digest)
	}
	signer := m.signer(t)
	certificates := der.Marshal(der.ContextConstructed(0), m.Certificates...)
	head := [][]byte{Int(big.NewInt(3)), der.Marshal(der.Set, m.DigestID)}
	if !m.Indefinite {
		content := der.Marshal(der.Sequence, m.ContentType, der.Marshal(der.ContextConstructed(0), der.Marshal(der.OctetString, m.Content)))
		return der.Marshal(der.Sequence, OID(1, 2, 840, 113549, 1, 7, 2), der.Marshal(der.ContextConstructed(0),
			der.Marshal(der.Sequence, slices.Concat(head, [][]byte{content, certificates, der.Marshal(der.Set, signer)})...)))
	}
	half := len(m.Content) / 2
	octets := Indefinite(0x24, der.Marshal(der.OctetString, m.Content[:half]), der.Marshal(der.OctetString, m.Content[half:]))
	content := Indefinite(0x30, m.ContentType, Indefinite(0xA0, octets))
	return Indefinite(0x30, OID(1, 2, 840, 113549, 1, 7, 2), Indefinite(0xA0,
		Indefinite(0x30, slices.Concat(head, [][]byte{content, certificates, der.Marshal(der.Set, signer)})...)))
}

// Indefinite encodes a constructed element in indefinite length.
func Indefinite(id byte, content ...[]byte) []byte {
	return append(append([]byte{id, 0x80}, bytes.Join(content, nil)...), 0, 0)
}

func (m SignedData) signer(t testing.TB) []byte {
	t.Helper()
	var identifier []byte
	version := int64(3)
	if m.Issuer != nil {
		identifier, version = der.Marshal(der.Sequence, m.Issuer, Int(big.NewInt(m.Serial))), 1
	} else {
		id := m.KeyID
		if id == nil {
			id = m.Key.ID()
		}
		identifier = der.Marshal(der.Context(0), id)
	}
	parts := [][]byte{Int(big.NewInt(version)), identifier, m.DigestID}
	signed := m.Content
	if !m.NoAttributes {
		attributes := m.attributes()
		signed = der.Marshal(der.Set, attributes...)
		if m.Sent != nil {
			attributes = m.Sent(attributes)
		}
		parts = append(parts, der.Marshal(der.ContextConstructed(0), attributes...))
	}
	signature := m.Key.Sign(t, m.Algorithm, signed)
	if m.Signature != nil {
		signature = m.Signature(signature)
	}
	return der.Marshal(der.Sequence, append(parts, m.Algorithm.Identifier(m.Key), der.Marshal(der.OctetString, signature))...)
}

func (m SignedData) attributes() [][]byte {
	h := m.Digest.New()
	h.Write(m.Content)
	contentType := m.AttributeType
	if contentType == nil {
		contentType = m.ContentType
	}
	all := [][]byte{Attribute(AttributeContentType, contentType), Attribute(AttributeMessageDigest, der.Marshal(der.OctetString, h.Sum(nil)))}
	if !m.SigningTime.IsZero() {
		all = append(all, Attribute(AttributeSigningTime, Time(m.SigningTime)))
	}
	if m.Attributes != nil {
		all = m.Attributes(all)
	}
	slices.SortFunc(all, bytes.Compare)
	return all
}

// MasterList encodes a CscaMasterList.
func MasterList(certificates ...[]byte) []byte {
	return der.Marshal(der.Sequence, Int(big.NewInt(0)), der.Marshal(der.Set, certificates...))
}
