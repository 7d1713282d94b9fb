package pki

import (
	"github.com/watchpost/watchpost/device/document/pki/der"
)

// maxExtensions bounds the extensions of one certificate or CRL.
const maxExtensions = 128

// Extensions of RFC 5280:2008 4.2 and Doc 9303-12:2021 7.1 that are decoded.
const (
	oidSubjectKeyID        = "2.5.29.14"
	oidKeyUsage            = "2.5.29.15"
	oidPrivateKeyUsage     = "2.5.29.16"
	oidBasicConstraints    = "2.5.29.19"
	oidCRLNumber           = "2.5.29.20"
	oidDeltaCRL            = "2.5.29.27"
	oidIssuingPoint        = "2.5.29.28"
	oidCRLPoints           = "2.5.29.31"
	oidCertificatePolicies = "2.5.29.32"
	oidAuthorityKeyID      = "2.5.29.35"
	oidExtKeyUsage         = "2.5.29.37"
	oidSubjectAltName      = "2.5.29.17"
	oidIssuerAltName       = "2.5.29.18"
	oidNameChange          = "2.23.136.1.1.6.1"
	oidDocumentTypes       = "2.23.136.1.1.6.2"
)

// Extended key usages of Doc 9303-12:2021 7.1.
const (
	ExtKeyUsageMasterList    = "2.23.136.1.1.3" // master list signer
	ExtKeyUsageDeviationList = "2.23.136.1.1.8" // deviation list signer
)

// knownExtensions may be critical without harm: their content is offered to
// the caller, or (policies, alternative names) binds nobody here.
var knownExtensions = map[string]bool{
	oidSubjectKeyID: true, oidKeyUsage: true, oidPrivateKeyUsage: true, oidBasicConstraints: true, oidCRLPoints: true,
	oidCertificatePolicies: true, oidAuthorityKeyID: true, oidExtKeyUsage: true, oidSubjectAltName: true,
	oidIssuerAltName: true, oidNameChange: true, oidDocumentTypes: true,
}

// parseExtensions reads SEQUENCE OF Extension.
func parseExtensions(r *der.Reader) ([]Extension, error) {
	list, err := r.Expect(der.Sequence)
	if err != nil {
		return nil, err
	}
	var all []Extension
	for er := list.Reader(); !er.Empty(); {
		if len(all) == maxExtensions {
			return nil, malformedf("over %d extensions", maxExtensions)
		}
		e, err := er.Expect(der.Sequence)
		if err != nil {
			return nil, err
		}
		x := e.Reader()
		id, err := x.Expect(der.ObjectID)
		if err != nil {
			return nil, err
		}
		var ext Extension
		if ext.OID, err = id.OID(); err != nil {
			return nil, err
		}
		if critical, ok, err := x.Optional(der.Boolean); err != nil {
			return nil, err
		} else if ok {
			if ext.Critical, err = critical.Bool(); err != nil {
				return nil, err
			}
		}
		value, err := x.Expect(der.OctetString)
		if err != nil {
			return nil, err
		}
		ext.Value = value.Content
		if err := x.End(); err != nil {
			return nil, err
		}
		all = append(all, ext)
	}
	return all, r.End()
}

// readExtensions decodes the known ones. A malformed one is noted and left
// undecoded; a malformed critical one counts as unknown and critical.
func (c *Certificate) readExtensions() {
	for i, x := range c.Extensions {
		if repeated(c.Extensions[:i], x.OID) {
			c.deviates(DeviationDuplicateExtension)
			continue
		}
		if !knownExtensions[x.OID] {
			if x.Critical {
				c.UnknownCritical = append(c.UnknownCritical, x.OID)
			}
			continue
		}
		if err := c.readExtension(x); err != nil {
			c.deviates(DeviationExtension)
			if x.Critical {
				c.UnknownCritical = append(c.UnknownCritical, x.OID)
			}
		}
	}
}

func repeated(before []Extension, oid string) bool {
	for _, b := range before {
		if b.OID == oid {
			return true
		}
	}
	return false
}

func (c *Certificate) readExtension(x Extension) error {
	r := der.NewReader(x.Value)
	switch x.OID {
	case oidSubjectKeyID:
		e, err := r.Expect(der.OctetString)
		if err != nil {
			return err
		}
		c.SubjectKeyID = e.Content
	case oidAuthorityKeyID:
		id, err := authorityKeyID(r)
		if err != nil {
			return err
		}
		c.AuthorityKeyID = id
	case oidKeyUsage:
		u, err := keyUsage(r)
		if err != nil {
			return err
		}
		c.HasKeyUsage, c.KeyUsage = true, u
	case oidBasicConstraints:
		return c.readBasicConstraints(r)
	case oidExtKeyUsage:
		oids, err := oidList(r)
		if err != nil {
			return err
		}
		c.ExtKeyUsage = oids
	case oidPrivateKeyUsage:
		return c.readPrivateKeyUsage(r)
	case oidCRLPoints:
		points, err := crlPoints(r)
		if err != nil {
			return err
		}
		c.CRLDistributionPoints = points
	case oidDocumentTypes:
		types, err := documentTypes(r)
		if err != nil {
			return err
		}
		c.DocumentTypes = types
	case oidNameChange:
		c.NameChange = true
	}
	return nil
}

// authorityKeyID returns the keyIdentifier; issuer and serial are not used.
func authorityKeyID(r *der.Reader) ([]byte, error) {
	seq, err := r.Expect(der.Sequence)
	if err != nil {
		return nil, err
	}
	e, ok, err := seq.Reader().Optional(der.Context(0))
	if err != nil || !ok {
		return nil, err
	}
	return e.Content, nil
}

func keyUsage(r *der.Reader) (KeyUsage, error) {
	e, err := r.Expect(der.BitString)
	if err != nil {
		return 0, err
	}
	b, _, err := e.Bits()
	if err != nil {
		return 0, err
	}
	var u KeyUsage
	for i := 0; i < 9 && i/8 < len(b); i++ {
		if b[i/8]>>(7-i%8)&1 != 0 {
			u |= 1 << i
		}
	}
	return u, nil
}

func (c *Certificate) readBasicConstraints(r *der.Reader) error {
	seq, err := r.Expect(der.Sequence)
	if err != nil {
		return err
	}
	in := seq.Reader()
	ca := false
	if e, ok, err := in.Optional(der.Boolean); err != nil {
		return err
	} else if ok {
		if ca, err = e.Bool(); err != nil {
			return err
		}
	}
	pathLen := -1
	if e, ok, err := in.Optional(der.Integer); err != nil {
		return err
	} else if ok {
		if pathLen, err = e.SmallInt(1 << 30); err != nil {
			return err
		}
	}
	c.HasBasicConstraints, c.IsCA, c.MaxPathLen = true, ca, pathLen
	return nil
}

func oidList(r *der.Reader) ([]string, error) {
	seq, err := r.Expect(der.Sequence)
	if err != nil {
		return nil, err
	}
	var oids []string
	for in := seq.Reader(); !in.Empty(); {
		e, err := in.Next()
		if err != nil {
			return nil, err
		}
		oid, err := e.OID()
		if err != nil {
			return nil, err
		}
		oids = append(oids, oid)
	}
	return oids, nil
}

// readPrivateKeyUsage reads RFC 3280:2002 4.2.1.4; the dates are implicitly tagged.
func (c *Certificate) readPrivateKeyUsage(r *der.Reader) error {
	seq, err := r.Expect(der.Sequence)
	if err != nil {
		return err
	}
	in := seq.Reader()
	for i := byte(0); i < 2; i++ {
		e, ok, err := in.Optional(der.Context(i))
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		e.ID = der.GeneralizedTime
		t, _, err := e.Time()
		if err != nil {
			return err
		}
		if i == 0 {
			c.PrivateKeyUsageFrom = t
		} else {
			c.PrivateKeyUsageUntil = t
		}
	}
	return nil
}

// crlPoints returns the URIs of fullName in every distribution point.
func crlPoints(r *der.Reader) ([]string, error) {
	const uri = 6 // GeneralName choice
	seq, err := r.Expect(der.Sequence)
	if err != nil {
		return nil, err
	}
	var points []string
	for in := seq.Reader(); !in.Empty(); {
		p, err := in.Expect(der.Sequence)
		if err != nil {
			return nil, err
		}
		name, ok, err := p.Reader().Optional(der.ContextConstructed(0))
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		full, ok, err := name.Reader().Optional(der.ContextConstructed(0))
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		for g := full.Reader(); !g.Empty(); {
			e, err := g.Next()
			if err != nil {
				return nil, err
			}
			if e.ID == der.Context(uri) {
				points = append(points, string(e.Content))
			}
		}
	}
	return points, nil
}

// documentTypes reads DocumentTypeListSyntax (Doc 9303-12:2021 7.1.1.6):
// version and a set of one- or two-letter document codes.
func documentTypes(r *der.Reader) ([]string, error) {
	seq, err := r.Expect(der.Sequence)
	if err != nil {
		return nil, err
	}
	in := seq.Reader()
	if _, err := in.Expect(der.Integer); err != nil {
		return nil, err
	}
	list, err := in.Next()
	if err != nil {
		return nil, err
	}
	// A SET by the standard; some states write a SEQUENCE.
	if list.ID != der.Set && list.ID != der.Sequence {
		return nil, malformedf("document types are no set")
	}
	types := []string{}
	for tr := list.Reader(); !tr.Empty(); {
		e, err := tr.Next()
		if err != nil {
			return nil, err
		}
		s, err := e.Text()
		if err != nil {
			return nil, err
		}
		types = append(types, s)
	}
	return types, nil
}
