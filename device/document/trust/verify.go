package trust

// Standing tells how a certificate's own signature was found.
type Standing string

// Standings.
const (
	StandingSelf     Standing = "self"      // signed with its own key
	StandingIssuer   Standing = "issuer"    // a certificate held verifies it
	StandingNoIssuer Standing = "no_issuer" // no certificate held has the issuer's name or key identifier
	StandingBroken   Standing = "broken"    // certificates held fit by name or key identifier and none verifies
)

// Verify checks the signature of a certificate held. An anchor's standing has
// no bearing on its trust, which comes from its provenance; a broken one tells
// of a key generation that the store lacks, or of a damaged certificate.
func (s *Store) Verify(e *Entry) Standing {
	if e.Certificate.SelfSigned() {
		return StandingSelf
	}
	if s.issuerOf(e.Certificate, []*Entry{e}) != nil {
		return StandingIssuer
	}
	for _, i := range s.issuers(e.Certificate.Issuer, e.Certificate.AuthorityKeyID) {
		if i != e {
			return StandingBroken
		}
	}
	return StandingNoIssuer
}
