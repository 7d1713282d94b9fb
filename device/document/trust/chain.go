package trust

import (
	"bytes"
	"time"

	"github.com/watchpost/watchpost/device/document/pki"
)

// ChainState says what was found for a document signer. Zero is unknown and
// stands for no chain.
type ChainState uint8

// Chain states.
const (
	ChainUnknown  ChainState = 0
	ChainFound    ChainState = 1 // an anchor of the signer's country verifies its signature
	ChainNoAnchor ChainState = 2 // no anchor of that country is held: cannot be assessed
	ChainNoFit    ChainState = 3 // anchors of that country are held and none verifies
)

// String names the state.
func (s ChainState) String() string {
	switch s {
	case ChainFound:
		return "found"
	case ChainNoAnchor:
		return "no_anchor"
	case ChainNoFit:
		return "no_fit"
	}
	return "unknown"
}

// maxPath bounds the walk over link certificates, and maxTries the signatures
// that are verified for one signer.
const (
	maxPath  = 8
	maxTries = 64
)

// Chain is the material for a verdict on a document signer. Dates are given,
// not judged: a chain is found over expired certificates too.
type Chain struct {
	State   ChainState
	Country string // C of the signer's issuer (or, lacking that, subject), upper case; "" when it names none
	Anchors int    // anchors of that country that are held

	// Issuer is the anchor that verified the signer; nil unless found.
	Issuer *Entry
	// Path runs from Issuer over held certificates to a self-signed one where
	// the store has it; its length is 1 for a signer directly under a root.
	Path []*Entry

	// SubjectCountryDiffers: the signer's subject and issuer name different
	// countries, which Doc 9303-12:2021 table 6 forbids.
	SubjectCountryDiffers bool
	// IssuerNameDiffers: the verifying anchor's subject is not the signer's
	// issuer name; seen after a CSCA was re-encoded or renamed.
	IssuerNameDiffers bool
	// Err is why the best candidate, one that fits by key identifier or name,
	// did not verify; nil when there was none or a chain was found. An
	// unsupported algorithm (pki.ErrAlgorithm) is no proof of forgery.
	Err error

	Revocation Revocation // of the signer by its issuer; meaningful when found
	// AnchorRevoked: a held list names Issuer, or a certificate that Path goes
	// over. With a CSCA all that it signed is revoked (Doc 9303-12:2021 4.1.5.1).
	AnchorRevoked bool
}

// Chain looks for the chain of a document signer. at is the time for judging
// the age of revocation lists.
//
// Only anchors whose subject has the signer's country are tried, so that a
// state can vouch for its own documents alone.
func (s *Store) Chain(ds *pki.Certificate, at time.Time) Chain {
	c := Chain{State: ChainNoFit, Country: ds.Issuer.Country()}
	if c.Country == "" {
		c.Country = ds.Subject.Country()
	}
	c.SubjectCountryDiffers = ds.Subject.Country() != c.Country
	c.Anchors = len(s.byCountry[c.Country])
	if c.Country == "" || c.Anchors == 0 {
		c.State = ChainNoAnchor
		return c
	}
	tried := map[*Entry]bool{}
	try := func(e *Entry, fits bool) bool {
		if tried[e] || len(tried) == maxTries || e.Certificate.Subject.Country() != c.Country {
			return false
		}
		tried[e] = true
		if !e.Certificate.HasUsage(pki.KeyUsageCertSign) {
			return false
		}
		err := ds.CheckSignatureFrom(e.Certificate)
		if err == nil {
			c.State, c.Issuer, c.Err = ChainFound, e, nil
			return true
		}
		if fits && c.Err == nil {
			c.Err = err
		}
		return false
	}
	for _, e := range s.issuers(ds.Issuer, ds.AuthorityKeyID) {
		if try(e, true) {
			break
		}
	}
	if c.Issuer == nil {
		// Names and key identifiers may be wrong where the key is right.
		for _, e := range s.byCountry[c.Country] {
			if try(e, false) {
				break
			}
		}
	}
	if c.Issuer == nil {
		return c
	}
	c.IssuerNameDiffers = !c.Issuer.Certificate.Subject.Equal(ds.Issuer)
	c.Path = s.path(c.Issuer)
	c.Revocation = s.revocation(ds, c.Issuer, at)
	for _, e := range c.Path {
		c.AnchorRevoked = c.AnchorRevoked || s.anchorRevoked(e)
	}
	return c
}

// path follows issuers from e to a self-signed certificate.
func (s *Store) path(e *Entry) []*Entry {
	path := []*Entry{e}
	for len(path) < maxPath {
		last := path[len(path)-1]
		if last.Kind == KindCSCA {
			// The same key may be held as a link too; a root ends the walk.
			return path
		}
		next := s.issuerOf(last.Certificate, path)
		if next == nil {
			return path
		}
		path = append(path, next)
	}
	return path
}

// issuerOf returns a held anchor that verifies c and is not in path.
func (s *Store) issuerOf(c *pki.Certificate, path []*Entry) *Entry {
	tries := 0
next:
	for _, e := range s.issuers(c.Issuer, c.AuthorityKeyID) {
		for _, p := range path {
			if p == e || bytes.Equal(p.Certificate.RawSPKI, e.Certificate.RawSPKI) {
				continue next
			}
		}
		if tries++; tries > maxTries {
			return nil
		}
		if c.CheckSignatureFrom(e.Certificate) == nil {
			return e
		}
	}
	return nil
}
