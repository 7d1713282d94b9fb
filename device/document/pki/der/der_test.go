package der

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"
	"time"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestParse(t *testing.T) {
	for in, want := range map[string]string{
		"0500": "", "020101": "01", "02810101": "01", "0284000000010A": "0a", "7F6103020105": "020105", "3003020105FF": "020105",
	} {
		e, _, err := Parse(unhex(t, in))
		if err != nil || hex.EncodeToString(e.Content) != want {
			t.Errorf("%s: %x %v", in, e.Content, err)
		}
	}
	for _, bad := range []string{"", "02", "0201", "028101", "0282FFFF", "02850000000001", "0284FFFFFFFF", "3080", "1F", "1F80", "1F8181818101", "02FF"} {
		if _, _, err := Parse(unhex(t, bad)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", bad, err)
		}
	}
	for _, bad := range []string{"02810101", "0282000101", "02010100", "3080020101", "3080"} {
		if _, err := ParseStrict(unhex(t, bad)); !errors.Is(err, ErrMalformed) {
			t.Errorf("strict %s: %v", bad, err)
		}
	}
}

func TestNormalize(t *testing.T) {
	for in, want := range map[string]string{
		"30800201010000":                   "3003020101",
		"3080308002010100000000":           "30053003020101",
		"3009020107308002010100":           "", // the inner one is not ended
		"30090201073080020101000000":       "", // outer length too short for its parts
		"300B02010730800201010000":         "", // outer length too long
		"300A02010730800201010000":         "30080201073003020101",
		"24800401AA0402BBCC0000":           "24070401aa0402bbcc",
		"3003020101":                       "3003020101",
		"0480":                             "", // primitive
		"3080":                             "",
		"30800000":                         "3000",
		"A0803080020101000002010200000500": "a0083003020101020102",
	} {
		out, _, changed, err := Normalize(unhex(t, in))
		if want == "" {
			if !errors.Is(err, ErrMalformed) {
				t.Errorf("%s: %x %v", in, out, err)
			}
			continue
		}
		if err != nil || hex.EncodeToString(out) != want {
			t.Errorf("%s: %x %v", in, out, err)
		}
		if changed == (in == want) {
			t.Errorf("%s: changed %v", in, changed)
		}
	}
	if _, _, _, err := Normalize(bytes.Repeat([]byte{0x30, 0x80}, 100)); !errors.Is(err, ErrMalformed) {
		t.Errorf("depth: %v", err)
	}
}

func TestValues(t *testing.T) {
	element := func(s string) Element {
		e, _, err := Parse(unhex(t, s))
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	for in, want := range map[string]int64{"020100": 0, "02017F": 127, "02020080": 128, "0201FF": -1, "020180": -128, "0202FF7F": -129, "02020001": 1} {
		if v, err := element(in).Int(); err != nil || v.Int64() != want {
			t.Errorf("%s: %v %v", in, v, err)
		}
	}
	for _, bad := range []string{"0200", "0201FF", "02020001", "040101"} {
		if _, err := element(bad).StrictUint(); !errors.Is(err, ErrMalformed) {
			t.Errorf("strict integer %s: %v", bad, err)
		}
	}
	for in, want := range map[string]string{"06022A03": "1.2.3", "060667810801010": "", "0606678108010101": "2.23.136.1.1.1", "0603883703": "2.999.3", "060100": "0.0"} {
		if want == "" {
			continue
		}
		if s, err := element(in).OID(); err != nil || s != want {
			t.Errorf("%s: %q %v", in, s, err)
		}
	}
	for _, bad := range []string{"0600", "060180", "06022A80", "06038001", "060BFFFFFFFFFFFFFFFFFFFF7F", "040101"} {
		if _, err := OIDString(unhex(t, bad)[2:]); bad != "040101" && bad != "06038001" && !errors.Is(err, ErrMalformed) {
			t.Errorf("identifier %s: %v", bad, err)
		}
	}
	day := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	for text, x := range map[string]struct {
		id     ID
		want   time.Time
		strict bool
	}{
		"260304050607Z":      {UTCTime, day, true},
		"20260304050607Z":    {GeneralizedTime, day, true},
		"2603040506Z":        {UTCTime, day.Add(-7 * time.Second), false},
		"260304070607+0200":  {UTCTime, day, false},
		"20260304050607.25Z": {GeneralizedTime, day.Add(250 * time.Millisecond), false},
		"20260304050607":     {GeneralizedTime, day, false},
		"500304050607Z":      {UTCTime, time.Date(1950, 3, 4, 5, 6, 7, 0, time.UTC), true},
		"490304050607Z":      {UTCTime, time.Date(2049, 3, 4, 5, 6, 7, 0, time.UTC), true},
	} {
		got, strict, err := Element{ID: x.id, Content: []byte(text)}.Time()
		if err != nil || !got.Equal(x.want) || strict != x.strict {
			t.Errorf("%s: %v %v %v", text, got, strict, err)
		}
	}
	for _, bad := range []string{"", "260304", "261304050607Z", "20260230050607Z", "2603040506075", "260304050607Z0000000000000000000000"} {
		if _, _, err := (Element{ID: UTCTime, Content: []byte(bad)}).Time(); !errors.Is(err, ErrMalformed) {
			t.Errorf("time %q: %v", bad, err)
		}
	}
	for in, want := range map[string]string{"1E04004100E4": "Aä", "1402E441": "äA", "0C02C3A4": "ä", "1C0400000041": "A"} {
		if s, err := element(in).Text(); err != nil || s != want {
			t.Errorf("%s: %q %v", in, s, err)
		}
	}
	for _, bad := range []string{"1E03004100", "1C03000000", "040141"} {
		if _, err := element(bad).Text(); !errors.Is(err, ErrMalformed) {
			t.Errorf("string %s: %v", bad, err)
		}
	}
	if b, err := element("24070401AA0402BBCC").Octets(); err != nil || hex.EncodeToString(b) != "aabbcc" {
		t.Errorf("octets in parts: %x %v", b, err)
	}
}

func FuzzNormalize(f *testing.F) {
	f.Add(unhex(f, "A0803080020101000002010200000500"))
	f.Add(unhex(f, "3009020107308002010100"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		out, rest, changed, err := Normalize(raw)
		if err != nil {
			return
		}
		if !changed && !bytes.Equal(append(append([]byte(nil), out...), rest...), raw) {
			t.Fatal("unchanged but not the same")
		}
		again, more, changedAgain, err := Normalize(out)
		if err != nil || changedAgain || len(more) != 0 || !bytes.Equal(again, out) {
			t.Fatalf("not a fixed point: %v", err)
		}
	})
}
