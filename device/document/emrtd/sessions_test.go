package emrtd_test

import (
	"crypto/rand"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/document/emrtd"
	"github.com/watchpost/watchpost/hwtest/gen/curve"
	"github.com/watchpost/watchpost/hwtest/gen/dh"
	"github.com/watchpost/watchpost/hwtest/passport"
)

// everyOffer is every form of PACE that the reader has, each mapping with each
// group and each cipher (generic mapping, integrated but on P-224, chip
// authentication but with 3DES; 147 with parameters of the chip's own), and
// beside it keys of Chip Authentication that take turns over every curve, group
// and cipher.
func everyOffer() []passport.Profile {
	suites := []string{"3des", "aes128", "aes192", "aes256"}
	var offers []passport.PACE
	for _, parameter := range []int{0, 1, 2, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18} {
		for _, suite := range suites {
			offers = append(offers, passport.PACE{Suite: suite, Parameter: parameter})
			if parameter != 10 {
				offers = append(offers, passport.PACE{Mapping: passport.MappingIntegrated, Suite: suite, Parameter: parameter})
			}
			if parameter >= 8 && suite != "3des" {
				offers = append(offers, passport.PACE{Mapping: passport.MappingChip, Suite: suite, Parameter: parameter})
			}
		}
	}
	for _, offer := range variants() {
		if offer.Explicit {
			offers = append(offers, offer)
		}
	}
	var keys []passport.ChipKey
	for _, name := range []string{"secp192r1", "brainpoolP192r1", "secp224r1", "brainpoolP224r1", "secp256r1", "brainpoolP256r1", "brainpoolP320r1",
		"secp384r1", "brainpoolP384r1", "brainpoolP512r1", "secp521r1", "dh-0", "dh-1", "dh-2"} {
		for _, suite := range suites {
			keys = append(keys, passport.ChipKey{Curve: name, Suite: suite})
		}
	}
	var all []passport.Profile
	for i, offer := range offers {
		p := strong(offer, keys[i*5%len(keys)], nil, 0) // 5 shares no factor with 56: every key has its turn
		p.Access.NoBAC, p.NoPortrait = true, true
		all = append(all, p)
	}
	return all
}

// TestEveryOffer: no two profiles of the sessions are alike, and they hold
// every group, mapping and cipher, and every key of Chip Authentication.
func TestEveryOffer(t *testing.T) {
	offers, keys := map[passport.PACE]bool{}, map[passport.ChipKey]bool{}
	for _, p := range everyOffer() {
		offers[p.Access.PACE[0]] = true
		keys[p.Authenticity.ChipKeys[0]] = true
	}
	if len(offers) != 147 || len(everyOffer()) != len(offers) || len(keys) != 56 {
		t.Errorf("%d offers in %d profiles, %d keys", len(offers), len(everyOffer()), len(keys))
	}
}

// sessions opens n chips, as many at a time as there are processors, and
// counts those that did not open by protocol with Chip Authentication proven.
// Profiles take turns, so that each is opened as often as any other, give or
// take one. prepare, which may be nil, alters chip and options.
func sessions(t *testing.T, n int, protocol string, profiles []passport.Profile, prepare func(*passport.Document, *passport.Chip, *emrtd.Options)) {
	t.Helper()
	var failed, done atomic.Int64
	var wait sync.WaitGroup
	counts := make([]atomic.Int64, len(profiles))
	work := make(chan int)
	begun := time.Now()
	open := func(p passport.Profile) error {
		doc := document(t, p)
		chip, err := passport.NewChip(doc)
		if err != nil {
			return err
		}
		v := &virtual{Chip: chip, maxCommand: 65_544, maxResponse: 65_538}
		r, err := read(t, v, p, func(o *emrtd.Options) {
			o.Files = []string{"DG1", "DG14"}
			if prepare != nil {
				prepare(doc, chip, o)
			}
		})
		if err != nil {
			return err
		}
		if r.Access.Protocol != protocol || r.Access.Sessions != 1 || proof(r, emrtd.ProofChip).Outcome != emrtd.OutcomeProven {
			return fmt.Errorf("%+v %+v", r.Access, r.Proofs)
		}
		return nil
	}
	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			for i := range work {
				if err := open(profiles[i]); err != nil {
					failed.Add(1)
					t.Errorf("%+v %+v: %v", profiles[i].Access.PACE, profiles[i].Authenticity.ChipKeys[0].Curve, err)
				}
				counts[i].Add(1)
				if d := done.Add(1); d%1000 == 0 {
					t.Logf("%d sessions, %d failures, %.0f s", d, failed.Load(), time.Since(begun).Seconds())
				}
			}
		})
	}
	for i := range n {
		work <- i * 11 % len(profiles) // in steps, so that few sessions see every kind
	}
	close(work)
	wait.Wait()
	took := time.Since(begun)
	least, most := int64(n), int64(0)
	for i := range counts {
		least, most = min(least, counts[i].Load()), max(most, counts[i].Load())
	}
	if most-least > 1 { // the step shares a factor with the number of profiles
		t.Errorf("between %d and %d sessions a parameter set", least, most)
	}
	t.Logf("%d sessions of %s and Chip Authentication, %d failures, %d parameter sets with %d to %d sessions each, %.1f s, %.1f ms a session",
		done.Load(), protocol, failed.Load(), len(profiles), least, most, took.Seconds(), took.Seconds()*1000/float64(n))
}

// sessionCount is n, or few where WATCHPOST_SOAK is not set.
func sessionCount(n, few int) int {
	if os.Getenv("WATCHPOST_SOAK") == "" {
		return few
	}
	return n
}

// TestSoakSessions: 10,000 sessions of PACE and Chip Authentication over every
// mapping, group and cipher, domain parameters of the chip's own included (21
// without WATCHPOST_SOAK).
func TestSoakSessions(t *testing.T) {
	sessions(t, sessionCount(10_000, 21), emrtd.ProtocolPACE, everyOffer(), nil)
}

// fromOpenSSL has the chip's shared secrets computed by OpenSSL, and counts
// those of one protocol and how many of them start with a zero octet.
type fromOpenSSL struct {
	protocol     string
	dir          string
	calls, zeros atomic.Int64
	all          atomic.Int64
}

func (o *fromOpenSSL) agreement(t *testing.T) passport.Agreement {
	return func(protocol string, parameter int, private *big.Int, public []byte) []byte {
		secret, err := openssl(filepath.Join(o.dir, fmt.Sprint(o.all.Add(1))), parameter, private, public)
		if err != nil {
			t.Error(err)
			return nil
		}
		if protocol == o.protocol {
			o.calls.Add(1)
			if secret[0] == 0 {
				o.zeros.Add(1)
			}
		}
		return secret
	}
}

func (o *fromOpenSSL) check(t *testing.T) {
	t.Helper()
	if o.zeros.Load() != o.calls.Load() || o.calls.Load() == 0 {
		t.Errorf("%d of %d secrets start with zero", o.zeros.Load(), o.calls.Load())
	}
	t.Logf("%d secrets of %s from OpenSSL, all with a zero in front; %d secrets in all", o.calls.Load(), o.protocol, o.all.Load())
}

func needOpenSSL(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("openssl"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("openssl is not installed")
		}
		t.Skip("SKIPPED: openssl is not installed")
	}
}

// TestSoakLeadingZero: 1,000 sessions whose shared secrets of PACE start with
// a zero octet (both agreements), with the chip's secrets from OpenSSL.
func TestSoakLeadingZero(t *testing.T) {
	needOpenSSL(t)
	profiles := everyOffer()
	for i := range profiles {
		profiles[i].Faults = []passport.Fault{{Kind: passport.KindLeadingZero}}
	}
	o := &fromOpenSSL{protocol: "pace", dir: t.TempDir()}
	sessions(t, sessionCount(1000, 20), emrtd.ProtocolPACE, profiles, func(_ *passport.Document, chip *passport.Chip, _ *emrtd.Options) {
		chip.SetAgreement(o.agreement(t))
	})
	o.check(t)
}

// TestSoakLeadingZeroChip: 300 sessions of BAC whose shared secrets of Chip
// Authentication start with a zero octet: the reader's ephemeral key is chosen
// so, the chip's secrets are from OpenSSL.
func TestSoakLeadingZeroChip(t *testing.T) {
	needOpenSSL(t)
	var profiles []passport.Profile
	suites := []string{"3des", "aes128", "aes192", "aes256"}
	for i, name := range []string{"secp192r1", "brainpoolP192r1", "secp224r1", "brainpoolP224r1", "secp256r1", "brainpoolP256r1", "brainpoolP320r1",
		"secp384r1", "brainpoolP384r1", "brainpoolP512r1", "secp521r1", "dh-0", "dh-1", "dh-2"} {
		profiles = append(profiles, passport.Profile{
			Seed: 13, NoPortrait: true,
			Authenticity: passport.Authenticity{ChipKeys: []passport.ChipKey{{Curve: name, Suite: suites[i%4]}}},
		})
	}
	o := &fromOpenSSL{protocol: "ca", dir: t.TempDir()}
	sessions(t, sessionCount(300, 14), emrtd.ProtocolBAC, profiles, func(doc *passport.Document, chip *passport.Chip, options *emrtd.Options) {
		chip.SetAgreement(o.agreement(t))
		options.Random = &chosenScalar{scalar: scalarForZero(t, doc.Secret.ChipKeys[0])}
	})
	o.check(t)
}

// chosenScalar is a source of randomness that is random for BAC, which draws a
// nonce of eight octets and a key of sixteen, and then gives a scalar.
type chosenScalar struct {
	drawn  int
	scalar []byte
}

func (c *chosenScalar) Read(b []byte) (int, error) {
	if c.drawn += len(b); c.drawn <= 8+16 {
		return rand.Read(b)
	}
	if len(b) != len(c.scalar) {
		return 0, fmt.Errorf("scalar of %d octets drawn, %d are here", len(b), len(c.scalar))
	}
	return copy(b, c.scalar), nil
}

// scalarForZero looks for a scalar by which the agreement with the chip's key
// yields a secret that starts with a zero octet.
func scalarForZero(t testing.TB, key passport.ChipKey) []byte {
	t.Helper()
	if number, ok := strings.CutPrefix(key.Curve, "dh-"); ok {
		id, err := strconv.Atoi(number)
		if err != nil {
			t.Fatal(err)
		}
		g, err := dh.ByPACE(id)
		if err != nil {
			t.Fatal(err)
		}
		k, err := g.Scalar(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		public := g.Power(g.G, key.D)
		for v := g.Power(public, k); g.Encode(v)[0] != 0; v = g.Product(v, public) {
			k.Add(k, big.NewInt(1))
		}
		return k.FillBytes(make([]byte, (g.Q.BitLen()+7)/8))
	}
	c, err := curve.ByName(key.Curve)
	if err != nil {
		t.Fatal(err)
	}
	k, err := c.Scalar(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public := c.Public(key.D)
	for p := c.Mul(k, public); p.X.FillBytes(make([]byte, c.Size()))[0] != 0; p = c.Add(p, public) {
		k.Add(k, big.NewInt(1))
	}
	return k.FillBytes(make([]byte, (c.N.BitLen()+7)/8))
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
