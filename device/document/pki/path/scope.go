package path

import (
	"slices"

	"github.com/watchpost/watchpost/device/document/pki"
	"github.com/watchpost/watchpost/device/document/pki/der"
)

const (
	oidIssuingPoint = "2.5.29.28"
	oidCRLPoints    = "2.5.29.31"
)

// Covers reports whether a list speaks of c: all lists do but those whose
// issuing distribution point (RFC 5280:2008 5.2.5) leaves c out, or that are
// narrowed in a way that is not known here. Names and signature are not judged.
func Covers(l *pki.CRL, c *pki.Certificate) bool {
	if len(l.UnknownCritical) == 0 {
		return true
	}
	if l.IssuingPoint == nil || slices.ContainsFunc(l.UnknownCritical, func(oid string) bool { return oid != oidIssuingPoint }) {
		return false
	}
	scope, err := readScope(l)
	if err != nil || scope.unusable || scope.usersOnly && c.IsCA || scope.authoritiesOnly && !c.IsCA {
		return false
	}
	if scope.points == nil {
		return true
	}
	points, err := readPoints(c)
	return err == nil && slices.ContainsFunc(points, func(p string) bool { return slices.Contains(scope.points, p) })
}

// scope is an IssuingDistributionPoint.
type scope struct {
	points                     []string // nil for all
	usersOnly, authoritiesOnly bool
	unusable                   bool // by reason, indirect, or of attribute certificates
}

func readScope(l *pki.CRL) (scope, error) {
	var s scope
	seq, err := der.NewReader(l.IssuingPoint).Expect(der.Sequence)
	if err != nil {
		return s, err
	}
	for r := seq.Reader(); !r.Empty(); {
		e, err := r.Next()
		if err != nil {
			return s, err
		}
		switch e.ID {
		case der.ContextConstructed(0):
			if s.points, err = pointNames(e, l.Issuer); err != nil {
				return s, err
			}
		case der.Context(1):
			s.usersOnly = flag(e)
		case der.Context(2):
			s.authoritiesOnly = flag(e)
		case der.Context(4), der.Context(5):
			s.unusable = s.unusable || flag(e)
		default:
			s.unusable = true
		}
	}
	return s, nil
}

func flag(e der.Element) bool { return len(e.Content) != 1 || e.Content[0] != 0 }

// readPoints returns the names of the points where c says that lists for every
// reason, signed by its own issuer, are to be had.
func readPoints(c *pki.Certificate) ([]string, error) {
	var names []string
	for _, x := range c.Extensions {
		if x.OID != oidCRLPoints {
			continue
		}
		err := items(der.NewReader(x.Value), func(r *der.Reader) error {
			e, ok, err := r.Optional(der.ContextConstructed(0))
			if err != nil || !ok || !r.Empty() {
				return err
			}
			some, err := pointNames(e, c.Issuer)
			names = append(names, some...)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return names, nil
}

// pointNames reads a DistributionPointName into comparable strings, never nil.
func pointNames(e der.Element, issuer pki.Name) ([]string, error) {
	names := []string{}
	r := e.Reader()
	if relative, ok, err := r.Optional(der.ContextConstructed(1)); err != nil {
		return nil, err
	} else if ok {
		name, err := pki.ParseName(der.Marshal(der.Sequence, der.Marshal(der.Set, relative.Content)))
		if err != nil {
			return nil, err
		}
		return append(names, string(rune(kindDirectory))+issuer.Canonical()+name.Canonical()), r.End()
	}
	full, err := r.Expect(der.ContextConstructed(0))
	if err != nil {
		return nil, err
	}
	for in := full.Reader(); !in.Empty(); {
		if len(names) == maxItems {
			return nil, tooMany()
		}
		g, err := in.Next()
		if err != nil {
			return nil, err
		}
		n := nameOf(g)
		value := string(n.raw)
		if n.kind == kindDirectory {
			name, err := pki.ParseName(n.raw)
			if err != nil {
				return nil, err
			}
			value = name.Canonical()
		}
		names = append(names, string(rune(n.kind))+value)
	}
	return names, r.End()
}
