package examine

import (
	"strings"
	"time"

	"github.com/watchpost/watchpost/device/document/emrtd"
	"github.com/watchpost/watchpost/device/document/mrz"
	"github.com/watchpost/watchpost/device/fault"
)

// Key is what opens a chip, as an officer gives it. It holds personal data.
type Key struct {
	Passwords []emrtd.Password // in the order to try; wiped by Wipe
	Lines     []string         // the zone as given, nil where only its three fields were
}

// Wipe overwrites the passwords.
func (k *Key) Wipe() {
	for i := range k.Passwords {
		k.Passwords[i].Wipe()
	}
}

// Errors of a key.
var (
	ErrKeyMissing = &fault.Error{Code: "key.missing", Hint: "give the machine readable zone, or number, birth and expiry, or the card access number"}
	ErrKeyForm    = &fault.Error{Code: "key.form", Hint: "NUMBER,YYMMDD,YYMMDD (document number, birth, expiry), or all lines of the zone"}
)

// ParseKey reads a key: zone holds "NUMBER,YYMMDD,YYMMDD" or the lines of a
// machine readable zone, separated by line feeds, "|" or the two characters
// `\n`; can is a card access number. One of them is needed; with both the zone
// is tried first. now decides centuries.
func ParseKey(zone, can string, now time.Time) (Key, error) {
	var k Key
	switch fields := strings.Split(zone, ","); {
	case strings.TrimSpace(zone) == "":
	case len(fields) == 3:
		for i := range fields {
			fields[i] = strings.ToUpper(strings.TrimSpace(fields[i]))
		}
		p, err := emrtd.FromMRZ(strings.TrimRight(fields[0], "<"), fields[1], fields[2])
		if err != nil {
			return Key{}, fault.New(ErrKeyForm.Code, "%w", err).WithHint(ErrKeyForm.Hint)
		}
		k.Passwords = append(k.Passwords, p)
	default:
		lines := mrz.Clean(strings.NewReplacer(`\n`, "\n", "|", "\n").Replace(zone))
		z, err := mrz.Parse(lines, now)
		if err != nil {
			return Key{}, fault.New(ErrKeyForm.Code, "%w", err).WithHint(ErrKeyForm.Hint)
		}
		p, err := emrtd.FromZone(z)
		if err != nil {
			return Key{}, fault.New(ErrKeyForm.Code, "%w", err).WithHint(ErrKeyForm.Hint)
		}
		k.Passwords, k.Lines = append(k.Passwords, p), z.Lines
	}
	if can != "" {
		p, err := emrtd.FromCAN(can)
		if err != nil {
			return Key{}, fault.New(ErrKeyForm.Code, "%w", err).WithHint("the card access number has six digits")
		}
		k.Passwords = append(k.Passwords, p)
	}
	if len(k.Passwords) == 0 {
		return Key{}, ErrKeyMissing
	}
	return k, nil
}
