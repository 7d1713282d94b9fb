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
	views, err := ParseRecord(raw)
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
	views, err := ParseRecord(raw)
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
		if _, err := ParseRecord(change(sample(t))); !errors.Is(err, ErrRecord) && fault.CodeOf(err) != ErrRecord.Code {
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
		v, err := ParseRecord(b)
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

func FuzzParseRecord(f *testing.F) {
	f.Add(sample(f))
	f.Add([]byte("FMR\x00 20\x00"))
	f.Add(sample2011(f))
	f.Add(ansiSample(f))
	m := NewMatcher()
	f.Fuzz(func(t *testing.T, b []byte) {
		views, err := ParseRecord(b)
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

func sample2011(t testing.TB) []byte {
	views, err := ParseRecord(sample(t))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := MarshalISO2011(views)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestRecord2011(t *testing.T) {
	raw := sample2011(t)
	if len(raw) != 15+2*(19+5+13+2)+3*6 || string(raw[:8]) != magic2011 {
		t.Fatalf("%d bytes: % x", len(raw), raw)
	}
	views, err := ParseRecord(raw)
	if err != nil {
		t.Fatal(err)
	}
	again, err := MarshalISO(views)
	if err != nil {
		t.Fatal(err)
	}
	if want := sample(t); !bytes.Equal(again, want) {
		t.Errorf("by way of 2011:\n% x\n% x", again, want)
	}
	for cut := range raw {
		if _, err := ParseRecord(raw[:cut]); fault.CodeOf(err) != ErrRecord.Code {
			t.Fatalf("cut to %d bytes: %v", cut, err)
		}
	}
	for name, change := range map[string]func([]byte) []byte{
		"trailing":             func(b []byte) []byte { return append(b, 0) },
		"no representations":   func(b []byte) []byte { b[12], b[13] = 0, 0; return b },
		"representations":      func(b []byte) []byte { b[13] = 3; return b },
		"certificates flag":    func(b []byte) []byte { b[14] = 2; return b },
		"representation short": func(b []byte) []byte { b[18] = 10; return b },
		"representation huge":  func(b []byte) []byte { b[15] = 0xff; return b },
		"quality blocks":       func(b []byte) []byte { b[15+18] = 255; return b },
		"minutia size":         func(b []byte) []byte { b[15+18+1+5+11] = 0x40; return b },
		"resolution":           func(b []byte) []byte { b[15+18+1+5+2], b[15+18+1+5+3] = 0, 0; return b },
	} {
		if _, err := ParseRecord(change(sample2011(t))); fault.CodeOf(err) != ErrRecord.Code {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// ansiSample is the first view of sample as ANSI INCITS 378-2004 has it.
func ansiSample(t testing.TB) []byte {
	views, err := ParseRecord(sample(t))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := MarshalANSI(views[:1])
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestRecordANSI(t *testing.T) {
	raw := ansiSample(t)
	want := []byte("FMR\x00 20\x00\x00\x32\x00\x00\x00\x00\x00\x00\x01\x84\x01\x76\x00\xc5\x00\xc5\x01\x00" +
		"\x02\x00\x47\x03\x40\x00\x00\x00\x00\x64\x81\x83\x01\x75\x87\x01\x00\x64\x00\x32\x16\x00\x00\x00")
	if !bytes.Equal(raw, want) {
		t.Fatalf("\n% x\n% x", raw, want)
	}
	views, err := ParseRecord(raw)
	if err != nil || len(views) != 1 || len(views[0].Template.Minutiae) != 3 {
		t.Fatal(err)
	}
	if m := views[0].Template.Minutiae[1]; math.Abs(float64(m.Angle)-math.Pi/2) > 1e-5 || m.X != 387 {
		t.Errorf("angle %v", m.Angle)
	}
	raw[34] = 180 // the first angle: past a whole turn
	if _, err := ParseRecord(raw); fault.CodeOf(err) != ErrRecord.Code {
		t.Errorf("an angle of 360 degrees: %v", err)
	}
}

func TestCompact(t *testing.T) {
	views, err := ParseRecord(sample(t))
	if err != nil {
		t.Fatal(err)
	}
	raw := MarshalCompact(views[0].Template, 100)
	// 387 pixels are 19.66 mm; the angles in 1/64 turns with the kind above.
	if want := []byte{0, 0, 0x40, 197, 189, 0x80 | 48, 51, 25, 8}; !bytes.Equal(raw, want) {
		t.Fatalf("% x\n% x", raw, want)
	}
	p, err := ParseCompact(raw, 388, 374)
	if err != nil || len(p.Minutiae) != 3 || math.Abs(float64(p.Minutiae[1].X)-387) > 1 || p.Minutiae[1].Kind != KindBifurcation {
		t.Fatal(err)
	}
	if n := len(MarshalCompact(views[0].Template, 2)); n != 6 {
		t.Errorf("%d bytes for two minutiae", n)
	}
	far := &Template{Minutiae: []Minutia{{X: 600, Y: 10}}}
	if n := len(MarshalCompact(far, 100)); n != 0 {
		t.Errorf("a minutia past 25.5 mm takes %d bytes", n)
	}
	for name, b := range map[string][]byte{"cut": raw[:8], "long": make([]byte, 3*256)} {
		if _, err := ParseCompact(b, 388, 374); fault.CodeOf(err) != ErrRecord.Code {
			t.Errorf("%s: %v", name, err)
		}
	}
}
