package store

import (
	"bytes"
	"encoding/binary"
	"time"

	"go.etcd.io/bbolt"

	"github.com/watchpost/watchpost/device/audit"
)

// AuditHead returns the head of the audit log.
func (s *Store) AuditHead() (h audit.Head, err error) {
	err = s.readLog(func(a auditTx) (err error) { h, err = audit.HeadOf(a); return err })
	return h, err
}

// VerifyAudit reads the whole log again against heads noted elsewhere.
func (s *Store) VerifyAudit(known ...audit.Head) (h audit.Head, err error) {
	err = s.readLog(func(a auditTx) (err error) { h, err = audit.Verify(a, known...); return err })
	return h, err
}

// cutAtOnce bounds the lines cut in one transaction.
const cutAtOnce = 2000

// CutAudit cuts the oldest lines of the audit log that were written before
// before and are under heads kept elsewhere: covered of them. It returns how
// many it cut, at most cutAtOnce.
func (s *Store) CutAudit(now, before time.Time, covered int64) (n int, err error) {
	err = s.update(func(w *writer) (err error) {
		n, err = audit.Cut(auditTx{w.tx}, now, before, covered, cutAtOnce)
		return err
	})
	return n, err
}

// AuditLines returns up to limit lines from number from on, as written.
func (s *Store) AuditLines(from int64, limit int) ([][]byte, error) {
	var out [][]byte
	err := s.readLog(func(a auditTx) error {
		c := a.tx.Bucket(bucketLines).Cursor()
		for k, v := c.Seek(number(from)); k != nil && len(out) < limit; k, v = c.Next() {
			out = append(out, bytes.Clone(v))
		}
		return nil
	})
	return out, err
}

// readLog reads the audit log, for which no key is needed.
func (s *Store) readLog(f func(auditTx) error) error {
	return coded(guarded(func() error { return s.db.View(func(tx *bbolt.Tx) error { return f(auditTx{tx}) }) }))
}

// auditTx is the audit log inside one transaction.
type auditTx struct{ tx *bbolt.Tx }

func (a auditTx) Lines() (int64, error) {
	k, _ := a.tx.Bucket(bucketLines).Cursor().Last()
	if k == nil {
		return 0, nil
	}
	return int64(binary.BigEndian.Uint64(k)) + 1, nil
}

func (a auditTx) Line(seq int64) ([]byte, error) { return a.get(bucketLines, seq) }

func (a auditTx) Hash(index int64) ([]byte, error) { return a.get(bucketHashes, index) }

func (a auditTx) PutLine(seq int64, raw []byte) error {
	return a.tx.Bucket(bucketLines).Put(number(seq), raw)
}

func (a auditTx) PutHash(index int64, h []byte) error {
	return a.tx.Bucket(bucketHashes).Put(number(index), h)
}

func (a auditTx) get(bucket []byte, n int64) ([]byte, error) {
	v := a.tx.Bucket(bucket).Get(number(n))
	if v == nil {
		return nil, ErrNotFound
	}
	return v, nil
}
