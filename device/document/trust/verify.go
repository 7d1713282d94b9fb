package trust

import "bytes"

// Standing tells how a certificate's own signature was found.
type Standing string

// Standings.
const (
	StandingSelf     Standing = "self"      // signed with its own key
	StandingIssuer   Standing = "issuer"    // a certificate held verifies it
	StandingNoIssuer Standing = "no_issuer" // the issuer's certificate, or that key generation of it, is not held
	StandingBroken   Standing = "broken"    // the issuer's certificate is held and does not verify it
)

// Verify checks the signature of a certificate held. An anchor's standing has
// no bearing on its trust, which comes from its provenance; a broken one is
// damaged, or signed by somebody else in its issuer's name.
func (s *Store) Verify(e *Entry) Standing {
	if e.Certificate.SelfSigned() {
		return StandingSelf
	}
	if s.issuerOf(e.Certificate, []*Entry{e}) != nil {
		return StandingIssuer
	}
	// Who issued himself and names no key, or his own, would have signed it with that.
	if c := e.Certificate; c.SelfIssued() && c.Algorithm.Err == nil && (c.AuthorityKeyID == nil || bytes.Equal(c.AuthorityKeyID, c.SubjectKeyID)) {
		return StandingBroken
	}
	for _, i := range s.issuers(e.Certificate.Issuer, e.Certificate.AuthorityKeyID) {
		// A name stays when the key changes: where both certificates say which
		// key is meant, another one of that name is not the issuer.
		mine, other := e.Certificate.AuthorityKeyID, i.Certificate.SubjectKeyID
		if i != e && (mine == nil || other == nil || bytes.Equal(mine, other)) {
			return StandingBroken
		}
	}
	return StandingNoIssuer
}
