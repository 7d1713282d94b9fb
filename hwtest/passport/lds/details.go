package lds

import (
	"slices"

	"github.com/watchpost/watchpost/hwtest/gen/der"
)

// Displayed writes DG5 (portrait) or DG7 (signature or usual mark): pictures
// as they are printed (Doc 9303-10 (2021), 4.7.5 and 4.7.7).
func Displayed(group int, images ...[]byte) []byte {
	tag := uint32(0x5F40)
	if group == 7 {
		tag = 0x5F43
	}
	parts := [][]byte{der.SmallInt(int64(len(images)))}
	for _, img := range images {
		parts = append(parts, der.TLV(tag, img))
	}
	return der.TLV(uint32(groupTags[group]), parts...)
}

// Features writes DG8, DG9 or DG10, whose content is the issuer's: data,
// structure and substance features (4.7.8 to 4.7.10).
func Features(group int, content []byte) []byte {
	return der.TLV(uint32(groupTags[group]), der.SmallInt(1), der.TLV(0x04, content))
}

// Field is one element of DG11 or DG12.
type Field struct {
	Tag   uint32
	Value []byte
}

// Details writes DG11 or DG12: the list of tags, then the elements (4.7.11 and
// 4.7.12).
func Details(group int, fields ...Field) []byte {
	var list, body []byte
	for _, f := range fields {
		list = append(list, byte(f.Tag>>8), byte(f.Tag))
		body = append(body, der.TLV(f.Tag, f.Value)...)
	}
	return der.TLV(uint32(groupTags[group]), der.TLV(0x5C, list), body)
}

// DG13 writes what the issuer likes (4.7.13).
func DG13(content []byte) []byte { return der.TLV(0x6D, content) }

// DG16 writes persons to notify: name, telephone, address, recorded on this
// day, YYYYMMDD (4.7.16).
func DG16(day string, persons ...[3]string) []byte {
	parts := [][]byte{der.SmallInt(int64(len(persons)))}
	for i, p := range persons {
		parts = append(parts, der.TLV(uint32(0xA1+i), slices.Concat(
			der.TLV(0x5F50, []byte(day)), der.TLV(0x5F51, []byte(p[0])),
			der.TLV(0x5F52, []byte(p[1])), der.TLV(0x5F53, []byte(p[2])))))
	}
	return der.TLV(0x70, parts...)
}
