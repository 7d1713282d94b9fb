package lds

import (
	"crypto"
	"slices"

	"github.com/watchpost/watchpost/device/document/pki"
	"github.com/watchpost/watchpost/device/document/pki/der"
	"github.com/watchpost/watchpost/device/fault"
)

// indefinite is the length octet of X.690:2021 8.1.3.6.
const indefinite = 0x80

// UnwrapSOD returns the CMS message inside EF.SOD (Doc 9303-10, clause 4.6.2).
// tagged is false where the file is the bare message without tag 77, which the
// standard does not allow but data sets contain.
func UnwrapSOD(raw []byte) (cms []byte, tagged bool, err error) {
	if len(raw) > 0 && raw[0] == byte(der.Sequence) {
		if len(raw) > MaxFile {
			return nil, false, fault.New(ErrTooLarge.Code, "file of %d bytes", len(raw))
		}
		return raw, false, nil
	}
	if len(raw) > 2 && len(raw) <= MaxFile && raw[0] == byte(tagSOD) && raw[1] == indefinite {
		// What ends the message stays behind it, where CMS tells it as trailing bytes.
		return raw[2:], true, nil
	}
	file, err := open(raw, tagSOD)
	if err != nil {
		return nil, false, err
	}
	return file.Content, true, nil
}

// SecurityObject is the LDS security object: the hashes of the data groups.
type SecurityObject struct {
	Version        int         // 0 (LDS 1.7) or 1 (LDS 1.8)
	HashOID        string      // dotted decimal
	Hash           crypto.Hash // zero where HashOID is of none that we know
	Hashes         map[int][]byte
	LDSVersion     string // version 1 only
	UnicodeVersion string // version 1 only
}

// Groups returns the numbers of the data groups listed, ascending.
func (s *SecurityObject) Groups() []int {
	var groups []int
	for n := range s.Hashes {
		groups = append(groups, n)
	}
	slices.Sort(groups)
	return groups
}

// ParseSecurityObject reads the content that EF.SOD signs (Doc 9303-10,
// clause 4.6.2.3 and appendix D). A group listed twice and a number that is of
// no group are errors: a verdict on such a list would be a guess. A hash of
// the wrong length is kept; nothing matches it, and the other groups stand.
func ParseSecurityObject(raw []byte) (*SecurityObject, error) {
	e, rest, err := der.Parse(raw)
	if err != nil || e.ID != der.Sequence || len(rest) != 0 {
		return nil, malformed("the security object is no sequence, or bytes follow it")
	}
	r := e.Reader()
	versionElement, err := r.Expect(der.Integer)
	if err != nil {
		return nil, malformed("security object version: %v", err)
	}
	s := &SecurityObject{Hashes: map[int][]byte{}}
	if s.Version, err = versionElement.SmallInt(1); err != nil {
		return nil, fault.New(ErrVersion.Code, "security object version: %v", err)
	}
	algorithm, err := r.Expect(der.Sequence)
	if err != nil {
		return nil, malformed("security object hash algorithm: %v", err)
	}
	oid, err := algorithm.Reader().Next()
	if err == nil {
		s.HashOID, err = oid.OID()
	}
	if err != nil {
		return nil, malformed("security object hash algorithm: %v", err)
	}
	// An unknown or forbidden algorithm leaves the list readable: the caller
	// says that it cannot be judged.
	if s.Hash, err = pki.HashByOID(s.HashOID); err != nil {
		s.Hash = 0
	}
	if err := s.readHashes(r); err != nil {
		return nil, err
	}
	if r.Empty() {
		return s, nil
	}
	if err := s.readVersions(r); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *SecurityObject) readHashes(r *der.Reader) error {
	list, err := r.Expect(der.Sequence)
	if err != nil {
		return malformed("security object hashes: %v", err)
	}
	for entries := list.Reader(); !entries.Empty(); {
		entry, err := entries.Expect(der.Sequence)
		if err != nil {
			return malformed("security object hash: %v", err)
		}
		fields := entry.Reader()
		number, err := fields.Expect(der.Integer)
		if err != nil {
			return malformed("security object hash number: %v", err)
		}
		n, err := number.SmallInt(Groups)
		if err != nil || n == 0 {
			return malformed("security object lists a group that is not 1 to %d", Groups)
		}
		value, err := fields.Expect(der.OctetString)
		if err != nil || fields.End() != nil {
			return malformed("security object hash of group %d is malformed", n)
		}
		if s.Hashes[n] != nil {
			return malformed("security object lists group %d twice", n)
		}
		if len(value.Content) == 0 {
			return malformed("security object hash of group %d is empty", n)
		}
		s.Hashes[n] = value.Content
	}
	if len(s.Hashes) == 0 {
		return fault.New(ErrEmpty.Code, "the security object lists no group")
	}
	return nil
}

func (s *SecurityObject) readVersions(r *der.Reader) error {
	info, err := r.Expect(der.Sequence)
	if err != nil || r.End() != nil {
		return malformed("security object version information is malformed")
	}
	fields := info.Reader()
	for _, to := range []*string{&s.LDSVersion, &s.UnicodeVersion} {
		e, err := fields.Expect(der.PrintableString)
		if err != nil {
			return malformed("security object version information: %v", err)
		}
		*to = digits(e.Content)
	}
	return nil
}
