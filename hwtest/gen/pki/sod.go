package pki

import (
	"bytes"
	"io"
	"maps"
	"slices"

	"github.com/watchpost/watchpost/hwtest/gen/der"
)

// SecurityObject is what a document security object says of the data groups
// (Doc 9303-10 (2021), 4.6.2.3).
type SecurityObject struct {
	Groups  map[int][]byte // the files of data groups 1 to 16 as they are on the chip
	Hash    string         // sha256 by default
	Version int            // 0, or 1 with the LDS version
	// WrongDigest lists groups whose digest is off by one bit.
	WrongDigest []int
	ContentType string // OIDSecurityObject by default
}

// Encode writes the LDSSecurityObject.
func (o SecurityObject) Encode() ([]byte, error) {
	name := o.Hash
	if name == "" {
		name = "sha256"
	}
	h, err := hashOf(name)
	if err != nil {
		return nil, err
	}
	var entries [][]byte
	for _, group := range slices.Sorted(maps.Keys(o.Groups)) {
		digest := h.sum(o.Groups[group])
		if slices.Contains(o.WrongDigest, group) {
			digest = bytes.Clone(digest)
			digest[0] ^= 1
		}
		entries = append(entries, der.Seq(der.SmallInt(int64(group)), der.Octets(digest)))
	}
	parts := [][]byte{der.SmallInt(int64(o.Version)), h.identifier(), der.Seq(entries...)}
	if o.Version >= 1 {
		parts = append(parts, der.Seq(der.Printable("0107"), der.Printable("040000")))
	}
	return der.Seq(parts...), nil
}

// SOD writes the file EF.SOD.
func SOD(object SecurityObject, s Signature, random io.Reader) ([]byte, error) {
	content, err := object.Encode()
	if err != nil {
		return nil, err
	}
	contentType := object.ContentType
	if contentType == "" {
		contentType = OIDSecurityObject
	}
	signed, err := SignedData(contentType, content, s, random)
	if err != nil {
		return nil, err
	}
	return der.TLV(0x77, signed), nil
}
