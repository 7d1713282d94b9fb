package store

import (
	"go.etcd.io/bbolt"

	"github.com/watchpost/watchpost/device/audit"
)

// Passkeys returns the passkeys kept for an officer, nil if there are none.
func (s *Store) Passkeys(officer string) ([]byte, error) {
	var plain []byte
	err := s.db.View(func(tx *bbolt.Tx) error {
		sealed := tx.Bucket(bucketPasskeys).Get([]byte(officer))
		if sealed == nil {
			return nil
		}
		var err error
		plain, err = s.sealer.Open(identity(bucketPasskeys, officer), sealed)
		return err
	})
	return plain, coded(err)
}

// SetPasskeys keeps raw for an officer together with its audit line.
func (s *Store) SetPasskeys(officer string, raw []byte, line audit.Line) error {
	return coded(s.db.Update(func(tx *bbolt.Tx) error {
		sealed, err := s.sealer.Seal(identity(bucketPasskeys, officer), raw)
		if err != nil {
			return err
		}
		if err := tx.Bucket(bucketPasskeys).Put([]byte(officer), sealed); err != nil {
			return err
		}
		_, err = audit.Append(auditTx{tx}, line)
		return err
	}))
}
