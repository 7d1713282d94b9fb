package feeds

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"net"
	"os"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed/carrier"
	"github.com/watchpost/watchpost/device/vault"
)

// boxKeyCursor is where post.db keeps the seed of the key by which other boxes
// know this one, sealed. It signs nothing that decides.
const boxKeyCursor = "feedbox.key"

func boxIdentity() []byte { return vault.Identity("watchpost/feedbox/1") }

// boxKey returns the key of this box, making it at the first use.
func (f *Feed) boxKey() (ed25519.PrivateKey, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	sealed, err := f.o.Store.Cursor(boxKeyCursor)
	if err != nil {
		return nil, err
	}
	if sealed != nil {
		seed, err := f.o.Sealer.Open(boxIdentity(), sealed)
		if err != nil || len(seed) != ed25519.SeedSize {
			return nil, fault.New("store.damaged", "the box's key does not open: %w", err)
		}
		defer clear(seed)
		return ed25519.NewKeyFromSeed(seed), nil
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fault.Wrap("listfeed.pin", err)
	}
	if sealed, err = f.o.Sealer.Seal(boxIdentity(), key.Seed()); err != nil {
		return nil, err
	}
	return key, f.o.Store.Note(boxKeyCursor, sealed)
}

// Pin is what other boxes know this one by.
func (f *Feed) Pin() (carrier.Pin, error) {
	key, err := f.boxKey()
	if err != nil {
		return "", err
	}
	return carrier.PinOf(key.Public().(ed25519.PublicKey))
}

// Listen opens the address on which this box serves others; nil where it does
// not.
func (f *Feed) Listen() (net.Listener, error) {
	s := f.o.Config.Feed.Serve
	if s == nil {
		return nil, nil
	}
	l, err := net.Listen("tcp", s.Listen)
	if err != nil {
		return nil, fault.New("post.listen", "feed.serve: %w", err).WithHint("another program has the address: change feed.serve.listen")
	}
	f.o.Log.Info("feed served", "address", l.Addr().String())
	return l, nil
}

// Serve gives the mirror to the boxes of the configuration until ctx ends.
func (f *Feed) Serve(ctx context.Context, l net.Listener) error {
	key, err := f.boxKey()
	if err != nil {
		return err
	}
	var pins []carrier.Pin
	for _, p := range f.o.Config.Feed.Serve.To {
		pins = append(pins, carrier.Pin(p))
	}
	conf, err := carrier.Mutual(key, pins...)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(f.mirror(), 0o700); err != nil {
		return fault.Wrap("post.state", err)
	}
	mirror, err := carrier.OpenFolder(f.mirror())
	if err != nil {
		return err
	}
	defer mirror.Close()
	return carrier.Serve(ctx, l, mirror, conf)
}
