package emrtd

import (
	"crypto/sha1"
	"log/slog"

	"github.com/watchpost/watchpost/device/document/mrz"
	"github.com/watchpost/watchpost/device/fault"
)

// PasswordKind tells what a password was made of. The numbers are those of
// the PACE password reference (Doc 9303-11, 4.4.4.1, DO'83').
type PasswordKind uint8

// Kinds of password an inspection system uses.
const (
	PasswordUnknown PasswordKind = 0
	PasswordMRZ     PasswordKind = 1
	PasswordCAN     PasswordKind = 2
)

func (k PasswordKind) String() string {
	switch k {
	case PasswordMRZ:
		return "mrz"
	case PasswordCAN:
		return "can"
	}
	return "unknown"
}

// CAN lengths: issuers print six digits; the upper bound is ours.
const (
	minCAN = 6
	maxCAN = 16
)

// Password opens a chip. It is a secret of the holder and prints as nothing
// but its kind. The zero value opens nothing.
type Password struct {
	kind   PasswordKind
	secret []byte // K of Doc 9303-11, 9.7.3: SHA-1 of the MRZ information, or the digits of the CAN
}

// FromMRZ makes the password of document number, date of birth and date of
// expiry (YYMMDD), check digits computed.
func FromMRZ(number, birth, expiry string) (Password, error) {
	seed, err := mrz.KeySeed(number, birth, expiry)
	if err != nil {
		return Password{}, err
	}
	return fromSeed(seed), nil
}

// FromZone makes the password of a machine readable zone.
func FromZone(z *mrz.Zone) (Password, error) {
	seed, err := z.KeySeed()
	if err != nil {
		return Password{}, err
	}
	return fromSeed(seed), nil
}

func fromSeed(seed string) Password {
	sum := sha1.Sum([]byte(seed))
	return Password{kind: PasswordMRZ, secret: sum[:]}
}

// FromCAN makes the password of a card access number.
func FromCAN(can string) (Password, error) {
	if len(can) < minCAN || len(can) > maxCAN {
		return Password{}, fault.New("access.can", "%d characters, want %d digits or more", len(can), minCAN)
	}
	for i := range len(can) {
		if can[i] < '0' || can[i] > '9' {
			return Password{}, fault.New("access.can", "character %d is no digit", i+1)
		}
	}
	return Password{kind: PasswordCAN, secret: []byte(can)}, nil
}

// Kind tells what the password was made of.
func (p Password) Kind() PasswordKind { return p.kind }

// Wipe clears the secret. The password opens nothing afterwards.
func (p *Password) Wipe() {
	clear(p.secret)
	p.kind, p.secret = PasswordUnknown, nil
}

// LogValue keeps the secret out of logs.
func (p Password) LogValue() slog.Value { return slog.StringValue(p.String()) }

func (p Password) String() string { return "password of kind " + p.kind.String() }

// GoString keeps the secret out of %#v.
func (p Password) GoString() string { return p.String() }
