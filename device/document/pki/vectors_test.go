package pki

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"math/big"
	"path/filepath"
	"strings"
	"testing"

	"github.com/watchpost/watchpost/device/document/pki/curve"
)

// wycheproofFile is the part of a Wycheproof signature file that is used.
type wycheproofFile struct {
	Groups []struct {
		PublicKeyDER string `json:"publicKeyDer"`
		PublicKeyASN string `json:"publicKeyAsn"`
		SHA          string `json:"sha"`
		MGFSHA       string `json:"mgfSha"`
		SaltLen      int    `json:"sLen"`
		Tests        []struct {
			ID     int    `json:"tcId"`
			Msg    string `json:"msg"`
			Sig    string `json:"sig"`
			Result string `json:"result"`
			Flags  []string
		} `json:"tests"`
	} `json:"testGroups"`
}

// Every verdict of the Wycheproof signature files. Cases marked "acceptable"
// prove nothing either way and are passed over.
func TestWycheproofSignatures(t *testing.T) {
	dir := filepath.Join(dataDir(t), "pki", "wycheproof")
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatal("no vectors", err)
	}
	total := 0
	for _, path := range files {
		name := filepath.Base(path)
		if !strings.HasPrefix(name, "ecdsa_") && !strings.HasPrefix(name, "rsa_pss_") {
			continue // ECDH and CMAC vectors belong to the chip protocol
		}
		var f wycheproofFile
		if err := json.Unmarshal(readFile(t, path), &f); err != nil {
			t.Fatal(err)
		}
		wrong, valid, invalid, open := 0, 0, 0, 0
		for _, g := range f.Groups {
			k, err := ParsePublicKey(mustHex(t, g.PublicKeyDER))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			a := Algorithm{Scheme: SchemeECDSA, Hash: hashByName(t, g.SHA)}
			if strings.HasPrefix(name, "rsa_pss_") {
				a = Algorithm{Scheme: SchemeRSAPSS, Hash: a.Hash, MGFHash: hashByName(t, g.MGFSHA), SaltLength: g.SaltLen}
			}
			for _, x := range g.Tests {
				msg, sig := mustHex(t, x.Msg), mustHex(t, x.Sig)
				total++
				got := k.Verify(a, msg, sig) == nil
				switch x.Result {
				case "acceptable":
					open++
					continue
				case "valid":
					valid++
				default:
					invalid++
				}
				if got != (x.Result == "valid") {
					wrong++
					if wrong < 10 {
						t.Errorf("%s case %d: got %v, want %s, flags %v", name, x.ID, got, x.Result, x.Flags)
					}
				}
			}
		}
		t.Logf("wycheproof %-44s %4d valid, %4d invalid: %d passed, %d wrong; %d left open by the suite", name, valid, invalid, valid+invalid-wrong, wrong, open)
	}
	if total < 1500 {
		t.Errorf("only %d cases", total)
	}
	t.Logf("wycheproof: %d signature cases", total)
}

func mustHex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// RFC 4134 messages verify, signed with RSA or DSA; the key of one signer, whose
// parameters are its issuer's, is said to be of no use by itself.
func TestRFC4134(t *testing.T) {
	dir := filepath.Join(dataDir(t), "pki", "rfc4134")
	var extra []*Certificate
	files, _ := filepath.Glob(filepath.Join(dir, "*.cer"))
	for _, f := range files {
		c, err := ParseCertificate(readFile(t, f))
		if err != nil {
			t.Errorf("%s: %v", filepath.Base(f), err)
			continue
		}
		extra = append(extra, c)
	}
	const rsa, dsa, inherits, detached = "rsa", "dsa", "inherits", "detached"
	for name, want := range map[string][]string{"4.1": {dsa}, "4.2": {rsa}, "4.3": {detached}, "4.4": {dsa}, "4.5": {rsa},
		"4.6": {dsa, inherits}, "4.7": {dsa}, "4.10": {dsa}, "4.11": nil} {
		s, err := ParseSignedData(readFile(t, dir, name+".bin"))
		if err != nil || len(s.Signers) != len(want) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for i, kind := range want {
			r := s.VerifySigner(i, extra...)
			ok := r.Format == nil
			switch kind {
			case rsa, dsa:
				ok = ok && r.OK() && r.WeakHash && (kind == dsa) == (r.Algorithm.Scheme == SchemeDSA)
			case inherits:
				ok = ok && r.Digest == nil && errors.Is(r.Signature, ErrKey)
			case detached:
				ok = ok && errors.Is(r.Digest, ErrDigest) && r.Signature != nil
			}
			if !ok || r.OK() != (kind == rsa || kind == dsa) {
				t.Errorf("%s signer %d (%s): %+v", name, i, kind, r)
			}
		}
	}
}

// Key agreement on brainpoolP256r1 as the chip protocol will use it: public
// keys that are off the curve or oddly encoded are refused, and secrets keep
// their leading zeros.
func TestWycheproofECDH(t *testing.T) {
	var f struct {
		Groups []struct {
			Tests []struct {
				ID      int    `json:"tcId"`
				Comment string `json:"comment"`
				Public  string `json:"public"`
				Private string `json:"private"`
				Shared  string `json:"shared"`
				Result  string `json:"result"`
			} `json:"tests"`
		} `json:"testGroups"`
	}
	if err := json.Unmarshal(readFile(t, dataDir(t), "pki", "wycheproof", "ecdh_brainpoolP256r1_test.json"), &f); err != nil {
		t.Fatal(err)
	}
	c := curve.ByName("brainpoolP256r1")
	valid, invalid := 0, 0
	for _, g := range f.Groups {
		for _, x := range g.Tests {
			k, err := ParsePublicKey(mustHex(t, x.Public))
			ok := err == nil && k.Err == nil && k.EC != nil && k.EC.Curve == c
			if ok {
				secret := c.ScalarMult(k.EC.Point, new(big.Int).SetBytes(mustHex(t, x.Private)))
				ok = !secret.IsInfinity() && hex.EncodeToString(c.CoordinateBytes(secret.X)) == x.Shared
			}
			switch {
			case x.Comment == "no cofactor":
				// Optional in RFC 3279:2002 2.3.5, and 1 on every curve we know.
			case x.Result == "valid" && !ok, x.Result == "invalid" && ok:
				t.Errorf("case %d (%s): %v, want %s", x.ID, x.Comment, ok, x.Result)
			case ok:
				valid++
			default:
				invalid++
			}
		}
	}
	t.Logf("wycheproof ecdh_brainpoolP256r1_test.json: %d valid agree, %d invalid refused", valid, invalid)
	if valid < 300 || invalid < 50 {
		t.Errorf("only %d valid and %d invalid", valid, invalid)
	}
}
