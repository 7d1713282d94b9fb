package der

import (
	"bytes"
	"encoding/asn1"
	"math/big"
	"testing"
	"time"
)

// TestAgainstTheStandardLibrary writes what encoding/asn1 reads.
func TestAgainstTheStandardLibrary(t *testing.T) {
	for _, v := range []int64{0, 1, 127, 128, 255, 256, -1, -127, -128, -129, -255, -256, -32768, -32769, 1 << 40} {
		var got *big.Int
		if rest, err := asn1.Unmarshal(SmallInt(v), &got); err != nil || len(rest) != 0 || got.Int64() != v {
			t.Errorf("%d: %X is read as %v, %v", v, SmallInt(v), got, err)
		}
	}
	for _, dotted := range []string{"1.2.840.113549.1.1.10", "2.23.136.1.1.6.2", "0.4.0.127.0.7.2.2.4.2.2", "2.999.16384"} {
		var got asn1.ObjectIdentifier
		if rest, err := asn1.Unmarshal(OID(dotted), &got); err != nil || len(rest) != 0 || got.String() != dotted {
			t.Errorf("%s is read as %v, %v", dotted, got, err)
		}
	}
	for _, day := range []time.Time{time.Date(1999, 12, 31, 23, 59, 59, 0, time.UTC), time.Date(2049, 12, 31, 0, 0, 0, 0, time.UTC), time.Date(2050, 1, 1, 0, 0, 0, 0, time.UTC)} {
		var got time.Time
		if rest, err := asn1.Unmarshal(Time(day), &got); err != nil || len(rest) != 0 || !got.Equal(day) {
			t.Errorf("%v is read as %v, %v", day, got, err)
		}
	}
	var usage asn1.BitString
	if _, err := asn1.Unmarshal(NamedBits(5, 6), &usage); err != nil || usage.BitLength != 7 || usage.At(5) != 1 || usage.At(6) != 1 || usage.At(0) != 0 {
		t.Errorf("named bits are read as %+v, %v", usage, err)
	}
}

func TestTagsAndLengths(t *testing.T) {
	for _, tc := range []struct {
		tag   uint32
		size  int
		start []byte
	}{
		{0x61, 0, []byte{0x61, 0x00}},
		{0x7F61, 127, []byte{0x7F, 0x61, 0x7F}},
		{0x5F2E, 128, []byte{0x5F, 0x2E, 0x81, 0x80}},
		{0x75, 255, []byte{0x75, 0x81, 0xFF}},
		{0x75, 256, []byte{0x75, 0x82, 0x01, 0x00}},
		{0x75, 65536, []byte{0x75, 0x83, 0x01, 0x00, 0x00}},
	} {
		got := TLV(tc.tag, make([]byte, tc.size))
		if !bytes.HasPrefix(got, tc.start) || len(got) != len(tc.start)+tc.size {
			t.Errorf("%X of %d octets begins with %X", tc.tag, tc.size, got[:min(len(got), 6)])
		}
	}
}

func TestSetIsSorted(t *testing.T) {
	if got, want := Set(SmallInt(300), SmallInt(2), SmallInt(1)), Set(SmallInt(1), SmallInt(2), SmallInt(300)); !bytes.Equal(got, want) {
		t.Errorf("%X and %X", got, want)
	}
}

func TestWrongObjectIdentifiersPanic(t *testing.T) {
	for _, dotted := range []string{"", "1", "1.a", "1..2", "1.-2"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%q is accepted", dotted)
				}
			}()
			OID(dotted)
		}()
	}
}
