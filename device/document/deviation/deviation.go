// Package deviation reads deviation lists: what an issuing state says of
// documents of its own that do not conform (ICAO Doc 9303-12, 8th edition
// 2021, clause 10 and appendix E). Whether a list is authentic is for the trust store,
// which takes it only from a signer that it can vouch for.
package deviation

import (
	"bytes"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/watchpost/watchpost/device/document/pki"
	"github.com/watchpost/watchpost/device/document/pki/der"
	"github.com/watchpost/watchpost/device/fault"
)

// ErrList: the bytes are no deviation list, or one larger than any real one.
var ErrList = &fault.Error{Code: "deviation.malformed"}

// Bounds of one list. The largest that is known names 169,000 documents.
const (
	maxEntries = 100_000
	maxNumbers = 5_000_000
)

// List is one deviation list. It is read-only and safe for concurrent use.
type List struct {
	entries []entry
	numbers int
}

// entry is one Deviation: which documents, and what is wrong with them. A
// criterion that is not given is met by every document.
type entry struct {
	documentType string
	signer       signer
	first, last  time.Time // of issue, zero where no period is given
	numbers      []string  // sorted; nil where none are given
	types        []string
}

// signer is a DocumentSignerIdentifier; the zero value names none.
type signer struct {
	issuer []byte // raw name
	serial *big.Int
	keyID  []byte
	digest []byte
}

// Document is what a list is asked about.
type Document struct {
	Type   string           // document code of the zone, "P"
	Number string           // document number, fillers allowed
	Signer *pki.Certificate // nil where it is not known
	Issued time.Time        // zero where it is not known
}

// Match is the deviations of one document, by object identifier.
type Match struct {
	Types []string
	// Possible says that the document may not be meant: the list names a
	// period of issue or a signer, and the document's is not known.
	Possible bool
}

// Entries returns the number of deviations, and of document numbers in them.
func (l *List) Entries() (deviations, numbers int) { return len(l.entries), l.numbers }

// Find returns what the list says of a document; ok is false where it says
// nothing.
func (l *List) Find(d Document) (m Match, ok bool) {
	number := strings.TrimRight(strings.ToUpper(d.Number), "<")
	possible := true
	for i := range l.entries {
		meant, sure := l.entries[i].names(d, number)
		if !meant {
			continue
		}
		ok, possible = true, possible && !sure
		for _, t := range l.entries[i].types {
			if !slices.Contains(m.Types, t) {
				m.Types = append(m.Types, t)
			}
		}
	}
	m.Possible = ok && possible
	return m, ok
}

// names reports whether the entry means the document, and whether that is sure.
func (e *entry) names(d Document, number string) (meant, sure bool) {
	if t := strings.TrimRight(e.documentType, "< "); t != "" && t != d.Type && (len(t) > 1 || !strings.HasPrefix(d.Type, t)) {
		return false, false
	}
	if e.numbers != nil {
		if _, found := slices.BinarySearch(e.numbers, number); !found {
			return false, false
		}
	}
	sure = true
	if e.signer.given() {
		switch {
		case d.Signer == nil:
			sure = false
		case !e.signer.is(d.Signer):
			return false, false
		}
	}
	if !e.first.IsZero() {
		switch {
		case d.Issued.IsZero():
			sure = false
		case d.Issued.Before(e.first) || d.Issued.After(e.last):
			return false, false
		}
	}
	return true, sure
}

func (s signer) given() bool { return s.serial != nil || s.keyID != nil || s.digest != nil }

func (s signer) is(c *pki.Certificate) bool {
	switch {
	case s.serial != nil:
		return s.serial.Cmp(c.Serial) == 0 && bytes.Equal(s.issuer, c.RawIssuer)
	case s.keyID != nil:
		return bytes.Equal(s.keyID, c.SubjectKeyID)
	}
	return digestOf(c, len(s.digest), s.digest)
}

// Parse reads the content that a deviation list's CMS object signs.
func Parse(content []byte) (*List, error) {
	l := &List{}
	seq, err := der.ParseStrict(content)
	if err != nil || seq.ID != der.Sequence {
		return nil, fault.New(ErrList.Code, "no sequence")
	}
	r := seq.Reader()
	version, err := r.Expect(der.Integer)
	if err != nil {
		return nil, fault.Wrap(ErrList.Code, err)
	}
	if _, err := version.SmallInt(0); err != nil {
		return nil, fault.New(ErrList.Code, "a version that is not known")
	}
	if _, _, err := r.Optional(der.Sequence); err != nil { // digest algorithm; certificateDigest tells it by its length
		return nil, fault.Wrap(ErrList.Code, err)
	}
	set, err := r.Expect(der.Set)
	if err != nil {
		return nil, fault.Wrap(ErrList.Code, err)
	}
	for d := set.Reader(); !d.Empty(); {
		if len(l.entries) == maxEntries {
			return nil, fault.New(ErrList.Code, "over %d deviations", maxEntries)
		}
		element, err := d.Expect(der.Sequence)
		if err != nil {
			return nil, fault.New(ErrList.Code, "deviation %d: %v", len(l.entries)+1, err)
		}
		e, err := l.entry(element)
		if err != nil {
			return nil, fault.New(ErrList.Code, "deviation %d: %v", len(l.entries)+1, err)
		}
		l.entries = append(l.entries, e)
	}
	return l, nil
}

func (l *List) entry(element der.Element) (entry, error) {
	var e entry
	r := element.Reader()
	documents, err := r.Expect(der.Sequence)
	if err != nil {
		return e, err
	}
	if err := l.documents(documents, &e); err != nil {
		return e, err
	}
	descriptions, err := r.Expect(der.Set)
	if err != nil {
		return e, err
	}
	for d := descriptions.Reader(); !d.Empty(); {
		description, err := d.Expect(der.Sequence)
		if err != nil {
			return e, err
		}
		in := description.Reader()
		if _, _, err := in.Optional(der.PrintableString); err != nil { // free text, for people
			return e, err
		}
		oid, err := in.Expect(der.ObjectID)
		if err != nil {
			return e, err
		}
		t, err := oid.OID()
		if err != nil {
			return e, err
		}
		e.types = append(e.types, t)
	}
	return e, nil
}

// documents reads DeviationDocuments.
func (l *List) documents(element der.Element, e *entry) error {
	for r := element.Reader(); !r.Empty(); {
		part, err := r.Next()
		if err != nil {
			return err
		}
		switch part.ID {
		case der.Context(0):
			e.documentType = strings.ToUpper(string(part.Content))
		case der.ContextConstructed(1):
			err = e.signer.issuerAndSerial(part)
		case der.Context(2):
			e.signer.keyID = part.Content
		case der.Context(3):
			e.signer.digest = part.Content
		case der.ContextConstructed(4):
			err = e.period(part)
		case der.ContextConstructed(5):
			err = l.readNumbers(part, e)
		default:
			err = fault.New(ErrList.Code, "criterion that is not known") // what it excludes cannot be judged
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *signer) issuerAndSerial(part der.Element) error {
	r := part.Reader()
	issuer, err := r.Expect(der.Sequence)
	if err != nil {
		return err
	}
	serial, err := r.Expect(der.Integer)
	if err != nil {
		return err
	}
	s.issuer = issuer.Raw
	s.serial, err = serial.Int()
	return err
}

func (e *entry) period(part der.Element) error {
	r := part.Reader()
	for _, at := range []*time.Time{&e.first, &e.last} {
		element, err := r.Next()
		if err != nil {
			return err
		}
		if *at, _, err = element.Time(); err != nil {
			return err
		}
	}
	if e.first.IsZero() || e.last.Before(e.first) {
		return fault.New(ErrList.Code, "period of issue ends before it begins")
	}
	return nil
}

func (l *List) readNumbers(part der.Element, e *entry) error {
	e.numbers = []string{}
	for r := part.Reader(); !r.Empty(); {
		number, err := r.Next()
		if err != nil {
			return err
		}
		text, err := number.Text()
		if err != nil {
			return err
		}
		if l.numbers++; l.numbers > maxNumbers {
			return fault.New(ErrList.Code, "over %d document numbers", maxNumbers)
		}
		e.numbers = append(e.numbers, strings.TrimRight(strings.ToUpper(text), "< "))
	}
	slices.Sort(e.numbers)
	return nil
}
