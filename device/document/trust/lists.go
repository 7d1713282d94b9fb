package trust

import (
	"bytes"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/watchpost/watchpost/device/document/deviation"
	"github.com/watchpost/watchpost/device/document/pki"
	"github.com/watchpost/watchpost/device/document/pki/der"
	"github.com/watchpost/watchpost/device/fault"
)

// maxListCertificates bounds one master list; the largest in the field holds
// under 700.
const maxListCertificates = 20_000

// parseMasterList reads CscaMasterList (Doc 9303-12:2021 9.1) and returns the
// raw certificates.
func parseMasterList(content []byte) ([][]byte, error) {
	bad := func(err error) ([][]byte, error) { return nil, fault.Wrap(ErrList.Code, err) }
	r := der.NewReader(content)
	seq, err := r.Expect(der.Sequence)
	if err != nil {
		return bad(err)
	}
	if err := r.End(); err != nil {
		return bad(err)
	}
	in := seq.Reader()
	version, err := in.Expect(der.Integer)
	if err != nil {
		return bad(err)
	}
	if _, err := version.SmallInt(0); err != nil {
		return bad(err)
	}
	set, err := in.Expect(der.Set)
	if err != nil {
		return bad(err)
	}
	var all [][]byte
	for cr := set.Reader(); !cr.Empty(); {
		if len(all) == maxListCertificates {
			return nil, fault.New(ErrList.Code, "over %d certificates", maxListCertificates)
		}
		e, err := cr.Expect(der.Sequence)
		if err != nil {
			return bad(err)
		}
		all = append(all, e.Raw)
	}
	return all, in.End()
}

// takeMasterList takes a master list whose signer is vouched for, and every
// certificate of it that can issue others. An older edition of the same
// publisher leaves with what only it held.
func (b *batch) takeMasterList(it *item) error {
	raws, err := parseMasterList(it.signed.EContent)
	if err != nil {
		return err
	}
	b.result.Certificates += len(raws)
	certificates := make([]*pki.Certificate, len(raws))
	unread := make([]error, len(raws))
	each(len(raws), func(i int) { certificates[i], unread[i] = pki.ParseCertificate(raws[i]) })
	list, pinned, err := b.vouch(it, pki.ExtKeyUsageMasterList, certificates)
	if err != nil {
		return err
	}
	if err := b.enterEdition(list); err != nil {
		return err
	}
	from := Provenance{File: b.file, Kind: FileMasterList, List: list.List, Edition: list.Edition, Digest: list.Digest, Entry: it.entry}
	// Whose key signed what is told from the certificates alone, and takes most
	// of the time.
	kinds, unsound := make([]Kind, len(raws)), make([]error, len(raws))
	each(len(raws), func(i int) {
		if c := certificates[i]; c != nil && b.store.Find(c) == nil && c.PublicKey.Err == nil && issuing(c) {
			kinds[i], unsound[i] = anchorKind(c, true)
		}
	})
	foreign := 0
	for i, c := range certificates {
		if c == nil {
			b.refuse("", unread[i])
			continue
		}
		// A directory has lists of many publishers, and nobody chose this one.
		if b.fileKind.directory() && !pinned && c.Subject.Country() != list.List {
			foreign++
			continue
		}
		if err := b.takeListed(c, from, kinds[i], unsound[i]); err != nil {
			b.refuse(c.Subject.String(), err)
			continue
		}
		b.result.Accepted++
	}
	b.withdraw(list)
	if foreign > 0 {
		it.partly = fault.New(ErrForeign.Code, "%d certificates of other countries in the list of %s", foreign, list.List)
		b.refuse(signerName(it.signed), it.partly)
	}
	return nil
}

// each calls f for 0 to n-1, on all processors.
func each(n int, f func(int)) {
	var next atomic.Int64
	var all sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		all.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				f(int(i))
			}
		})
	}
	all.Wait()
}

// takeListed takes one certificate that a master list vouches for. kind is not
// used for one held, and unsound tells one that claims to be self-signed and is
// not.
func (b *batch) takeListed(c *pki.Certificate, from Provenance, kind Kind, unsound error) error {
	if b.store.Find(c) != nil {
		b.keep(c, "", from)
		return nil
	}
	if c.PublicKey.Err != nil {
		return c.PublicKey.Err
	}
	if !issuing(c) {
		return fault.New(ErrNotCSCA.Code, "certificate is not meant to issue others")
	}
	if unsound != nil {
		return fault.New(ErrSelfSignature.Code, "claims to be self-signed: %v", unsound)
	}
	b.keep(c, kind, from)
	return nil
}

// takeDeviationList keeps the whole list, once it has shown that it can be
// read; what it says is read again when asked for.
func (b *batch) takeDeviationList(it *item) error {
	list, _, err := b.vouch(it, pki.ExtKeyUsageDeviationList, nil)
	if err != nil {
		return err
	}
	if _, err := deviation.Parse(it.signed.EContent); err != nil {
		return err
	}
	if err := b.enterEdition(list); err != nil {
		return err
	}
	b.blobs[list.Digest] = it.raw
	return nil
}

// vouch verifies a list's signature and finds who vouches for its signer.
// listed are certificates out of the list itself: they may serve as links
// between the signer and an anchor, but never as the anchor. pinned says that a
// pin vouches, and not merely an anchor held.
func (b *batch) vouch(it *item, usage string, listed []*pki.Certificate) (list List, pinned bool, err error) {
	err = error(fault.New(ErrSignature.Code, "list has no signer"))
	for i := range it.signed.Signers {
		r := it.signed.VerifySigner(i)
		if !r.OK() {
			err = fault.New(ErrSignature.Code, "format: %v, content: %v, signature: %v", r.Format, r.Digest, r.Signature)
			continue
		}
		publisher := r.Certificate.Subject.Country()
		if publisher == "" {
			publisher = r.Certificate.Issuer.Country()
		}
		v := voucher{pins: b.pins, store: b.store, country: publisher, links: append(append([]*pki.Certificate(nil), it.signed.Certificates...), listed...)}
		if pinned, err = v.signer(r.Certificate, usage); err != nil {
			continue
		}
		return List{Kind: it.kind, List: publisher, Edition: r.SigningTime, Digest: digest(it.raw), File: b.file, Signer: r.Certificate.Fingerprint()}, pinned, nil
	}
	return List{}, false, err
}

// voucher finds a way from a list signer to an anchor. A pin vouches for
// whom it will; an anchor held only for lists of its own country, so that no
// state can publish, or replace, a list in the name of another.
type voucher struct {
	pins    []*pki.Certificate
	store   *Store
	country string // of the signer
	links   []*pki.Certificate

	pinsOnly bool
}

func (v voucher) signer(c *pki.Certificate, usage string) (pinned bool, err error) {
	for _, p := range v.pins {
		if bytes.Equal(p.Raw, c.Raw) {
			return true, nil
		}
	}
	if held := v.store.Find(c); held != nil && held.Anchor() {
		return false, nil
	}
	// Without this rule any document signer of an anchored state could sign a list.
	if !c.HasExtKeyUsage(usage) {
		return false, fault.New(ErrSignerUsage.Code, "signer's extended key usage lacks %s", usage)
	}
	for _, v.pinsOnly = range []bool{true, false} {
		budget := maxTries
		if v.reaches(c, maxPath, &budget) {
			return v.pinsOnly, nil
		}
	}
	return false, fault.New(ErrUnanchored.Code, "no certificate given with --anchor and no CSCA held vouches for the signer").
		WithHint("give the publisher's CSCA with --anchor, or import it first")
}

// reaches walks issuers depth first. budget bounds the signatures verified.
func (v voucher) reaches(c *pki.Certificate, depth int, budget *int) bool {
	verifies := func(issuer *pki.Certificate) bool {
		if *budget <= 0 || !issuer.HasUsage(pki.KeyUsageCertSign) {
			return false
		}
		*budget--
		return c.CheckSignatureFrom(issuer) == nil
	}
	for _, p := range v.pins {
		if fits(c, p) && verifies(p) {
			return true
		}
	}
	for _, e := range v.store.issuers(c.Issuer, c.AuthorityKeyID) {
		if !v.pinsOnly && e.country == v.country && verifies(e.Certificate) {
			return true
		}
	}
	if depth == 0 {
		return false
	}
	for _, l := range v.links {
		if l == nil || bytes.Equal(l.Raw, c.Raw) || bytes.Equal(l.RawSPKI, c.RawSPKI) || !issuing(l) || !fits(c, l) || !verifies(l) {
			continue
		}
		if v.isAnchor(l) || v.reaches(l, depth-1, budget) {
			return true
		}
	}
	return false
}

func (v voucher) isAnchor(c *pki.Certificate) bool {
	for _, p := range v.pins {
		if bytes.Equal(p.RawSPKI, c.RawSPKI) && p.Subject.Equal(c.Subject) {
			return true
		}
	}
	held := v.store.Find(c)
	return !v.pinsOnly && held != nil && held.Anchor() && held.country == v.country
}

// fits reports whether issuer may have issued c by name or key identifier.
func fits(c, issuer *pki.Certificate) bool {
	if c.AuthorityKeyID != nil && issuer.SubjectKeyID != nil && bytes.Equal(c.AuthorityKeyID, issuer.SubjectKeyID) {
		return true
	}
	return issuer.Subject.Equal(c.Issuer)
}

// enterEdition records list as the edition held of its publisher, unless a
// newer one is. A list without a signing time cannot be shown to be newer than
// a dated one.
func (b *batch) enterEdition(list List) error {
	for i, held := range b.store.lists {
		if held.Kind != list.Kind || held.List != list.List {
			continue
		}
		if held.Digest == list.Digest {
			return nil
		}
		if list.Edition.Before(held.Edition) {
			return fault.New(ErrRollback.Code, "edition %s, held %s of %s", edition(list.Edition), edition(held.Edition), held.File)
		}
		b.store.lists[i] = list
		b.changed = true
		return nil
	}
	b.store.lists = append(b.store.lists, list)
	b.changed = true
	return nil
}

func edition(t time.Time) string {
	if t.IsZero() {
		return "without a date"
	}
	return t.Format(time.RFC3339)
}

// withdraw takes back what other editions of the same publisher vouched for.
func (b *batch) withdraw(list List) {
	if !b.changed {
		return
	}
	next := newStore(b.store.dir)
	next.lists, next.crls = b.store.lists, b.store.crls
	for _, e := range b.store.entries {
		var keep []Provenance
		for _, p := range e.Provenance {
			if p.Kind != FileMasterList || p.List != list.List || p.Digest == list.Digest {
				keep = append(keep, p)
			}
		}
		if len(keep) == 0 {
			b.result.Withdrawn++
			continue
		}
		kept := *e
		kept.Provenance = keep
		next.add(&kept)
	}
	for i, h := range next.crls {
		kept := *h
		kept.signer = next.byFingerprint[h.key]
		next.crls[i] = &kept
	}
	b.store = next
}
