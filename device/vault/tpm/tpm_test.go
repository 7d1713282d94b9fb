package tpm

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-tpm/tpm2"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/vault"
	swtpm "github.com/watchpost/watchpost/hwtest/tpm"
)

// startTPM starts a software TPM of its own with state in dir and returns its
// address and what ends it. Each start is a power-on.
func startTPM(t testing.TB, dir string) (device string, stop func()) {
	t.Helper()
	chip := swtpm.ForTest(t, dir)
	return chip.Address(), chip.Stop
}

func newTPM(t testing.TB) string {
	t.Helper()
	return swtpm.ForTest(t, "").Address()
}

func wantCode(t testing.TB, err error, code fault.Code) {
	t.Helper()
	if got := fault.CodeOf(err); got != code {
		t.Fatalf("got code %q (%v), want %q", got, err, code)
	}
}

var pin = []byte("482913")

// box is a post's vault on a chip of its own.
type box struct {
	u    Unlocker
	path string
}

func newBox(t testing.TB, device string) box {
	t.Helper()
	b := box{u: Unlocker{Device: device, PIN: pin}, path: filepath.Join(t.TempDir(), "vault.json")}
	b.create(t)
	return b
}

func (b box) create(t testing.TB) {
	t.Helper()
	v, err := vault.Create(context.Background(), b.path, b.u)
	if err != nil {
		t.Fatal(err)
	}
	v.Lock()
}

// put lays the box's vault file in the place of another's.
func (b box) put(t testing.TB, path string) {
	t.Helper()
	raw, err := os.ReadFile(b.path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
}

func (b box) open(t testing.TB, u Unlocker) error {
	t.Helper()
	v, err := vault.Open(context.Background(), b.path, u)
	if err == nil {
		v.Lock()
	}
	return err
}

func (b box) mustOpen(t testing.TB) {
	t.Helper()
	if err := b.open(t, b.u); err != nil {
		t.Fatalf("the rightful way in is shut: %v", err)
	}
}

// extend changes a register, as other firmware or another image would.
func extend(t testing.TB, device string, pcr uint32) {
	t.Helper()
	c, err := dial(context.Background(), device)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, err = tpm2.PCRExtend{
		PCRHandle: tpm2.AuthHandle{Handle: tpm2.TPMHandle(pcr), Auth: tpm2.PasswordAuth(nil)},
		Digests: tpm2.TPMLDigestValues{Digests: []tpm2.TPMTHA{{HashAlg: tpm2.TPMAlgSHA256,
			Digest: bytes.Repeat([]byte{7}, 32)}}},
	}.Execute(c)
	if err != nil {
		t.Fatal(err)
	}
}

func TestOpensAfterPowerCycleWithPIN(t *testing.T) {
	dir := swtpm.Dir(t)
	device, stop := startTPM(t, dir)
	b := newBox(t, device)
	for range 20 { // leaves nothing in the chip: three objects would fill it
		b.mustOpen(t)
	}
	stop()
	startTPM(t, dir)
	b.mustOpen(t)
	extend(t, device, 8) // a register outside the policy
	b.mustOpen(t)
}

func TestOpensByBootAlone(t *testing.T) {
	b := box{u: Unlocker{Device: newTPM(t)}, path: filepath.Join(t.TempDir(), "vault.json")}
	b.create(t)
	b.mustOpen(t)
	extend(t, b.u.Device, 11)
	wantCode(t, b.open(t, b.u), "tpm.policy")
}

func TestVaultsBesideEachOther(t *testing.T) {
	device := newTPM(t)
	one, two := newBox(t, device), newBox(t, device)
	one.mustOpen(t)
	two.mustOpen(t)
	if err := one.u.Forget(context.Background(), one.params(t)); err != nil {
		t.Fatal(err)
	}
	two.mustOpen(t)
	wantCode(t, one.open(t, one.u), "tpm.wiped")
	if err := one.u.Forget(context.Background(), one.params(t)); err != nil {
		t.Fatalf("wiping again: %v", err)
	}
	// A vault enrolled at the freed places does not bring the old one back.
	three := newBox(t, device)
	wantCode(t, one.open(t, one.u), "tpm.wiped")
	three.mustOpen(t)
}

func TestEnrolRefuses(t *testing.T) {
	device := newTPM(t)
	for name, c := range map[string]struct {
		u    Unlocker
		code fault.Code
	}{
		"short PIN":   {Unlocker{Device: device, PIN: []byte("12345")}, "vault.pin_short"},
		"empty PIN":   {Unlocker{Device: device, PIN: []byte{}}, "vault.pin_short"},
		"long PIN":    {Unlocker{Device: device, PIN: make([]byte, MaxPIN+1)}, "vault.pin_short"},
		"no socket":   {Unlocker{Device: "unix:/nonexistent/s", PIN: pin}, "tpm.missing"},
		"no device":   {Unlocker{Device: "/nonexistent/tpm", PIN: pin}, "tpm.missing"},
		"not a TPM":   {Unlocker{Device: "/dev/null", PIN: pin}, "tpm.missing"},
		"not a node":  {Unlocker{Device: t.TempDir(), PIN: pin}, "tpm.missing"},
		"endless TPM": {Unlocker{Device: "/dev/zero", PIN: pin}, "tpm.missing"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.u.Enrol(context.Background())
			wantCode(t, err, c.code)
		})
	}
	t.Run("all places taken", func(t *testing.T) {
		for range indexes / 3 { // a vault takes an epoch and two counts
			newBox(t, device)
		}
		_, err := Unlocker{Device: device, PIN: pin}.Enrol(context.Background())
		wantCode(t, err, "tpm.full")
	})
}

func TestSilentTPMEndsWithContext(t *testing.T) {
	l, err := net.Listen("unix", filepath.Join(swtpm.Dir(t), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	_, err = Unlocker{Device: "unix:" + l.Addr().String(), PIN: pin}.Enrol(ctx)
	wantCode(t, err, "tpm.missing")
}

func TestNothingPrintsThePIN(t *testing.T) {
	u := Unlocker{Device: "d", PIN: pin}
	for _, f := range []string{"%v", "%+v", "%#v", "%s"} {
		if s := fmt.Sprintf(f, u); s != "[tpm]" {
			t.Errorf("%s prints %q", f, s)
		}
	}
}

// vaultFile is the part of a vault file that the attacks change.
type vaultFile struct {
	Format int `json:"format"`
	Unlock []struct {
		Kind   string          `json:"kind"`
		Params json.RawMessage `json:"params"`
		Device []byte          `json:"device"`
	} `json:"unlock"`
}

func (b box) params(t testing.TB) json.RawMessage {
	t.Helper()
	raw, err := os.ReadFile(b.path)
	if err != nil {
		t.Fatal(err)
	}
	var f vaultFile
	if err := json.Unmarshal(raw, &f); err != nil {
		t.Fatal(err)
	}
	return f.Unlock[0].Params
}

func (b box) decoded(t testing.TB) *params {
	t.Helper()
	p, err := decodeParams(b.params(t))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// derive asks for the key under changed parameters, as an attacker would who
// makes the vault file's checksum fit.
func (b box) derive(t testing.TB, u Unlocker, p *params) error {
	t.Helper()
	raw, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	key, err := u.Derive(context.Background(), raw)
	if err == nil && len(key) != vault.KeySize {
		t.Fatalf("no error and %d bytes", len(key))
	}
	return err
}

func FuzzParams(f *testing.F) {
	f.Add([]byte(`{"policy":"pcr","pcrs":[7,11]}`))
	f.Add([]byte(`{"policy":"authorize"}`))
	f.Add([]byte(`{}{}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := decodeParams(raw)
		if err != nil {
			var coded *fault.Error
			if !errors.As(err, &coded) {
				t.Fatalf("no code: %v", err)
			}
			return
		}
		again, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decodeParams(again); err != nil {
			t.Fatalf("own form refused: %v", err)
		}
	})
}

// BenchmarkUnseal is one opening from dialling to closing: storage key, policy,
// PIN. The target is 20 ms.
func BenchmarkUnseal(b *testing.B) {
	b.Run("boot as enrolled", func(b *testing.B) {
		unseal(b, newBox(b, newTPM(b)))
	})
	b.Run("signed boot", func(b *testing.B) {
		unseal(b, newSignedBox(b, newTPM(b), makerKey(b)))
	})
}

func unseal(b *testing.B, x box) {
	raw := x.params(b)
	var took []time.Duration
	for b.Loop() {
		begin := time.Now()
		if _, err := x.u.Derive(b.Context(), raw); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	b.ReportMetric(took[len(took)/2].Seconds()*1e3, "p50-ms")
	b.ReportMetric(took[len(took)*95/100].Seconds()*1e3, "p95-ms")
}

func TestPINValueHasNoZeroByte(t *testing.T) {
	for i := range 1000 {
		a := auth(pin, fmt.Appendf(nil, "salt-%d", i))
		if len(a) != 32 || bytes.IndexByte(a, 0) >= 0 {
			t.Fatalf("a value of %d bytes with a zero in it", len(a))
		}
	}
}

// TestListCounter counts lists in a chip: it rises, tells one enrolment from
// another, is shared by ways into one vault, and goes with the vault.
func TestListCounter(t *testing.T) {
	u := Unlocker{Device: newTPM(t)}
	ctx := t.Context()
	enrol := func(u Unlocker) json.RawMessage {
		t.Helper()
		raw, err := u.Enrol(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	counterOf := func(raw json.RawMessage) ListCounter {
		t.Helper()
		c, ok, err := u.ListCounter(raw)
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		return c
	}
	one := enrol(u)
	a := counterOf(one)
	beside, err := u.Beside(one)
	if err != nil {
		t.Fatal(err)
	}
	b, other := counterOf(enrol(beside)), counterOf(enrol(u))
	if a.Name() != b.Name() || a.Name() == other.Name() {
		t.Errorf("%s, %s, %s", a.Name(), b.Name(), other.Name())
	}
	before, err := a.Read(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(a.Raise(ctx), b.Raise(ctx)); err != nil {
		t.Fatal(err)
	}
	if now, err := b.Read(ctx); err != nil || now != before+2 {
		t.Errorf("%d after %d, %v", now, before, err)
	}
	if err := u.Forget(ctx, one); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Read(ctx); fault.CodeOf(err) != "tpm.wiped" {
		t.Errorf("the count of a wiped vault: %v", err)
	}
	if _, err := other.Read(ctx); err != nil {
		t.Error(err)
	}
}
