package vault

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"log/slog"
	"sync"

	"github.com/watchpost/watchpost/device/fault"
)

// KeySize is the length of every key in bytes.
const KeySize = 32

// Overhead is how many bytes sealing adds: a 96-bit nonce before the text and
// a 128-bit tag after it.
const Overhead = 28

// ErrOpen says that sealed bytes did not open: other key, other identity in
// the additional data, or changed bytes. Which of them cannot be told.
var ErrOpen = &fault.Error{Code: "vault.open"}

// ErrLocked says that the key has been destroyed or its vault locked.
var ErrLocked = &fault.Error{Code: "vault.locked"}

// Key seals, opens and derives. The bytes stay in the arena of the ring that
// made it. A Key is safe for concurrent use; after Destroy every call fails
// with vault.locked.
type Key struct {
	arena *arena
	macs  macs

	mu   sync.RWMutex // held for reading while raw or aead are in use, for writing while the key dies
	raw  []byte
	aead cipher.AEAD // nil once the key is dead
}

// Ring is where keys live outside a vault: publishers and tests that make
// lists have one; a Vault holds its own. It is safe for concurrent use.
type Ring struct {
	arena *arena
}

// NewRing returns an empty ring.
func NewRing() *Ring { return &Ring{arena: &arena{}} }

// Close wipes every key of the ring.
func (r *Ring) Close() { r.arena.close() }

// Random returns a fresh random key.
func (r *Ring) Random() (*Key, error) {
	return r.fill(func(slot []byte) error {
		_, err := rand.Read(slot)
		return err
	})
}

// Import takes a key's raw bytes into the ring and wipes them where they were.
func (r *Ring) Import(raw []byte) (*Key, error) {
	if len(raw) != KeySize {
		return nil, fault.New("vault.key_size", "a key has %d bytes, not %d", KeySize, len(raw))
	}
	return r.fill(func(slot []byte) error {
		copy(slot, raw)
		wipe(raw)
		return nil
	})
}

func (r *Ring) fill(write func([]byte) error) (*Key, error) {
	slot, err := r.arena.take()
	if err != nil {
		return nil, err
	}
	if err := write(slot); err != nil {
		r.arena.give(slot)
		return nil, fault.Wrap("vault.key", err)
	}
	block, err := aes.NewCipher(slot)
	if err != nil {
		r.arena.give(slot)
		return nil, fault.Wrap("vault.key", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	wipeDeep(block) // the mode has a copy
	if err != nil {
		r.arena.give(slot)
		return nil, fault.Wrap("vault.key", err)
	}
	k := &Key{arena: r.arena, raw: slot, aead: aead}
	r.arena.adopt(k)
	return k, nil
}

// use runs f while the key is alive and cannot die.
func (k *Key) use(f func() error) error {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if k.aead == nil {
		return fault.New("vault.locked", "the key has been destroyed")
	}
	return f()
}

// Seal appends nonce, ciphertext and tag of plain to dst and returns it. The
// result is Overhead bytes longer than plain; plain and dst must not overlap.
func (k *Key) Seal(dst, plain, identity []byte) ([]byte, error) {
	err := k.use(func() error {
		dst = k.aead.Seal(dst, nil, plain, identity)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return dst, nil
}

// Open appends the plaintext of sealed to dst and returns it, or ErrOpen.
// Nothing of the plaintext is released before it is authenticated.
func (k *Key) Open(dst, sealed, identity []byte) ([]byte, error) {
	err := k.use(func() (err error) {
		dst, err = k.aead.Open(dst, nil, sealed, identity)
		if err != nil {
			return fault.New("vault.open", "sealed bytes do not open under this key and identity")
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return dst, nil
}

// Destroy wipes the key after calls under way have ended. Calling it again,
// or on nil, does nothing.
func (k *Key) Destroy() {
	if k == nil {
		return
	}
	if k.kill() {
		k.arena.disown(k)
		k.arena.give(k.raw)
	}
}

// kill ends the key, and tells whether it was alive.
func (k *Key) kill() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	alive := k.aead != nil
	if alive {
		wipeDeep(k.aead)
		k.macs.wipe()
	}
	k.aead = nil
	return alive
}

// String keeps keys out of formatted text.
func (k *Key) String() string { return "[key]" }

// GoString keeps keys out of formatted text.
func (k *Key) GoString() string { return "[key]" }

// LogValue keeps keys out of logs.
func (k *Key) LogValue() slog.Value { return slog.StringValue("[key]") }
