package lds

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/watchpost/watchpost/device/fault"
)

func TestCOMOfTheStandardsExample(t *testing.T) {
	// Doc 9303-10 (2021), appendix A.1: DG1, DG2, DG4 and DG12.
	want, err := hex.DecodeString("60165f0104303130375f36063034303030305c046175766c")
	if err != nil {
		t.Fatal(err)
	}
	if got := COM([]int{12, 1, 4, 2}); !bytes.Equal(got, want) {
		t.Errorf("got %X, want %X", got, want)
	}
}

func TestDG1OfThreeLines(t *testing.T) {
	got := DG1([]string{"I<UTO", "74081", "ERIKS"})
	if want := []byte("\x61\x12\x5F\x1F\x0FI<UTO74081ERIKS"); !bytes.Equal(got, want) {
		t.Errorf("got %X", got)
	}
}

// Heads of images of 413 by 531 in the forms that passports use.
var (
	jpegHead = []byte{0xFF, 0xD8, 0xFF, 0xE0, 0, 4, 1, 2, 0xFF, 0xFF, 0xC2, 0, 17, 8, 531 >> 8, 531 & 0xFF, 413 >> 8, 413 & 0xFF, 3}
	jp2Head  = append([]byte("\x00\x00\x00\x0CjP  \r\n\x87\n\x00\x00\x00\x16ihdr"), 0, 0, 531>>8, 531&0xFF, 0, 0, 413>>8, 413&0xFF)
	j2kHead  = []byte{0xFF, 0x4F, 0xFF, 0x51, 0, 47, 0, 0, 0, 0, 413 >> 8, 413&0xFF + 1, 0, 0, 531 >> 8, 531 & 0xFF, 0, 0, 0, 1, 0, 0, 0, 0}
)

func TestFaceRecord(t *testing.T) {
	for name, tc := range map[string]struct {
		image []byte
		kind  byte // ISO/IEC 19794-5:2005, 5.7.2: 0 JPEG, 1 JPEG 2000
	}{
		"jpeg": {jpegHead, 0}, "jp2": {jp2Head, 1}, "codestream": {j2kHead, 1},
	} {
		file, err := DG2(tc.image, "F")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		at := bytes.Index(file, []byte("FAC\x00010\x00"))
		if at < 0 || file[0] != 0x75 || int(file[1]) != len(file)-2 {
			t.Errorf("%s: file %X", name, file)
			continue
		}
		record := file[at:]
		if n := int(record[10])<<8 | int(record[11]); n != len(record) {
			t.Errorf("%s: the record says %d octets and has %d", name, n, len(record))
		}
		info := record[14:]
		if n := int(info[2])<<8 | int(info[3]); n != len(record)-14 || info[6] != 2 {
			t.Errorf("%s: block of %d octets, gender %d", name, n, info[6])
		}
		img := info[20:]
		if img[0] != 1 || img[1] != tc.kind || int(img[2])<<8|int(img[3]) != 413 || int(img[4])<<8|int(img[5]) != 531 {
			t.Errorf("%s: image information %X", name, img[:12])
		}
		if !bytes.Equal(img[12:], tc.image) {
			t.Errorf("%s: the image has changed", name)
		}
	}
}

func TestNotAPortrait(t *testing.T) {
	for name, image := range map[string][]byte{
		"nothing": nil, "text": []byte("a portrait, honestly"), "PNG": []byte("\x89PNG\r\n\x1A\n"),
		"JPEG without frame": {0xFF, 0xD8, 0xFF, 0xD9}, "JPEG cut short": jpegHead[:15], "JPEG with segment of no end": {0xFF, 0xD8, 0xFF, 0xE0, 0xFF, 0xFF, 0, 0, 0, 0, 0, 0},
		"JP2 without header": jp2Head[:20], "codestream cut short": j2kHead[:20],
	} {
		if _, err := DG2(image, "M"); fault.CodeOf(err) != codePortrait {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func FuzzImageSize(f *testing.F) {
	for _, seed := range [][]byte{jpegHead, jp2Head, j2kHead} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		width, height, _, err := imageSize(data)
		if err == nil && (width < 1 || height < 1 || width > 0xFFFF || height > 0xFFFF) {
			t.Errorf("%d by %d", width, height)
		}
	})
}
