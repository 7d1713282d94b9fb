package trust

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/watchpost/watchpost/device/fault"
)

// No bytes may panic the reader, and what it returns is complete.
func FuzzReadContainer(f *testing.F) {
	f.Add([]byte("version: 1\n\ndn: c=UT\nuserCertificate;binary:: MAMC\n AQE=\n"))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nMAMCAQE=\n-----END CERTIFICATE-----\n"))
	f.Add([]byte{0x30, 0x80, 0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07, 0x02, 0xA0, 0x80})
	f.Fuzz(func(t *testing.T, raw []byte) {
		_, items, err := readContainer(raw)
		if err != nil {
			return
		}
		for _, it := range items {
			set := 0
			for _, ok := range []bool{it.certificate != nil, it.crl != nil, it.signed != nil} {
				if ok {
					set++
				}
			}
			if it.err == nil && set != 1 {
				t.Fatalf("item of kind %s holds %d things", it.kind, set)
			}
		}
		if _, err := parseMasterList(raw); err == nil && len(raw) == 0 {
			t.Fatal("an empty list parses")
		}
	})
}

// A store's index that somebody changed is read as it was written, or refused
// as damaged.
func FuzzLoad(f *testing.F) {
	f.Add([]byte(`{"version":1,"lists":[],"certificates":[],"crls":[]}`))
	f.Add([]byte(`{"version":1,"certificates":[{"der":"MAMCAQE=","fingerprint":"00","kind":"csca","provenance":[]}]}`))
	f.Add([]byte(`{"version":1,"crls":[{"der":"MAMCAQE=","digest":"","file":"","signer":""}]}`))
	f.Add([]byte(`{"version":2}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, indexName), raw, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(dir)
		if err != nil {
			if fault.CodeOf(err) != ErrDamaged.Code {
				t.Fatalf("%v", err)
			}
			return
		}
		for _, e := range s.Entries() {
			s.Verify(e)
			e.Edition()
		}
	})
}
