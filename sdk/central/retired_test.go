package central_test

import (
	"encoding/base64"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/sdk/central/registry"
	"github.com/watchpost/watchpost/sdk/central/shard"
)

// TestAttackRetiredWorker: a worker whose rights are taken while it is
// connected is thrown out, and nobody else is.
func TestAttackRetiredWorker(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	type worker struct {
		key    nkeys.KeyPair
		public string
	}
	hire := func(t *testing.T, name string) worker {
		t.Helper()
		key, err := nkeys.CreateUser()
		if err != nil {
			t.Fatal(err)
		}
		public, err := key.PublicKey()
		if err != nil {
			t.Fatal(err)
		}
		if err := w.c.Store.AddWorker(ctx, name, public, 0, "test"); err != nil {
			t.Fatal(err)
		}
		return worker{key, public}
	}
	connect := func(h worker, more ...nats.Option) (*nats.Conn, error) {
		nc, err := nats.Connect(w.c.URL, append([]nats.Option{nats.Nkey(h.public, h.key.Sign), nats.Timeout(wait)}, more...)...)
		if err == nil {
			t.Cleanup(nc.Close)
		}
		return nc, err
	}
	retire := func(t *testing.T, name string) {
		t.Helper()
		if err := w.c.Store.RetireWorker(ctx, name, "test"); err != nil {
			t.Fatal(err)
		}
	}
	// thrown waits for the end of a connection.
	thrown := func(t *testing.T, gone <-chan struct{}) {
		t.Helper()
		select {
		case <-gone:
		case <-time.After(wait):
			t.Fatal("the connection stands")
		}
	}
	closing := func(gone chan struct{}) []nats.Option {
		return []nats.Option{nats.NoReconnect(), nats.ClosedHandler(func(*nats.Conn) { close(gone) })}
	}
	other := hire(t, "other")
	stays, err := connect(other)
	if err != nil {
		t.Fatal(err)
	}
	post := w.box().enrol().link()

	t.Run("while connected, on each of its connections", func(t *testing.T) {
		h := hire(t, "a")
		first, second := make(chan struct{}), make(chan struct{})
		for _, gone := range []chan struct{}{first, second} {
			if _, err := connect(h, closing(gone)...); err != nil {
				t.Fatal(err)
			}
		}
		retire(t, "a")
		thrown(t, first)
		thrown(t, second)
	})
	t.Run("connecting again", func(t *testing.T) {
		h := hire(t, "b")
		retire(t, "b")
		if _, err := connect(h); !errors.Is(err, nats.ErrAuthorization) {
			t.Fatalf("ended in %v", err)
		}
		nonce := []byte("of the broker")
		_, err := (&registry.Registry{Devices: w.c.Store, Log: quiet}).Admit(ctx, h.public, sign(t, h.key, nonce), nonce)
		if fault.CodeOf(err) != "link.device" { // a key that is nobody's
			t.Errorf("ended in %v", err)
		}
	})
	t.Run("reconnecting by itself", func(t *testing.T) {
		h := hire(t, "c")
		refused := make(chan struct{}, 1)
		var back atomic.Int32
		nc, err := connect(h, nats.MaxReconnects(-1), nats.IgnoreAuthErrorAbort(), nats.ReconnectWait(10*time.Millisecond), nats.ReconnectJitter(0, 0),
			nats.ReconnectHandler(func(*nats.Conn) { back.Add(1) }),
			nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
				if errors.Is(err, nats.ErrAuthorization) {
					select {
					case refused <- struct{}{}:
					default:
					}
				}
			}))
		if err != nil {
			t.Fatal(err)
		}
		retire(t, "c")
		thrown(t, refused)
		nc.Close()
		if n := back.Load(); n != 0 {
			t.Errorf("%d times let in again", n)
		}
	})
	t.Run("at a question", func(t *testing.T) {
		h := hire(t, "d")
		gone := make(chan struct{})
		nc, err := connect(h, closing(gone)...)
		if err != nil {
			t.Fatal(err)
		}
		one, _ := shard.Subjects(0)
		questions, err := nc.SubscribeSync(one)
		if err != nil {
			t.Fatal(err)
		}
		retire(t, "d")
		thrown(t, gone)
		if _, err := questions.NextMsg(time.Second); err == nil || errors.Is(err, nats.ErrTimeout) {
			t.Errorf("it still listens: %v", err)
		}
	})
	t.Run("taken twice", func(t *testing.T) {
		hire(t, "e")
		retire(t, "e")
		if err := w.c.Store.RetireWorker(ctx, "e", "test"); fault.CodeOf(err) != "link.worker" {
			t.Errorf("ended in %v", err)
		}
	})
	t.Run("the same key under another name", func(t *testing.T) {
		h := hire(t, "f")
		retire(t, "f")
		if err := w.c.Store.AddWorker(ctx, "f-2", h.public, 0, "test"); fault.CodeOf(err) != "central.worker" {
			t.Errorf("ended in %v", err)
		}
	})
	if !stays.IsConnected() || stays.Stats().Reconnects != 0 {
		t.Errorf("a worker in use was thrown out: %v", stays.Status())
	}
	if !post.Up() {
		t.Error("a post was thrown out")
	}
}

// sign proves a key as the protocol of NATS has it.
func sign(t *testing.T, key nkeys.KeyPair, nonce []byte) string {
	t.Helper()
	raw, err := key.Sign(nonce)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}
