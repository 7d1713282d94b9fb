package store

import (
	"encoding/binary"
	"encoding/json"
	"errors"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/device/watchlist/docnumber"
	"github.com/watchpost/watchpost/device/watchlist/record"
)

// RecordKey names a record within its generation: HMAC-SHA-256 of its
// identifier under the generation's index key, cut to 128 bits.
type RecordKey [16]byte

// Locator is what the document table holds of a record's key.
func (k RecordKey) Locator() docnumber.Locator {
	return docnumber.Locator(binary.BigEndian.Uint64(k[:8]))
}

// sealer seals and opens the records of one generation. It is safe for
// concurrent use.
type sealer struct {
	key    *vault.Key // generation key
	index  *vault.Key // derived from it
	prefix []byte     // of the additional data
}

func newSealer(key *vault.Key, list string, generation uint64) (*sealer, error) {
	index, err := key.Derive("index")
	if err != nil {
		return nil, err
	}
	return &sealer{key, index, vault.Identity("watchpost/record/1", list, decimal(generation), decimal(record.SchemaVersion))}, nil
}

func (s *sealer) recordKey(id string) (k RecordKey, err error) {
	sum, err := s.index.MAC([]byte("record"), []byte(id))
	copy(k[:], sum[:])
	return k, err
}

func (s *sealer) identity(k RecordKey) []byte {
	id := make([]byte, 0, len(s.prefix)+len(k))
	return append(append(id, s.prefix...), k[:]...)
}

// seal returns the sealed JSON of a stripped record.
func (s *sealer) seal(k RecordKey, r *record.Record) ([]byte, error) {
	text, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	if len(text) > maxRecord-vault.Overhead {
		return nil, fault.New("store.record_size", "a record of %d bytes, at most %d", len(text), maxRecord-vault.Overhead)
	}
	return s.key.Seal(make([]byte, 0, len(text)+vault.Overhead), text, s.identity(k))
}

func (s *sealer) open(k RecordKey, sealed []byte) (*record.Record, error) {
	plain, err := s.key.Open(make([]byte, 0, len(sealed)), sealed, s.identity(k))
	if errors.Is(err, vault.ErrLocked) {
		return nil, err
	}
	if err != nil {
		return nil, damaged("a record does not open")
	}
	r := &record.Record{}
	if err := json.Unmarshal(plain, r); err != nil {
		return nil, damaged("a record cannot be read")
	}
	return r, nil
}

// strip leaves out of a record what the list says for all; fill puts it back.
func (m *Manifest) strip(r record.Record) *record.Record {
	if r.List == m.List {
		r.List = ""
	}
	if r.Owner == m.Owner {
		r.Owner = ""
	}
	if r.LegalBasis == m.LegalBasis {
		r.LegalBasis = ""
	}
	if r.Purpose == m.Purpose {
		r.Purpose = ""
	}
	if r.Handling == m.Handling {
		r.Handling = record.Handling{}
	}
	if r.Expires != nil && r.Expires.Equal(m.Expires) {
		r.Expires = nil
	}
	return &r
}

func (m *Manifest) fill(r record.Record) *record.Record {
	if r.List == "" {
		r.List = m.List
	}
	if r.Owner == "" {
		r.Owner = m.Owner
	}
	if r.LegalBasis == "" {
		r.LegalBasis = m.LegalBasis
	}
	if r.Purpose == "" {
		r.Purpose = m.Purpose
	}
	if r.Handling == (record.Handling{}) {
		r.Handling = m.Handling
	}
	if r.Expires == nil {
		expires := m.Expires
		r.Expires = &expires
	}
	return &r
}
