package store

import (
	"go.etcd.io/bbolt"

	"github.com/watchpost/watchpost/device/audit"
)

// Passkeys returns the passkeys kept for an officer, nil if there are none.
func (s *Store) Passkeys(officer string) ([]byte, error) {
	var plain []byte
	err := s.view(func(tx *bbolt.Tx, _ *keyFile) error {
		sealed := tx.Bucket(bucketPasskeys).Get([]byte(officer))
		if sealed == nil {
			return nil
		}
		var err error
		plain, err = s.sealer.Open(identity(bucketPasskeys, officer), sealed)
		return err
	})
	return plain, err
}

// SetPasskeys keeps raw for an officer together with its audit line.
func (s *Store) SetPasskeys(officer string, raw []byte, line audit.Line) error {
	return s.update(func(w *writer) error {
		sealed, err := s.sealer.Seal(identity(bucketPasskeys, officer), raw)
		if err != nil {
			return err
		}
		if err := w.put(bucketPasskeys, []byte(officer), sealed); err != nil {
			return err
		}
		return w.audit(line)
	})
}
