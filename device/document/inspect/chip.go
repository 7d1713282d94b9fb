package inspect

import (
	"slices"
	"strings"

	"github.com/watchpost/watchpost/device/document/lds"
	"github.com/watchpost/watchpost/device/fault"
)

// Access protocols of Access.Protocol and Access.Offered.
const (
	ProtocolPACE = "pace"
	ProtocolBAC  = "bac"
	ProtocolNone = "none" // the chip gave its files to anyone
)

// access judges how the chip was reached.
func (j *judge) access() {
	a := j.in.Access
	if a == nil {
		return
	}
	j.set(ChipPresent, Pass, "")
	switch a.Protocol {
	case ProtocolPACE, ProtocolBAC:
		j.set(AccessProtocol, Pass, "protocol: "+a.Protocol)
	case ProtocolNone:
		j.set(AccessProtocol, Fail, "no_access_control")
	default:
		j.set(AccessProtocol, NotPerformed, "not_opened")
		j.notPerformed("not_opened", AccessDowngrade)
		return
	}
	switch {
	case a.Downgrade != "":
		j.set(AccessDowngrade, Fail, a.Downgrade)
	case a.Protocol != ProtocolPACE && slices.Contains(a.Offered, ProtocolPACE):
		j.set(AccessDowngrade, Fail, "pace_not_used")
	default:
		j.set(AccessDowngrade, Pass, "")
	}
}

// proofs judges what the chip showed of itself. A proof counts only as far as
// its public key is vouched for: a copy can prove a key of its own.
func (j *judge) proofs() {
	if j.in.Access != nil {
		j.notPerformed("not_tried", ChipAuthentication, ActiveAuthentication, PACECAM, TerminalAuth)
	}
	for _, p := range j.in.Proofs {
		switch p.Code {
		case ChipAuthentication, ActiveAuthentication, PACECAM:
			if p.Result == Pass {
				j.settle(p.Code, j.keyVouched(p.KeyFile))
				continue
			}
		case TerminalAuth:
		default:
			continue // not a proof
		}
		if p.Result == Unknown {
			p.Result = NotPerformed
		}
		j.set(p.Code, p.Result, p.Reason)
	}
}

// keyVouched says what a proof is worth that rests on a key in that file: it
// passes only where a trusted signer vouches for the key.
func (j *judge) keyVouched(file lds.File) finding {
	if file == lds.CardSecurity {
		trusted := j.cardSecurity()
		switch {
		case trusted:
			return finding{Pass, ""}
		case j.checks[CardSecuritySignature].Result == Pass:
			return finding{NotAssessable, reasonUnverified}
		}
		return finding{NotAssessable, "key_not_vouched"}
	}
	n := file.Number()
	if n == 0 || j.checks[GroupHash(n)].Result != Pass || j.checks[SODSignature].Result != Pass || j.checks[DSChain].Result == Fail {
		return finding{NotAssessable, "key_not_vouched"}
	}
	if j.checks[DSChain].Result != Pass {
		return finding{NotAssessable, reasonUnverified}
	}
	return finding{Pass, ""}
}

// announcements judges EF.CardAccess and EF.CardSecurity.
func (j *judge) announcements() {
	j.cardSecurity()
	raw, ok := j.in.Files[lds.CardAccess]
	if !ok {
		if why := j.in.Unread[lds.CardAccess]; why != "" {
			j.notPerformed(why, CardAccessMatch)
		}
		return
	}
	infos, err := lds.ParseSecurityInfos(raw)
	j.data.CardAccess = protocols(infos)
	switch {
	case err != nil:
		j.set(CardAccessMatch, Fail, string(fault.CodeOf(err)))
	case j.in.Files[lds.Group(14)] == nil:
		j.notPerformed("no_dg14", CardAccessMatch)
	case j.checks[GroupFormat(14)].Result != Pass:
		j.set(CardAccessMatch, NotAssessable, "dg14_unreadable")
	default:
		var names []string
		for _, m := range lds.Missing(infos, j.infos) {
			// Only what access control is chosen by can be downgraded; some
			// chips announce more in EF.CardAccess than they repeat in DG14.
			if m.Kind == lds.InfoPACE || m.Kind == lds.InfoPACEDomainParameters {
				names = append(names, m.OID)
			}
		}
		if len(names) > 0 {
			j.set(CardAccessMatch, Fail, "not_in_dg14: "+strings.Join(names, " "))
			return
		}
		j.set(CardAccessMatch, Pass, "")
	}
}
