package store

import (
	"bytes"

	"go.etcd.io/bbolt"

	"github.com/watchpost/watchpost/device/audit"
)

// Cursor returns the value kept under name, nil if there is none.
func (s *Store) Cursor(name string) ([]byte, error) {
	var v []byte
	err := s.view(func(tx *bbolt.Tx, _ *keyFile) error {
		v = bytes.Clone(tx.Bucket(bucketCursors).Get([]byte(name)))
		return nil
	})
	return v, err
}

// SetCursor keeps value under name together with its audit line.
func (s *Store) SetCursor(name string, value []byte, line audit.Line) error {
	return s.setCursor(name, value, line)
}

// Note keeps value under name without an audit line: for what nobody has
// done, such as the passing of time.
func (s *Store) Note(name string, value []byte) error { return s.setCursor(name, value) }

func (s *Store) setCursor(name string, value []byte, lines ...audit.Line) error {
	return s.update(func(w *writer) error {
		if err := w.put(bucketCursors, []byte(name), value); err != nil {
			return err
		}
		return w.audit(lines...)
	})
}
