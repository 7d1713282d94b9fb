package examine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/document/emrtd/termauth"
	"github.com/watchpost/watchpost/device/document/examine"
	"github.com/watchpost/watchpost/device/document/inspect"
	"github.com/watchpost/watchpost/device/document/trust"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/hwtest/gen/pki"
	"github.com/watchpost/watchpost/hwtest/passport"
	"github.com/watchpost/watchpost/hwtest/passport/lds"
)

// channel is a virtual passport as a Channel.
type channel struct {
	*passport.Chip
	maxResponse int
}

func (c channel) Transmit(_ context.Context, command []byte) ([]byte, error) {
	answer, err := c.Chip.Transmit(command)
	if errors.Is(err, passport.ErrTorn) {
		return nil, fault.Wrap("card.removed", err)
	}
	return answer, err
}
func (channel) MaxCommand() int    { return 65_544 }
func (c channel) MaxResponse() int { return c.maxResponse }
func (c channel) Reset(context.Context) error {
	c.Chip.Reset()
	return nil
}

var today = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// bench is one passport on the reader and what it is judged by.
type bench struct {
	p           passport.Profile
	zone, can   string // key; zone is the holder's where both are empty
	at          time.Time
	anchors     [][]byte // of the store; nil is no store
	maxResponse int
	isKey       termauth.ISKey // nil: nobody signs for the terminal
}

// sound is a genuine passport with everything that a passport can have.
func sound(t testing.TB) *bench {
	t.Helper()
	p := passport.Profile{Seed: 21, PortraitData: picture(600)}
	p.Access = passport.Access{PACE: []passport.PACE{{Suite: "aes128", Parameter: 12}}}
	p.Authenticity = passport.Authenticity{
		ChipKeys: []passport.ChipKey{{Curve: "secp256r1", Suite: "aes128"}},
		Active:   &pki.Scheme{Key: "secp256r1", Hash: "sha256"},
	}
	held, err := anchors()
	if err != nil {
		t.Fatal(err)
	}
	return &bench{p: p, at: today, anchors: slices.Clone(held), maxResponse: 65_538}
}

// anchors are certificate and revocation list of the sound passport's issuer.
var anchors = sync.OnceValues(func() ([][]byte, error) {
	spec, err := passport.Profile{Seed: 21}.IssuerSpec()
	if err != nil {
		return nil, err
	}
	issuer, err := pki.New(spec)
	if err != nil {
		return nil, err
	}
	crl, err := issuer.CRL(today.AddDate(0, 0, -10))
	return [][]byte{issuer.CSCA.DER, crl}, err
})

// picture is n octets that the emulator takes for a JPEG of 16 by 16 pixels.
func picture(n int) []byte {
	b := make([]byte, n)
	copy(b, []byte{0xFF, 0xD8, 0xFF, 0xC0, 0, 11, 8, 0, 16, 0, 16, 1, 1, 0x11, 0, 0xFF, 0xDA})
	return append(b, 0xFF, 0xD9)
}

// run reads and judges.
func (b *bench) run(t testing.TB) (inspect.Inspection, error) {
	t.Helper()
	chip, err := passport.New(b.p)
	if err != nil {
		t.Fatal(err)
	}
	zone := b.zone
	if zone == "" && b.can == "" {
		zone = b.p.Person().Key()
	}
	key, err := examine.ParseKey(zone, b.can, b.at)
	if err != nil {
		t.Fatal(err)
	}
	rules := examine.Rules{At: b.at}
	if b.anchors != nil {
		im, err := trust.NewImporter(t.Context(), t.TempDir(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer im.Close()
		for _, a := range b.anchors {
			if _, err := im.Import("test", a); err != nil {
				t.Fatal(err)
			}
		}
		rules.Trust = im.Store()
	}
	i, _, err := examine.Chip(t.Context(), channel{chip, b.maxResponse}, key, rules, examine.Options{Budget: 20 * time.Second, ISKey: b.isKey})
	return i, err
}

// outcomes are what an inspection says beyond a plain pass: "code result
// reason", or for an error "error", its code and the code of its first cause.
func outcomes(i inspect.Inspection, err error) []string {
	if err != nil {
		return []string{fmt.Sprintf("error %s %s", fault.CodeOf(err), firstCause(err))}
	}
	var all []string
	for _, c := range i.Checks {
		if c.Result != inspect.Pass {
			all = append(all, fmt.Sprintf("%s %s %s", c.Code, c.Result, c.Reason))
		}
	}
	return all
}

// firstCause is the code deepest in the chain.
func firstCause(err error) (code fault.Code) {
	for ; err != nil; err = errors.Unwrap(err) {
		if c := fault.CodeOf(err); c != fault.Unknown {
			code = c
		}
	}
	return code
}

// TestSound: the passport that all negative ones are made from passes.
func TestSound(t *testing.T) {
	i, err := sound(t).run(t)
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range []inspect.Code{inspect.SODSignature, inspect.DSChain, inspect.DSRevocation, inspect.ChipAuthentication, inspect.ActiveAuthentication,
		inspect.AccessDowngrade, inspect.CardAccessMatch, inspect.GroupHash(1), inspect.GroupHash(2), inspect.COMMatch, inspect.ChipExpected} {
		if i.Result(code) != inspect.Pass {
			c, _ := i.Check(code)
			t.Errorf("%+v", c)
		}
	}
}

// TestNegative: every profile is told from every other by a check (or error)
// and its cause, and lets nobody through on it.
func TestNegative(t *testing.T) {
	baseline := outcomes(sound(t).run(t))
	perFamily, seen := map[string]int{}, map[string]string{}
	for _, tc := range slices.Concat(accessCases, messagingCases, readingCases, proofCases, terminalCases, sodCases, chainCases, ldsCases, imageCases) {
		perFamily[tc.family]++
		if other, twice := seen[tc.want]; twice {
			t.Errorf("%s and %s have the same outcome", tc.name, other)
		}
		seen[tc.want] = tc.name
		t.Run(tc.family+"/"+tc.name, func(t *testing.T) {
			t.Parallel()
			b := sound(t)
			tc.change(t, b)
			got := outcomes(b.run(t))
			if slices.Contains(baseline, tc.want) || !slices.Contains(got, tc.want) {
				var news []string
				for _, o := range got {
					if !slices.Contains(baseline, o) {
						news = append(news, o)
					}
				}
				t.Errorf("want %q, got %q", tc.want, news)
			}
		})
	}
	total := 0
	for family, n := range perFamily {
		total += n
		if n < 8 {
			t.Errorf("%s: %d profiles", family, n)
		}
	}
	if total < 64 || len(perFamily) != 8 {
		t.Errorf("%d profiles in %d families", total, len(perFamily))
	}
	t.Logf("%d negative profiles: %v", total, perFamily)
}

// TestBombs: what is small and asks for much is read, its hash holds, and it is
// refused for what it asks, at once.
func TestBombs(t *testing.T) {
	for bomb, want := range map[string]string{
		lds.BombJPEG: "dg2.format fail lds.image_size", lds.BombJP2: "dg2.format fail lds.image_size", lds.BombCodestream: "dg2.format fail lds.image_size",
		lds.BombTLV: "dg2.format fail lds.malformed", lds.BombCount: "dg2.format fail lds.malformed",
	} {
		b := sound(t)
		b.p.PortraitData, b.p.Bomb = nil, bomb
		i, err := b.run(t)
		if got := outcomes(i, err); !slices.Contains(got, want) || i.Result(inspect.GroupHash(2)) != inspect.Pass || i.Result(inspect.GroupHash(1)) != inspect.Pass {
			t.Errorf("%s: %q", bomb, got)
		}
	}
}

// negative is one profile and the outcome that only it has.
type negative struct {
	family, name string
	change       func(t testing.TB, b *bench)
	want         string
}

// with returns a case whose only change is faults.
func with(family, name, want string, faults ...passport.Fault) negative {
	return negative{family, name, func(_ testing.TB, b *bench) { b.p.Faults = faults }, want}
}

// fileOf returns a case in which one file holds other octets than were signed,
// made from the sound one's.
func fileOf(family, name, file, want string, change func(sound []byte) []byte) negative {
	return negative{family, name, func(t testing.TB, b *bench) {
		doc, err := passport.Personalise(b.p)
		if err != nil {
			t.Fatal(err)
		}
		b.p.FileData = map[string][]byte{file: change(bytes.Clone(doc.Files[file]))}
	}, want}
}

// issuerOf returns a case in which the issuer is another, or has defects.
func issuerOf(family, name, want string, change func(s *pki.Spec)) negative {
	return negative{family, name, func(_ testing.TB, b *bench) { change(&b.p.Issuer) }, want}
}

func is(octets ...byte) func([]byte) []byte { return func([]byte) []byte { return octets } }
