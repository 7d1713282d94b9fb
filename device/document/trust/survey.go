package trust

import (
	"context"
	"slices"
	"time"

	"github.com/watchpost/watchpost/device/document/pki"
)

// Survey is what files hold, before and beside any question of trust.
type Survey struct {
	Certificates int              // in all files
	Unparsed     int              // of those
	Lists        int              // signed lists in all files
	Broken       int              // of those: no signer's signature over the list holds
	Refused      []RefusedFile    // files that could not be read as a whole, in order
	Unusable     int              // distinct ones whose key or signature algorithm is not supported
	Standings    map[Standing]int // of the distinct ones, each beside the others
	Editions     []time.Time      // of the signed lists, in order; zero where a list has no date
	Entries      []*Entry         // the distinct ones, in order
}

// RefusedFile is a file that could not be read, and why: ErrFile, ErrTooLarge,
// ErrUnrecognized, ErrLDIF, ErrList, or an error of package pki.
type RefusedFile struct {
	Path string
	Err  error
}

// Look reads certificates, master lists and LDIF files and verifies every
// certificate under its issuer where the files hold it. Whoever signed a list is
// not asked for: what Look returns is trusted by nobody. A file that cannot be
// read costs the others nothing. The error is that of an ended ctx.
func Look(ctx context.Context, paths ...string) (Survey, error) {
	v := Survey{Standings: map[Standing]int{}}
	s := newStore("")
	for _, path := range paths {
		if err := ctx.Err(); err != nil {
			return v, err
		}
		if err := v.file(s, path); err != nil {
			v.Refused = append(v.Refused, RefusedFile{path, err})
		}
	}
	v.Entries = s.entries
	for _, e := range s.entries {
		if e.Certificate.PublicKey.Err != nil || e.Certificate.Algorithm.Err != nil {
			v.Unusable++
		}
		v.Standings[s.Verify(e)]++
	}
	return v, nil
}

func (v *Survey) file(s *Store, path string) error {
	raw, err := readBounded(path)
	if err != nil {
		return err
	}
	kind, items, err := readContainer(raw)
	if err != nil && kind == FileCertificate {
		v.Certificates++
		v.Unparsed++
	}
	for i := range items {
		if itemErr := v.item(s, &items[i]); err == nil {
			err = itemErr
		}
	}
	return err
}

func (v *Survey) item(s *Store, it *item) error {
	if it.signed != nil && it.err == nil && (it.kind == FileMasterList || it.kind == FileDeviationList) {
		v.Lists++
		if !it.signedSoundly() {
			v.Broken++
		}
	}
	switch {
	case it.kind == FileCertificate && it.err != nil:
		v.Certificates++
		v.Unparsed++
	case it.kind == FileCertificate:
		v.certificate(s, it.certificate)
	case it.kind == FileMasterList && it.err == nil:
		raws, err := parseMasterList(it.signed.EContent)
		if err != nil {
			return err
		}
		if len(it.signed.Signers) > 0 {
			v.Editions = append(v.Editions, it.signed.Signers[0].SigningTime)
		}
		for _, raw := range raws {
			c, err := pki.ParseCertificate(raw)
			if err != nil {
				v.Certificates++
				v.Unparsed++
				continue
			}
			v.certificate(s, c)
		}
	}
	return nil
}

// signedSoundly reports whether one signer's signature over a list holds.
func (it *item) signedSoundly() bool {
	for i := range it.signed.Signers {
		if it.signed.VerifySigner(i).OK() {
			return true
		}
	}
	return false
}

func (v *Survey) certificate(s *Store, c *pki.Certificate) {
	v.Certificates++
	if s.Find(c) != nil {
		return
	}
	kind := KindDS
	if issuing(c) {
		kind, _ = anchorKind(c, true) // a claim that is wrong shows in the standing
	}
	s.add(newEntry(c, kind, c.Fingerprint(), []Provenance{{Kind: FileCertificate}}))
}

// Change is a certificate that one of two sets has and the other has not.
type Change struct {
	Added bool // in the second; else only in the first
	Entry *Entry
}

// Compare returns what changed from one set of certificates to another, the
// removed ones first, in the order of their sets.
func Compare(before, after []*Entry) []Change {
	var changes []Change
	missing := func(from, in []*Entry, added bool) {
		held := make(map[string]bool, len(in))
		for _, e := range in {
			held[e.Fingerprint] = true
		}
		for _, e := range from {
			if !held[e.Fingerprint] {
				changes = append(changes, Change{added, e})
			}
		}
	}
	missing(before, after, false)
	missing(after, before, true)
	return slices.Clip(changes)
}
