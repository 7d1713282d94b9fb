// Package examine reads a chip and has it judged: the one place where what the
// chip protocol found becomes the input of the inspection.
package examine

import (
	"context"
	"strings"
	"time"

	"github.com/watchpost/watchpost/device/document/emrtd"
	"github.com/watchpost/watchpost/device/document/inspect"
	"github.com/watchpost/watchpost/device/document/lds"
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
	switch fields := strings.Split(strings.TrimSpace(zone), ","); {
	case strings.TrimSpace(zone) == "":
	case len(fields) == 3:
		p, err := emrtd.FromMRZ(strings.TrimSpace(fields[0]), strings.TrimSpace(fields[1]), strings.TrimSpace(fields[2]))
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
		k.Passwords, k.Lines = append(k.Passwords, p), lines
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

// Rules are what a judgement needs beside the chip.
type Rules struct {
	Trust  inspect.Trust // nil where no store is given
	Policy inspect.Policy
	At     time.Time
}

// Chip reads the chip on channel and judges what it gave. The reading is
// returned beside the inspection; an error means that no chip could be opened.
func Chip(ctx context.Context, channel emrtd.Channel, key Key, rules Rules, progress func(emrtd.Event)) (inspect.Inspection, *emrtd.Reading, error) {
	reading, err := emrtd.Read(ctx, channel, emrtd.Options{Passwords: key.Passwords, Progress: progress})
	if err != nil {
		return inspect.Inspection{}, nil, err
	}
	return inspect.Judge(Input(reading, key.Lines, rules)), reading, nil
}

// Input is the inspection's input for a reading. lines is the optically read
// zone, nil where none was read.
func Input(r *emrtd.Reading, lines []string, rules Rules) inspect.Input {
	in := inspect.Input{
		Files: make(map[lds.File][]byte), Unread: make(map[lds.File]string),
		At: rules.At, Trust: rules.Trust, Policy: rules.Policy, Lines: lines,
		Access: &inspect.Access{
			Protocol: r.Access.Protocol, Offered: r.Access.Offered, Mapping: r.Access.Mapping,
			Cipher: r.Access.Cipher, Downgrade: string(r.Access.Downgrade),
		},
	}
	for name, raw := range r.Files {
		if f, ok := lds.NamedFile(name); ok {
			in.Files[f] = raw
		}
	}
	for name, code := range r.Unread {
		if f, ok := lds.NamedFile(name); ok {
			in.Unread[f] = string(code)
		}
	}
	for _, p := range r.Proofs {
		in.Proofs = append(in.Proofs, proof(p))
	}
	return in
}

// proof translates one outcome of the chip protocol.
func proof(p emrtd.Proof) inspect.Proof {
	out := inspect.Proof{Code: inspect.Code(p.Kind), Reason: string(p.Reason)}
	if f, ok := lds.NamedFile(p.KeyFile); ok {
		out.KeyFile = f
	}
	switch p.Outcome {
	case emrtd.OutcomeProven:
		out.Result = inspect.Pass
	case emrtd.OutcomeFailed:
		out.Result = inspect.Fail
	case emrtd.OutcomeNotPerformed:
		out.Result = inspect.NotPerformed
	default:
		out.Result = inspect.Unknown
	}
	return out
}
