package lds

import (
	"crypto"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/watchpost/watchpost/device/fault"
)

func repeat(n int, parts ...[]byte) []byte {
	var out []byte
	for range n {
		for _, p := range parts {
			out = append(out, p...)
		}
	}
	return out
}

// jpeg is the beginning of a JPEG of our own: start, frame header of 40x30.
var jpeg = []byte{0xFF, 0xD8, 0xFF, 0xC0, 0, 11, 8, 0, 30, 0, 40, 1, 1, 0x11, 0, 0xFF, 0xD9}

// faceRecord makes an ISO/IEC 19794-5:2005 record with one face; stated is
// the block length written, points the count of feature points written.
func faceRecord(image []byte, points, present, stated int) []byte {
	block := repeat(1, []byte{0, 0, byte(stated >> 8), byte(stated), 0, byte(points)}, make([]byte, 14), make([]byte, 8*present),
		[]byte{1, 0, 0, 99, 0, 98, 1, 2, 0, 0, 0, 0}, image)
	total := 14 + len(block)
	return append([]byte{'F', 'A', 'C', 0, '0', '1', '0', 0, 0, 0, byte(total >> 8), byte(total), 0, 1}, block...)
}

func goodFace() []byte { return faceRecord(jpeg, 1, 1, 20+8+12+len(jpeg)) }

func faceGroup(count byte, records ...[]byte) []byte {
	parts := [][]byte{object(2, []byte{count})}
	for _, r := range records {
		parts = append(parts, object2(0x7F, 0x60, object(0xA1, object(0x81, []byte{2})), object2(0x5F, 0x2E, r)))
	}
	return object(0x75, object2(0x7F, 0x61, parts...))
}

func TestFace(t *testing.T) {
	b, err := ParseDG2(faceGroup(1, goodFace()))
	if err != nil || len(b.Images) != 1 {
		t.Fatalf("%v", err)
	}
	img := b.Images[0]
	if img.Format != ImageJPEG || img.Width != 40 || img.Height != 30 || len(img.Data) != len(jpeg) {
		t.Errorf("%s %dx%d, %d bytes: the image itself says 40x30", img.Format, img.Width, img.Height, len(img.Data))
	}
}

// A bad instance must not take the good one with it.
func TestOneBadFaceLeavesTheOther(t *testing.T) {
	b, err := ParseDG2(faceGroup(2, []byte("FAC\x00010\x00"), goodFace()))
	if !errors.Is(err, ErrMalformed) || len(b.Images) != 1 {
		t.Errorf("%d images, %v", len(b.Images), err)
	}
}

func TestFaceRefused(t *testing.T) {
	good := goodFace()
	change := func(at int, b ...byte) []byte {
		c := append([]byte(nil), good...)
		copy(c[at:], b)
		return c
	}
	for name, c := range map[string]struct {
		raw  []byte
		want *fault.Error
	}{
		"nothing":                {nil, ErrEmpty},
		"empty object":           {object(0x75), ErrEmpty},
		"other group":            {object(0x63, []byte{1}), ErrTag},
		"cut off":                {faceGroup(1, good)[:60], ErrTruncated},
		"length past the end":    {[]byte{0x75, 0x84, 0xFF, 0xFF, 0xFF, 0xFF, 1}, ErrTruncated},
		"indefinite":             {[]byte{0x75, 0x80, 2, 1, 0, 0, 0}, ErrTruncated},
		"too large":              {append(object(0x75, []byte{1}), make([]byte, MaxFile)...), ErrTooLarge},
		"no group template":      {object(0x75, object(2, []byte{1})), ErrMalformed},
		"no count":               {object(0x75, object2(0x7F, 0x61, object(4, []byte{1}))), ErrMalformed},
		"negative count":         {object(0x75, object2(0x7F, 0x61, object(2, []byte{0x80}))), ErrMalformed},
		"count too high":         {faceGroup(3, good), ErrMalformed},
		"no instance":            {faceGroup(0), ErrEmpty},
		"instance without block": {object(0x75, object2(0x7F, 0x61, object(2, []byte{1}), object2(0x7F, 0x60, object(0xA1)))), ErrMalformed},
		"many instances":         {faceGroup(100, repeatRecords(100, good)...), ErrTooLarge},
		"unknown record":         {faceGroup(1, []byte("XYZ\x00010\x00")), ErrVersion},
		"other edition":          {faceGroup(1, change(4, '0', '3', '0')), ErrVersion},
		"record too short":       {faceGroup(1, good[:10]), ErrMalformed},
		"no face":                {faceGroup(1, change(12, 0, 0)), ErrEmpty},
		"many faces":             {faceGroup(1, change(12, 1, 0)), ErrTooLarge},
		"two faces, one there":   {faceGroup(1, change(12, 0, 2)), ErrMalformed},
		"record length too long": {faceGroup(1, change(8, 0, 1, 0, 0)), ErrMalformed},
		"points eat the image":   {faceGroup(1, change(18, 0xFF, 0xFF)), ErrMalformed},
		"block past the end":     {faceGroup(1, change(14, 0x7F, 0xFF, 0xFF, 0xFF)), ErrMalformed},
		"block of zero":          {faceGroup(1, change(14, 0, 0, 0, 0)), ErrMalformed},
		"no image":               {faceGroup(1, faceRecord([]byte("nonsense"), 0, 0, 40)), ErrImage},
	} {
		if b, err := ParseDG2(c.raw); !errors.Is(err, c.want) {
			t.Errorf("%s: %d images, %v, want %s", name, len(b.Images), err, c.want.Code)
		}
	}
}

func repeatRecords(n int, record []byte) [][]byte {
	var all [][]byte
	for range n {
		all = append(all, record)
	}
	return all
}

// block39 makes the bones of an ISO/IEC 39794-5 block around an inner part.
func block39(tag byte, inner ...[]byte) []byte {
	return object(0xA1, object(tag, object(0xA0, object(0x80, []byte{3})), object(0xA1, inner...)))
}

func group39(tag byte, inner ...[]byte) []byte {
	return object(0x75, object2(0x7F, 0x61, object(2, []byte{1}), object2(0x7F, 0x60, object2(0x7F, 0x2E, block39(tag, inner...)))))
}

func TestFace39794(t *testing.T) {
	nest := func(n int, b []byte) []byte {
		for range n {
			b = object(0xA0, b)
		}
		return b
	}
	good := object(0x30, object(0x80, []byte{0}), nest(3, object(0x80, jpeg)))
	b, err := ParseDG2(group39(0x65, good, good))
	if err != nil || len(b.Images) != 2 || b.Images[1].Width != 40 || b.Images[0].Standard != "ISO/IEC 39794-5:2019" {
		t.Fatalf("%v", err)
	}
	for name, c := range map[string]struct {
		raw  []byte
		want *fault.Error
	}{
		"finger block in DG2":  {group39(0x64, good), ErrVersion},
		"no representation":    {group39(0x65), ErrEmpty},
		"no image":             {group39(0x65, object(0x30, object(0x80, []byte("nonsense")))), ErrImage},
		"not a representation": {group39(0x65, object(0x04, jpeg)), ErrMalformed},
		"nested too deep":      {group39(0x65, object(0x30, nest(40, object(0x80, jpeg)))), ErrMalformed},
		"too many elements":    {group39(0x65, object(0x30, repeat(5000, object(0x80, []byte{1})))), ErrTooLarge},
		"too many faces":       {group39(0x65, repeat(70, good)), ErrTooLarge},
		"garbage inside":       {group39(0x65, object(0x30, object(0xA0, []byte{0x80, 9}))), ErrMalformed},
		"no version block":     {object(0x75, object2(0x7F, 0x61, object(2, []byte{1}), object2(0x7F, 0x60, object2(0x7F, 0x2E, object(0x65, object(0x80, []byte{1})))))), ErrMalformed},
	} {
		if _, err := ParseDG2(c.raw); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want.Code)
		}
	}
}

func TestEmptyFingerGroup(t *testing.T) {
	b, err := ParseDG3(object(0x63, object2(0x7F, 0x61, object(2, []byte{0}), object(0x53, []byte{1, 2, 3}))))
	if err != nil || len(b.Images) != 0 {
		t.Errorf("a group without fingers is whole: %v", err)
	}
}

func TestCOMRefused(t *testing.T) {
	for name, raw := range map[string][]byte{
		"no list": object(0x60, object2(0x5F, 0x01, []byte("0107"))),
		"garbage": object(0x60, []byte{0x5F, 0x01, 0x09}),
		"other":   object(0x61, []byte{0}),
	} {
		if com, err := ParseCOM(raw); err == nil {
			t.Errorf("%s: %+v", name, com)
		}
	}
	com, err := ParseCOM(object(0x60, object2(0x5F, 0x01, []byte("<b>!")), object(0x5C, []byte{0x61, 0x61, 0x77, 0x00})))
	if err != nil || com.LDSVersion != "" || len(com.Groups) != 1 || com.Unknown != 2 {
		t.Errorf("%+v %v", com, err)
	}
}

// securityObject makes a security object over entries {number, hash}.
func securityObject(version byte, oid []byte, entries [][2][]byte, more ...[]byte) []byte {
	var list [][]byte
	for _, e := range entries {
		list = append(list, object(0x30, object(2, e[0]), object(4, e[1])))
	}
	parts := [][]byte{object(2, []byte{version}), object(0x30, object(6, oid), []byte{5, 0}), object(0x30, list...)}
	return object(0x30, append(parts, more...)...)
}

var sha256OID = []byte{0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1}

func TestSecurityObject(t *testing.T) {
	hash := make([]byte, 32)
	versions := object(0x30, object(0x13, []byte("0108")), object(0x13, []byte("040000")))
	s, err := ParseSecurityObject(securityObject(1, sha256OID, [][2][]byte{{{14}, hash}, {{1}, hash}}, versions))
	if err != nil || s.Hash != crypto.SHA256 || fmt.Sprint(s.Groups()) != "[1 14]" || s.LDSVersion != "0108" {
		t.Fatalf("%+v %v", s, err)
	}
	if s, err := ParseSecurityObject(securityObject(0, []byte{0x2A, 3}, [][2][]byte{{{1}, {1, 2}}})); err != nil || s.Hash != 0 || s.HashOID != "1.2.3" {
		t.Errorf("an unknown hash algorithm must stay readable: %+v %v", s, err)
	}
	for name, c := range map[string]struct {
		raw  []byte
		want *fault.Error
	}{
		"nothing":         {nil, ErrMalformed},
		"trailing":        {append(securityObject(0, sha256OID, [][2][]byte{{{1}, hash}}), 0), ErrMalformed},
		"version 2":       {securityObject(2, sha256OID, [][2][]byte{{{1}, hash}}), ErrVersion},
		"group 0":         {securityObject(0, sha256OID, [][2][]byte{{{0}, hash}}), ErrMalformed},
		"group 17":        {securityObject(0, sha256OID, [][2][]byte{{{17}, hash}}), ErrMalformed},
		"group -1":        {securityObject(0, sha256OID, [][2][]byte{{{0xFF}, hash}}), ErrMalformed},
		"twice":           {securityObject(0, sha256OID, [][2][]byte{{{1}, hash}, {{1}, hash}}), ErrMalformed},
		"empty hash":      {securityObject(0, []byte{0x2A, 3}, [][2][]byte{{{1}, nil}}), ErrMalformed},
		"no groups":       {securityObject(0, sha256OID, nil), ErrEmpty},
		"bad algorithm":   {securityObject(0, nil, [][2][]byte{{{1}, hash}}), ErrMalformed},
		"bad versions":    {securityObject(1, sha256OID, [][2][]byte{{{1}, hash}}, object(0x30, object(2, []byte{1}))), ErrMalformed},
		"after versions":  {securityObject(1, sha256OID, [][2][]byte{{{1}, hash}}, versions, versions), ErrMalformed},
		"entry not whole": {securityObject(0, sha256OID, [][2][]byte{{{1}, hash}})[:60], ErrMalformed},
	} {
		if s, err := ParseSecurityObject(c.raw); !errors.Is(err, c.want) {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
}

func TestUnwrapSOD(t *testing.T) {
	if cms, tagged, err := UnwrapSOD(object(0x77, object(0x30, []byte{1}))); err != nil || !tagged || len(cms) != 3 {
		t.Errorf("%v %v %v", cms, tagged, err)
	}
	if _, tagged, err := UnwrapSOD(object(0x30, []byte{1})); err != nil || tagged {
		t.Errorf("bare message: %v %v", tagged, err)
	}
	for _, bad := range [][]byte{nil, {0x77}, {0x77, 0}, {0x61, 0}, {0x77, 5, 1}, append([]byte{0x30}, make([]byte, MaxFile)...)} {
		if cms, _, err := UnwrapSOD(bad); err == nil {
			t.Errorf("%d bytes gave %d", len(bad), len(cms))
		}
	}
}

func TestSecurityInfos(t *testing.T) {
	pace := object(0x30, object(6, []byte{4, 0, 0x7F, 0, 7, 2, 2, 4, 2, 2}), object(2, []byte{2}), object(2, []byte{13}))
	odd := object(0x30, object(6, []byte{0x2A, 3}), object(2, make([]byte, 20)))
	infos, err := ParseSecurityInfos(object(0x31, pace, odd))
	if err != nil || len(infos) != 2 {
		t.Fatalf("%v", err)
	}
	if infos[0].Kind != InfoPACE || infos[0].Version != 2 || infos[0].Parameter != 13 || infos[1].Kind != InfoOther {
		t.Errorf("%+v", infos)
	}
	if missing := Missing(infos, infos[1:]); len(missing) != 1 || missing[0].OID != infos[0].OID {
		t.Errorf("%+v", missing)
	}
	for name, raw := range map[string][]byte{
		"nothing": nil, "sequence": object(0x30, pace), "empty": object(0x31), "no sequence": object(0x31, object(4, []byte{1})),
		"no oid": object(0x31, object(0x30, object(2, []byte{1}))), "no data": object(0x31, object(0x30, object(6, []byte{0x2A}))),
		"many": object(0x31, repeat(200, pace)), "cut": object(0x31, pace)[:8],
	} {
		if infos, err := ParseSecurityInfos(raw); err == nil {
			t.Errorf("%s: %d infos", name, len(infos))
		}
	}
}

func TestDetails(t *testing.T) {
	raw := object(0x6B, object2(0x5F, 0x0E, []byte("A\x00B\xFF")), object(0xA0, object(2, []byte{2}), object2(0x5F, 0x0F, []byte("X")), object2(0x5F, 0x0F, []byte("Y"))),
		object2(0x5F, 0x2B, []byte("19850228")), object2(0x5F, 0x16, jpeg))
	d, err := ParseDG11(raw)
	if err != nil || d.Fields["full_name"] != "AB\uFFFD" || d.Fields["other_names"] != "X; Y" || d.Fields["birth_date"] != "19850228" || len(d.Images) != 1 {
		t.Errorf("%v %v", d.Fields, err)
	}
	// What stands before the damage is kept.
	d, err = ParseDG11(object(0x6B, object2(0x5F, 0x0E, []byte("A")), []byte{0x5F, 0x11, 0x50}))
	if !errors.Is(err, ErrMalformed) || d.Fields["full_name"] != "A" {
		t.Errorf("%v %v", d.Fields, err)
	}
	if _, err := ParseDG12(object(0x6C, repeat(200, object2(0x5F, 0x19, []byte("A"))))); !errors.Is(err, ErrTooLarge) {
		t.Errorf("%v", err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("read", "details", *d, "contact", Contact{Name: "SECRET"})
	fmt.Fprintf(&log, "%v %v", *d, Contact{Name: "SECRET"})
	if strings.Contains(log.String(), "SECRET") || strings.Contains(log.String(), "full_name") {
		t.Errorf("personal data in a log: %s", log.String())
	}
}

func TestNamedFile(t *testing.T) {
	for name, want := range map[string]File{
		"EF_SOD.bin": SOD, "EF.SOD": SOD, "ef.sod.BIN": SOD, "sod": SOD, "DG1": "DG1", "EF.DG16.bin": "DG16", "EFDG2": "DG2",
		"ef_cardaccess.bin": CardAccess, "EF.CardSecurity": CardSecurity, "com.bin": COM, "dG07.bin": "", "DG0": "", "DG17": "",
		"DG": "", "EF": "", "": "", ".bin": "", "EF_SOD.txt": "", "DG1.bin.bak": "", "README.md": "", "EF..SOD": "", "EF_DG-1.bin": "",
	} {
		got, ok := NamedFile(name)
		if ok != (want != "") || ok && got != want {
			t.Errorf("%q is %q, %v", name, got, ok)
		}
	}
}

func TestBody(t *testing.T) {
	raw := object(0x61, []byte{1, 2, 3})
	if body, trailing := Body(append(raw, 0, 0, 0)); trailing != 3 || len(body) != len(raw) {
		t.Errorf("%d bytes, %d trailing", len(body), trailing)
	}
	if body, trailing := Body(raw[:3]); trailing != 0 || len(body) != 3 {
		t.Error("a broken file must be hashed whole")
	}
}

func TestDisplayedAndContactsRefused(t *testing.T) {
	one := object(2, []byte{1})
	for name, err := range map[string]error{
		"other group":  second(ParseDisplayed(8, object(0x68, one))),
		"no image":     second(ParseDisplayed(5, object(0x65, one))),
		"no format":    second(ParseDisplayed(5, object(0x65, one, object2(0x5F, 0x40, []byte("nonsense"))))),
		"cut off":      second(ParseDisplayed(7, object(0x67, one, []byte{0x5F, 0x43, 9}))),
		"no count":     second(ParseDisplayed(7, object(0x67, object2(0x5F, 0x43, jpeg)))),
		"person cut":   second(ParseDG16(object(0x70, one, object(0xA1, []byte{0x5F, 0x51, 9})))),
		"person count": second(ParseDG16(object(0x70, object(2, []byte{2}), object(0xA1, object2(0x5F, 0x51, []byte("A")))))),
		"no persons":   second(ParseDG16(object(0x70, object(4, []byte{1})))),
		"no key":       second(ParseDG15(object(0x6F, object(4, []byte{1})))),
		"group 0":      CheckGroup(0, one),
		"group 13":     CheckGroup(13, one),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		} else if fault.CodeOf(err) == fault.Unknown {
			t.Errorf("%s: uncoded error", name)
		}
	}
}

func second[T any](_ T, err error) error { return err }

func FuzzFiles(f *testing.F) {
	f.Add(faceGroup(1, goodFace()))
	f.Add(group39(0x65, object(0x30, object(0x80, jpeg))))
	f.Add(object(0x63, object2(0x7F, 0x61, object(2, []byte{1}), object2(0x7F, 0x60, object2(0x5F, 0x2E, []byte("FIR\x00010\x00"))))))
	f.Add(object(0x76, object2(0x7F, 0x61, object(2, []byte{1}), object2(0x7F, 0x60, object2(0x5F, 0x2E, []byte("IIR\x00010\x00"))))))
	f.Add(object(0x61, object2(0x5F, 0x1F, repeat(88, []byte{'<'}))))
	f.Add(object(0x6B, object2(0x5F, 0x0E, []byte("A"))))
	f.Add(object(0x70, object(2, []byte{1}), object(0xA1, object2(0x5F, 0x51, []byte("A")))))
	f.Add(securityObject(0, sha256OID, [][2][]byte{{{1}, make([]byte, 32)}}))
	f.Add(object(0x6E, object(0x31, object(0x30, object(6, []byte{4, 0, 0x7F}), object(2, []byte{2})))))
	f.Fuzz(func(t *testing.T, raw []byte) {
		parsers := map[string]error{
			"com": second(ParseCOM(raw)), "dg1": second(ParseDG1(raw, now)), "dg2": second(ParseDG2(raw)), "dg3": second(ParseDG3(raw)),
			"dg4": second(ParseDG4(raw)), "dg5": second(ParseDisplayed(5, raw)), "dg7": second(ParseDisplayed(7, raw)), "dg11": second(ParseDG11(raw)), "dg12": second(ParseDG12(raw)),
			"dg14": second(ParseDG14(raw)), "dg15": second(ParseDG15(raw)), "dg16": second(ParseDG16(raw)),
			"object": second(ParseSecurityObject(raw)), "infos": second(ParseSecurityInfos(raw)),
		}
		accepted := 0
		for name, err := range parsers {
			if err == nil {
				accepted++
			} else if fault.CodeOf(err) == fault.Unknown {
				t.Errorf("%s: uncoded error %v", name, err)
			}
		}
		if accepted > 1 {
			t.Error("one file was accepted as two different ones")
		}
		if body, trailing := Body(raw); len(body)+trailing != len(raw) {
			t.Error("bytes were lost")
		}
	})
}
