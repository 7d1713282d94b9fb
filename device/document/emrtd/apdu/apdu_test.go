package apdu_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/watchpost/watchpost/device/document/emrtd/apdu"
)

func TestEncodeForms(t *testing.T) {
	long := bytes.Repeat([]byte{0xAB}, 256)
	for _, tc := range []struct {
		name     string
		cmd      apdu.Command
		extended bool
		want     string
	}{
		{"case 1", apdu.Command{INS: 0x84}, false, "00840000"},
		{"case 1 extended", apdu.Command{INS: 0x84}, true, "00840000"},
		{"case 2 short", apdu.Command{INS: 0x84, Ne: 8}, false, "0084000008"},
		{"case 2 short 256", apdu.Command{INS: 0xB0, Ne: 256}, false, "00B0000000"},
		{"case 2 extended", apdu.Command{INS: 0xB0, Ne: 257}, true, "00B00000000101"},
		{"case 2 extended 65536", apdu.Command{INS: 0xB0, Ne: 65536}, true, "00B00000000000"},
		{"case 2 extended small", apdu.Command{INS: 0xB0, Ne: 4}, true, "00B00000000004"},
		{"case 3 short", apdu.Command{INS: 0xA4, P1: 2, P2: 0x0C, Data: []byte{1, 0x1E}}, false, "00A4020C02011E"},
		{"case 3 extended", apdu.Command{INS: 0xA4, Data: long}, true, "00A40000000100" + hex.EncodeToString(long)},
		{"case 4 short", apdu.Command{INS: 0x88, Data: []byte{1}, Ne: 256}, false, "00880000010100"},
		{"case 4 extended", apdu.Command{INS: 0x88, Data: []byte{1}, Ne: 65536}, true, "00880000000001010000"},
		{"case 4 extended 256", apdu.Command{INS: 0x88, Data: []byte{1}, Ne: 256}, true, "00880000000001010100"},
	} {
		got, err := tc.cmd.Encode(tc.extended)
		if err != nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		want, _ := hex.DecodeString(tc.want)
		if !bytes.Equal(got, want) {
			t.Errorf("%s: got %X, want %X", tc.name, got, want)
		}
		back, _, err := apdu.ParseCommand(got)
		if err != nil || back.Ne != tc.cmd.Ne || !bytes.Equal(back.Data, tc.cmd.Data) || back.INS != tc.cmd.INS {
			t.Errorf("%s: parsed back as %+v, %v", tc.name, back, err)
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		cmd      apdu.Command
		extended bool
	}{
		"negative Ne":        {apdu.Command{Ne: -1}, true},
		"Ne over 65536":      {apdu.Command{Ne: 65537}, true},
		"Nc over 65535":      {apdu.Command{Data: make([]byte, 65536)}, true},
		"short with Nc 256":  {apdu.Command{Data: make([]byte, 256)}, false},
		"short with Ne 257":  {apdu.Command{Ne: 257}, false},
		"short with Ne 64 K": {apdu.Command{Ne: 65536}, false},
	} {
		if _, err := tc.cmd.Encode(tc.extended); !errors.Is(err, apdu.ErrEncode) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, in := range []string{"", "00", "008400", "00A40000020100FFFF", "00A400000201", "00A400000000", "00A40000000002010101010101", "00A4000000000000"} {
		b, _ := hex.DecodeString(in)
		if c, _, err := apdu.ParseCommand(b); !errors.Is(err, apdu.ErrMalformed) {
			t.Errorf("%s: %+v, %v", in, c, err)
		}
	}
	for _, in := range [][]byte{nil, {}, {0x90}} {
		if _, err := apdu.ParseResponse(in); !errors.Is(err, apdu.ErrMalformed) {
			t.Errorf("response %X: %v", in, err)
		}
	}
}

func TestStatusFamilies(t *testing.T) {
	if n, ok := apdu.Status(0x6C00).RightLe(); !ok || n != 256 {
		t.Error(n, ok)
	}
	if n, ok := apdu.Status(0x6C10).RightLe(); !ok || n != 16 {
		t.Error(n, ok)
	}
	if _, ok := apdu.StatusOK.RightLe(); ok {
		t.Error("9000 is no 6Cxx")
	}
	if n, ok := apdu.Status(0x6105).More(); !ok || n != 5 {
		t.Error(n, ok)
	}
	if n, ok := apdu.Status(0x63C2).Retries(); !ok || n != 2 {
		t.Error(n, ok)
	}
	if _, ok := apdu.StatusAuthFailed.Retries(); ok {
		t.Error("6300 tells no number of retries")
	}
}

func TestLengthForms(t *testing.T) {
	for _, n := range []int{0, 1, 127, 128, 255, 256, 65535, 65536} {
		obj := apdu.AppendTLV(nil, 0x53, make([]byte, n))
		tag, value, rest, err := apdu.NextTLV(append(obj, 0xFE))
		if err != nil || tag != 0x53 || len(value) != n || len(rest) != 1 {
			t.Errorf("%d octets: %02X %d %d %v", n, tag, len(value), len(rest), err)
		}
	}
	if got := apdu.AppendTLV(nil, 0x7F49, []byte{1}); !bytes.Equal(got, []byte{0x7F, 0x49, 1, 1}) {
		t.Errorf("two-octet tag: %X", got)
	}
	for _, in := range []string{"", "53", "5302AA", "5380", "5385000000000100", "5381", "538200", "5384FFFFFFFF00", "5F370100"} {
		b, _ := hex.DecodeString(in)
		if _, _, _, err := apdu.NextTLV(b); !errors.Is(err, apdu.ErrMalformed) {
			t.Errorf("%s: %v", in, err)
		}
	}
}

func FuzzParseCommand(f *testing.F) {
	f.Add([]byte{0, 0x88, 0, 0, 0, 0, 1, 1, 0, 0})
	f.Add([]byte{0, 0xB0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, in []byte) {
		c, extended, err := apdu.ParseCommand(in)
		if err != nil {
			return
		}
		out, err := c.Encode(extended)
		if err != nil || !bytes.Equal(in, out) {
			t.Fatalf("%X came back as %X, %v", in, out, err)
		}
	})
}

func FuzzNextTLV(f *testing.F) {
	f.Add([]byte{0x53, 0x81, 0x01, 0xFF})
	f.Fuzz(func(t *testing.T, in []byte) {
		_, value, rest, err := apdu.NextTLV(in)
		if err == nil && len(value)+len(rest)+2 > len(in) {
			t.Fatal("more octets than there were")
		}
	})
}
