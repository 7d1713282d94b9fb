package audit

import (
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/watchpost/watchpost/device/audit/checkpoint"
	"github.com/watchpost/watchpost/device/fault"
)

// HeadStore is a log with its signed heads, within one transaction. Heads are
// numbered from 0 without gaps and never change.
type HeadStore interface {
	Store
	Heads() (int64, error)           // number of heads held
	Head(n int64) ([]byte, error)    // as signed
	PutHead(n int64, b []byte) error // n is Heads()
}

// Signing signs heads of one post's log. Its fields do not change once it is
// in use; it is safe for concurrent use if Signer is.
type Signing struct {
	Signer     note.Signer // named by the log's origin
	EveryLines int64       // a head is due after so many lines since the last one
}

// Due reports whether so many lines came since the last head that the
// transaction under way has to sign one.
func (g *Signing) Due(s HeadStore) (bool, error) {
	last, held, err := LastHead(s)
	if err != nil {
		return false, err
	}
	n, err := s.Lines()
	if err != nil {
		return false, fault.Wrap("audit.read", err)
	}
	if !held {
		return n >= g.EveryLines, nil
	}
	return n-last.Lines >= g.EveryLines, nil
}

// Sign signs the log as it stands in the transaction and keeps the head.
func (g *Signing) Sign(s HeadStore, why checkpoint.Why, now time.Time) error {
	n, err := s.Lines()
	if err != nil {
		return fault.Wrap("audit.read", err)
	}
	root, err := tlog.TreeHash(n, reader{s})
	if err != nil {
		return fault.Wrap("audit.damaged", err)
	}
	number, err := s.Heads()
	if err != nil {
		return fault.Wrap("audit.read", err)
	}
	raw, err := checkpoint.Sign(checkpoint.Checkpoint{
		Origin: g.Signer.Name(), Lines: n, Root: root, Number: number, Time: now, Why: why,
	}, g.Signer)
	if err != nil {
		return err
	}
	return fault.Wrap("audit.write", s.PutHead(number, raw))
}

// LastHead returns the newest head as the post wrote it; held is false where
// there is none yet.
func LastHead(s HeadStore) (c checkpoint.Checkpoint, held bool, err error) {
	n, err := s.Heads()
	if err != nil || n == 0 {
		return c, false, fault.Wrap("audit.read", err)
	}
	raw, err := s.Head(n - 1)
	if err != nil {
		return c, false, fault.Wrap("audit.read", err)
	}
	c, err = checkpoint.Parse(raw)
	return c, err == nil, err
}

// Prove returns the proof (RFC 6962, 2.1.2) that the first from lines of a log
// are still what a head over them says, in a log of size lines. It is empty
// where from is 0 or size: there is nothing to prove.
func Prove(s Store, from, size int64) (tlog.TreeProof, error) {
	if from == 0 || from == size {
		return nil, nil
	}
	n, err := s.Lines()
	if err != nil {
		return nil, fault.Wrap("audit.read", err)
	}
	if from < 0 || from > size || size > n {
		return nil, fault.New("audit.truncated", "no proof from %d to %d lines: the log has %d", from, size, n)
	}
	p, err := tlog.ProveTree(size, from, reader{s})
	return p, fault.Wrap("audit.damaged", err)
}
