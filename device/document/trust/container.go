package trust

import (
	"bytes"

	"github.com/watchpost/watchpost/device/document/pki"
	"github.com/watchpost/watchpost/device/document/pki/der"
	"github.com/watchpost/watchpost/device/fault"
)

// MaxFileBytes bounds one imported file. A complete download of the ICAO PKD
// takes under 200 MiB.
const MaxFileBytes = 512 << 20

// FileKind is what a file turned out to hold.
type FileKind string

// File kinds.
const (
	FileUnknown       FileKind = "unknown"
	FileCertificate   FileKind = "certificate" // one or more certificates
	FileCRL           FileKind = "crl"
	FileMasterList    FileKind = "master_list"
	FileDeviationList FileKind = "deviation_list"
	FileLDIF          FileKind = "ldif"
	FileLDAP          FileKind = "ldap" // a live directory
)

// directory reports whether what a file holds comes out of a directory, where
// a CSCA by itself is nobody's word.
func (k FileKind) directory() bool { return k == FileLDIF || k == FileLDAP }

// item is one signed thing out of a file.
type item struct {
	kind  FileKind // certificate, crl, master_list, deviation_list; unknown when unreadable
	raw   []byte
	entry string // distinguished name of the LDIF entry

	certificate *pki.Certificate
	crl         *pki.CRL
	signed      *pki.SignedData
	err         error // why it is unreadable, or was refused
	partly      error // why not all of a list was taken
}

// readContainer splits a file into its items. It never fails: a file that is
// none of the kinds gives FileUnknown and its error.
func readContainer(raw []byte) (FileKind, []item, error) {
	raw = bytes.TrimPrefix(raw, []byte("\uFEFF")) // of an editor
	switch {
	case len(raw) == 0:
		return FileUnknown, nil, fault.New(ErrUnrecognized.Code, "file is empty")
	case looksLikeDER(raw):
		it := readItem(raw)
		if it.err != nil {
			return it.kind, nil, it.err
		}
		if it.signed != nil && it.kind == FileUnknown {
			return certificatesOnly(it.signed)
		}
		return it.kind, []item{it}, nil
	}
	if blocks := pki.DecodePEM(raw); len(blocks) > 0 {
		return readPEM(blocks)
	}
	if looksLikeLDIF(raw) {
		items, err := readLDIF(raw)
		if err != nil {
			return FileLDIF, nil, err
		}
		return FileLDIF, items, nil
	}
	return FileUnknown, nil, fault.New(ErrUnrecognized.Code, "neither DER, PEM nor LDIF")
}

func looksLikeDER(raw []byte) bool { return raw[0] == byte(der.Sequence) }

// certificatesOnly takes the certificates of a SignedData without signers
// (RFC 5652:2009 5.1, "p7b").
func certificatesOnly(s *pki.SignedData) (FileKind, []item, error) {
	if len(s.Signers) != 0 || s.EContent != nil || len(s.Certificates) == 0 {
		return FileUnknown, nil, fault.New(ErrUnrecognized.Code, "CMS content type %s is not taken", s.EContentType)
	}
	var items []item
	for _, c := range s.Certificates {
		items = append(items, item{kind: FileCertificate, raw: c.Raw, certificate: c})
	}
	return FileCertificate, items, nil
}

// readPEM takes every block; the file is of the first block's kind.
func readPEM(blocks []pki.PEMBlock) (FileKind, []item, error) {
	kind := FileUnknown
	var items []item
	for _, b := range blocks {
		if b.Type == "PRIVATE KEY" || bytes.HasSuffix([]byte(b.Type), []byte(" PRIVATE KEY")) {
			return FileUnknown, nil, fault.New(ErrUnrecognized.Code, "file holds a private key")
		}
		it := readItem(b.Bytes)
		if it.kind == FileUnknown && it.signed != nil {
			if _, inner, err := certificatesOnly(it.signed); err == nil {
				if kind == FileUnknown {
					kind = FileCertificate
				}
				items = append(items, inner...)
				continue
			}
		}
		if it.kind == FileUnknown && it.err == nil {
			it.err = fault.New(ErrUnrecognized.Code, "PEM block %q is not taken", b.Type)
		}
		if it.err != nil && (b.Type == "CERTIFICATE" || b.Type == "X509 CERTIFICATE") {
			it.kind = FileCertificate
			_, it.err = pki.ParseCertificate(b.Bytes)
		}
		if kind == FileUnknown {
			kind = it.kind
		}
		items = append(items, it)
	}
	if len(items) == 1 && items[0].err != nil {
		return kind, nil, items[0].err
	}
	return kind, items, nil
}

// readItem parses DER as a certificate, a CRL or a CMS list.
func readItem(raw []byte) item {
	it := item{kind: FileUnknown, raw: raw}
	switch shape(raw) {
	case FileCertificate:
		it.kind = FileCertificate
		it.certificate, it.err = pki.ParseCertificate(raw)
	case FileCRL:
		it.kind = FileCRL
		it.crl, it.err = pki.ParseCRL(raw)
	case FileMasterList:
		if it.signed, it.err = pki.ParseSignedData(raw); it.err != nil {
			return it
		}
		switch it.signed.EContentType {
		case pki.ContentMasterList:
			it.kind = FileMasterList
		case pki.ContentDeviationList:
			it.kind = FileDeviationList
		}
	default:
		it.err = fault.New(ErrUnrecognized.Code, "neither certificate, CRL nor CMS")
	}
	return it
}

// shape guesses from the first elements: CMS begins with an object
// identifier; in the signed part of a CRL the first sequence is followed by a
// name and a time, in that of a certificate the version or serial number comes
// first and the name is followed by a sequence.
func shape(raw []byte) FileKind {
	if len(raw) < 4 || raw[0] != byte(der.Sequence) {
		return FileUnknown
	}
	// CMS may come with indefinite length, which der.Parse does not take.
	if header := 2 + lengthOctets(raw[1]); len(raw) > header && raw[header] == byte(der.ObjectID) {
		return FileMasterList
	}
	outer, _, err := der.Parse(raw)
	if err != nil {
		return FileUnknown
	}
	tbs, err := outer.Reader().Expect(der.Sequence)
	if err != nil {
		return FileUnknown
	}
	r := tbs.Reader()
	if r.Is(der.ContextConstructed(0)) {
		return FileCertificate
	}
	if _, _, err := r.Optional(der.Integer); err != nil {
		return FileUnknown
	}
	for range 2 { // algorithm and issuer, in both
		if _, err := r.Expect(der.Sequence); err != nil {
			return FileUnknown
		}
	}
	if r.Is(der.UTCTime) || r.Is(der.GeneralizedTime) {
		return FileCRL
	}
	return FileCertificate
}

func lengthOctets(first byte) int {
	if first <= 0x80 {
		return 0
	}
	return int(first & 0x7F)
}
