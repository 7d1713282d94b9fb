package linkv1

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"fmt"
	"time"
)

const (
	enrolContext   = "watchpost/link/1/enrol\x00"
	approveContext = "watchpost/link/1/approve\x00"
	maxRequest     = 1 << 10 // bytes of a request's text
	keyBytes       = 32
	codeBytes      = 10 // 80 bits: nobody finds a second request of the same code
)

// codeLetters are those that cannot be taken for one another (Crockford's).
var codeLetters = base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").WithPadding(base32.NoPadding)

// NewEnrolmentRequest makes the request of a post as one word of text. sign is
// by the link key.
func NewEnrolmentRequest(post string, linkKey ed25519.PublicKey, recipient []byte, now time.Time, sign func([]byte) ([]byte, error)) (string, error) {
	r := &EnrolmentRequest{Post: post, LinkKey: linkKey, Recipient: recipient, Nonce: make([]byte, idBytes), MadeMs: now.UnixMilli()}
	_, _ = rand.Read(r.Nonce) // never fails (crypto/rand)
	if err := checkEnrolment(r); err != nil {
		return "", err
	}
	content, err := serial(r)
	if err != nil {
		return "", err
	}
	signature, err := sign(append([]byte(enrolContext), content...))
	if err != nil {
		return "", fmt.Errorf("link: sign the request: %w", err)
	}
	raw, err := serial(&Signed{Content: content, Signature: signature})
	return base64.RawURLEncoding.EncodeToString(raw), err
}

// OpenEnrolmentRequest reads a request that its post has signed. ErrForged if
// another key has signed it, ErrForm and ErrSize for what is no request.
func OpenEnrolmentRequest(text string) (*EnrolmentRequest, error) {
	if len(text) > maxRequest {
		return nil, ErrSize
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, ErrForm
	}
	s, r := new(Signed), new(EnrolmentRequest)
	if err := parse(raw, s); err != nil {
		return nil, err
	}
	if err := parse(s.Content, r); err != nil {
		return nil, err
	}
	if err := checkEnrolment(r); err != nil {
		return nil, err
	}
	if !ed25519.Verify(r.LinkKey, append([]byte(enrolContext), s.Content...), s.Signature) {
		return nil, ErrForged
	}
	return r, nil
}

func checkEnrolment(r *EnrolmentRequest) error {
	if !ValidPost(r.Post) || len(r.LinkKey) != keyBytes || len(r.Recipient) != keyBytes || len(r.Nonce) != idBytes || r.MadeMs <= 0 {
		return fmt.Errorf("%w: request", ErrForm)
	}
	return nil
}

// EnrolmentCode is what the box shows of its request and who approves compares:
// four groups of four letters and digits.
func EnrolmentCode(text string) string {
	sum := sha256.Sum256([]byte(text))
	c := codeLetters.EncodeToString(sum[:codeBytes])
	return c[0:4] + "-" + c[4:8] + "-" + c[8:12] + "-" + c[12:16]
}

// SignApproval is an operator's word for a proposal of central's of that kind.
func SignApproval(kind string, content []byte, key ed25519.PrivateKey) []byte {
	return ed25519.Sign(key, approval(kind, content))
}

// CheckApproval reports whether signature is key's word for the proposal.
func CheckApproval(kind string, content []byte, key ed25519.PublicKey, signature []byte) bool {
	return len(key) == ed25519.PublicKeySize && ed25519.Verify(key, approval(kind, content), signature)
}

func approval(kind string, content []byte) []byte {
	out := append([]byte(approveContext), kind...)
	return append(append(out, 0), content...)
}
