package trust

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/watchpost/watchpost/device/document/deviation"
	"github.com/watchpost/watchpost/device/document/pki"
	"github.com/watchpost/watchpost/device/fault"
)

// Kind of a certificate in a store.
type Kind string

// Kinds of certificates. CSCA and link certificates are anchors: each was
// vouched for by itself, whatever signed it. A document signer never is.
const (
	KindCSCA Kind = "csca" // signed with its own key
	KindLink Kind = "link" // a CSCA key signed with another CSCA key
	KindDS   Kind = "ds"
)

// Provenance says how a certificate came into the store.
type Provenance struct {
	File    string    `json:"file"`             // name of the imported file, without its folder
	Kind    FileKind  `json:"kind"`             // of that file
	List    string    `json:"list,omitempty"`   // who published the list, by country
	Edition time.Time `json:"edition,omitzero"` // signing time of the list, zero where there is none
	Digest  string    `json:"digest,omitempty"` // SHA-256 of the list
	Entry   string    `json:"entry,omitempty"`  // distinguished name of the LDIF entry
}

// Entry is one certificate held. It is read-only.
type Entry struct {
	Certificate *pki.Certificate
	Kind        Kind
	Fingerprint string       // SHA-256, lower-case hexadecimal
	Provenance  []Provenance // oldest first, never empty

	subject, country, keyID string // keys of the store's indexes
}

func newEntry(c *pki.Certificate, kind Kind, fingerprint string, provenance []Provenance) *Entry {
	return &Entry{Certificate: c, Kind: kind, Fingerprint: fingerprint, Provenance: provenance,
		subject: c.Subject.Canonical(), country: c.Subject.Country(), keyID: hex.EncodeToString(c.SubjectKeyID)}
}

// Edition is the newest edition that holds the certificate, zero when it came
// from no dated list.
func (e *Entry) Edition() time.Time {
	var newest time.Time
	for _, p := range e.Provenance {
		if p.Edition.After(newest) {
			newest = p.Edition
		}
	}
	return newest
}

// Anchor reports whether chains may end at the certificate.
func (e *Entry) Anchor() bool { return e.Kind == KindCSCA || e.Kind == KindLink }

// List is an edition of a master list or deviation list that was accepted.
type List struct {
	Kind    FileKind  `json:"kind"`
	List    string    `json:"list"`
	Edition time.Time `json:"edition,omitzero"`
	Digest  string    `json:"digest"` // SHA-256 of the file
	File    string    `json:"file"`
	Signer  string    `json:"signer"` // fingerprint of the signer's certificate
}

// Store is what a folder holds, read once. It is read-only and safe for
// concurrent use; open it again to see a later import.
type Store struct {
	dir     string
	entries []*Entry // in order of import
	lists   []List
	crls    []*heldCRL

	byFingerprint map[string]*Entry
	byCountry     map[string][]*Entry // anchors by subject country
	byKeyID       map[string][]*Entry // anchors by subject key identifier
	bySubject     map[string][]*Entry // anchors by canonical subject

	deviationLock sync.Mutex
	deviations    map[string]readDeviations // by country; guarded by deviationLock
}

// heldCRL is a revocation list whose signature was verified at import.
type heldCRL struct {
	crl    *pki.CRL
	signer *Entry // nil when that CSCA is no longer held
	file   string
	key    string // fingerprint of the signer's certificate at import
}

// Open reads the store in dir. Errors: ErrNoStore, ErrDamaged.
func Open(dir string) (*Store, error) {
	s, err := load(dir)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return nil, fault.New(ErrNoStore.Code, "%s holds no trust store", dir).
			WithHint("fill one with: watchpost trust import --store DIR FILE...")
	}
	return s, nil
}

func newStore(dir string) *Store {
	return &Store{dir: dir, byFingerprint: map[string]*Entry{}, byCountry: map[string][]*Entry{},
		byKeyID: map[string][]*Entry{}, bySubject: map[string][]*Entry{}}
}

// Entries returns every certificate in order of import. The slice is the caller's.
func (s *Store) Entries() []*Entry { return append([]*Entry(nil), s.entries...) }

// Lists returns the editions that are held. The slice is the caller's.
func (s *Store) Lists() []List { return append([]List(nil), s.lists...) }

// RevocationList is what a held CRL says of itself.
type RevocationList struct {
	Issuer                 string    // distinguished name
	Country                string    // two letters, upper case
	ThisUpdate, NextUpdate time.Time // NextUpdate is zero where the list does not say
	Revoked                int       // certificates that it names
	File                   string    // name of the imported file
	Signer                 string    // fingerprint of the anchor that signed it
}

// RevocationLists returns the CRLs that are held, in order of import. The slice
// is the caller's.
func (s *Store) RevocationLists() []RevocationList {
	all := make([]RevocationList, 0, len(s.crls))
	for _, h := range s.crls {
		all = append(all, RevocationList{Issuer: h.crl.Issuer.String(), Country: h.crl.Issuer.Country(), ThisUpdate: h.crl.ThisUpdate,
			NextUpdate: h.crl.NextUpdate, Revoked: h.crl.Len(), File: h.file, Signer: h.key})
	}
	return all
}

// Find returns the entry of that certificate, or nil.
func (s *Store) Find(c *pki.Certificate) *Entry { return s.byFingerprint[c.Fingerprint()] }

// DeviationList returns the bytes of the newest deviation list that country
// (two letters) published, nil when none is held. Errors: ErrDamaged.
func (s *Store) DeviationList(country string) ([]byte, error) {
	for _, l := range s.lists {
		if l.Kind != FileDeviationList || l.List != country {
			continue
		}
		raw, err := os.ReadFile(filepath.Join(s.dir, l.Digest+blobSuffix))
		if err != nil || digest(raw) != l.Digest {
			return nil, fault.New(ErrDamaged.Code, "deviation list %s is missing or changed", l.Digest)
		}
		return raw, nil
	}
	return nil, nil
}

// Deviations returns what the newest deviation list says that country (two
// letters) published, nil when none is held. It is read once. Errors:
// ErrDamaged, deviation.ErrList.
func (s *Store) Deviations(country string) (*deviation.List, error) {
	s.deviationLock.Lock()
	defer s.deviationLock.Unlock()
	if read, ok := s.deviations[country]; ok {
		return read.list, read.err
	}
	read := readDeviations{}
	raw, err := s.DeviationList(country)
	switch {
	case err != nil:
		return nil, err
	case raw != nil:
		read.list, read.err = parseDeviationList(raw)
	}
	if s.deviations == nil {
		s.deviations = map[string]readDeviations{}
	}
	s.deviations[country] = read
	return read.list, read.err
}

// readDeviations is a deviation list taken apart, or why it could not be.
type readDeviations struct {
	list *deviation.List
	err  error
}

func parseDeviationList(raw []byte) (*deviation.List, error) {
	signed, err := pki.ParseSignedData(raw)
	if err != nil {
		return nil, err
	}
	return deviation.Parse(signed.EContent)
}

// add indexes an entry that is not held yet.
func (s *Store) add(e *Entry) {
	s.entries = append(s.entries, e)
	s.byFingerprint[e.Fingerprint] = e
	if !e.Anchor() {
		return
	}
	s.byCountry[e.country] = append(s.byCountry[e.country], e)
	s.bySubject[e.subject] = append(s.bySubject[e.subject], e)
	if e.keyID != "" {
		s.byKeyID[e.keyID] = append(s.byKeyID[e.keyID], e)
	}
}

// clone returns a store that can be changed without changing s. Entries are
// shared until replaced.
func (s *Store) clone() *Store {
	n := newStore(s.dir)
	for _, e := range s.entries {
		n.add(e)
	}
	n.lists = append(n.lists, s.lists...)
	n.crls = append(n.crls, s.crls...)
	return n
}

// issuers returns the anchors that may have issued something with this issuer
// name and authority key identifier: those that fit both, then the key
// identifier, then the name.
func (s *Store) issuers(issuer pki.Name, keyID []byte) []*Entry {
	var both, key, name []*Entry
	subject := issuer.Canonical()
	if keyID != nil {
		for _, e := range s.byKeyID[hex.EncodeToString(keyID)] {
			if e.subject == subject {
				both = append(both, e)
			} else {
				key = append(key, e)
			}
		}
	}
	for _, e := range s.bySubject[subject] {
		if keyID == nil || !bytes.Equal(e.Certificate.SubjectKeyID, keyID) {
			name = append(name, e)
		}
	}
	return append(append(both, key...), name...)
}
