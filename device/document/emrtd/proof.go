package emrtd

import (
	"context"
	"errors"

	"github.com/watchpost/watchpost/device/document/emrtd/activeauth"
	"github.com/watchpost/watchpost/device/document/emrtd/apdu"
	"github.com/watchpost/watchpost/device/document/emrtd/chipauth"
	"github.com/watchpost/watchpost/device/document/emrtd/pace"
	"github.com/watchpost/watchpost/device/document/lds"
	"github.com/watchpost/watchpost/device/document/pki"
	"github.com/watchpost/watchpost/device/document/pki/der"
	"github.com/watchpost/watchpost/device/fault"
)

// ErrUnproven: the reading ended between a protocol and its proof.
var ErrUnproven = &fault.Error{Code: "ca.unproven"}

// ErrReply: the chip could not answer under the keys of Chip Authentication.
var ErrReply = &fault.Error{Code: "ca.reply"}

// proveMapping reads EF.CardSecurity, which lies in the master file beside
// PACE, and checks the chip authentication mapping against its key.
func (r *reader) proveMapping(ctx context.Context, result *pace.Result) error {
	r.progress(StageProof, string(ProofCAM), 0, 0)
	p := Proof{Kind: ProofCAM, KeyFile: fileCardSecurity.Name}
	r.bySFI = untested
	security, err := r.readFile(ctx, fileCardSecurity)
	if err != nil {
		r.reading.Unread[fileCardSecurity.Name] = fault.CodeOf(err)
		p.Outcome = OutcomeNotPerformed
		r.note(p, err)
		if lost(err) || r.card.broken {
			return err
		}
		return nil
	}
	r.reading.Files[fileCardSecurity.Name] = security
	keys, err := signedKeys(security)
	p.Outcome = OutcomeFailed
	for _, o := range keys {
		c, point := o.Key.Elliptic()
		p.Detail = "ECDH " + o.Key.Domain()
		if err = result.ProveKey(c, point); err == nil {
			p.Outcome = OutcomeProven
			break
		}
	}
	r.note(p, err)
	return nil
}

// signedKeys returns the chip authentication keys in EF.CardSecurity. Whether
// its signature holds is for the inspection to judge.
func signedKeys(security []byte) ([]chipauth.Offer, error) {
	signed, err := pki.ParseSignedData(security)
	if err != nil {
		return nil, fault.Wrap(chipauth.ErrKey.Code, err)
	}
	infos, err := lds.ParseSecurityInfos(signed.EContent)
	if err != nil {
		return nil, fault.Wrap(chipauth.ErrKey.Code, err)
	}
	return chipauth.Offers(infos)
}

// authenticateChip runs Chip Authentication with the keys of DG14, once. What
// it proves shows at the next exchange: see confirmChip.
func (r *reader) authenticateChip(ctx context.Context) error {
	raw, have := r.reading.Files[group(groupInfos).Name]
	if !have || r.chipTried || r.card.session == nil {
		return nil
	}
	r.chipTried = true
	p := Proof{Kind: ProofChip, KeyFile: GroupName(groupInfos)}
	infos, err := lds.ParseDG14(raw)
	if err != nil {
		p.Outcome = OutcomeNotPerformed
		r.note(p, fault.Wrap(chipauth.ErrKey.Code, err))
		return nil
	}
	offers, err := chipauth.Offers(infos)
	if errors.Is(err, chipauth.ErrNoKey) {
		return nil // DG14 may be there for other protocols
	}
	if err != nil {
		p.Outcome = OutcomeNotPerformed
		r.note(p, err)
		return nil
	}
	r.progress(StageProof, string(ProofChip), 0, 0)
	offer := offers[0]
	p.Detail = offer.Detail()
	run := func(ctx context.Context) error {
		result, err := offer.Run(ctx, r.card.send, r.options.Random)
		if err != nil {
			return err
		}
		r.card.start(result.Session)
		r.terminal.Ephemeral = result.Ephemeral
		return nil
	}
	if err := run(ctx); err != nil {
		if lost(err) {
			p.Reason = fault.CodeOf(err)
			r.reading.Proofs = append(r.reading.Proofs, p)
			return err
		}
		p.Outcome = OutcomeFailed
		r.note(p, err)
		if r.card.broken {
			return r.reopen(ctx, err)
		}
		return nil
	}
	p.Reason = ErrUnproven.Code
	r.reading.Proofs = append(r.reading.Proofs, p)
	r.unproven = len(r.reading.Proofs)
	r.strengthen = run
	return nil
}

// confirmChip settles a Chip Authentication once a command has been answered
// under its keys.
func (r *reader) confirmChip(context.Context) error {
	if r.unproven != 0 && r.card.answered {
		p := &r.reading.Proofs[r.unproven-1]
		p.Outcome, p.Reason = OutcomeProven, ""
		r.unproven = 0
	}
	return nil
}

// disproven settles a Chip Authentication whose keys the chip did not answer
// under, and reports whether there was one. A bare length status is no such
// failure: chips answer so to what they find too long.
func (r *reader) disproven() bool {
	if r.unproven == 0 || r.card.answered || lengthAtFault(r.card.raw) && r.card.raw != apdu.StatusOK {
		return false
	}
	p := &r.reading.Proofs[r.unproven-1]
	p.Outcome, p.Reason = OutcomeFailed, ErrReply.Code
	r.unproven, r.strengthen = 0, nil
	return true
}

// authenticateActively runs Active Authentication with the key of DG15.
func (r *reader) authenticateActively(ctx context.Context) error {
	raw, have := r.reading.Files[group(groupAAKey).Name]
	if !have {
		return nil
	}
	p := Proof{Kind: ProofActive, KeyFile: GroupName(groupAAKey), Outcome: OutcomeNotPerformed}
	spki, err := lds.ParseDG15(raw)
	if err != nil {
		r.note(p, fault.Wrap(activeauth.ErrKey.Code, err))
		return nil
	}
	key, err := activeauth.ParseKey(spki, signatureAlgorithm(r.reading.Files[group(groupInfos).Name]))
	if err != nil {
		r.note(p, err)
		return nil
	}
	r.progress(StageProof, string(ProofActive), 0, 0)
	p.Detail = key.Detail()
	p.Challenge, p.Signature, err = r.signature(ctx, key)
	if lost(err) || r.card.broken {
		r.note(p, err)
		return err
	}
	p.Outcome = OutcomeProven
	switch {
	case errors.Is(err, activeauth.ErrLength) && !r.carries(key):
		p.Outcome = OutcomeNotPerformed // reader or chip cannot bring so long a signature over
	case err != nil:
		p.Outcome = OutcomeFailed
	}
	r.note(p, err)
	return nil
}

// VerifyActive verifies an Active Authentication once more from its
// transcript: dg15 holds the key, dg14, which may be nil, the algorithm.
// Errors: those of the activeauth package.
func VerifyActive(dg15, dg14, challenge, signature []byte) error {
	spki, err := lds.ParseDG15(dg15)
	if err != nil {
		return fault.Wrap(activeauth.ErrKey.Code, err)
	}
	key, err := activeauth.ParseKey(spki, signatureAlgorithm(dg14))
	if err != nil {
		return err
	}
	return key.Verify(challenge, signature)
}

// carries reports whether a whole signature fits a response of the kind in use.
func (r *reader) carries(key *activeauth.Key) bool {
	return r.card.extended || r.card.session == nil || key.SignatureLen() <= r.card.session.MaxPlain(apdu.MaxShortLe)
}

// signature has the chip sign, and verifies. Chips differ in which Le they
// take for a long signature: the exact one comes first where extended length
// is known to work, and last, at the risk of the session, where a signature
// has come short and the reader could carry more.
func (r *reader) signature(ctx context.Context, key *activeauth.Key) (challenge, signature []byte, err error) {
	known := r.card.extended
	defer func() { r.card.extended = known }()
	attempts := []bool{known}
	if known || !r.carries(key) && r.channel.MaxResponse() > apdu.MaxShortLe+2 {
		attempts = append(attempts, !known)
	}
	for _, long := range attempts {
		r.card.extended = known || long
		challenge, signature, err = key.Challenge(ctx, r.card.send, r.options.Random, long)
		if err == nil {
			err = key.Verify(challenge, signature)
		}
		if err == nil || lost(err) || errors.Is(err, activeauth.ErrSignature) {
			return challenge, signature, err
		}
		r.card.extended = known
		if r.card.broken {
			if again := r.reopen(ctx, err); again != nil {
				return challenge, signature, again
			}
		}
	}
	return challenge, signature, err
}

// signatureAlgorithm returns the algorithm that DG14 names for Active
// Authentication, "" where there is none.
func signatureAlgorithm(dg14 []byte) string {
	infos, err := lds.ParseDG14(dg14)
	if err != nil {
		return ""
	}
	for _, i := range infos {
		if i.Kind != lds.InfoActiveAuthentication {
			continue
		}
		if e, _, err := der.Parse(i.Optional); err == nil && e.ID == der.ObjectID {
			if oid, err := e.OID(); err == nil {
				return oid
			}
		}
	}
	return ""
}
