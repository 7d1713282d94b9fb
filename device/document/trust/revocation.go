package trust

import (
	"bytes"
	"time"

	"github.com/watchpost/watchpost/device/document/pki"
	"github.com/watchpost/watchpost/device/document/pki/path"
)

// RevocationState says what the held revocation lists tell of a certificate.
// Zero is unknown.
type RevocationState uint8

// Revocation states.
const (
	RevocationUnknown  RevocationState = 0
	RevocationGood     RevocationState = 1 // a current list does not name it
	RevocationRevoked  RevocationState = 2 // a list, of whatever age, names it
	RevocationNoCRL    RevocationState = 3 // no list of its issuer is held
	RevocationStale    RevocationState = 4 // the newest list does not name it, but its next update has passed
	RevocationUnusable RevocationState = 5 // lists are held, all with critical extensions that leave the certificate out, or may
)

// String names the state.
func (s RevocationState) String() string {
	switch s {
	case RevocationGood:
		return "good"
	case RevocationRevoked:
		return "revoked"
	case RevocationNoCRL:
		return "no_crl"
	case RevocationStale:
		return "stale"
	case RevocationUnusable:
		return "unusable"
	}
	return "unknown"
}

// Revocation is the revocation state of one certificate and the list that it
// was read from.
type Revocation struct {
	State      RevocationState
	ThisUpdate time.Time // of that list; zero without one
	NextUpdate time.Time // of that list; zero when not stated
	RevokedAt  time.Time // when revoked
	Reason     int       // RFC 5280:2008 5.3.1 when revoked, -1 when not stated
	ByCountry  bool      // the list's issuer has another name and key, and the same country
}

// Age is how old the list was at a time, zero without a list.
func (r Revocation) Age(at time.Time) time.Duration {
	if r.ThisUpdate.IsZero() {
		return 0
	}
	return at.Sub(r.ThisUpdate)
}

// revocation looks c up in the lists of its issuer. A list without a next
// update counts as current: its age is told.
//
// A CSCA signs one list for all that it ever issued, with its newest key and
// under its newest name (Doc 9303-12:2021 4.1.5 and D.1.2.3): the name's country
// is enough. Since some states have several CSCAs whose serial numbers may meet,
// lists of the certificate's own issuer, by name, key or link certificates, go
// before, and one that only the country ties to it counts where none of those is
// current.
func (s *Store) revocation(c *pki.Certificate, issuer *Entry, at time.Time) Revocation {
	own, other := Revocation{State: RevocationNoCRL, Reason: -1}, Revocation{State: RevocationNoCRL, Reason: -1}
	for _, h := range s.crls {
		if h.signer == nil {
			continue
		}
		best := &own
		if !h.crl.Issuer.Equal(c.Issuer) && !bytes.Equal(h.signer.Certificate.RawSPKI, issuer.Certificate.RawSPKI) {
			if h.crl.Issuer.Country() != issuer.country {
				continue
			}
			if !s.linked(h.signer, issuer) && !s.linked(issuer, h.signer) {
				best = &other
			}
		}
		if found := h.lookUp(c, at); better(found, *best) {
			*best = found
		}
	}
	if other.ByCountry = true; better(other, own) && own.State != RevocationGood {
		return other
	}
	return own
}

// linked reports whether held link certificates lead from the key of one
// anchor to the older key of another: both are the same CSCA.
func (s *Store) linked(younger, elder *Entry) bool {
	key := younger.Certificate.RawSPKI
	for range maxPath {
		var next *Entry
		for _, e := range s.byCountry[younger.country] {
			if e.Kind == KindLink && bytes.Equal(e.Certificate.RawSPKI, key) {
				if next = s.issuerOf(e.Certificate, []*Entry{e}); next != nil {
					break
				}
			}
		}
		if next == nil {
			return false
		}
		if key = next.Certificate.RawSPKI; bytes.Equal(key, elder.Certificate.RawSPKI) {
			return true
		}
	}
	return false
}

// lookUp says what one list tells of c.
func (h *heldCRL) lookUp(c *pki.Certificate, at time.Time) Revocation {
	found := Revocation{ThisUpdate: h.crl.ThisUpdate, NextUpdate: h.crl.NextUpdate, Reason: -1}
	if entry, ok := h.crl.Revoked(c.Serial); ok {
		found.State, found.RevokedAt, found.Reason = RevocationRevoked, entry.Time, entry.Reason
		return found
	}
	switch {
	case !path.Covers(h.crl, c):
		found.State = RevocationUnusable
	case !h.crl.NextUpdate.IsZero() && at.After(h.crl.NextUpdate):
		found.State = RevocationStale
	default:
		found.State = RevocationGood
	}
	return found
}

// anchorRevoked reports whether a list of its issuer's name names the anchor.
func (s *Store) anchorRevoked(e *Entry) bool {
	for _, h := range s.crls {
		if h.signer == nil || !h.crl.Issuer.Equal(e.Certificate.Issuer) {
			continue
		}
		if _, ok := h.crl.Revoked(e.Certificate.Serial); ok {
			return true
		}
	}
	return false
}

// better prefers a list that names the certificate to a current one, that to a
// stale one, that to an unusable one, and of two alike the newer.
func better(a, b Revocation) bool {
	rank := map[RevocationState]int{RevocationRevoked: 4, RevocationGood: 3, RevocationStale: 2, RevocationUnusable: 1}
	if rank[a.State] != rank[b.State] {
		return rank[a.State] > rank[b.State]
	}
	return a.ThisUpdate.After(b.ThisUpdate)
}
