package emrtd

import (
	"context"
	"slices"
	"time"

	"github.com/watchpost/watchpost/device/document/emrtd/cvc"
	"github.com/watchpost/watchpost/device/document/emrtd/termauth"
	"github.com/watchpost/watchpost/device/document/lds"
	"github.com/watchpost/watchpost/device/document/pki/der"
	"github.com/watchpost/watchpost/device/fault"
)

// ErrNotAuthentic: the terminal proves itself only to a chip that has proven
// itself by Chip Authentication (BSI TR-03110-1, 3.5).
var ErrNotAuthentic = &fault.Error{Code: "ta.no_chip_authentication"}

// authenticateTerminal runs Terminal Authentication where the chip has groups
// that it opens.
func (r *reader) authenticateTerminal(ctx context.Context) error {
	wanted := func(n int) bool { return slices.Contains(r.listed, n) && r.wanted(group(n)) }
	if !slices.ContainsFunc(guardedGroups, wanted) {
		return nil
	}
	p := Proof{Kind: ProofTerminal, Outcome: OutcomeNotPerformed}
	if r.options.ISKey == nil {
		r.note(p, termauth.ErrNoKey)
		return nil
	}
	if r.strengthen == nil || r.unproven != 0 || r.terminal.Ephemeral == nil {
		r.note(p, ErrNotAuthentic)
		return nil
	}
	r.progress(StageProof, string(ProofTerminal), 0, 0)
	names, err := r.authorities(ctx)
	if err != nil {
		r.note(p, err)
		if lost(err) {
			return err
		}
		return nil
	}
	run := func(ctx context.Context) (termauth.Result, error) {
		s := r.terminal
		s.Authorities = names
		if s.ChipID == nil {
			s.ChipID = r.documentNumber()
		}
		return termauth.Run(ctx, r.card.send, r.options.ISKey, s)
	}
	result, err := run(ctx)
	if err != nil {
		if !ours(err) {
			p.Outcome = OutcomeFailed
		}
		r.note(p, err)
		if lost(err) {
			return err
		}
		if r.card.broken {
			return r.reopen(ctx, err)
		}
		return nil
	}
	p.Outcome, p.Detail = OutcomeProven, detail(result)
	r.note(p, nil)
	r.admit = func(ctx context.Context) error {
		_, err := run(ctx)
		return err
	}
	return nil
}

// ours reports whether Terminal Authentication ended before the chip was asked
// for anything: for want of a key, of a chain, or of its holder's answer.
func ours(err error) bool {
	switch fault.CodeOf(err) {
	case termauth.ErrNoKey.Code, termauth.ErrNoChain.Code, termauth.ErrChain.Code, termauth.ErrKey.Code:
		return true
	}
	return false
}

func detail(r termauth.Result) string {
	text := r.Algorithm
	for _, n := range guardedGroups {
		if r.Rights.Group(n) {
			text += ", " + GroupName(n)
		}
	}
	return text + ", until " + r.Until.Format(time.DateOnly)
}

// authorities returns the references of the authorities that the chip trusts:
// those that came with PACE, else those of EF.CVCA.
func (r *reader) authorities(ctx context.Context) ([]string, error) {
	if len(r.terminal.Authorities) > 0 {
		return r.terminal.Authorities, nil
	}
	f := r.authorityFile()
	content, err := r.readFile(ctx, f)
	if err != nil {
		if lost(err) {
			return nil, err
		}
		if r.card.broken {
			if again := r.reopen(ctx, err); again != nil {
				return nil, again
			}
		}
		return nil, fault.Wrap(termauth.ErrNoAuthority.Code, err)
	}
	names, err := cvc.References(content)
	return names, fault.Wrap(termauth.ErrNoAuthority.Code, err)
}

// authorityFile is EF.CVCA, or the file that TerminalAuthenticationInfo names
// in its place (BSI TR-03110-3 v2.21, A.1.1.3): a FileID of an identifier and,
// perhaps, a short one.
func (r *reader) authorityFile() File {
	f := fileCVCA
	infos, err := lds.ParseDG14(r.reading.Files[group(groupInfos).Name])
	if err != nil {
		return f
	}
	for _, i := range infos {
		if i.Kind != lds.InfoTerminal || i.Optional == nil {
			continue
		}
		e, _, err := der.Parse(i.Optional)
		if err != nil || e.ID != der.Sequence {
			continue
		}
		id, err := e.Reader().Expect(der.OctetString)
		if err != nil || len(id.Content) != 2 {
			continue
		}
		f.ID, f.SFI = uint16(id.Content[0])<<8|uint16(id.Content[1]), 0
	}
	return f
}

// documentNumber is the number as the MRZ information has it, with its check
// digit: by it a chip opened by BAC is named. nil where DG1 cannot be read.
func (r *reader) documentNumber() []byte {
	z, err := lds.ParseDG1(r.reading.Files[group(groupMRZ).Name], time.Now())
	if err != nil {
		return nil
	}
	seed, err := z.KeySeed()
	const dates = 2 * 7 // birth and expiry with their check digits
	if err != nil || len(seed) <= dates {
		return nil
	}
	return []byte(seed[:len(seed)-dates])
}
