// Package examine reads a chip and has it judged: the one place where what the
// chip protocol found becomes the input of the inspection.
package examine

import (
	"context"
	"time"

	"github.com/watchpost/watchpost/device/document/emrtd"
	"github.com/watchpost/watchpost/device/document/emrtd/termauth"
	"github.com/watchpost/watchpost/device/document/inspect"
	"github.com/watchpost/watchpost/device/document/lds"
)

// Rules are what a judgement needs beside the chip.
type Rules struct {
	Trust  inspect.Trust // nil where no store is given
	Policy inspect.Policy
	At     time.Time
}

// Options of a reading; the zero value is the usual one.
type Options struct {
	Budget   time.Duration     // of the whole reading, 0 for emrtd.DefaultBudget
	Progress func(emrtd.Event) // nil for none
	ISKey    termauth.ISKey    // signs for this terminal; nil: DG3 and DG4 of a guarded chip stay shut
}

// Chip reads the chip on channel and judges what it gave. The reading is never
// nil: with an error, which means that no chip could be opened or that it was
// taken away, it holds what came before, and nothing has been judged.
func Chip(ctx context.Context, channel emrtd.Channel, key Key, rules Rules, o Options) (inspect.Inspection, *emrtd.Reading, error) {
	reading, err := emrtd.Read(ctx, channel, emrtd.Options{Passwords: key.Passwords, Budget: o.Budget, Progress: o.Progress, ISKey: o.ISKey})
	if err != nil {
		return inspect.Inspection{}, reading, err
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
