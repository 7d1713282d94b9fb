package emrtd_test

import (
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/watchpost/watchpost/device/document/emrtd"
	"github.com/watchpost/watchpost/hwtest/gen/curve"
	"github.com/watchpost/watchpost/hwtest/gen/dh"
	"github.com/watchpost/watchpost/hwtest/passport"
)

// everyOffer is every form of PACE that the reader has, with a key of Chip
// Authentication of the same group.
func everyOffer() []passport.Profile {
	offers := variants()
	suites := []string{"3des", "aes128", "aes192", "aes256"}
	for parameter := 8; parameter <= 18; parameter++ {
		offers = append(offers, passport.PACE{Suite: suites[parameter%4], Parameter: parameter})
	}
	curves := []string{"secp256r1", "brainpoolP256r1", "secp384r1", "brainpoolP320r1", "brainpoolP224r1"}
	var all []passport.Profile
	for i, offer := range offers {
		key := passport.ChipKey{Curve: curves[i%len(curves)], Suite: suites[i%4]}
		if i%6 == 0 {
			key.Curve = fmt.Sprintf("dh-%d", i%3)
		}
		p := strong(offer, key, nil, 0)
		p.Access.NoBAC, p.NoPortrait = true, true
		all = append(all, p)
	}
	return all
}

// sessions opens n chips, two at a time, and counts those that did not open by
// PACE with Chip Authentication proven. change may alter chip and profile.
func sessions(t *testing.T, n int, profiles []passport.Profile, change func(*passport.Document, *passport.Chip)) {
	t.Helper()
	var failed atomic.Int64
	var wait sync.WaitGroup
	work := make(chan passport.Profile)
	for range 2 {
		wait.Go(func() {
			for p := range work {
				doc := document(t, p)
				if change != nil {
					change(doc, nil)
				}
				chip, err := passport.NewChip(doc)
				if err != nil {
					t.Error(err)
					continue
				}
				if change != nil {
					change(doc, chip)
				}
				v := &virtual{Chip: chip, maxCommand: 65_544, maxResponse: 65_538}
				r, err := read(t, v, p, func(o *emrtd.Options) { o.Files = []string{"DG1", "DG14"} })
				if err != nil || r.Access.Protocol != emrtd.ProtocolPACE || r.Access.Sessions != 1 || proof(r, emrtd.ProofChip).Outcome != emrtd.OutcomeProven {
					failed.Add(1)
					t.Errorf("%+v %+v: %v %+v", p.Access.PACE[0], p.Authenticity.ChipKeys[0].Curve, err, r.Proofs)
				}
			}
		})
	}
	for i := range n {
		work <- profiles[(i*7)%len(profiles)] // in steps, so that few sessions see every kind
	}
	close(work)
	wait.Wait()
	t.Logf("%d sessions of PACE and Chip Authentication over %d variants: %d failures", n, len(profiles), failed.Load())
}

// sessionCount is n, or few where WATCHPOST_SOAK is not set.
func sessionCount(n, few int) int {
	if os.Getenv("WATCHPOST_SOAK") == "" {
		return few
	}
	return n
}

// TestSoakSessions: 10,000 sessions of PACE and Chip Authentication over every
// mapping, group and cipher (300 without WATCHPOST_SOAK).
func TestSoakSessions(t *testing.T) {
	sessions(t, sessionCount(10_000, 150), everyOffer(), nil)
}

// TestSoakLeadingZero: 1,000 sessions whose shared secrets start with a zero
// octet (both agreements of PACE), with the chip's secrets from OpenSSL.
func TestSoakLeadingZero(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("openssl is not installed: NOT RUN")
	}
	profiles := everyOffer()
	for i := range profiles {
		profiles[i].Faults = []passport.Fault{{Kind: passport.KindLeadingZero}}
	}
	dir := t.TempDir()
	var zeros, calls atomic.Int64
	sessions(t, sessionCount(1000, 20), profiles, func(_ *passport.Document, chip *passport.Chip) {
		if chip == nil {
			return
		}
		chip.SetAgreement(func(parameter int, private *big.Int, public []byte) []byte {
			secret, err := openssl(filepath.Join(dir, fmt.Sprint(calls.Add(1))), parameter, private, public)
			if err != nil {
				t.Error(err)
				return nil
			}
			if secret[0] == 0 {
				zeros.Add(1)
			}
			return secret
		})
	})
	if zeros.Load() != calls.Load() || calls.Load() == 0 {
		t.Errorf("%d of %d secrets start with zero", zeros.Load(), calls.Load())
	}
}

// openssl derives a shared secret with the openssl command, in files that
// begin with prefix.
func openssl(prefix string, parameter int, private *big.Int, public []byte) ([]byte, error) {
	key, peer, err := opensslKeys(parameter, private, public)
	if err != nil {
		return nil, err
	}
	for name, block := range map[string]*pem.Block{prefix + ".key": {Type: "PRIVATE KEY", Bytes: key}, prefix + ".pub": {Type: "PUBLIC KEY", Bytes: peer}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			return nil, err
		}
		defer os.Remove(name)
	}
	out, err := exec.Command("openssl", "pkeyutl", "-derive", "-inkey", prefix+".key", "-peerkey", prefix+".pub").Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return nil, fmt.Errorf("openssl: %s", exit.Stderr)
	}
	if err == nil && parameter < 8 {
		// OpenSSL 3.0 leaves leading zeros of a DH secret out and offers no
		// padding for keys of X9.42; Doc 9303-11:2021, 9.6 wants full length.
		out = new(big.Int).SetBytes(out).FillBytes(make([]byte, len(public)))
	}
	return out, err
}

// opensslKeys writes private key (PKCS #8) and peer's key (SubjectPublicKeyInfo).
func opensslKeys(parameter int, private *big.Int, public []byte) (key, peer []byte, err error) {
	type algorithm struct {
		OID        asn1.ObjectIdentifier
		Parameters asn1.RawValue
	}
	type privateKey struct {
		Version   int
		Algorithm algorithm
		Key       []byte
	}
	type publicKey struct {
		Algorithm algorithm
		Key       asn1.BitString
	}
	var a algorithm
	var secret []byte
	bits := public
	if parameter >= 8 {
		c, err := curve.ByPACE(parameter)
		if err != nil {
			return nil, nil, err
		}
		var oid asn1.ObjectIdentifier
		for _, part := range splitOID(c.OID) {
			oid = append(oid, part)
		}
		name, err := asn1.Marshal(oid)
		if err != nil {
			return nil, nil, err
		}
		a = algorithm{asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}, asn1.RawValue{FullBytes: name}}
		secret, err = asn1.Marshal(struct {
			Version int
			Key     []byte
		}{1, private.FillBytes(make([]byte, (c.N.BitLen()+7)/8))})
		if err != nil {
			return nil, nil, err
		}
	} else {
		g, err := dh.ByPACE(parameter)
		if err != nil {
			return nil, nil, err
		}
		domain, err := asn1.Marshal(struct{ P, G, Q *big.Int }{g.P, g.G, g.Q})
		if err != nil {
			return nil, nil, err
		}
		a = algorithm{asn1.ObjectIdentifier{1, 2, 840, 10046, 2, 1}, asn1.RawValue{FullBytes: domain}}
		if secret, err = asn1.Marshal(private); err != nil {
			return nil, nil, err
		}
		if bits, err = asn1.Marshal(new(big.Int).SetBytes(public)); err != nil {
			return nil, nil, err
		}
	}
	if key, err = asn1.Marshal(privateKey{0, a, secret}); err != nil {
		return nil, nil, err
	}
	peer, err = asn1.Marshal(publicKey{a, asn1.BitString{Bytes: bits, BitLength: 8 * len(bits)}})
	return key, peer, err
}

func splitOID(dotted string) (parts []int) {
	n := 0
	for i := 0; i <= len(dotted); i++ {
		if i == len(dotted) || dotted[i] == '.' {
			parts, n = append(parts, n), 0
			continue
		}
		n = n*10 + int(dotted[i]-'0')
	}
	return parts
}
