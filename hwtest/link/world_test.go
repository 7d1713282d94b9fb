// Package link_test holds a post's link and central against each other: real
// broker, real PostgreSQL, and a wire that can be cut and stalled.
package link_test

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nkeys"

	"github.com/watchpost/watchpost/device/encounter"
	"github.com/watchpost/watchpost/device/encounter/store"
	"github.com/watchpost/watchpost/device/screening"
	"github.com/watchpost/watchpost/device/uplink"
	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/device/watchlist/record"
	liststore "github.com/watchpost/watchpost/device/watchlist/store"
	"github.com/watchpost/watchpost/hwtest/wire"
	"github.com/watchpost/watchpost/sdk/central"
	"github.com/watchpost/watchpost/sdk/central/postgres"
	linkv1 "github.com/watchpost/watchpost/sdk/proto/link/v1"
)

const (
	secret = "a passphrase of the test"
	listed = "X1234567" // document number that central's list holds
)

// world is one central, one wire and one post.
type world struct {
	post    string
	dir     string
	config  central.Config
	central *central.Central
	keys    *linkv1.Central
	wire    *wire.Proxy
	key     nkeys.KeyPair // of the post
	outbox  *store.Store
	records int // of central's list
}

var quiet = slog.New(slog.DiscardHandler)

// newWorld starts a central with a list of one document, for this test alone.
func newWorld(t *testing.T) *world {
	t.Helper()
	return newWorldOf(t, 1)
}

// newWorldOf is newWorld with a list of so many documents.
func newWorldOf(t *testing.T, records int) *world {
	t.Helper()
	w := &world{post: "desk-1", records: records}
	if err := w.begin(t); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if w.central != nil {
			if err := w.central.Close(); err != nil {
				t.Error(err)
			}
		}
		if err := os.RemoveAll(w.dir); err != nil {
			t.Error(err)
		}
	})
	w.atPost(t)
	return w
}

// shared is a central for the tests that leave it whole, with the number of
// posts that it has been given.
var shared struct {
	sync.Mutex
	w     *world
	posts int
}

// newPost returns a post of its own at the shared central.
func newPost(t *testing.T) *world {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.w == nil {
		w := &world{records: 1}
		if err := w.begin(t); err != nil {
			t.Fatal(err)
		}
		shared.w = w
	}
	shared.posts++
	w := *shared.w
	w.post = fmt.Sprintf("desk-%d0", shared.posts)
	w.atPost(t)
	return &w
}

func TestMain(m *testing.M) {
	code := m.Run()
	if w := shared.w; w != nil {
		if err := errors.Join(w.central.Close(), os.RemoveAll(w.dir)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// begin makes central's files and runs it.
func (w *world) begin(t *testing.T) (err error) {
	t.Helper()
	if _, err := postgres.Find(); err != nil {
		if os.Getenv("CI") == "true" {
			return err
		}
		t.Skip("SKIPPED: PostgreSQL is not installed; apt-get install postgresql")
	}
	if w.dir, err = os.MkdirTemp("", "wpl"); err != nil {
		return err
	}
	state := filepath.Join(w.dir, "c")
	// PostgreSQL's account passes through both.
	if err := errors.Join(os.Chmod(w.dir, 0o711), os.Mkdir(state, 0o711)); err != nil {
		return err
	}
	v, err := vault.Create(t.Context(), filepath.Join(state, central.VaultFile), vault.Passphrase(secret))
	if err != nil {
		return err
	}
	defer v.Lock()
	if w.keys, err = central.Identity(state, v); err != nil {
		return err
	}
	recipient, err := v.Recipient()
	if err != nil {
		return err
	}
	w.config = central.Config{State: state, Unlocker: vault.Passphrase(secret), Lists: filepath.Join(w.dir, "lists"), Listen: "127.0.0.1:0", Log: quiet}
	writeList(t, w.config.Lists, recipient, w.records)
	w.start(t)
	return nil
}

// atPost makes what the post has: a wire, a key that central knows, an outbox.
func (w *world) atPost(t *testing.T) {
	t.Helper()
	var err error
	if w.wire, err = wire.Listen(w.address()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.wire.Close() })
	if w.key, err = nkeys.CreateUser(); err != nil {
		t.Fatal(err)
	}
	public, err := w.key.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	if err := w.central.Store.AddDevice(t.Context(), w.post, public); err != nil {
		t.Fatal(err)
	}
	ring := vault.NewRing()
	t.Cleanup(ring.Close)
	key, err := ring.Random()
	if err != nil {
		t.Fatal(err)
	}
	if w.outbox, err = store.Open(t.TempDir(), sealer{key}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.outbox.Close() })
}

type sealer struct{ key *vault.Key }

func (s sealer) Seal(identity, plain []byte) ([]byte, error) { return s.key.Seal(nil, plain, identity) }
func (s sealer) Open(identity, sealed []byte) ([]byte, error) {
	return s.key.Open(nil, sealed, identity)
}

// start runs central on the address that it had before, if any.
func (w *world) start(t *testing.T) {
	t.Helper()
	var err error
	if w.central, err = central.Run(context.Background(), w.config); err != nil {
		t.Fatal(err)
	}
	w.config.Listen = w.address()
}

func (w *world) address() string { return strings.TrimPrefix(w.central.URL, "nats://") }

// link opens the post's link over the wire and waits until it is up.
func (w *world) link(t *testing.T, change ...func(*uplink.Options)) *uplink.Link {
	t.Helper()
	seed, err := w.key.Seed()
	if err != nil {
		t.Fatal(err)
	}
	key, err := nkeys.FromSeed(seed) // the link wipes its own
	if err != nil {
		t.Fatal(err)
	}
	o := uplink.Options{
		Post: w.post, URL: "nats://" + w.wire.Addr(), Key: key, Log: quiet,
		SignKey: w.keys.SignWith.Public().(ed25519.PublicKey), SealKey: w.keys.OpenWith.PublicKey().Bytes(),
	}
	for _, f := range change {
		f(&o)
	}
	l, err := uplink.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// writeList makes a folder as a list's owner publishes it.
func writeList(t *testing.T, folder string, to vault.Recipient, records int) {
	t.Helper()
	ring := vault.NewRing()
	defer ring.Close()
	key, err := ring.Random()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{"lists", "keys/wanted"} {
		if err := os.MkdirAll(filepath.Join(folder, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now()
	b, err := liststore.Create(filepath.Join(folder, "lists", "wanted"), ring, key, liststore.Spec{
		List: "wanted", Generation: 1, Owner: "Authority", LegalBasis: "Act", Purpose: "test",
		Handling: record.Handling{Action: record.Refer, Confirm: true, Contact: "desk"}, Created: now.Add(-time.Hour), Expires: now.Add(time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range records {
		err = b.Add(&record.Record{
			Schema: record.SchemaVersion, ID: fmt.Sprintf("W-%d", i+1), Edition: 1,
			Documents: []record.Document{{Type: "P", Issuer: "UTO", Number: documentOf(i), Status: record.DocumentStolen}},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	wrapped, err := vault.WrapTo(to, key, vault.ScopeList, "wanted")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "keys/wanted", to.ID()), wrapped, 0o600); err != nil {
		t.Fatal(err)
	}
}

// many records make each of two shards hold some.
const many = 24

// documentOf is the document of record i from 0: the first is listed.
func documentOf(i int) string { return fmt.Sprintf("X%07d", 1234567+i) }

// question asks for a document by number.
func question(number string) screening.Question {
	return screening.Question{Encounter: "e-1", Officer: "officer", Purpose: "test", Documents: []screening.DocumentProbe{{Type: "P", Issuer: "UTO", Number: number}}}
}

// put records an outcome in the post's outbox.
func (w *world) put(t *testing.T, id string) {
	t.Helper()
	m, err := json.Marshal(encounter.Message{
		Version: 1, ID: id, Post: w.post, Purpose: "test", Answer: "candidates", Checks: map[string]string{"ds.chain": "fail"},
		Decision:  encounter.Decision{Outcome: encounter.Referred, Officer: "officer", Time: time.Now()},
		Candidate: []encounter.MessageFinding{{List: "wanted", Record: "W-1", Finding: "same_person"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.outbox.Commit(store.Change{Encounter: id, State: []byte("{}"), Outbox: m}); err != nil {
		t.Fatal(err)
	}
}

// waiting is how many outcomes are in the outbox.
func (w *world) waiting(t *testing.T) int {
	t.Helper()
	all, err := w.outbox.Outbox(10_000)
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// run delivers outcomes until the test ends or stop is called.
func (w *world) run(t *testing.T, l *uplink.Link) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s := uplink.NewSender(l, w.outbox, time.Now, quiet)
	done := make(chan struct{})
	go func() { defer close(done); s.Run(ctx) }()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return stop
}

// until waits for what to become true.
func until(t *testing.T, within time.Duration, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(within)
	for !holds() {
		select {
		case <-deadline:
			t.Fatalf("not %s within %s", what, within)
		case <-time.After(5 * time.Millisecond):
		}
	}
}
