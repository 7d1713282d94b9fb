package central_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/uplink"
	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/sdk/central"
	"github.com/watchpost/watchpost/sdk/central/centraltest"
	"github.com/watchpost/watchpost/sdk/central/postgres"
	"github.com/watchpost/watchpost/sdk/central/store"
	linkv1 "github.com/watchpost/watchpost/sdk/proto/link/v1"
)

// wait is long: nothing here is about how fast.
const wait = 30 * time.Second

var quiet = slog.New(slog.DiscardHandler)

// world is a central with two operators, and no post yet.
type world struct {
	t       *testing.T
	c       *central.Central
	config  central.Config
	keys    *linkv1.Central
	db      *pgx.Conn // of the test, to turn clocks back
	devices int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	if _, err := postgres.Find(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip("SKIPPED: PostgreSQL is not installed; apt-get install postgresql")
	}
	w := &world{t: t}
	dir := centraltest.Dir(t)
	state := filepath.Join(dir, "c")
	if err := errors.Join(os.Chmod(dir, 0o711), os.Mkdir(state, 0o711)); err != nil {
		t.Fatal(err)
	}
	v, err := vault.Create(t.Context(), filepath.Join(state, central.VaultFile), vault.Passphrase("of the test"))
	if err != nil {
		t.Fatal(err)
	}
	w.keys, err = central.Identity(state, v)
	v.Lock()
	if err != nil {
		t.Fatal(err)
	}
	w.config = central.Config{State: state, Unlocker: vault.Passphrase("of the test"), Listen: "127.0.0.1:0", Page: "127.0.0.1:0", Metrics: "127.0.0.1:0", Log: quiet}
	if w.c, err = central.Run(context.Background(), w.config); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.c.Close(); err != nil {
			t.Error(err)
		}
	})
	w.again(func() (err error) {
		w.db, err = pgx.Connect(t.Context(), postgres.DSN(central.PostgresDir(state)))
		return err
	})
	t.Cleanup(func() { w.db.Close(context.Background()) })
	for _, name := range []string{"anna", "boris", "carla"} {
		if err := w.c.Store.AddOperator(t.Context(), name, keyOf(name).Public().(ed25519.PublicKey), nil, "test"); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// keyOf is a person's key, the same in every run.
func keyOf(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func (w *world) exec(sql string, args ...any) {
	w.t.Helper()
	if _, err := w.db.Exec(w.t.Context(), sql, args...); err != nil {
		w.t.Fatal(err)
	}
}

// again calls f until it succeeds.
func (w *world) again(f func() error) {
	w.t.Helper()
	deadline := time.After(wait)
	for {
		err := f()
		if err == nil {
			return
		}
		select {
		case <-deadline:
			w.t.Fatal(err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// box is a post's side: its keys and the request that it shows.
type box struct {
	w         *world
	name      string
	key       nkeys.KeyPair
	signer    nkeys.KeyPair // of calls; nil is key
	recipient []byte
	request   string
}

func (w *world) box() *box {
	w.devices++
	return w.boxNamed(fmt.Sprintf("desk-%d", w.devices))
}

func (w *world) boxNamed(name string) *box {
	w.t.Helper()
	key, err := nkeys.CreateUser()
	if err != nil {
		w.t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(name))
	b := &box{w: w, name: name, key: key, recipient: sum[:]}
	b.show()
	return b
}

// show makes a new request.
func (b *box) show() {
	b.w.t.Helper()
	public, err := b.key.PublicKey()
	if err != nil {
		b.w.t.Fatal(err)
	}
	raw, err := nkeys.Decode(nkeys.PrefixByteUser, []byte(public))
	if err != nil {
		b.w.t.Fatal(err)
	}
	if b.request, err = linkv1.NewEnrolmentRequest(b.name, raw, b.recipient, time.Now(), b.key.Sign); err != nil {
		b.w.t.Fatal(err)
	}
}

// propose files the box's request.
func (b *box) propose() store.Proposal {
	b.w.t.Helper()
	p, err := b.w.c.Store.ProposeEnrolment(b.w.t.Context(), b.request, "new desk", "anna")
	if err != nil {
		b.w.t.Fatal(err)
	}
	return p
}

// approve signs as name and hands it in.
func (w *world) approve(p store.Proposal, name string) (bool, error) {
	signature := linkv1.SignApproval(string(p.Kind), p.Content, keyOf(name))
	if p.Kind == store.KindOrder {
		signature = linkv1.SignOrder(p.Content, keyOf(name))
	}
	return w.c.Store.Approve(w.t.Context(), p.ID, name, signature, store.DefaultCertificateLife)
}

// enrol has two approve the box.
func (b *box) enrol() *box {
	b.w.t.Helper()
	p := b.propose()
	for i, name := range []string{"anna", "boris"} {
		if approved, err := b.w.approve(p, name); err != nil || approved != (i == 1) {
			b.w.t.Fatalf("%s: %v, %v", name, approved, err)
		}
	}
	return b
}

func (b *box) options() uplink.Options {
	b.w.t.Helper()
	seed, err := b.key.Seed()
	if err != nil {
		b.w.t.Fatal(err)
	}
	key, err := nkeys.FromSeed(seed) // the link wipes its own
	if err != nil {
		b.w.t.Fatal(err)
	}
	return uplink.Options{
		Post: b.name, URL: b.w.c.URL, Key: key, Budget: wait, Log: quiet,
		SignKey: b.w.keys.SignWith.Public().(ed25519.PublicKey), SealKey: b.w.keys.OpenWith.PublicKey().Bytes(),
	}
}

// link opens the box's link and waits until it is up.
func (b *box) link() *uplink.Link {
	b.w.t.Helper()
	l, err := uplink.Open(b.options())
	if err != nil {
		b.w.t.Fatal(err)
	}
	b.w.t.Cleanup(func() { l.Close() })
	b.w.again(func() error {
		if !l.Up() {
			return errors.New("the link does not come up")
		}
		return nil
	})
	return l
}

// call sends a call as the box would, on any subject, and returns the code of
// the answer.
func (b *box) call(subject string, call *linkv1.Call) fault.Code {
	b.w.t.Helper()
	public, err := b.key.PublicKey()
	if err != nil {
		b.w.t.Fatal(err)
	}
	nc, err := nats.Connect(b.w.c.URL, nats.Timeout(wait), nats.Nkey(public, b.key.Sign), nats.CustomInboxPrefix(linkv1.InboxPrefix(b.name)))
	if err != nil {
		b.w.t.Fatal(err)
	}
	defer nc.Close()
	sign := b.key.Sign
	if b.signer != nil {
		sign = b.signer.Sign
	}
	p := linkv1.Post{Name: b.name, Sign: sign, Central: b.w.keys.SignWith.Public().(ed25519.PublicKey), SealTo: b.w.keys.OpenWith.PublicKey()}
	if call.Post == "" {
		call.Post = b.name
	}
	call.Id = linkv1.NewID()
	wire, pending, err := p.Seal(subject, call)
	if err != nil {
		b.w.t.Fatal(err)
	}
	m, err := nc.Request(subject, wire, wait)
	if err != nil {
		b.w.t.Fatal(err)
	}
	a, err := pending.Open(m.Data)
	if err != nil {
		b.w.t.Fatal(err)
	}
	return fault.Code(a.Code)
}

// says is a hello of start starts in run run.
func says(starts uint64, run byte, count uint64) *linkv1.HelloRequest {
	r := make([]byte, 16)
	r[0] = run
	return &linkv1.HelloRequest{Starts: starts, Run: r, Count: count, AuditNumber: -1}
}

// hello says hello over a connection of its own.
func (b *box) hello(h *linkv1.HelloRequest) fault.Code {
	b.w.t.Helper()
	return b.call(linkv1.HelloSubject(b.name), &linkv1.Call{What: &linkv1.Call_Hello{Hello: h}})
}

// speaksFor fails unless the broker keeps b from another's subject.
func (b *box) speaksFor(t *testing.T, other *box) {
	t.Helper()
	public, err := b.key.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	refused := make(chan error, 1)
	nc, err := nats.Connect(b.w.c.URL, nats.Timeout(wait), nats.Nkey(public, b.key.Sign), nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { refused <- err }))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if err := errors.Join(nc.Publish(linkv1.HelloSubject(other.name), []byte("x")), nc.Flush()); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-refused:
		if !errors.Is(err, nats.ErrPermissionViolation) {
			t.Fatal(err)
		}
	case <-time.After(wait):
		t.Fatal("a post has spoken on another's subject")
	}
}

// refused is the error with which the broker keeps the box out, nil if it is
// let in.
func (b *box) refused() error {
	public, err := b.key.PublicKey()
	if err != nil {
		b.w.t.Fatal(err)
	}
	nc, err := nats.Connect(b.w.c.URL, nats.Timeout(wait), nats.Nkey(public, b.key.Sign))
	if err == nil {
		nc.Close()
	}
	return err
}
