package store

import (
	"encoding/binary"

	"go.etcd.io/bbolt"

	"github.com/watchpost/watchpost/device/audit"
)

// Waiting is a message in the outbox.
type Waiting struct {
	Seq     int64
	Message []byte
}

// send puts a message behind all others.
func (w *writer) send(message []byte) error {
	seq, err := w.tx.Bucket(bucketOutbox).NextSequence()
	if err != nil {
		return err
	}
	return w.seal(bucketOutbox, string(number(int64(seq))), message, true)
}

// Outbox returns up to limit messages, oldest first.
func (s *Store) Outbox(limit int) ([]Waiting, error) {
	var out []Waiting
	err := s.view(func(tx *bbolt.Tx, keys *keyFile) error {
		c := tx.Bucket(bucketOutbox).Cursor()
		for k, value := c.First(); k != nil && len(out) < limit; k, value = c.Next() {
			plain, err := keys.opened(bucketOutbox, string(k), value)
			if err != nil {
				return err
			}
			out = append(out, Waiting{Seq: int64(binary.BigEndian.Uint64(k)), Message: plain})
		}
		return nil
	})
	return out, err
}

// Delivered takes a message out of the outbox once central's signed receipt
// for it has been checked, and destroys its key.
func (s *Store) Delivered(seq int64, line audit.Line) error {
	return s.update(func(w *writer) error {
		if err := w.remove(bucketOutbox, string(number(seq))); err != nil {
			return err
		}
		return w.audit(line)
	})
}
