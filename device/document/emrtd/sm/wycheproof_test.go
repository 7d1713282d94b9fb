package sm

import (
	"bytes"
	"crypto/aes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/aead/cmac"
)

// Every Wycheproof vector of AES-CMAC through the module that secure messaging
// takes its codes from. Keys of a length that AES has not are refused before.
func TestWycheproofCMAC(t *testing.T) {
	dir := os.Getenv("WATCHPOST_DATA")
	if dir == "" {
		t.Skip("SKIPPED: set WATCHPOST_DATA to run the Wycheproof vectors")
	}
	raw, err := os.ReadFile(filepath.Join(dir, "pki", "wycheproof", "aes_cmac_test.json"))
	if err != nil {
		t.Fatal(err)
	}
	var f struct {
		Groups []struct {
			Tests []struct {
				ID              int `json:"tcId"`
				Key, Msg, Tag   string
				Result, Comment string
			} `json:"tests"`
		} `json:"testGroups"`
	}
	if err := json.Unmarshal(raw, &f); err != nil {
		t.Fatal(err)
	}
	bytesOf := func(s string) []byte {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	valid, invalid := 0, 0
	for _, g := range f.Groups {
		for _, x := range g.Tests {
			ok := false
			if b, err := aes.NewCipher(bytesOf(x.Key)); err == nil {
				sum, err := cmac.Sum(bytesOf(x.Msg), b, aes.BlockSize)
				ok = err == nil && bytes.Equal(sum, bytesOf(x.Tag))
			}
			if ok != (x.Result == "valid") {
				t.Errorf("case %d (%s): %v, want %s", x.ID, x.Comment, ok, x.Result)
			}
			if ok {
				valid++
			} else {
				invalid++
			}
		}
	}
	if valid < 60 || invalid < 100 {
		t.Errorf("only %d valid and %d invalid", valid, invalid)
	}
	t.Logf("wycheproof aes_cmac_test.json: %d valid agree, %d invalid refused", valid, invalid)
}
