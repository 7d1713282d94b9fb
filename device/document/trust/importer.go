package trust

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/watchpost/watchpost/device/document/pki"
	"github.com/watchpost/watchpost/device/durable"
	"github.com/watchpost/watchpost/device/fault"
)

// Refusal is one certificate or list of a file that was not taken.
type Refusal struct {
	Subject string     `json:"subject"` // distinguished name, "" when unreadable
	Reason  fault.Code `json:"reason"`
}

// Result is what became of one file.
type Result struct {
	Kind         FileKind
	Certificates int        // certificates that the file holds
	Accepted     int        // of those: now in the store, whether new or held before
	Added        int        // of those: not held before
	Withdrawn    int        // certificates that left with an older edition of the list
	Kinds        []FileKind // of the items taken, each once: a file may hold several
	Refused      []Refusal
}

// Importer fills a store. It holds the store's lock until Close and is for one
// goroutine. A file is taken as a whole or not at all; what was taken is on
// disk after Commit, all of it at once.
type Importer struct {
	dir     string
	store   *Store
	pins    []*pki.Certificate
	release func()
	dirty   bool
	blobs   map[string][]byte // deviation lists to write, by digest
}

// NewImporter locks the store in dir, which is made when it does not exist.
// pins are certificates that may vouch for list signers beside the anchors
// held: a CSCA over the signer, or the signer itself. They are not stored.
// Errors: ErrLocked, ErrDamaged, ErrWrite.
func NewImporter(ctx context.Context, dir string, pins []*pki.Certificate) (*Importer, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fault.Wrap(ErrWrite.Code, err)
	}
	release, err := lock(ctx, dir)
	if err != nil {
		return nil, err
	}
	s, err := load(dir)
	if err != nil {
		release()
		return nil, err
	}
	if s == nil {
		s = newStore(dir)
	}
	return &Importer{dir: dir, store: s, pins: pins, release: release, blobs: map[string][]byte{}}, nil
}

// Close releases the lock. What was not committed is forgotten.
func (im *Importer) Close() { im.release() }

// Store returns the state after the last file, committed or not. It does not
// change afterwards.
func (im *Importer) Store() *Store { return im.store }

// ReadCertificate reads one certificate, PEM or DER, from a file: for pins.
func ReadCertificate(path string) (*pki.Certificate, error) {
	raw, err := readBounded(path)
	if err != nil {
		return nil, err
	}
	kind, items, err := readContainer(raw)
	if err != nil {
		return nil, err
	}
	if kind != FileCertificate || len(items) != 1 {
		return nil, fault.New(ErrUnrecognized.Code, "%s does not hold one certificate", filepath.Base(path))
	}
	return items[0].certificate, items[0].err
}

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fault.Wrap(ErrFile.Code, err)
	}
	defer f.Close() //nolint:errcheck // read only
	raw, err := io.ReadAll(io.LimitReader(f, MaxFileBytes+1))
	if err != nil {
		return nil, fault.Wrap(ErrFile.Code, err)
	}
	if len(raw) > MaxFileBytes {
		return nil, fault.New(ErrTooLarge.Code, "file is over %d bytes", MaxFileBytes)
	}
	return raw, nil
}

// File imports one file. An error means that the file as a whole was refused
// and nothing changed; single certificates that were not taken are in Refused.
// A file of which nothing was taken is refused with its first reason.
func (im *Importer) File(ctx context.Context, path string) (Result, error) {
	if err := ctx.Err(); err != nil {
		return Result{Kind: FileUnknown}, fault.Wrap(ErrFile.Code, err)
	}
	raw, err := readBounded(path)
	if err != nil {
		return Result{Kind: FileUnknown}, err
	}
	return im.Import(filepath.Base(path), raw)
}

// Import takes the bytes of a file with the given name, as File does.
func (im *Importer) Import(name string, raw []byte) (Result, error) {
	kind, items, err := readContainer(raw)
	b := &batch{store: im.store.clone(), pins: im.pins, file: name, fileKind: kind, result: Result{Kind: kind}, blobs: map[string][]byte{}}
	if err != nil {
		return b.result, err
	}
	b.take(items)
	if b.taken == 0 {
		if b.first == nil {
			b.first = fault.New(ErrUnrecognized.Code, "%s holds nothing for a trust store", name)
		}
		return b.result, b.first
	}
	for digest, blob := range b.blobs {
		im.blobs[digest] = blob
	}
	if b.changed {
		im.store, im.dirty = b.store, true
	}
	return b.result, nil
}

// Commit writes what was taken since the last one. After an error the folder
// holds what it held before. Errors: ErrWrite.
func (im *Importer) Commit() error {
	for digest, blob := range im.blobs {
		if err := durable.Replace(filepath.Join(im.dir, digest+blobSuffix), blob); err != nil {
			return fault.Wrap(ErrWrite.Code, err)
		}
	}
	if !im.dirty {
		return nil
	}
	if err := im.store.save(); err != nil {
		return err
	}
	im.dirty, im.blobs = false, map[string][]byte{}
	im.dropBlobs()
	return nil
}

// dropBlobs removes deviation lists that no edition names any more. A failure
// leaves a file that nobody reads.
func (im *Importer) dropBlobs() {
	keep := map[string]bool{}
	for _, l := range im.store.lists {
		keep[l.Digest] = true
	}
	files, err := filepath.Glob(filepath.Join(im.dir, "*"+blobSuffix))
	if err != nil {
		return
	}
	for _, f := range files {
		base := filepath.Base(f)
		if !keep[base[:len(base)-len(blobSuffix)]] {
			_ = os.Remove(f)
		}
	}
}

// batch is one file on its way into a copy of the store.
type batch struct {
	store    *Store
	pins     []*pki.Certificate
	file     string
	fileKind FileKind
	result   Result
	blobs    map[string][]byte // deviation lists to write, by digest
	taken    int               // items accepted, of any kind
	changed  bool
	first    error // of what was refused
}

func (b *batch) refuse(subject string, err error) {
	b.result.Refused = append(b.result.Refused, Refusal{Subject: subject, Reason: fault.CodeOf(err)})
	if b.first == nil {
		b.first = err
	}
}

// take imports the items: lists first and CRLs last, since lists bring the
// anchors that document signers and CRLs hang on.
func (b *batch) take(items []item) {
	for _, pass := range [...]FileKind{FileMasterList, FileCertificate, FileCRL, FileDeviationList, FileUnknown} {
		for i := range items {
			if items[i].kind == pass {
				b.takeItem(&items[i])
			}
		}
	}
}

func (b *batch) takeItem(it *item) {
	if it.kind == FileCertificate {
		b.result.Certificates++
	}
	subject := it.entry
	if it.err == nil {
		subject, it.err = b.takeRead(it)
	}
	if it.err != nil {
		b.refuse(subject, it.err)
		return
	}
	b.taken++
	if !slices.Contains(b.result.Kinds, it.kind) {
		b.result.Kinds = append(b.result.Kinds, it.kind)
	}
}

// takeRead takes an item that could be read; subject names it when it is refused.
func (b *batch) takeRead(it *item) (subject string, err error) {
	switch it.kind {
	case FileCertificate:
		if err := b.takeCertificate(it.certificate, it.entry); err != nil {
			return it.certificate.Subject.String(), err
		}
		b.result.Accepted++
	case FileMasterList:
		if err := b.takeMasterList(it); err != nil {
			return signerName(it.signed), err
		}
	case FileDeviationList:
		if err := b.takeDeviationList(it); err != nil {
			return signerName(it.signed), err
		}
	case FileCRL:
		if err := b.takeCRL(it.crl); err != nil {
			return it.crl.Issuer.String(), err
		}
	}
	return "", nil
}

func signerName(s *pki.SignedData) string {
	for i := range s.Signers {
		if r := s.VerifySigner(i); r.Certificate != nil {
			return r.Certificate.Subject.String()
		}
	}
	return fmt.Sprintf("%d signers", len(s.Signers))
}
