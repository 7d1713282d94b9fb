// Package lds writes the elementary files of an eMRTD's logical data structure
// (ICAO Doc 9303-10, 8th edition, 2021) as a personaliser would. It shares no
// code with the reader that is tested with them.
package lds

import (
	"encoding/binary"
	"slices"
	"strings"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/hwtest/gen/der"
)

const codePortrait fault.Code = "lds.portrait"

// Tags of the data groups, DG1 to DG16 (Doc 9303-10 (2021), table 38).
var groupTags = [17]byte{0, 0x61, 0x75, 0x63, 0x76, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6A, 0x6B, 0x6C, 0x6D, 0x6E, 0x6F, 0x70}

// COM writes EF.COM for the data groups given (1 to 16), LDS version 1.7 and
// Unicode 4.0.0 (Doc 9303-10 (2021), 4.6.1).
func COM(groups []int) []byte {
	sorted := slices.Sorted(slices.Values(groups))
	var tags []byte
	for _, g := range sorted {
		tags = append(tags, groupTags[g])
	}
	return der.TLV(0x60, der.TLV(0x5F01, []byte("0107")), der.TLV(0x5F36, []byte("040000")), der.TLV(0x5C, tags))
}

// DG1 writes the lines of the machine readable zone.
func DG1(lines []string) []byte {
	return der.TLV(0x61, der.TLV(0x5F1F, []byte(strings.Join(lines, ""))))
}

// DG2 writes a portrait, JPEG or JPEG 2000, as the one face of the group (Doc
// 9303-10 (2021), 4.7.2), in ISO/IEC 19794. sex is F, M or X.
func DG2(portrait []byte, sex string) ([]byte, error) {
	return Face(portrait, sex, Encoding19794)
}

// Face is DG2 in either encoding.
func Face(portrait []byte, sex string, e Encoding) ([]byte, error) {
	width, height, jp2, err := imageSize(portrait)
	if err != nil {
		return nil, err
	}
	if e == Encoding39794 {
		return group(0x75, template(typeFace, 0x29, e, faceBlock(width, height, jp2, portrait))), nil
	}
	record, err := faceRecord(portrait, sex)
	if err != nil {
		return nil, err
	}
	return group(0x75, template(typeFace, 0x08, e, record)), nil
}

// faceRecord writes the record of ISO/IEC 19794-5:2005, clause 5: facial record
// header, facial information without feature points, image information.
func faceRecord(portrait []byte, sex string) ([]byte, error) {
	width, height, jp2, err := imageSize(portrait)
	if err != nil {
		return nil, err
	}
	gender := byte(0)
	switch sex {
	case "M":
		gender = 1
	case "F":
		gender = 2
	}
	imageType := byte(0)
	if jp2 {
		imageType = 1
	}
	const headerSize, infoSize, imageInfoSize = 14, 20, 12
	block := infoSize + imageInfoSize + len(portrait)
	be := binary.BigEndian
	out := append([]byte("FAC\x00010\x00"), 0, 0, 0, 0, 0, 1)
	be.PutUint32(out[8:], uint32(headerSize+block))
	out = be.AppendUint32(out, uint32(block))
	out = append(out, 0, 0) // no feature points
	out = append(out, gender, 0, 0, 0, 0, 0, 0, 0)
	out = append(out, 0, 0, 0, 0, 0, 0) // pose and its uncertainty: unspecified
	out = append(out, 1, imageType)     // full frontal
	out = be.AppendUint16(out, uint16(width))
	out = be.AppendUint16(out, uint16(height))
	out = append(out, 1, 2, 0, 0, 0, 0) // sRGB, static camera, device and quality unspecified
	return append(out, portrait...), nil
}

// DG14 writes the security infos that the document security object vouches
// for (Doc 9303-11 (2021), 9.2).
func DG14(infos ...[]byte) []byte { return der.TLV(0x6E, der.Set(infos...)) }

// DG15 writes the public key of active authentication, an encoded
// SubjectPublicKeyInfo.
func DG15(key []byte) []byte { return der.TLV(0x6F, key) }

// CardAccess writes EF.CardAccess: security infos readable before access
// control.
func CardAccess(infos ...[]byte) []byte { return der.Set(infos...) }

// ATRInfo writes EF.ATR/INFO with the largest command and response APDU in
// octets (ISO/IEC 7816-4:2020, 12.7.1: DO 7F66).
func ATRInfo(command, response int) []byte {
	size := func(n int) []byte { return der.TLV(0x02, []byte{byte(n >> 8), byte(n)}) }
	// The historical octets' card capabilities, then the extended length information.
	return slices.Concat(der.TLV(0x47, []byte{0x94, 0x21, 0x40}), der.TLV(0x7F66, size(command), size(response)))
}
