package vault

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"sync"
)

// macs are the keyed hashes of one key, kept for the next call: their pads are
// the key but for a constant, so that all of them have to be known and wiped.
// It is safe for concurrent use.
type macs struct {
	mu   sync.Mutex
	free []hash.Hash
	all  []hash.Hash
}

// with runs f on a keyed hash.
func (m *macs) with(key []byte, f func(hash.Hash)) {
	m.mu.Lock()
	var h hash.Hash
	if last := len(m.free) - 1; last >= 0 {
		h, m.free = m.free[last], m.free[:last]
	} else {
		h = hmac.New(sha256.New, key)
		m.all = append(m.all, h)
	}
	m.mu.Unlock()
	h.Reset()
	f(h)
	m.mu.Lock()
	m.free = append(m.free, h)
	m.mu.Unlock()
}

// wipe ends them. Nobody is in with.
func (m *macs) wipe() {
	for _, h := range m.all {
		wipeDeep(h)
	}
	m.all, m.free = nil, nil
}

// MAC returns HMAC-SHA-256 of the parts, each preceded by its length, so that
// no two lists of parts give the same message.
func (k *Key) MAC(parts ...[]byte) (sum [32]byte, err error) {
	err = k.use(func() error {
		k.macs.with(k.raw, func(h hash.Hash) {
			var length [4]byte
			for _, p := range parts {
				binary.BigEndian.PutUint32(length[:], uint32(len(p)))
				h.Write(length[:])
				h.Write(p)
			}
			h.Sum(sum[:0])
		})
		return nil
	})
	return sum, err
}

// Derive returns the key that HKDF-SHA-256 gives for label: the same label
// always gives the same key, and no label tells of another. It is the one
// block of HKDF-Expand (RFC 5869, 2010, section 2.3); crypto/hkdf would leave
// the key's pads behind on the heap.
func (k *Key) Derive(label string) (*Key, error) {
	raw := make([]byte, 0, KeySize)
	err := k.use(func() error {
		k.macs.with(k.raw, func(h hash.Hash) {
			h.Write([]byte("watchpost/1/" + label))
			h.Write([]byte{1})
			raw = h.Sum(raw)
		})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return (&Ring{arena: k.arena}).Import(raw)
}
