package lease_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport/linuxudstpm"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/uplink"
	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/device/vault/lease"
	"github.com/watchpost/watchpost/device/vault/tpm"
	swtpm "github.com/watchpost/watchpost/hwtest/tpm"
	"github.com/watchpost/watchpost/hwtest/wire"
	"github.com/watchpost/watchpost/sdk/central"
	"github.com/watchpost/watchpost/sdk/central/centraltest"
	"github.com/watchpost/watchpost/sdk/central/postgres"
	"github.com/watchpost/watchpost/sdk/central/store"
	linkv1 "github.com/watchpost/watchpost/sdk/proto/link/v1"
	screeningv1 "github.com/watchpost/watchpost/sdk/proto/screening/v1"
)

const life = 100 * time.Second // of a lease here

func wantCode(t testing.TB, err error, code fault.Code) {
	t.Helper()
	if got := fault.CodeOf(err); got != code {
		t.Fatalf("got code %q (%v), want %q", got, err, code)
	}
}

// hub is a real central with broker and PostgreSQL.
type hub struct {
	*central.Central
	keys  *linkv1.Central
	posts int
}

func newHub(t *testing.T) *hub {
	t.Helper()
	if _, err := postgres.Find(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("SKIPPED: PostgreSQL is not installed; apt-get install postgresql")
	}
	state := centraltest.Dir(t)
	if err := os.Chmod(state, 0o711); err != nil {
		t.Fatal(err)
	}
	secret := vault.Passphrase("a passphrase of the test")
	v, err := vault.Create(t.Context(), filepath.Join(state, central.VaultFile), secret)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Lock()
	h := new(hub)
	if h.keys, err = central.Identity(state, v); err != nil {
		t.Fatal(err)
	}
	h.Central, err = central.Run(context.Background(), central.Config{State: state, Unlocker: secret, Listen: "127.0.0.1:0", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// gate is a gate's box: its TPM, its vault, its way to central.
type gate struct {
	t     *testing.T
	hub   *hub
	name  string
	chip  string // address of its TPM
	path  string
	wire  *wire.Proxy
	boot  ed25519.PrivateKey // as it was last used
	link  nkeys.KeyPair
	local tpm.Unlocker
	alone bool // nobody is there to answer: it does not ask again
}

func (h *hub) newGate(t *testing.T) *gate {
	t.Helper()
	h.posts++
	g := &gate{t: t, hub: h, name: fmt.Sprintf("gate-%d", h.posts), chip: swtpm.ForTest(t, "").Address(), path: filepath.Join(t.TempDir(), "vault.json")}
	g.local = tpm.Unlocker{Device: g.chip}
	var err error
	if g.wire, err = wire.Listen(strings.TrimPrefix(h.URL, "nats://")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.wire.Close() })
	if g.link, err = nkeys.CreateUser(); err != nil {
		t.Fatal(err)
	}
	u := g.way()
	defer u.Close()
	v, err := vault.Create(t.Context(), g.path, u)
	if err != nil {
		t.Fatal(err)
	}
	v.Lock()
	word, err := u.Registration().Encode()
	if err != nil {
		t.Fatal(err)
	}
	g.register(word, u.Registration().BootKey)
	return g
}

// register does what "watchpost-central device add" and "lease add" do.
func (g *gate) register(word string, bootKey []byte) {
	g.t.Helper()
	public, err := g.link.PublicKey()
	if err != nil {
		g.t.Fatal(err)
	}
	if err := g.hub.Store.AddDevice(g.t.Context(), g.name, public); err != nil {
		g.t.Fatal(err)
	}
	key, err := nkeys.Encode(nkeys.PrefixByteUser, bootKey)
	if err != nil {
		g.t.Fatal(err)
	}
	if err := g.hub.Store.AddLease(g.t.Context(), store.Lease{Device: g.name, BootKey: string(key), Registration: word, Seconds: int32(life / time.Second)}); err != nil {
		g.t.Fatal(err)
	}
}

func (g *gate) options() uplink.Options {
	return uplink.Options{
		Post: g.name, URL: "nats://" + g.wire.Addr(), Log: slog.New(slog.DiscardHandler),
		SignKey: g.hub.keys.SignWith.Public().(ed25519.PublicKey), SealKey: g.hub.keys.OpenWith.PublicKey().Bytes(),
	}
}

func (g *gate) way() *lease.Unlocker {
	o := g.options()
	return lease.New(lease.Options{
		Post: g.name, Local: g.local, Releaser: o.SignKey, SealTo: o.SealKey,
		Ask: func(ctx context.Context, boot ed25519.PrivateKey, request []byte) ([]byte, error) {
			g.boot = bytes.Clone(boot)
			// A machine that stands still outlasts the two seconds in which the
			// releaser must be reached.
			for deadline := time.Now().Add(30 * time.Second); ; {
				out, err := uplink.AskLease(ctx, o, boot, request)
				if g.alone || fault.CodeOf(err) != "link.not_asked" || time.Now().After(deadline) {
					return out, err
				}
			}
		},
	})
}

// power opens the vault as at power on.
func (g *gate) power() (*lease.Unlocker, error) {
	g.t.Helper()
	u := g.way()
	v, err := vault.Open(g.t.Context(), g.path, u)
	if err != nil {
		u.Close()
		return nil, err
	}
	v.Lock()
	g.t.Cleanup(u.Close)
	return u, nil
}

func (g *gate) mustPower() *lease.Unlocker {
	g.t.Helper()
	u, err := g.power()
	if err != nil {
		g.t.Fatalf("the rightful way in is shut: %v", err)
	}
	return u
}

// connect logs in at the broker as an attacker does who has a key of the box.
func (g *gate) connect(key nkeys.KeyPair) *nats.Conn {
	g.t.Helper()
	public, err := key.PublicKey()
	if err != nil {
		g.t.Fatal(err)
	}
	nc, err := nats.Connect(g.hub.URL, nats.Timeout(20*time.Second), nats.Nkey(public, key.Sign), nats.CustomInboxPrefix(linkv1.InboxPrefix(g.name)), nats.NoReconnect(),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	if err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(nc.Close)
	return nc
}

func (g *gate) bootPair() nkeys.KeyPair {
	g.t.Helper()
	key, err := nkeys.FromRawSeed(nkeys.PrefixByteUser, g.boot.Seed())
	if err != nil {
		g.t.Fatal(err)
	}
	return key
}

// sealed makes a call of the gate's by the given key.
func (g *gate) sealed(key nkeys.KeyPair, subject string, call *linkv1.Call) ([]byte, *linkv1.Pending) {
	g.t.Helper()
	o := g.options()
	to, err := linkv1.KEM().NewPublicKey(o.SealKey)
	if err != nil {
		g.t.Fatal(err)
	}
	call.Post, call.Id = g.name, linkv1.NewID()
	raw, pending, err := (&linkv1.Post{Name: g.name, Sign: key.Sign, Central: o.SignKey, SealTo: to}).Seal(subject, call)
	if err != nil {
		g.t.Fatal(err)
	}
	return raw, pending
}

// told sends a message and returns the code of central's answer.
func (g *gate) told(nc *nats.Conn, subject string, raw []byte, pending *linkv1.Pending) string {
	g.t.Helper()
	m, err := nc.Request(subject, raw, 20*time.Second)
	if err != nil {
		g.t.Fatal(err)
	}
	a, err := pending.Open(m.Data)
	if err != nil {
		g.t.Fatal(err)
	}
	return a.Code
}

func leaseCall(request []byte) *linkv1.Call {
	return &linkv1.Call{What: &linkv1.Call_Lease{Lease: &linkv1.LeaseRequest{Request: request}}}
}

// hello says hello once over a link of its own.
func (g *gate) hello(starts uint64, run byte) error {
	g.t.Helper()
	seed, err := g.link.Seed()
	if err != nil {
		g.t.Fatal(err)
	}
	o := g.options()
	if o.Key, err = nkeys.FromSeed(seed); err != nil {
		g.t.Fatal(err)
	}
	up := make(chan bool, 4)
	o.Changed = func(is bool) { up <- is }
	l, err := uplink.Open(o)
	if err != nil {
		g.t.Fatal(err)
	}
	defer l.Close()
	select {
	case <-up:
	case <-time.After(30 * time.Second):
		g.t.Fatal("the link does not come up")
	}
	return l.Hello(g.t.Context(), starts, bytes.Repeat([]byte{run}, 16))
}

// TestAttackGate has a real central, its database and a software TPM for each
// gate: what carries the box away, or copies its disk, and the exact code each
// attempt ends in.
func TestAttackGate(t *testing.T) {
	h := newHub(t)
	t.Run("reported missing", func(t *testing.T) {
		g := h.newGate(t)
		u := g.mustPower()
		if err := u.Renew(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := h.Store.SetMissing(t.Context(), g.name, true, "test", ""); err != nil {
			t.Fatal(err)
		}
		wantCode(t, u.Renew(t.Context()), "link.missing")
		_, err := g.power()
		wantCode(t, err, "link.missing")
		wantCode(t, g.hello(1, 1), "link.missing")
		if err := h.Store.SetMissing(t.Context(), g.name, false, "test", ""); err != nil {
			t.Fatal(err)
		}
		g.mustPower()
	})
	t.Run("retired", func(t *testing.T) {
		g := h.newGate(t)
		u := g.mustPower()
		if err := h.Store.RetireDevice(t.Context(), g.name, "test", ""); err != nil {
			t.Fatal(err)
		}
		wantCode(t, u.Renew(t.Context()), "link.device")
		_, err := g.power()
		wantCode(t, err, "link.device")
	})
	t.Run("carried away: no link, power on", func(t *testing.T) {
		g := h.newGate(t)
		u := g.mustPower()
		g.wire.Set(wire.Cut)
		g.alone = true
		wantCode(t, u.Renew(t.Context()), "link.not_asked")
		if left, _ := u.Left(); left <= 0 || left > life {
			t.Errorf("%v left: within its life a lease outlasts the link", left)
		}
		_, err := g.power()
		wantCode(t, err, "link.not_asked")
	})
	t.Run("disk in another box", func(t *testing.T) {
		g := h.newGate(t)
		g.local.Device = swtpm.ForTest(t, "").Address()
		_, err := g.power()
		wantCode(t, err, "tpm.other")
	})
	t.Run("other image", func(t *testing.T) {
		g := h.newGate(t)
		extend(t, g.chip, 11)
		_, err := g.power()
		wantCode(t, err, "tpm.policy")
	})
	t.Run("never registered", func(t *testing.T) {
		g := h.newGate(t)
		other := *g
		other.alone = true
		other.path = filepath.Join(t.TempDir(), "vault.json")
		u := other.way()
		defer u.Close()
		v, err := vault.Create(t.Context(), other.path, u)
		if err != nil {
			t.Fatal(err)
		}
		v.Lock()
		_, err = other.power()
		wantCode(t, err, "link.not_asked") // the broker does not let its boot key in
	})
	t.Run("call for a lease replayed", func(t *testing.T) {
		g := h.newGate(t)
		g.mustPower()
		key := g.bootPair()
		nc := g.connect(key)
		request := []byte(`{"post":"` + g.name + `","nonce":"AAAAAAAAAAAAAAAAAAAAAA=="}`)
		raw, pending := g.sealed(key, linkv1.LeaseSubject(g.name), leaseCall(request))
		for _, want := range []string{"", "link.replayed"} {
			if got := g.told(nc, linkv1.LeaseSubject(g.name), raw, pending); got != want {
				t.Fatalf("central says %q, want %q", got, want)
			}
		}
	})
	t.Run("lease asked for by the key of the link", func(t *testing.T) {
		g := h.newGate(t)
		nc := g.connect(g.link)
		request := []byte(`{"post":"` + g.name + `","nonce":"AAAAAAAAAAAAAAAAAAAAAA=="}`)
		raw, pending := g.sealed(g.link, linkv1.LeaseSubject(g.name), leaseCall(request))
		if got := g.told(nc, linkv1.LeaseSubject(g.name), raw, pending); got != "call.invalid" {
			t.Fatalf("central says %q", got)
		}
	})
	t.Run("lease of another post", func(t *testing.T) {
		g := h.newGate(t)
		g.mustPower()
		key := g.bootPair()
		raw, pending := g.sealed(key, linkv1.LeaseSubject(g.name), leaseCall([]byte(`{"post":"gate-1","nonce":"AAAAAAAAAAAAAAAAAAAAAA=="}`)))
		if got := g.told(g.connect(key), linkv1.LeaseSubject(g.name), raw, pending); got != "call.invalid" {
			t.Fatalf("central says %q", got)
		}
	})
	t.Run("question asked by the boot key", func(t *testing.T) {
		g := h.newGate(t)
		g.mustPower()
		key := g.bootPair()
		call := &linkv1.Call{What: &linkv1.Call_Ask{Ask: &screeningv1.AskRequest{Encounter: "e", Officer: "o", Purpose: "p"}}}
		raw, pending := g.sealed(key, linkv1.LeaseSubject(g.name), call)
		nc := g.connect(key)
		if got := g.told(nc, linkv1.LeaseSubject(g.name), raw, pending); got != "call.invalid" {
			t.Fatalf("central says %q", got)
		}
		// The broker does not even carry it to where questions go.
		if _, err := nc.Request(linkv1.AskSubject(g.name), raw, 200*time.Millisecond); !errors.Is(err, nats.ErrTimeout) {
			t.Fatalf("the broker took a question of the boot key: %v", err)
		}
	})
	t.Run("old disk image put back, no TPM", func(t *testing.T) {
		g := h.newGate(t)
		for run := byte(1); run <= 3; run++ {
			if err := g.hello(uint64(run), run); err != nil {
				t.Fatal(err)
			}
		}
		if err := g.hello(3, 3); err != nil {
			t.Fatalf("the same run says hello again: %v", err)
		}
		wantCode(t, g.hello(2, 4), "post.counter")
		wantCode(t, g.hello(9, 5), "post.counter") // and it stays so
		_, err := g.power()
		wantCode(t, err, "post.counter")
	})
	t.Run("copy of the disk runs elsewhere at the same count", func(t *testing.T) {
		g := h.newGate(t)
		if err := g.hello(5, 1); err != nil {
			t.Fatal(err)
		}
		wantCode(t, g.hello(5, 2), "post.counter")
	})
	t.Run("count out of bounds", func(t *testing.T) {
		g := h.newGate(t)
		wantCode(t, g.hello(0, 1), "call.invalid")
		wantCode(t, g.hello(1<<63, 1), "call.invalid")
		if err := g.hello(1, 1); err != nil {
			t.Fatal(err)
		}
	})
}

// extend changes a register, as another image would.
func extend(t *testing.T, device string, pcr uint32) {
	t.Helper()
	c, err := linuxudstpm.Open(strings.TrimPrefix(device, "unix:"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, err = tpm2.PCRExtend{
		PCRHandle: tpm2.AuthHandle{Handle: tpm2.TPMHandle(pcr), Auth: tpm2.PasswordAuth(nil)},
		Digests:   tpm2.TPMLDigestValues{Digests: []tpm2.TPMTHA{{HashAlg: tpm2.TPMAlgSHA256, Digest: bytes.Repeat([]byte{7}, 32)}}},
	}.Execute(c)
	if err != nil {
		t.Fatal(err)
	}
}
