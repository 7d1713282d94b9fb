package install

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/provision"
	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/device/watchlist/budget"
	"github.com/watchpost/watchpost/device/watchlist/record"
	"github.com/watchpost/watchpost/device/watchlist/store"
)

var (
	ctx   = context.Background()
	start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
)

// post is a device with a vault, and the publisher that serves it.
type post struct {
	state string
	vault *vault.Vault
	ring  *vault.Ring
	key   *vault.Key
	trust provision.Trust
}

func newPost(t testing.TB) *post {
	t.Helper()
	p := &post{state: t.TempDir(), ring: vault.NewRing(), trust: provision.Trust{Site: "bench", Now: start}}
	t.Cleanup(p.ring.Close)
	var err error
	if p.key, err = p.ring.Random(); err != nil {
		t.Fatal(err)
	}
	if p.vault, err = vault.Create(ctx, filepath.Join(p.state, VaultFile), vault.Passphrase("correct horse")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.vault.Lock)
	for _, id := range []string{"anna", "boris"} {
		p.trust.Owners = append(p.trust.Owners, provision.Owner{ID: id, Key: signer(id).Public().(ed25519.PublicKey)})
	}
	return p
}

func signer(id string) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte(id[:1]), ed25519.SeedSize))
}

// folder makes a signed folder with one record in each list.
func (p *post) folder(t testing.TB, version uint64, to vault.Recipient, lists ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, list := range lists {
		b, err := Build(dir, p.ring, p.key, store.Spec{
			List: list, Generation: version, Owner: "o", LegalBasis: "b", Purpose: "p",
			Handling: record.Handling{Action: record.Refer}, Created: start.Add(-time.Hour), Expires: start.Add(240 * time.Hour),
		}, to)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Add(&record.Record{Schema: 1, ID: "r", Edition: 1, Documents: []record.Document{{Number: "N1", Status: record.DocumentLost}}}); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Finish(ctx); err != nil {
			t.Fatal(err)
		}
	}
	h := provision.Header{Site: "bench", Version: version, Created: start.Add(-time.Minute), Expires: start.Add(time.Hour)}
	if _, err := provision.Publish(dir, h, provision.KindOf); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"anna", "boris"} {
		if err := provision.Sign(dir, id, signer(id)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func (p *post) recipient(t testing.TB) vault.Recipient {
	t.Helper()
	r, err := p.vault.Recipient()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (p *post) apply(t testing.TB, dir string) *provision.Applied {
	t.Helper()
	a, err := provision.Apply(filepath.Join(p.state, ProvisionFolder), dir, p.trust)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestFromSignedFolderToSearch(t *testing.T) {
	p := newPost(t)
	a := p.apply(t, p.folder(t, 1, p.recipient(t), "national", "un"))
	for range 2 { // as after a power cut
		if all, err := Lists(ctx, p.state, a, p.vault); err != nil || len(all) != 2 {
			t.Fatalf("%v, %v", all, err)
		}
	}
	o, err := OpenLists(ctx, p.state, a, p.vault)
	if err != nil {
		t.Fatal(err)
	}
	if len(o.Lists) != 2 || o.Lists[0].Manifest().List != "national" || o.Lists[1].Manifest().Records != 1 {
		t.Errorf("opened %+v", o.Lists)
	}
	if _, err := OpenLists(ctx, p.state, a, p.vault); !errors.Is(err, store.ErrLocked) {
		t.Errorf("opened twice: %v", err)
	}
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}

	// The next folder withdraws one list, with its key.
	a = p.apply(t, p.folder(t, 2, p.recipient(t), "un"))
	if all, err := Lists(ctx, p.state, a, p.vault); err != nil || len(all) != 1 || all[0].Generation != 2 {
		t.Fatalf("%v, %v", all, err)
	}
	if _, err := os.Stat(filepath.Join(p.state, "lists", "national")); !errors.Is(err, os.ErrNotExist) {
		t.Error("the withdrawn list is still there")
	}
	if _, err := p.vault.ListKey("national"); fault.CodeOf(err) != "vault.no_list_key" {
		t.Errorf("its key is still there: %v", err)
	}
}

func TestAttackListForAnotherDevice(t *testing.T) {
	p, other := newPost(t), newPost(t)
	a := p.apply(t, p.folder(t, 1, other.recipient(t), "un"))
	if _, err := Lists(ctx, p.state, a, p.vault); !errors.Is(err, &fault.Error{Code: "vault.no_list_key"}) {
		t.Errorf("installed without a key: %v", err)
	}
	if _, err := OpenLists(ctx, p.state, a, p.vault); !errors.Is(err, &fault.Error{Code: "vault.no_list_key"}) {
		t.Errorf("opened without a key: %v", err)
	}
}

func TestAttackListGoneFromThePost(t *testing.T) {
	p := newPost(t)
	a := p.apply(t, p.folder(t, 1, p.recipient(t), "un"))
	if _, err := Lists(ctx, p.state, a, p.vault); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(p.state, "lists", "un")); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenLists(ctx, p.state, a, p.vault); !errors.Is(err, store.ErrEmpty) {
		t.Errorf("a post without its list starts: %v", err)
	}
}

func TestListsThatDoNotFit(t *testing.T) {
	p := newPost(t)
	a := p.apply(t, p.folder(t, 1, p.recipient(t), "national", "un"))
	if _, err := Lists(ctx, p.state, a, p.vault); err != nil {
		t.Fatal(err)
	}
	for _, available := range []int64{-1, 0, budget.Reserve} {
		if _, err := openWithin(ctx, p.state, a, p.vault, available); !errors.Is(err, budget.ErrOver) {
			t.Errorf("%d bytes: %v", available, err)
		}
	}
	// Nothing is held after it was refused.
	o, err := openWithin(ctx, p.state, a, p.vault, budget.Reserve+1<<20)
	if err != nil || len(o.Lists) != 2 {
		t.Fatal(err)
	}
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
}
