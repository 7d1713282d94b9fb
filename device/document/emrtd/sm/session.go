package sm

import (
	"crypto/subtle"
	"encoding/binary"
	"log/slog"

	"github.com/watchpost/watchpost/device/document/emrtd/apdu"
	"github.com/watchpost/watchpost/device/fault"
)

// Reasons for which a session dies. After any of them only a new access
// control procedure brings the document back (Doc 9303-11, 9.8.5).
var (
	ErrDead          = &fault.Error{Code: "sm.dead"}           // used after it died
	ErrPlainStatus   = &fault.Error{Code: "sm.plain_status"}   // bare status word inside the session
	ErrStructure     = &fault.Error{Code: "sm.structure"}      // objects unknown, doubled, out of order or trailing
	ErrMACMissing    = &fault.Error{Code: "sm.mac_missing"}    // no DO'8E'
	ErrMACWrong      = &fault.Error{Code: "sm.mac_wrong"}      // DO'8E' does not verify (also: wrong counter)
	ErrStatusMissing = &fault.Error{Code: "sm.status_missing"} // no DO'99'
	ErrStatusDiffers = &fault.Error{Code: "sm.status_differs"} // DO'99' is not the status word sent
	ErrCryptogram    = &fault.Error{Code: "sm.cryptogram"}     // empty, no whole blocks, or wrong indicator
	ErrPadding       = &fault.Error{Code: "sm.padding"}        // deciphered data badly padded
)

// Tags of secure messaging data objects (ISO/IEC 7816-4:2020, table 49).
const (
	tagCryptogramTLV = 0x85 // cryptogram of BER-TLV data, odd INS
	tagCryptogram    = 0x87 // padding indicator and cryptogram
	tagLe            = 0x97
	tagStatus        = 0x99
	tagMAC           = 0x8E
	paddingMethod2   = 0x01
)

// Session protects one conversation. The counter grows by one before each
// command and each response, whatever the outcome. A session is for one
// goroutine, and so is each pair of Wrap and Unwrap.
type Session struct {
	suite      Suite
	kEnc, kMAC []byte
	ssc        []byte
	odd        bool // the command in flight had an odd INS
	pending    bool // a command is in flight
	dead       error
}

// NewSession starts a session on derived keys. ssc is the initial counter, of
// the suite's block length; nil starts at zero, as PACE and Chip
// Authentication do. The session takes over its own copies.
func NewSession(suite Suite, kEnc, kMAC, ssc []byte) (*Session, error) {
	if suite.KeyLen() == 0 || len(kEnc) != suite.KeyLen() || len(kMAC) != suite.KeyLen() {
		return nil, fault.New(ErrKey.Code, "keys of %d and %d octets for %s", len(kEnc), len(kMAC), suite)
	}
	if ssc == nil {
		ssc = make([]byte, suite.BlockLen())
	}
	if len(ssc) != suite.BlockLen() {
		return nil, fault.New(ErrKey.Code, "counter of %d octets for %s", len(ssc), suite)
	}
	clone := func(b []byte) []byte { return append([]byte(nil), b...) }
	return &Session{suite: suite, kEnc: clone(kEnc), kMAC: clone(kMAC), ssc: clone(ssc)}, nil
}

// FromSecret derives both keys from a shared secret and starts at zero.
func FromSecret(suite Suite, secret []byte) (*Session, error) {
	kEnc, kMAC := suite.Derive(secret, CounterEnc), suite.Derive(secret, CounterMAC)
	defer clear(kEnc)
	defer clear(kMAC)
	return NewSession(suite, kEnc, kMAC, nil)
}

// LogValue keeps keys out of logs.
func (s *Session) LogValue() slog.Value { return slog.StringValue(s.String()) }

func (s *Session) String() string { return "secure messaging " + s.suite.String() }

// GoString keeps keys out of %#v.
func (s *Session) GoString() string { return s.String() }

// Suite returns the cipher of the session.
func (s *Session) Suite() Suite { return s.suite }

// Close wipes the keys. The session is dead afterwards.
func (s *Session) Close() {
	clear(s.kEnc)
	clear(s.kMAC)
	clear(s.ssc)
	if s.dead == nil {
		s.dead = fault.New(ErrDead.Code, "closed")
	}
}

// Overhead limits: octets of a protected response beside whole cipher blocks.
const (
	responseTrailer = 4 + 2 + MACLen // DO'99' and DO'8E'
	statusLen       = 2
)

// MaxPlain returns how many plain response octets fit a protected response of
// at most total octets, status word included; 0 where none do.
func (s *Session) MaxPlain(total int) int {
	block := s.suite.BlockLen()
	for n := total / block * block; n > 0; n -= block {
		do87 := 1 + lengthSize(n+1) + 1 + n
		if do87+responseTrailer+statusLen <= total {
			return n - 1 // at least one octet of padding
		}
	}
	return 0
}

func lengthSize(n int) int {
	switch {
	case n < 0x80:
		return 1
	case n <= 0xFF:
		return 2
	case n <= 0xFFFF:
		return 3
	}
	return 4
}

// Wrap protects c (Doc 9303-11, 9.8.4). The Le of the result is 256, or
// 65,536 where the command needs the extended form.
func (s *Session) Wrap(c apdu.Command) (apdu.Command, error) {
	if s.dead != nil {
		return apdu.Command{}, s.dead
	}
	if s.pending {
		return apdu.Command{}, s.die(ErrDead.Code, "command sent before the answer to the last")
	}
	s.count()
	s.pending, s.odd = true, c.Odd()
	out := apdu.Command{CLA: c.CLA | apdu.SMClass, INS: c.INS, P1: c.P1, P2: c.P2}

	var objects []byte
	if len(c.Data) > 0 {
		cryptogram, err := s.encrypt(c.Data)
		if err != nil {
			return apdu.Command{}, err
		}
		if s.odd {
			objects = apdu.AppendTLV(objects, tagCryptogramTLV, cryptogram)
		} else {
			objects = apdu.AppendTLV(objects, tagCryptogram, append([]byte{paddingMethod2}, cryptogram...))
		}
	}
	switch {
	case c.Ne == 0:
	case c.Ne <= apdu.MaxShortLe:
		objects = apdu.AppendTLV(objects, tagLe, []byte{byte(c.Ne)})
	default:
		objects = apdu.AppendTLV(objects, tagLe, binary.BigEndian.AppendUint16(nil, uint16(c.Ne)))
	}

	block := s.suite.BlockLen()
	input := append([]byte(nil), s.ssc...)
	input = append(input, Pad([]byte{out.CLA, out.INS, out.P1, out.P2}, block)...)
	input = append(input, objects...)
	code, err := s.mac(input, len(objects) > 0)
	if err != nil {
		return apdu.Command{}, err
	}
	out.Data = apdu.AppendTLV(objects, tagMAC, code)
	out.Ne = apdu.MaxShortLe
	if len(out.Data) > apdu.MaxShortData || c.Ne > apdu.MaxShortLe {
		out.Ne = apdu.MaxExtendedLe
	}
	return out, nil
}

// Unwrap verifies and deciphers the response to the command last wrapped. The
// authentication code is judged before anything is deciphered. An error means
// that the session is dead; a status word other than 9000 that came properly
// protected is no error.
func (s *Session) Unwrap(r apdu.Response) (apdu.Response, error) {
	if s.dead != nil {
		return apdu.Response{}, s.dead
	}
	if !s.pending {
		return apdu.Response{}, s.die(ErrDead.Code, "answer without a command")
	}
	s.pending = false
	s.count()
	if len(r.Data) == 0 {
		return apdu.Response{}, s.die(ErrPlainStatus.Code, "status %s", r.Status)
	}
	o, err := s.split(r.Data)
	if err != nil {
		return apdu.Response{}, err
	}
	code, err := s.mac(append(append([]byte(nil), s.ssc...), o.authenticated...), true)
	if err != nil {
		return apdu.Response{}, err
	}
	if subtle.ConstantTimeCompare(code, o.mac) != 1 {
		return apdu.Response{}, s.die(ErrMACWrong.Code, "status %s", r.Status)
	}
	if o.status == nil {
		return apdu.Response{}, s.die(ErrStatusMissing.Code, "status %s", r.Status)
	}
	if inner := apdu.Status(binary.BigEndian.Uint16(o.status)); inner != r.Status {
		return apdu.Response{}, s.die(ErrStatusDiffers.Code, "%s protected, %s sent", inner, r.Status)
	}
	plain, err := s.decrypt(o)
	if err != nil {
		return apdu.Response{}, err
	}
	return apdu.Response{Data: plain, Status: r.Status}, nil
}

// objects is a response taken apart; nil means absent.
type objects struct {
	authenticated []byte // everything before DO'8E'
	cryptogram    []byte
	indicated     bool // cryptogram came in DO'87'
	status        []byte
	mac           []byte
}

// split takes a response apart. The order is DO'85' or DO'87', DO'99',
// DO'8E', each at most once (Doc 9303-11, 9.8.4).
func (s *Session) split(data []byte) (objects, error) {
	var o objects
	for rest := data; len(rest) > 0; {
		at := len(data) - len(rest)
		tag, value, next, err := apdu.NextTLV(rest)
		if err != nil {
			return o, s.die(ErrStructure.Code, "object at octet %d", at)
		}
		rest = next
		switch {
		case o.mac != nil:
			return o, s.die(ErrStructure.Code, "object %02X after the authentication code", tag)
		case (tag == tagCryptogram || tag == tagCryptogramTLV) && o.cryptogram == nil && o.status == nil:
			if tag == tagCryptogramTLV && !s.odd {
				return o, s.die(ErrStructure.Code, "object 85 in the answer to an even instruction")
			}
			o.cryptogram, o.indicated = value, tag == tagCryptogram
		case tag == tagStatus && o.status == nil:
			if len(value) != statusLen {
				return o, s.die(ErrStructure.Code, "status object of %d octets", len(value))
			}
			o.status = value
		case tag == tagMAC:
			if len(value) != MACLen {
				return o, s.die(ErrStructure.Code, "authentication code of %d octets", len(value))
			}
			o.mac, o.authenticated = value, data[:at]
		default:
			return o, s.die(ErrStructure.Code, "object %02X at octet %d", tag, at)
		}
	}
	if o.mac == nil {
		return o, s.die(ErrMACMissing.Code, "answer of %d octets", len(data))
	}
	return o, nil
}

func (s *Session) decrypt(o objects) ([]byte, error) {
	if o.cryptogram == nil {
		return nil, nil
	}
	secret := o.cryptogram
	if o.indicated {
		if len(secret) == 0 || secret[0] != paddingMethod2 {
			return nil, s.die(ErrCryptogram.Code, "padding indicator missing or unknown")
		}
		secret = secret[1:]
	}
	if len(secret) == 0 || len(secret)%s.suite.BlockLen() != 0 {
		return nil, s.die(ErrCryptogram.Code, "%d octets", len(secret))
	}
	iv, err := s.iv()
	if err != nil {
		return nil, err
	}
	padded, err := s.suite.DecryptCBC(s.kEnc, iv, secret)
	if err != nil {
		return nil, err
	}
	plain, ok := Unpad(padded, s.suite.BlockLen())
	if !ok {
		return nil, s.die(ErrPadding.Code, "%d octets", len(padded))
	}
	return plain, nil
}

func (s *Session) encrypt(data []byte) ([]byte, error) {
	iv, err := s.iv()
	if err != nil {
		return nil, err
	}
	return s.suite.EncryptCBC(s.kEnc, iv, Pad(data, s.suite.BlockLen()))
}

// iv is zero for 3DES and the enciphered counter for AES (Doc 9303-11,
// 9.8.6.1 and 9.8.7.1).
func (s *Session) iv() ([]byte, error) {
	if s.suite == TripleDES {
		return nil, nil
	}
	return s.suite.EncryptBlock(s.kEnc, s.ssc)
}

// mac authenticates input. Secure messaging pads to whole blocks under either
// cipher; a header alone (pad false) has been padded already.
func (s *Session) mac(input []byte, pad bool) ([]byte, error) {
	if pad {
		input = Pad(input, s.suite.BlockLen())
	}
	if s.suite == TripleDES {
		return retailMAC(s.kMAC, input)
	}
	return s.suite.MAC(s.kMAC, input)
}

func (s *Session) count() {
	for i := len(s.ssc) - 1; i >= 0; i-- {
		s.ssc[i]++
		if s.ssc[i] != 0 {
			return
		}
	}
}

func (s *Session) die(code fault.Code, format string, args ...any) error {
	err := fault.New(code, format, args...)
	s.dead = &fault.Error{Code: ErrDead.Code, Cause: err}
	return err
}
