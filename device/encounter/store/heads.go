package store

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io/fs"
	"path/filepath"
	"sync/atomic"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/audit/checkpoint"
	"github.com/watchpost/watchpost/device/fault"
)

// signing is how a store signs heads of its audit log; the zero value does not.
type signing struct{ with atomic.Pointer[headSigner] }

type headSigner struct {
	*audit.Signing
	now    func() time.Time
	failed func(error)
}

// SignHeads makes every transaction that completes g.EveryLines lines sign a
// head in it. A head that cannot be signed (the vault has locked) does not undo
// what the transaction wrote: failed is told, and the head is late.
func (s *Store) SignHeads(g *audit.Signing, now func() time.Time, failed func(error)) {
	s.heads.with.Store(&headSigner{g, now, failed})
}

// after signs a head if the transaction has made one due.
func (g *signing) after(a auditTx) error {
	with := g.with.Load()
	if with == nil {
		return nil
	}
	due, err := with.Due(a)
	if err == nil && due {
		err = with.Sign(a, checkpoint.Lines, with.now())
	}
	if err != nil {
		with.failed(err)
	}
	return nil
}

// SignHead signs a head now, together with the lines that say why. It fails
// with the vault's code where the key is not open.
func (s *Store) SignHead(why checkpoint.Why, lines ...audit.Line) error {
	g := s.heads.with.Load()
	if g == nil {
		return fault.New("audit.no_key", "the store was given no key for heads")
	}
	return s.update(func(w *writer) error {
		for _, line := range lines {
			if _, err := audit.Append(auditTx{w.tx}, line); err != nil {
				return err
			}
		}
		return g.Sign(auditTx{w.tx}, why, g.now())
	})
}

// Heads returns up to limit signed heads from number from on.
func (s *Store) Heads(from int64, limit int) ([][]byte, error) {
	var out [][]byte
	err := s.readLog(func(a auditTx) error {
		b := a.tx.Bucket(bucketHeads)
		if b == nil { // opened for reading only, and written by an earlier version
			return nil
		}
		c := b.Cursor()
		for k, v := c.Seek(number(from)); k != nil && len(out) < limit; k, v = c.Next() {
			out = append(out, bytes.Clone(v))
		}
		return nil
	})
	return out, err
}

// LastHead returns the newest head; held is false where there is none.
func (s *Store) LastHead() (c checkpoint.Checkpoint, held bool, err error) {
	err = s.readLog(func(a auditTx) (err error) { c, held, err = audit.LastHead(a); return err })
	return c, held, err
}

// ProveAudit returns the proof that a log of size lines continues one of from.
func (s *Store) ProveAudit(from, size int64) (p tlog.TreeProof, err error) {
	err = s.readLog(func(a auditTx) (err error) { p, err = audit.Prove(a, from, size); return err })
	return p, err
}

// Mark is how far a witness of the audit log has come.
type Mark struct {
	Next  int64 `json:"next"`  // number of the head that it gets next
	Lines int64 `json:"lines"` // under the last head that it took
}

const markPrefix = "audit.witness."

// Mark returns how far a witness has come, the zero Mark for a new one.
func (s *Store) Mark(witness string) (m Mark, err error) {
	raw, err := s.Cursor(markPrefix + witness)
	if err != nil || raw == nil {
		return Mark{}, err
	}
	return m, fault.Wrap(ErrDamaged.Code, json.Unmarshal(raw, &m))
}

// SetMark notes how far a witness has come. It writes no audit line: a line for
// every head would make the next head due for ever.
func (s *Store) SetMark(witness string, m Mark) error {
	raw, err := json.Marshal(m)
	if err != nil {
		return fault.Wrap("store.failed", err)
	}
	return s.Note(markPrefix+witness, raw)
}

// ReadAudit calls f with the audit log of dir/post.db, opened for reading only:
// nothing of a disk under investigation is changed, and no key is needed.
// ErrLocked while a post has it open.
func ReadAudit(dir string, f func(*Store) error) error {
	path := filepath.Join(dir, "post.db")
	var db *bbolt.DB
	err := guarded(func() (err error) {
		db, err = bbolt.Open(path, 0o400, &bbolt.Options{Timeout: lockTimeout, ReadOnly: true})
		return err
	})
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return ErrLocked
	case errors.As(err, new(*fs.PathError)):
		return fault.New("store.unreadable", "%w", err).WithHint("check the folder, and who may read it")
	case err != nil:
		return fault.New(ErrDamaged.Code, "%w", err).WithHint(ErrDamaged.Hint)
	}
	defer db.Close()
	s := &Store{dir: dir, db: db}
	if err := guarded(func() error { return whole(db) }); err != nil {
		return err
	}
	err = s.readLog(func(a auditTx) error {
		if a.tx.Bucket(bucketLines) == nil || a.tx.Bucket(bucketHashes) == nil {
			return fault.New(ErrDamaged.Code, "post.db holds no audit log").WithHint(ErrDamaged.Hint)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return f(s)
}

// CheckAudit holds the log against heads kept elsewhere, and against its own.
func (s *Store) CheckAudit(r audit.Rules, sources ...audit.Evidence) (h audit.Head, all []audit.Finding, err error) {
	err = s.readLog(func(a auditTx) (err error) { h, all, err = audit.Check(a, r, sources...); return err })
	return h, all, err
}

// Heads is the number of heads held.
func (a auditTx) Heads() (int64, error) {
	b := a.tx.Bucket(bucketHeads)
	if b == nil {
		return 0, nil
	}
	k, _ := b.Cursor().Last()
	if k == nil {
		return 0, nil
	}
	return int64(binary.BigEndian.Uint64(k)) + 1, nil
}

// Head returns one head as signed.
func (a auditTx) Head(n int64) ([]byte, error) { return a.get(bucketHeads, n) }

// PutHead keeps a head.
func (a auditTx) PutHead(n int64, raw []byte) error {
	return a.tx.Bucket(bucketHeads).Put(number(n), raw)
}
