package shift_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/watchpost/watchpost/device/config"
	"github.com/watchpost/watchpost/device/encounter/policy"
	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/sdk/central"
	"github.com/watchpost/watchpost/sdk/central/postgres"
)

// TestAttackLockedGate: a gate that opens by a lease is locked by order, and no
// lease opens it: not the next, not after a restart, not from a central that
// gives one all the same. Two owners open it. Then its list gets a new key.
func TestAttackLockedGate(t *testing.T) {
	_, err := postgres.Find()
	skipWithout(t, err, "PostgreSQL")
	h := new(hub)
	d := newDesk(t, policy.Gate, nil, func(c *config.Config) {
		h = newHub(t, &desk{t: t, bin: binaries(t)}, nil)
		c.Central = &config.Central{URL: "nats://" + h.address, SignKey: h.keys.SignKey, SealKey: h.keys.SealKey}
	})
	var made struct {
		Link         string `json:"link"`
		Registration string `json:"registration"`
		Public       []byte `json:"recipient"`
	}
	d.must(json.Unmarshal(d.ok("keys", "init", "--unlock", "lease", "--tpm", d.chip.Address()), &made))
	h.operators(d.owners)
	h.ok("device", "add", "post-1", made.Link)
	h.ok("lease", "add", made.Registration, "--life", "30s")
	db, err := pgx.Connect(t.Context(), postgres.DSN(central.PostgresDir(filepath.Join(h.dir, "s"))))
	d.must(err)
	t.Cleanup(func() { db.Close(context.Background()) })
	// leases counts those that were asked for and refused, or given.
	leases := func(refused bool) (n int) {
		t.Helper()
		d.must(db.QueryRow(t.Context(), "SELECT count(*) FROM releases WHERE (refused = 'command.lock') IS TRUE = $1", refused).Scan(&n))
		return n
	}
	// locked waits for more calls for a lease, each after the one before was
	// judged, and then wants the gate locked.
	locked := func(t *testing.T, refused bool) {
		t.Helper()
		before := leases(refused)
		d.until("the gate has asked twice more", func() bool { return leases(refused) >= before+2 })
		if k := d.keys(); !k.Locked || k.Why != "command.lock" {
			t.Errorf("the gate is not locked: %+v", k)
		}
		d.wantAPI(d.client.SignIn(t.Context(), "anna", "annas-pin"), "vault.locked")
	}
	open := func() bool { return !d.keys().Locked }

	d.run("--lease", "--provision", d.provision)
	d.until("the gate is open", open)
	h.ok("order", "lock", "--post", "post-1", "--by", "a", "--reason", "left open")
	d.until("the gate is shut", func() bool { return !open() })
	t.Run("the next lease", func(t *testing.T) { locked(t, true) })
	t.Run("a lease by hand, with nobody's secret", func(t *testing.T) { d.refused("command.lock", "keys", "unlock", "--lease") })
	d.daemon.kill()
	t.Run("a restart", func(t *testing.T) {
		d.run("--lease")
		locked(t, true)
	})
	t.Run("a central that gives leases all the same", func(t *testing.T) {
		_, err := db.Exec(t.Context(), "UPDATE devices SET locked = NULL")
		d.must(err)
		locked(t, false)
	})
	unlock := h.ok("order", "unlock", "--post", "post-1", "--by", "a", "--reason", "all clear")
	t.Run("unlocked by one", func(t *testing.T) {
		if h.sign(unlock, "a") {
			t.Fatal("one signature is enough")
		}
		locked(t, false)
	})
	t.Run("unlocked by two", func(t *testing.T) {
		if !h.sign(unlock, "b") {
			t.Fatal("two signatures are not enough")
		}
		d.until("the gate is open", open)
	})
	t.Run("a new key of a list", func(t *testing.T) { rekeyed(t, d, h, made.Public) })
}

// rekeyed has a list's key replaced: what is wrapped for another device is
// refused by the post, what is wrapped for it is taken.
func rekeyed(t *testing.T, d *desk, h *hub, us vault.Recipient) {
	ring := vault.NewRing()
	defer ring.Close()
	key, err := ring.Random()
	d.must(err)
	for _, c := range []struct{ name, recipient, state, code string }{
		{"another", "nobody", "refused", "command.no_key"},
		{"ours", us.ID(), "done", ""},
	} {
		dir := filepath.Join(h.dir, c.name)
		d.must(os.Mkdir(dir, 0o700))
		wrapped, err := vault.WrapTo(us, key, vault.ScopeList, "national")
		d.must(err)
		d.must(os.WriteFile(filepath.Join(dir, c.recipient), wrapped, 0o600))
		p := h.ok("order", "rekey", "--list", "national", "--wrapped", dir, "--post", "post-1", "--by", "a", "--reason", "laptop lost")
		if h.sign(p, "a") || !h.sign(p, "b") {
			t.Fatal("not in force by the second signature")
		}
		var became struct{ State, Code string }
		d.until("the post has taken it", func() bool {
			d.must(json.Unmarshal(h.ok("order", "status", h.idOf(p)), &became))
			return became.State != "sent"
		})
		if became.State != c.state || became.Code != c.code {
			t.Errorf("%s: %+v", c.name, became)
		}
	}
}
