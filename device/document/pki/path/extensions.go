package path

import (
	"github.com/watchpost/watchpost/device/document/pki"
	"github.com/watchpost/watchpost/device/document/pki/der"
	"github.com/watchpost/watchpost/device/fault"
)

// Extensions of RFC 5280:2008 4.2.1 that only path validation reads.
const (
	oidPolicies          = "2.5.29.32"
	oidPolicyMappings    = "2.5.29.33"
	oidPolicyConstraints = "2.5.29.36"
	oidInhibitAnyPolicy  = "2.5.29.54"
	oidNameConstraints   = "2.5.29.30"
	oidSubjectAltName    = "2.5.29.17"
	oidAnyPolicy         = "2.5.29.32.0"
)

// processed are the critical extensions that package pki leaves to this one.
var processed = map[string]bool{oidPolicyMappings: true, oidPolicyConstraints: true, oidInhibitAnyPolicy: true, oidNameConstraints: true}

// maxItems bounds the policies, mappings and names of one certificate.
const maxItems = 256

// extensions are what a certificate says of the path below it. A limit of -1
// is none.
type extensions struct {
	policies                       []string // nil without the extension
	mappings                       [][2]string
	explicitPolicy, inhibitMapping int
	inhibitAnyPolicy               int
	permitted, excluded            []generalName
}

// generalName is one GeneralName: its tag number and content.
type generalName struct {
	kind byte
	raw  []byte
}

func readExtensions(c *pki.Certificate) (extensions, error) {
	x := extensions{explicitPolicy: -1, inhibitMapping: -1, inhibitAnyPolicy: -1}
	for _, e := range c.Extensions {
		var err error
		switch e.OID {
		case oidPolicies:
			err = x.readPolicies(der.NewReader(e.Value))
		case oidPolicyMappings:
			err = x.readMappings(der.NewReader(e.Value))
		case oidPolicyConstraints:
			err = x.readPolicyConstraints(der.NewReader(e.Value))
		case oidInhibitAnyPolicy:
			x.inhibitAnyPolicy, err = readCount(der.NewReader(e.Value), der.Integer)
		case oidNameConstraints:
			err = x.readNameConstraints(der.NewReader(e.Value))
		}
		if err != nil {
			return x, fault.New(ErrCritical.Code, "extension %s: %v", e.OID, err)
		}
	}
	return x, nil
}

func tooMany() error { return fault.New(ErrBudget.Code, "over %d items", maxItems) }

// items calls f for each element of the SEQUENCE that comes next.
func items(r *der.Reader, f func(*der.Reader) error) error {
	list, err := r.Expect(der.Sequence)
	if err != nil {
		return err
	}
	in := list.Reader()
	for n := 0; !in.Empty(); n++ {
		if n == maxItems {
			return tooMany()
		}
		e, err := in.Expect(der.Sequence)
		if err != nil {
			return err
		}
		if err := f(e.Reader()); err != nil {
			return err
		}
	}
	return r.End()
}

func readOID(r *der.Reader) (string, error) {
	e, err := r.Expect(der.ObjectID)
	if err != nil {
		return "", err
	}
	return e.OID()
}

// readPolicies leaves out the qualifiers: they are for people.
func (x *extensions) readPolicies(r *der.Reader) error {
	x.policies = []string{}
	return items(r, func(in *der.Reader) error {
		oid, err := readOID(in)
		x.policies = append(x.policies, oid)
		return err
	})
}

func (x *extensions) readMappings(r *der.Reader) error {
	return items(r, func(in *der.Reader) error {
		from, err := readOID(in)
		if err != nil {
			return err
		}
		to, err := readOID(in)
		if err != nil {
			return err
		}
		x.mappings = append(x.mappings, [2]string{from, to})
		return in.End()
	})
}

func readCount(r *der.Reader, id der.ID) (int, error) {
	e, err := r.Expect(id)
	if err != nil {
		return -1, err
	}
	e.ID = der.Integer
	return e.SmallInt(1 << 20)
}

func (x *extensions) readPolicyConstraints(r *der.Reader) error {
	seq, err := r.Expect(der.Sequence)
	if err != nil {
		return err
	}
	in := seq.Reader()
	for i, into := range []*int{&x.explicitPolicy, &x.inhibitMapping} {
		if !in.Is(der.Context(byte(i))) {
			continue
		}
		if *into, err = readCount(in, der.Context(byte(i))); err != nil {
			return err
		}
	}
	return in.End()
}

// readNameConstraints reads GeneralSubtrees. minimum and maximum must be as
// RFC 5280 has them: 0 and absent.
func (x *extensions) readNameConstraints(r *der.Reader) error {
	seq, err := r.Expect(der.Sequence)
	if err != nil {
		return err
	}
	in := seq.Reader()
	for i, into := range []*[]generalName{&x.permitted, &x.excluded} {
		e, ok, err := in.Optional(der.ContextConstructed(byte(i)))
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		for tr := e.Reader(); !tr.Empty(); {
			if len(*into) == maxItems {
				return tooMany()
			}
			tree, err := tr.Expect(der.Sequence)
			if err != nil {
				return err
			}
			inner := tree.Reader()
			base, err := inner.Next()
			if err != nil {
				return err
			}
			if err := inner.End(); err != nil {
				return err
			}
			*into = append(*into, nameOf(base))
		}
	}
	return in.End()
}

func nameOf(e der.Element) generalName { return generalName{byte(e.ID) & 0x1F, e.Content} }

// alternativeNames returns the names of the subject alternative name extension.
func alternativeNames(c *pki.Certificate) ([]generalName, error) {
	var names []generalName
	for _, e := range c.Extensions {
		if e.OID != oidSubjectAltName {
			continue
		}
		seq, err := der.NewReader(e.Value).Expect(der.Sequence)
		if err != nil {
			return nil, err
		}
		for r := seq.Reader(); !r.Empty(); {
			if len(names) == maxItems {
				return nil, tooMany()
			}
			n, err := r.Next()
			if err != nil {
				return nil, err
			}
			names = append(names, nameOf(n))
		}
		break
	}
	return names, nil
}
