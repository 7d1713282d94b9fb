package finger

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/watchpost/watchpost/device/fault"
)

// sample is a record of two views with every corner of the value ranges.
func sample(t testing.TB) []byte {
	a := &Template{Width: 388, Height: 374, Quality: 71, Minutiae: []Minutia{
		{X: 0, Y: 0, Angle: 0, Kind: KindEnding, Quality: 100},
		{X: 387, Y: 373, Angle: math.Pi / 2, Kind: KindBifurcation, Quality: 1},
		{X: 100, Y: 50, Angle: 1.75 * math.Pi, Kind: KindOther},
	}}
	b := &Template{Width: 300, Height: 300, Quality: -1}
	raw, err := MarshalISO([]View{{Template: a, Position: 2}, {Template: b, Position: 2, Impression: 8}})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestRecordForm(t *testing.T) {
	raw := sample(t)
	want := []byte("FMR\x00 20\x00\x00\x00\x00\x36\x00\x00\x01\x84\x01\x76\x00\xc5\x00\xc5\x02\x00" +
		"\x02\x00\x47\x03" +
		"\x40\x00\x00\x00\x00\x64" + // ending at the corner, to the right
		"\x81\x83\x01\x75\xc0\x01" + // down is three quarters counter-clockwise
		"\x00\x64\x00\x32\x20\x00" +
		"\x00\x00" +
		"\x02\x18\x00\x00\x00\x00")
	if !bytes.Equal(raw, want) {
		t.Fatalf("\n% x\n% x", raw, want)
	}
}

func TestRecordRoundTrip(t *testing.T) {
	raw := sample(t)
	views, err := ParseISO(raw)
	if err != nil {
		t.Fatal(err)
	}
	if len(views) != 2 || views[0].Position != 2 || views[1].Impression != 8 || len(views[0].Template.Minutiae) != 3 {
		t.Fatalf("%d views", len(views))
	}
	if m := views[0].Template.Minutiae[1]; m.X != 387 || m.Y != 373 || math.Abs(float64(m.Angle)-math.Pi/2) > 1e-5 || m.Kind != KindBifurcation {
		t.Error("a minutia came back changed")
	}
	again, err := MarshalISO(views)
	if err != nil || !bytes.Equal(again, raw) {
		t.Errorf("%v\n% x\n% x", err, again, raw)
	}
}

func TestRecordScalesToDPI(t *testing.T) {
	raw := sample(t)
	binary.BigEndian.PutUint16(raw[18:], 394) // 1,000 dpi in x
	views, err := ParseISO(raw)
	if err != nil {
		t.Fatal(err)
	}
	if m := views[0].Template.Minutiae[1]; math.Abs(float64(m.X)-193.4) > 0.2 || m.Y != 373 {
		t.Errorf("387, 373 at 1000x500 dpi read as %v, %v", m.X, m.Y)
	}
}

func TestRecordRefuses(t *testing.T) {
	for name, change := range map[string]func([]byte) []byte{
		"empty":      func(b []byte) []byte { return nil },
		"header cut": func(b []byte) []byte { return b[:23] },
		"magic":      func(b []byte) []byte { b[0] = 'G'; return b },
		"version":    func(b []byte) []byte { b[5] = '3'; return b },
		"short":      func(b []byte) []byte { return b[:len(b)-1] },
		"trailing":   func(b []byte) []byte { return append(b, 0) },
		"trailing, announced": func(b []byte) []byte {
			b = append(b, 0)
			b[11]++
			return b
		},
		"huge length":    func(b []byte) []byte { b[8] = 0xff; return b },
		"no width":       func(b []byte) []byte { b[14], b[15] = 0, 0; return b },
		"no height":      func(b []byte) []byte { b[16], b[17] = 0, 0; return b },
		"no resolution":  func(b []byte) []byte { b[18], b[19] = 0, 0; return b },
		"low resolution": func(b []byte) []byte { b[20], b[21] = 0, 20; return b },
		"no views":       func(b []byte) []byte { b[22] = 0; return b },
		"views missing":  func(b []byte) []byte { b[22] = 3; return b },
		"views left":     func(b []byte) []byte { b[22] = 1; return b },
		"minutiae":       func(b []byte) []byte { b[27] = 255; return b },
		"extended":       func(b []byte) []byte { b[len(b)-1] = 1; return b },
	} {
		if _, err := ParseISO(change(sample(t))); !errors.Is(err, ErrRecord) && fault.CodeOf(err) != ErrRecord.Code {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRecordWriteRefuses(t *testing.T) {
	p := &Template{Width: 300, Height: 300}
	for name, views := range map[string][]View{
		"nothing":    nil,
		"position":   {{Template: p, Position: 11}},
		"impression": {{Template: p, Impression: 16}},
		"views":      make([]View, 256),
	} {
		if _, err := MarshalISO(views); fault.CodeOf(err) != "finger.record_write" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Records of another vendor. They are of images scaled unequally, so they are
// compared with each other only.
func TestFVCForeignRecords(t *testing.T) {
	root := os.Getenv("WATCHPOST_DATA")
	if root == "" {
		t.Skip("WATCHPOST_DATA is not set: no foreign records read")
	}
	read := func(dir, name string) ([]byte, []View, error) {
		b, err := os.ReadFile(filepath.Join(root, "fingerprint", dir, name))
		if err != nil {
			t.Fatal(err)
		}
		v, err := ParseISO(b)
		return b, v, err
	}
	m := NewMatcher()
	wrong := 0
	for _, dir := range []string{"fvc2002_db1_b_iso", "fvc2002_db2_b_iso"} {
		files, err := filepath.Glob(filepath.Join(root, "fingerprint", dir, "*.iso"))
		if err != nil || len(files) != 80 {
			t.Fatal(len(files), err)
		}
		for _, f := range files {
			if _, _, err := read(dir, filepath.Base(f)); err != nil {
				t.Errorf("%s: %v", f, err)
			}
		}
		_, a, _ := read(dir, "101_1.iso")
		_, b, _ := read(dir, "101_2.iso")
		_, c, _ := read(dir, "102_1.iso")
		if m.Score(a[0].Template, b[0].Template) <= m.Score(a[0].Template, c[0].Template) {
			wrong++
		}
	}
	if wrong > 0 {
		t.Errorf("%d of 2 mates score below a stranger", wrong)
	}
	for _, name := range []string{"101_1_truncate_1_byte.iso", "101_1_truncate_2_bytes.iso", "101_1_truncate_3_bytes.iso"} {
		if _, _, err := read("iso_invalid", name); fault.CodeOf(err) != ErrRecord.Code {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParseISO(f *testing.F) {
	f.Add(sample(f))
	f.Add([]byte("FMR\x00 20\x00"))
	m := NewMatcher()
	f.Fuzz(func(t *testing.T, b []byte) {
		views, err := ParseISO(b)
		if err != nil {
			if views != nil {
				t.Error("views with an error")
			}
			return
		}
		for _, v := range views {
			if s := m.Score(v.Template, v.Template); math.IsNaN(s) || math.IsInf(s, 0) {
				t.Errorf("score %v", s)
			}
		}
	})
}
