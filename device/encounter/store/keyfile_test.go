package store

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/hwtest/powercut"
)

// FuzzKeys opens any bytes as records.keys.
func FuzzKeys(f *testing.F) {
	ring := vault.NewRing()
	f.Cleanup(ring.Close)
	dir := f.TempDir()
	k, err := makeKeys(dir, ring, newGCM(f, 1))
	if err != nil {
		f.Fatal(err)
	}
	if _, _, err := k.add(ring, bucketEvidence, "e1"); err != nil {
		f.Fatal(err)
	}
	if err := k.close(); err != nil {
		f.Fatal(err)
	}
	good, err := os.ReadFile(filepath.Join(dir, keysName))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good[:headSize+placeSize])
	f.Add([]byte(keysMagic))
	f.Fuzz(func(t *testing.T, raw []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, keysName), raw, 0o600); err != nil {
			t.Fatal(err)
		}
		k, err := openKeys(dir)
		if err == nil {
			defer k.close()
			if err = k.unlock(ring, newGCM(t, 1)); err == nil {
				_, err = k.key(0, bucketEvidence, "e2")
			}
			if err == nil {
				t.Fatal("the key of e2 was never made")
			}
		}
		if fault.CodeOf(err) == fault.Unknown {
			t.Fatal(err)
		}
	})
}

// TestPlacesAreTakenAgain holds that the file grows with what is kept, not
// with what ever was.
func TestPlacesAreTakenAgain(t *testing.T) {
	dir := powercut.TempDir(t)
	s := open(t, dir, newGCM(t, 1))
	for n := range 100 {
		if err := closeEncounter(s, id(n), evidence(n%3)); err != nil {
			t.Fatal(err)
		}
		if err := s.Delivered(int64(n+1), line(n)); err != nil {
			t.Fatal(err)
		}
		for _, k := range []Kept{{1000, KindEvidence, id(n)}, {2000, KindEncounter, id(n)}} {
			if err := s.Expire(k, line(n)); err != nil {
				t.Fatal(err)
			}
		}
	}
	info, err := os.Stat(filepath.Join(dir, keysName))
	if err != nil || info.Size() != headSize+growBy*placeSize {
		t.Errorf("%d bytes, %v", info.Size(), err)
	}
}
