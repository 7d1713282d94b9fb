// Package cvc reads card verifiable certificates, by which a terminal shows a
// chip what it may read (BSI TR-03110-3 v2.21, 2016, C and D; taken over by
// ICAO Doc 9303-12, 8th edition 2021, 7.2). It
// verifies no signature: only the chip holds the authority's key, and its word
// is what counts.
package cvc

import (
	"strings"
	"time"

	"github.com/watchpost/watchpost/device/document/pki/der"
	"github.com/watchpost/watchpost/device/fault"
)

// ErrMalformed: bytes that are no card verifiable certificate.
var ErrMalformed = &fault.Error{Code: "cvc.malformed"}

// Role is what a holder may do with its key. The numbers are the two upper
// bits of the holder's authorization (C.4.1).
type Role uint8

// Roles.
const (
	RoleInspection Role = 0 // inspection system: reads
	RoleForeignDV  Role = 1 // document verifier of another state: certifies inspection systems
	RoleDomesticDV Role = 2 // document verifier of the document's own state
	RoleCVCA       Role = 3 // country verifying authority: certifies verifiers and its own next key
)

// Rights to files that access control alone does not open. The numbers are
// the lower bits of the holder's authorization.
type Rights uint8

// Rights of inspection systems.
const (
	RightFinger Rights = 1 // DG3
	RightIris   Rights = 2 // DG4
)

// Group reports whether r covers data group n.
func (r Rights) Group(n int) bool {
	return n == 3 && r&RightFinger != 0 || n == 4 && r&RightIris != 0
}

// Certificate is one certificate. Slices alias the input.
type Certificate struct {
	Raw       []byte // the whole of 7F21
	Content   []byte // content of 7F21: 7F4E and 5F37, as PSO: VERIFY CERTIFICATE takes it
	Authority string // certification authority reference
	Holder    string // certificate holder reference
	Algorithm string // of the holder's key: an identifier under id-TA, dotted decimal
	Role      Role
	Rights    Rights    // as stated; the chip grants what the whole chain has
	From      time.Time // first day
	Until     time.Time // last day
}

// Tags of a certificate (C.1 and D.2).
const (
	tagCertificate   der.ID = 0x7F21
	tagBody          der.ID = 0x7F4E
	tagProfile       der.ID = 0x5F29
	tagAuthority     der.ID = 0x42
	tagPublicKey     der.ID = 0x7F49
	tagHolder        der.ID = 0x5F20
	tagAuthorization der.ID = 0x7F4C
	tagFrom          der.ID = 0x5F25
	tagUntil         der.ID = 0x5F24
	tagExtensions    der.ID = 0x65
	tagSignature     der.ID = 0x5F37
	tagRights        der.ID = 0x53
)

// Identifiers of terminal authentication and of inspection systems.
const (
	oidTerminal = "0.4.0.127.0.7.2.2.2"
	oidIS       = "0.4.0.127.0.7.3.1.2.1"
)

// maxCertificate bounds one certificate; with RSA of 4096 bits it has 1,200 octets.
const maxCertificate = 8 << 10

func malformed(format string, args ...any) error {
	return fault.New(ErrMalformed.Code, format, args...)
}

// Parse reads one certificate. Errors: ErrMalformed.
func Parse(raw []byte) (*Certificate, error) {
	if len(raw) > maxCertificate {
		return nil, malformed("%d octets", len(raw))
	}
	outer, rest, err := der.Parse(raw)
	if err != nil || len(rest) != 0 || outer.ID != tagCertificate {
		return nil, malformed("not one data object 7F21")
	}
	r := outer.Reader()
	body, err := r.Expect(tagBody)
	if err != nil {
		return nil, malformed("body: %v", err)
	}
	if _, err := r.Expect(tagSignature); err != nil || !r.Empty() {
		return nil, malformed("signature is missing, or something follows it")
	}
	c := &Certificate{Raw: outer.Raw, Content: outer.Content}
	if err := c.read(body); err != nil {
		return nil, err
	}
	return c, nil
}

// read takes the body apart. Its objects come in a fixed order.
func (c *Certificate) read(body der.Element) error {
	r := body.Reader()
	profile, err := r.Expect(tagProfile)
	if err != nil || len(profile.Content) != 1 || profile.Content[0] != 0 {
		return malformed("profile is not 1")
	}
	for _, part := range []struct {
		tag  der.ID
		name string
		read func(der.Element) error
	}{
		{tagAuthority, "authority", func(e der.Element) (err error) { c.Authority, err = reference(e.Content); return err }},
		{tagPublicKey, "public key", c.readKey},
		{tagHolder, "holder", func(e der.Element) (err error) { c.Holder, err = reference(e.Content); return err }},
		{tagAuthorization, "authorization", c.readAuthorization},
		{tagFrom, "effective date", func(e der.Element) (err error) { c.From, err = day(e.Content); return err }},
		{tagUntil, "expiration date", func(e der.Element) (err error) { c.Until, err = day(e.Content); return err }},
	} {
		e, err := r.Expect(part.tag)
		if err != nil {
			return malformed("%s: %v", part.name, err)
		}
		if err := part.read(e); err != nil {
			return malformed("%s: %v", part.name, err)
		}
	}
	if _, _, err := r.Optional(tagExtensions); err != nil || !r.Empty() {
		return malformed("something follows the dates")
	}
	return nil
}

// reference reads a key reference: country, mnemonic and sequence number, at
// most 16 characters of ISO/IEC 8859-1.
func reference(b []byte) (string, error) {
	if len(b) < 8 || len(b) > 16 {
		return "", malformed("reference of %d characters", len(b))
	}
	return string(b), nil
}

func (c *Certificate) readKey(e der.Element) error {
	oid, err := e.Reader().Expect(der.ObjectID)
	if err != nil {
		return err
	}
	if c.Algorithm, err = oid.OID(); err != nil {
		return err
	}
	if AlgorithmName(c.Algorithm) == "" {
		return malformed("key is for none of the algorithms of terminal authentication")
	}
	return nil
}

func (c *Certificate) readAuthorization(e der.Element) error {
	r := e.Reader()
	oid, err := r.Expect(der.ObjectID)
	if err != nil {
		return err
	}
	if name, err := oid.OID(); err != nil || name != oidIS {
		return malformed("terminal of another type than inspection system")
	}
	bits, err := r.Expect(tagRights)
	if err != nil || len(bits.Content) != 1 || !r.Empty() {
		return malformed("rights are not one octet")
	}
	c.Role, c.Rights = Role(bits.Content[0]>>6), Rights(bits.Content[0]&0x3F)
	return nil
}

// day reads YYMMDD, a digit an octet (D.2.1.3).
func day(b []byte) (time.Time, error) {
	if len(b) != 6 {
		return time.Time{}, malformed("date of %d octets", len(b))
	}
	text := make([]byte, len(b))
	for i, digit := range b {
		if digit > 9 {
			return time.Time{}, malformed("octet %d is no digit", i+1)
		}
		text[i] = '0' + digit
	}
	t, err := time.Parse("20060102", "20"+string(text))
	if err != nil {
		return time.Time{}, malformed("no such day")
	}
	return t, nil
}

// AlgorithmName names an identifier under id-TA for people, "ECDSA SHA-256",
// "" where it is none (A.1.1.3).
func AlgorithmName(oid string) string {
	arcs, ok := strings.CutPrefix(oid, oidTerminal+".")
	if !ok {
		return ""
	}
	return map[string]string{
		"1.1": "RSA SHA-1", "1.2": "RSA SHA-256", "1.5": "RSA SHA-512",
		"1.3": "RSA-PSS SHA-1", "1.4": "RSA-PSS SHA-256", "1.6": "RSA-PSS SHA-512",
		"2.1": "ECDSA SHA-1", "2.2": "ECDSA SHA-224", "2.3": "ECDSA SHA-256", "2.4": "ECDSA SHA-384", "2.5": "ECDSA SHA-512",
	}[arcs]
}

// References reads EF.CVCA: the references of the authorities that the chip
// trusts, the newest first, at most two, then filling (A.3; Doc 9303-11, appendix K.2). The error says
// that there is none.
func References(file []byte) ([]string, error) {
	var found []string
	for len(file) > 0 && file[0] == byte(tagAuthority) && len(found) < 2 {
		e, rest, err := der.Parse(file)
		if err != nil {
			break
		}
		name, err := reference(e.Content)
		if err != nil {
			break
		}
		found, file = append(found, name), rest
	}
	if len(found) == 0 {
		return nil, malformed("EF.CVCA names no authority")
	}
	return found, nil
}
