// Package path validates certification paths by RFC 5280:2008, clause 6:
// signatures, names, dates, basic constraints, key
// usage, path length, policies, name constraints and revocation.
//
// It is stricter than travel documents are, and so decides nothing about one:
// package trust finds the anchor of a document signer and tolerates what states
// really issue. Here the question is whether a path stands by the book, and if
// not, why. Revocation lists by reason, deltas and indirect lists are not used:
// Doc 9303-12:2021 7.1.4 wants one complete list of each CSCA.
package path

import (
	"context"
	"slices"
	"time"

	"github.com/watchpost/watchpost/device/document/pki"
	"github.com/watchpost/watchpost/device/fault"
)

// Errors of a path, by what is wrong first.
var (
	// ErrNoPath: no issuer of that name is given, up to an anchor.
	ErrNoPath = &fault.Error{Code: "path.no_path"}
	// ErrSignature: an issuer's key does not verify a certificate.
	ErrSignature = &fault.Error{Code: "path.signature"}
	// ErrValidity: a certificate is not valid at the time.
	ErrValidity = &fault.Error{Code: "path.validity"}
	// ErrNotCA: an issuer's certificate is not one of an authority.
	ErrNotCA = &fault.Error{Code: "path.not_ca"}
	// ErrUsage: an issuer's key may not sign certificates.
	ErrUsage = &fault.Error{Code: "path.key_usage"}
	// ErrLength: there are more authorities below one than it allows.
	ErrLength = &fault.Error{Code: "path.length"}
	// ErrCritical: a critical extension that is not known or cannot be read.
	ErrCritical = &fault.Error{Code: "path.critical_extension"}
	// ErrName: a name outside what an authority may issue for.
	ErrName = &fault.Error{Code: "path.name_constraint"}
	// ErrPolicy: no policy is valid for the path, and one is required.
	ErrPolicy = &fault.Error{Code: "path.policy"}
	// ErrRevoked: a certificate is on a revocation list.
	ErrRevoked = &fault.Error{Code: "path.revoked"}
	// ErrNoCRL: no usable revocation list of an issuer is given.
	ErrNoCRL = &fault.Error{Code: "path.no_crl"}
	// ErrStaleCRL: the lists given are out of date.
	ErrStaleCRL = &fault.Error{Code: "path.stale_crl"}
	// ErrBudget: too many candidates or policies to go on.
	ErrBudget = &fault.Error{Code: "path.budget"}
)

// Input is what a path is built from and judged by (RFC 5280:2008 6.1.1).
type Input struct {
	At            time.Time
	Anchors       []*pki.Certificate // keys and names alone count
	Intermediates []*pki.Certificate
	CRLs          []*pki.CRL
	RequireCRL    bool // every certificate must be on no current list

	Policies        []string // acceptable policies, nil for any
	ExplicitPolicy  bool
	InhibitMapping  bool
	InhibitAnyValue bool // of policies
}

// Bounds of the search: the ICAO profile has two certificates in a path, and a
// few for one issuer's name.
const (
	maxDepth = 12
	maxTries = 1024
)

// Verify returns the path from an anchor, which it does not hold, to c, or why
// there is none: the error of the candidate that came furthest.
func Verify(ctx context.Context, c *pki.Certificate, in Input) ([]*pki.Certificate, error) {
	in.Intermediates = withParameters(in.Anchors, in.Intermediates)
	s := &search{ctx: ctx, in: in, tries: maxTries, verified: map[signature]error{}}
	return s.verify(c, 0)
}

// withParameters completes keys that take their parameters from their issuer's
// (RFC 5280:2008 6.1.4, f), where one that signed the certificate is there.
// Certificates that it completes are copies.
func withParameters(anchors, intermediates []*pki.Certificate) []*pki.Certificate {
	whole := slices.Clone(intermediates)
	for range maxDepth {
		changed := false
		for i, c := range whole {
			if !c.PublicKey.Inherits() {
				continue
			}
			for _, issuer := range slices.Concat(anchors, whole) {
				key := c.PublicKey.WithParameters(issuer.PublicKey)
				if key == c.PublicKey || !issuer.Subject.Equal(c.Issuer) || c.CheckSignatureFrom(issuer) != nil {
					continue
				}
				completed := *c
				completed.PublicKey = key
				whole[i], changed = &completed, true
				break
			}
		}
		if !changed {
			break
		}
	}
	return whole
}

// search is one call of Verify. One goroutine only.
type search struct {
	ctx      context.Context
	in       Input
	tries    int
	verified map[signature]error
	pending  []*pki.Certificate // whose path is being verified, to sign a list
}

// signature is a certificate or list under a key.
type signature struct{ what, issuer any }

// failure ranks errors by how far a candidate came.
type failure struct {
	err   error
	depth int // certificates that passed
}

func (s *search) verify(c *pki.Certificate, nested int) ([]*pki.Certificate, error) {
	best := failure{fault.New(ErrNoPath.Code, "no path from %s to an anchor", c.Issuer), -1}
	found := s.grow([]*pki.Certificate{c}, nested, &best)
	if found == nil {
		return nil, best.err
	}
	return found, nil
}

// grow tries every issuer of the topmost certificate of a path (lowest first).
func (s *search) grow(path []*pki.Certificate, nested int, best *failure) []*pki.Certificate {
	top := path[len(path)-1]
	for _, anchor := range s.in.Anchors {
		if !anchor.Subject.Equal(top.Issuer) {
			continue
		}
		if s.tries--; s.tries < 0 || s.ctx.Err() != nil {
			best.err = fault.New(ErrBudget.Code, "over %d candidates", maxTries)
			return nil
		}
		down := downwards(path)
		passed, err := s.validate(anchor, down, nested)
		if err == nil {
			return down
		}
		if passed > best.depth {
			*best = failure{err, passed}
		}
	}
	if len(path) == maxDepth {
		return nil
	}
	for _, issuer := range s.in.Intermediates {
		if !issuer.Subject.Equal(top.Issuer) || contains(path, issuer) {
			continue
		}
		if s.tries--; s.tries < 0 || s.ctx.Err() != nil {
			best.err = fault.New(ErrBudget.Code, "over %d candidates", maxTries)
			return nil
		}
		if err := s.signed(signature{top, issuer}, func() error { return top.CheckSignatureFrom(issuer) }); err != nil {
			if best.depth < 0 {
				best.err = fault.New(ErrSignature.Code, "%s: %v", top.Subject, err)
			}
			continue
		}
		if found := s.grow(append(path[:len(path):len(path)], issuer), nested, best); found != nil {
			return found
		}
	}
	return nil
}

// contains reports whether a path has a certificate, or another of its name and
// key, which would only go in a circle.
func contains(path []*pki.Certificate, c *pki.Certificate) bool {
	for _, p := range path {
		if p == c || string(p.RawSPKI) == string(c.RawSPKI) && p.Subject.Equal(c.Subject) {
			return true
		}
	}
	return false
}

func downwards(path []*pki.Certificate) []*pki.Certificate {
	down := make([]*pki.Certificate, 0, len(path))
	for i := len(path) - 1; i >= 0; i-- {
		down = append(down, path[i])
	}
	return down
}
