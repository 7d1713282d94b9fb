package emrtd

import (
	"github.com/watchpost/watchpost/device/document/inspect"
	"github.com/watchpost/watchpost/device/document/lds"
)

// Input returns the reading in the form that inspect.Judge takes. Time, trust,
// policy and the optically read zone are for the caller to add. The files are
// shared, not copied.
func (r *Reading) Input() inspect.Input {
	in := inspect.Input{
		Files:  make(map[lds.File][]byte, len(r.Files)),
		Unread: make(map[lds.File]string, len(r.Unread)),
		Access: &inspect.Access{
			Protocol: r.Access.Protocol, Offered: r.Access.Offered, Mapping: r.Access.Mapping,
			Cipher: r.Access.Cipher, Downgrade: string(r.Access.Downgrade),
		},
	}
	for name, data := range r.Files {
		in.Files[lds.File(name)] = data
	}
	for name, code := range r.Unread {
		in.Unread[lds.File(name)] = string(code)
	}
	for _, p := range r.Proofs {
		in.Proofs = append(in.Proofs, inspect.Proof{
			Code: inspect.Code(p.Kind), Result: p.Outcome.result(), Reason: string(p.Reason), KeyFile: lds.File(p.KeyFile),
		})
	}
	return in
}

func (o Outcome) result() inspect.Result {
	switch o {
	case OutcomeProven:
		return inspect.Pass
	case OutcomeFailed:
		return inspect.Fail
	case OutcomeNotPerformed:
		return inspect.NotPerformed
	}
	return inspect.Unknown
}
