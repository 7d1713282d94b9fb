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
}

// Age is how old the list was at a time, zero without a list.
func (r Revocation) Age(at time.Time) time.Duration {
	if r.ThisUpdate.IsZero() {
		return 0
	}
	return at.Sub(r.ThisUpdate)
}

// revocation looks c up in the lists that its issuer's name or key issued. A
// list without a next update counts as current: its age is told.
func (s *Store) revocation(c *pki.Certificate, issuer *Entry, at time.Time) Revocation {
	best := Revocation{State: RevocationNoCRL, Reason: -1}
	for _, h := range s.crls {
		sameKey := h.signer != nil && bytes.Equal(h.signer.Certificate.RawSPKI, issuer.Certificate.RawSPKI)
		if h.signer == nil || (!sameKey && !h.crl.Issuer.Equal(c.Issuer)) {
			continue
		}
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
		if better(found, best) {
			best = found
		}
	}
	return best
}

// better prefers a current list to a stale one, that to an unusable one, and
// of two alike the newer.
func better(a, b Revocation) bool {
	rank := map[RevocationState]int{RevocationGood: 3, RevocationStale: 2, RevocationUnusable: 1}
	if rank[a.State] != rank[b.State] {
		return rank[a.State] > rank[b.State]
	}
	return a.ThisUpdate.After(b.ThisUpdate)
}
