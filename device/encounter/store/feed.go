package store

import (
	"bytes"
	"strings"

	"go.etcd.io/bbolt"

	"github.com/watchpost/watchpost/device/audit"
)

// Cursors returns all values kept under names that begin with prefix.
func (s *Store) Cursors(prefix string) (map[string][]byte, error) {
	all := map[string][]byte{}
	err := s.view(func(tx *bbolt.Tx, _ *keyFile) error {
		c := tx.Bucket(bucketCursors).Cursor()
		for k, v := c.Seek([]byte(prefix)); k != nil && strings.HasPrefix(string(k), prefix); k, v = c.Next() {
			all[string(k)] = bytes.Clone(v)
		}
		return nil
	})
	return all, err
}

// SetCursors keeps values under their names, removes those that are nil, and
// writes audit lines, all in one transaction.
func (s *Store) SetCursors(changes map[string][]byte, lines ...audit.Line) error {
	return s.update(func(w *writer) error {
		for name, value := range changes {
			var err error
			if value == nil {
				err = w.delete(bucketCursors, []byte(name))
			} else {
				err = w.put(bucketCursors, []byte(name), value)
			}
			if err != nil {
				return err
			}
		}
		return w.audit(lines...)
	})
}
