package shift_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/config"
	"github.com/watchpost/watchpost/device/encounter/policy"
	"github.com/watchpost/watchpost/hwtest/wire"
	"github.com/watchpost/watchpost/sdk/central/postgres"
	"github.com/watchpost/watchpost/sdk/client"
)

// TestDeskOverAShift is a desk that locks and unlocks while its daemon runs.
func TestDeskOverAShift(t *testing.T) {
	tomorrow := time.Now().Add(24 * time.Hour)
	d := newDesk(t, policy.Desk, []account{{"anna", "annas-pin", tomorrow}, {"ben", "bens-pin", time.Now().Add(-time.Hour)}}, nil)
	byTPM := []string{"--tpm", d.chip.Address(), "--pin-file", filepath.Join(d.dir, "pin")}
	with := func(words ...string) []string { return append(words, byTPM...) }
	d.ok(with("keys", "init", "--unlock", "tpm")...)
	d.ok(with("keys", "add", "--new-officer", "anna", "--new-pin-file", d.file("anna.pin", "annas-pin"))...)
	d.ok(with("keys", "add", "--new-officer", "ben", "--new-pin-file", d.file("ben.pin", "bens-pin"))...)
	d.refused("vault.slot_exists", with("keys", "add", "--new-officer", "ben", "--new-pin-file", filepath.Join(d.dir, "ben.pin"))...)

	d.run("--locked", "--provision", d.provision)
	if k := d.keys(); !k.Locked || k.Why != "start" || len(k.UnlockBy) != 3 {
		t.Fatalf("after starting locked: %+v", k)
	}
	_, err := d.client.System(t.Context())
	d.wantAPI(err, "vault.locked")
	d.wantAPI(d.client.SignIn(t.Context(), "nobody", "annas-pin"), "vault.locked")
	d.wantAPI(d.client.SignIn(t.Context(), "anna", "wrong-pin"), "vault.pin")
	d.wantAPI(d.client.SignIn(t.Context(), "anna", shiftPIN), "vault.pin")

	d.wantAPI(d.client.SignIn(t.Context(), "anna", "annas-pin"), "") // the sign-in unlocks
	if k := d.keys(); k.Locked || k.By.Name != "anna" {
		t.Fatalf("after anna's sign-in: %+v", k)
	}
	e, err := d.client.Open(t.Context(), "reception_registration", false, client.Declared{Age: "adult"})
	d.wantAPI(err, "")
	d.refused("post.running", with("keys", "pin", "--new-pin-file", filepath.Join(d.dir, "ben.pin"))...)

	d.ok("keys", "lock")
	if k := d.keys(); !k.Locked || k.Why != "command" {
		t.Fatalf("after keys lock: %+v", k)
	}
	_, err = d.client.Get(t.Context(), e.ID)
	d.wantAPI(err, "vault.locked")
	d.ok("keys", "lock") // again is no error

	// An officer whose account has run out opens the vault by the PIN that is
	// still in it, but not the post: it is locked again.
	d.wantAPI(d.client.SignIn(t.Context(), "ben", "bens-pin"), "officer.expired")
	d.until("locked again", func() bool { return d.keys().Locked })
	if k := d.keys(); k.Why != "sign_in_refused" {
		t.Fatalf("after ben's sign-in: %+v", k)
	}
	d.refused("vault.pin", "keys", "unlock", "--tpm", d.chip.Address(), "--pin-file", filepath.Join(d.dir, "ben.pin"))
	d.ok("keys", "unlock", "--tpm", d.chip.Address(), "--pin-file", filepath.Join(d.dir, "pin"))
	if k := d.keys(); k.Locked || k.Starts < 3 {
		t.Fatalf("after keys unlock: %+v", k)
	}
	// Sessions do not outlive the keys, encounters do.
	_, err = d.client.Get(t.Context(), e.ID)
	d.wantAPI(err, "session.expired")
	d.wantAPI(d.client.SignIn(t.Context(), "anna", "annas-pin"), "")
	again, err := d.client.Get(t.Context(), e.ID)
	d.wantAPI(err, "")
	if again.ID != e.ID || again.State == "closed" {
		t.Fatalf("the encounter came back as %+v", again)
	}

	d.ok("keys", "lock")
	// By TPM and PIN, as by every way, while the keys are locked.
	d.refused("vault.pin", "list", "stat", "--tpm", d.chip.Address(), "--pin-file", filepath.Join(d.dir, "ben.pin"))
	d.ok(with("list", "stat")...)
	d.wantAPI(d.client.SignIn(t.Context(), "anna", "annas-pin"), "")

	// The worst hour: keys and what is in memory go, in a second.
	begin := time.Now()
	out := d.ok("keys", "wipe", "--tpm", d.chip.Address(), "--yes")
	took := time.Since(begin)
	var wiped struct{ File, TPM, Daemon bool }
	d.must(json.Unmarshal(out, &wiped))
	if !wiped.File || !wiped.TPM || !wiped.Daemon {
		t.Fatalf("wiped: %s", out)
	}
	if took > time.Second && os.Getenv("WATCHPOST_SOAK") != "" { // on a machine that does nothing else
		t.Errorf("wiping took %v, at most 1 s is allowed", took)
	}
	t.Logf("wiped in %v, with a daemon that had the keys open", took)
	d.wantAPI(d.client.SignIn(t.Context(), "anna", "annas-pin"), "vault.locked")
	d.refused("vault.missing", "keys", "unlock", "--tpm", d.chip.Address(), "--pin-file", filepath.Join(d.dir, "pin"))
}

// TestAttackGateByLease is a gate that nobody stands at: boot, lease, renewal,
// the link cut, the box reported missing.
func TestAttackGateByLease(t *testing.T) {
	_, err := postgres.Find()
	skipWithout(t, err, "PostgreSQL")
	var line *wire.Proxy
	h := new(hub)
	d := newDesk(t, policy.Gate, nil, func(c *config.Config) {
		h = newHub(t, &desk{t: t, bin: binaries(t)}, nil)
		if line, err = wire.Listen(h.address); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { line.Close() })
		c.Central = &config.Central{URL: "nats://" + line.Addr(), SignKey: h.keys.SignKey, SealKey: h.keys.SealKey}
	})
	chip := []string{"--tpm", d.chip.Address()}
	var made struct {
		Link         string `json:"link"`
		Registration string `json:"registration"`
	}
	d.must(json.Unmarshal(d.ok(append([]string{"keys", "init", "--unlock", "lease"}, chip...)...), &made))
	ended := func(code string) {
		t.Helper()
		p := start(t, filepath.Join(d.bin, "watchpostd"), nil, "--config", d.config, "--tpm", d.chip.Address(), "--lease", "--provision", d.provision)
		if exit := p.wait(t); exit != 3 || !strings.Contains(p.said.String(), "watchpostd: "+code) {
			t.Fatalf("the daemon ended with %d, want 3 and %s\n%s", exit, code, p.said.String())
		}
	}
	h.ok("device", "add", "post-1", made.Link)
	// What is left at a renewal, two thirds, is more than a busy machine stands still.
	const life = 8 * time.Second
	h.ok("lease", "add", made.Registration, "--life", life.String())

	d.run("--lease", "--provision", d.provision)
	d.until("the gate is open", func() bool { return !d.keys().Locked })
	first := d.keys()
	if first.By.Kind != "lease" {
		t.Fatalf("open by %+v", first)
	}
	t.Run("renewed over its life", func(t *testing.T) {
		time.Sleep(life + time.Second) // longer than one lease lasts; what is looked at is that it goes on
		if k := d.keys(); k.Locked || k.Starts != first.Starts {
			t.Fatalf("a gate with a link locked: %+v", k)
		}
	})
	t.Run("link down: open until the lease runs out, then shut, and open again with the link", func(t *testing.T) {
		line.Set(wire.Cut)
		if k := d.keys(); k.Locked {
			t.Fatalf("locked at once: %+v", k)
		}
		d.until("shut", func() bool { return d.keys().Locked })
		if k := d.keys(); k.Why != "lease.expired" {
			t.Fatalf("%+v", k)
		}
		line.Set(wire.Open)
		d.until("open again", func() bool { return !d.keys().Locked })
	})
	t.Run("reported missing: locks at the next renewal", func(t *testing.T) {
		h.ok("device", "missing", "post-1")
		d.until("shut", func() bool { return d.keys().Locked })
		if k := d.keys(); k.Why != "link.missing" {
			t.Fatalf("%+v", k)
		}
	})
	d.daemon.kill()
	t.Run("reported missing: restart stays shut", func(t *testing.T) { ended("link.missing") })
	t.Run("found again", func(t *testing.T) {
		h.ok("device", "found", "post-1")
		d.run("--lease")
		d.until("open", func() bool { return !d.keys().Locked })
		d.daemon.kill()
	})
	t.Run("carried away: power on without a link stays shut", func(t *testing.T) {
		line.Set(wire.Cut)
		d.run("--lease")
		if k := d.keys(); !k.Locked || k.Why != "link.not_asked" {
			t.Fatalf("%+v", k)
		}
		d.wantAPI(d.client.SignIn(t.Context(), "anna", "annas-pin"), "vault.locked")
	})
}
