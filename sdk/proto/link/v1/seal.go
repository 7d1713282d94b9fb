package linkv1

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/hpke"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"

	"google.golang.org/protobuf/proto"
)

// Contexts of signatures and sealing: what is signed as one thing can never be
// shown as another. The version is part of them.
const (
	callContext    = "watchpost/link/1/call\x00"
	answerContext  = "watchpost/link/1/answer\x00"
	receiptContext = "watchpost/link/1/receipt\x00"
	hpkeInfo       = "watchpost/link/1/hpke"
	exportContext  = "watchpost/link/1/reply"
)

// KEM is the key encapsulation of the contract: DHKEM(X25519, HKDF-SHA256) of
// RFC 9180.
func KEM() hpke.KEM { return hpke.DHKEM(ecdh.X25519()) }

// Post is a post's side: its signature and central's two public keys. It is
// safe for concurrent use if Sign is.
type Post struct {
	Name    string
	Sign    func(message []byte) ([]byte, error) // Ed25519 by the post's key
	Central ed25519.PublicKey
	SealTo  hpke.PublicKey
}

// Pending is a call under way: what opens its reply, and no other.
type Pending struct {
	post    *Post
	subject string
	digest  [digestBytes]byte
	reply   cipher.AEAD
}

// NewID returns a fresh Call.id.
func NewID() []byte {
	id := make([]byte, idBytes)
	_, _ = rand.Read(id) // never fails (crypto/rand)
	return id
}

// Seal makes the message for a call on subject. ErrSize if it is too large for
// the broker.
func (p *Post) Seal(subject string, call *Call) ([]byte, *Pending, error) {
	content, err := serial(call)
	if err != nil {
		return nil, nil, err
	}
	if len(content) > maxContent {
		return nil, nil, ErrSize
	}
	signature, err := p.Sign(append([]byte(callContext), content...))
	if err != nil {
		return nil, nil, fmt.Errorf("link: sign the call: %w", err)
	}
	signed, err := serial(&Signed{Content: content, Signature: signature})
	if err != nil {
		return nil, nil, err
	}
	enc, sender, err := hpke.NewSender(p.SealTo, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte(hpkeInfo))
	if err != nil {
		return nil, nil, fmt.Errorf("link: seal the call: %w", err)
	}
	body, err := sender.Seal([]byte(subject), signed)
	if err != nil {
		return nil, nil, fmt.Errorf("link: seal the call: %w", err)
	}
	reply, err := replyKey(sender.Export)
	if err != nil {
		return nil, nil, err
	}
	wire, err := serial(&Sealed{Enc: enc, Body: body})
	return wire, &Pending{post: p, subject: subject, digest: sha256.Sum256(content), reply: reply}, err
}

// Open reads the reply to this call. ErrForged for anything that central did
// not make for exactly this call.
func (p *Pending) Open(wire []byte) (*Answer, error) {
	if len(wire) > MaxMessage {
		return nil, ErrSize
	}
	r := new(Reply)
	if err := parse(wire, r); err != nil {
		return nil, err
	}
	if len(r.Body) < nonceBytes {
		return nil, ErrForm
	}
	plain, err := p.reply.Open(nil, r.Body[:nonceBytes], r.Body[nonceBytes:], []byte(p.subject))
	if err != nil {
		return nil, ErrForged
	}
	s := new(SignedAnswer)
	if err := parse(plain, s); err != nil {
		return nil, err
	}
	if !ed25519.Verify(p.post.Central, append([]byte(answerContext), s.Content...), s.Signature) {
		return nil, ErrForged
	}
	a := new(Answer)
	if err := parse(s.Content, a); err != nil {
		return nil, err
	}
	if string(a.CallSha256) != string(p.digest[:]) {
		return nil, ErrForged
	}
	return a, nil
}

// Central is central's side: both private keys. It is safe for concurrent use.
type Central struct {
	SignWith ed25519.PrivateKey
	OpenWith hpke.PrivateKey
}

// Respond makes the reply to one call.
type Respond struct {
	central *Central
	subject string
	digest  [digestBytes]byte
	reply   cipher.AEAD
}

// Open reads a message that came on subject. keyOf returns the public key of a
// registered post, or an error that Open passes on. ErrForged if the post did
// not sign it, ErrForm and ErrSize for what is no message of this contract.
// With an error after the message could be opened Respond is not nil: the post
// can be told.
func (c *Central) Open(subject string, wire []byte, keyOf func(post string) (ed25519.PublicKey, error)) (*Call, *Respond, error) {
	post, err := PostOf(subject)
	if err != nil {
		return nil, nil, err
	}
	if len(wire) > MaxMessage {
		return nil, nil, ErrSize
	}
	sealed := new(Sealed)
	if err := parse(wire, sealed); err != nil {
		return nil, nil, err
	}
	recipient, err := hpke.NewRecipient(sealed.Enc, c.OpenWith, hpke.HKDFSHA256(), hpke.AES256GCM(), []byte(hpkeInfo))
	if err != nil {
		return nil, nil, ErrForged
	}
	plain, err := recipient.Open([]byte(subject), sealed.Body)
	if err != nil {
		return nil, nil, ErrForged
	}
	signed := new(Signed)
	if err := parse(plain, signed); err != nil {
		return nil, nil, err
	}
	reply, err := replyKey(recipient.Export)
	if err != nil {
		return nil, nil, err
	}
	respond := &Respond{central: c, subject: subject, digest: sha256.Sum256(signed.Content), reply: reply}
	key, err := keyOf(post)
	if err != nil {
		return nil, respond, err
	}
	if !ed25519.Verify(key, append([]byte(callContext), signed.Content...), signed.Signature) {
		return nil, respond, ErrForged
	}
	call := new(Call)
	if err := parse(signed.Content, call); err != nil {
		return nil, respond, err
	}
	if call.Post != post || len(call.Id) != idBytes || call.PatienceMs > MaxPatience || call.What == nil {
		return nil, respond, ErrForm
	}
	return call, respond, nil
}

// Seal makes the reply. It binds a to the call; the caller leaves
// a.CallSha256 empty.
func (r *Respond) Seal(a *Answer) ([]byte, error) {
	a.CallSha256 = r.digest[:]
	content, err := serial(a)
	if err != nil {
		return nil, err
	}
	if len(content) > maxContent {
		return nil, ErrSize
	}
	signed, err := serial(&SignedAnswer{Content: content, Signature: ed25519.Sign(r.central.SignWith, append([]byte(answerContext), content...))})
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, nonceBytes)
	_, _ = rand.Read(nonce) // never fails (crypto/rand)
	return serial(&Reply{Body: r.reply.Seal(nonce, nonce, signed, []byte(r.subject))})
}

// SignReceipt returns what DeliverResponse carries of r.
func (c *Central) SignReceipt(r *Receipt) (text string, signature []byte, err error) {
	raw, err := serial(r)
	if err != nil {
		return "", nil, err
	}
	return base64.StdEncoding.EncodeToString(raw), ed25519.Sign(c.SignWith, append([]byte(receiptContext), raw...)), nil
}

// OpenReceipt reads a receipt that central signed, ErrForged if it did not.
func OpenReceipt(central ed25519.PublicKey, text string, signature []byte) (*Receipt, error) {
	if len(text) > maxReceipt {
		return nil, ErrSize
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, ErrForm
	}
	if !ed25519.Verify(central, append([]byte(receiptContext), raw...), signature) {
		return nil, ErrForged
	}
	r := new(Receipt)
	return r, parse(raw, r)
}

// maxReceipt bounds a receipt's text in bytes.
const maxReceipt = 4 << 10

// Digest is the SHA-256 that a receipt states of a delivered request.
func Digest(m proto.Message) ([]byte, error) {
	raw, err := serial(m)
	sum := sha256.Sum256(raw)
	return sum[:], err
}

// replyKey derives the key of a reply from either end of the HPKE context.
func replyKey(export func(string, int) ([]byte, error)) (cipher.AEAD, error) {
	secret, err := export(exportContext, secretBytes)
	if err != nil {
		return nil, fmt.Errorf("link: derive the reply's key: %w", err)
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		return nil, fmt.Errorf("link: derive the reply's key: %w", err)
	}
	return cipher.NewGCM(block)
}

func serial(m proto.Message) ([]byte, error) {
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrForm, err)
	}
	return raw, nil
}

// parse refuses what is not of the form. The cause is left out: it may quote
// the message.
func parse(raw []byte, m proto.Message) error {
	if proto.Unmarshal(raw, m) != nil {
		return fmt.Errorf("%w: %s", ErrForm, m.ProtoReflect().Descriptor().Name())
	}
	return nil
}
