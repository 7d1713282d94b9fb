// Package audittest makes audit logs with signed heads in memory, for the tests
// of whoever keeps or judges heads.
package audittest

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/audit/checkpoint"
	"github.com/watchpost/watchpost/device/audit/witness"
)

// Log is an audit log in memory that may be tampered with. It is for one
// goroutine.
type Log struct {
	RawLines  [][]byte
	RawHashes [][]byte
	RawHeads  [][]byte
	Now       time.Time // of the next line or head; each line takes a second

	Origin  string
	Public  ed25519.PublicKey
	signing *audit.Signing
}

var (
	_ audit.HeadStore = (*Log)(nil)
	_ audit.Hashes    = (*Log)(nil)
)

// Start is when the first line of a log is written.
var Start = time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)

// Key is a private key that is the same for the same name.
func Key(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("audittest/" + name))
	return ed25519.NewKeyFromSeed(seed[:])
}

// New returns the log of a post with the start of a run as its only line, and
// a head over it.
func New(t testing.TB, post string) *Log { return NewWithKey(t, post, post) }

// NewWithKey is New with the key of another name.
func NewWithKey(t testing.TB, post, key string) *Log {
	t.Helper()
	private := Key(key)
	l := &Log{Now: Start, Origin: checkpoint.Origin(post), Public: private.Public().(ed25519.PublicKey)}
	l.signing = &audit.Signing{EveryLines: 1 << 30, Signer: &checkpoint.Signer{
		Origin: l.Origin, Public: l.Public, Seed: func() ([]byte, error) { return private.Seed(), nil },
	}}
	l.Append(t, audit.Line{Actor: "post", Action: audit.PostStarted})
	l.Sign(t, checkpoint.Start)
	return l
}

// Append writes a line.
func (l *Log) Append(t testing.TB, line audit.Line) {
	t.Helper()
	line.Time = l.Now
	l.Now = l.Now.Add(time.Second)
	if _, err := audit.Append(l, line); err != nil {
		t.Fatal(err)
	}
}

// Searches writes n searches of an officer.
func (l *Log) Searches(t testing.TB, officer string, n int) {
	t.Helper()
	for range n {
		l.Append(t, audit.Line{Actor: officer, Action: audit.Searched, Encounter: "e" + strconv.Itoa(len(l.RawLines)), Purpose: "border_check"})
	}
}

// Sign signs a head and returns it.
func (l *Log) Sign(t testing.TB, why checkpoint.Why) []byte {
	t.Helper()
	if err := l.signing.Sign(l, why, l.Now); err != nil {
		t.Fatal(err)
	}
	return l.RawHeads[len(l.RawHeads)-1]
}

// Work writes rounds of n searches with a head after each.
func (l *Log) Work(t testing.TB, rounds, n int) {
	t.Helper()
	for range rounds {
		l.Searches(t, "o1", n)
		l.Sign(t, checkpoint.Interval)
	}
}

// Submission is head number n for a witness that holds a head over from lines.
func (l *Log) Submission(t testing.TB, n int, from int64) witness.Submission {
	t.Helper()
	c, err := checkpoint.Parse(l.RawHeads[n])
	if err != nil {
		t.Fatal(err)
	}
	p, err := audit.Prove(l, from, c.Lines)
	if err != nil {
		t.Fatal(err)
	}
	return witness.Submission{Head: l.RawHeads[n], From: from, Proof: p}
}

// Checkpoint reads head number n.
func (l *Log) Checkpoint(t testing.TB, n int) checkpoint.Checkpoint {
	t.Helper()
	c, err := checkpoint.Open(l.RawHeads[n], l.Origin, l.Verifier(t))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// KeyText is the log's public key as text.
func (l *Log) KeyText() string { return checkpoint.Key(l.Origin, l.Public) }

// Verifier is the log's public key.
func (l *Log) Verifier(t testing.TB) note.Verifier {
	t.Helper()
	v, err := checkpoint.ParseKey(l.KeyText())
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// Clone copies a log, so that two histories can part from here.
func (l *Log) Clone() *Log {
	c := *l
	c.RawLines, c.RawHashes, c.RawHeads = deep(l.RawLines), deep(l.RawHashes), deep(l.RawHeads)
	return &c
}

func deep(in [][]byte) [][]byte {
	out := make([][]byte, len(in))
	for i := range in {
		out[i] = slices.Clone(in[i])
	}
	return out
}

var errNone = errors.New("not held")

// Lines implements audit.Store.
func (l *Log) Lines() (int64, error) { return int64(len(l.RawLines)), nil }

// Line implements audit.Store.
func (l *Log) Line(seq int64) ([]byte, error) { return get(l.RawLines, seq) }

// Hash implements audit.Store.
func (l *Log) Hash(i int64) ([]byte, error) { return get(l.RawHashes, i) }

// PutLine implements audit.Store.
func (l *Log) PutLine(seq int64, raw []byte) error {
	if seq < int64(len(l.RawLines)) {
		l.RawLines[seq] = slices.Clone(raw)
		return nil
	}
	l.RawLines = append(l.RawLines, slices.Clone(raw))
	return nil
}

// PutHash implements audit.Store.
func (l *Log) PutHash(_ int64, h []byte) error {
	l.RawHashes = append(l.RawHashes, slices.Clone(h))
	return nil
}

// Heads implements audit.HeadStore.
func (l *Log) Heads() (int64, error) { return int64(len(l.RawHeads)), nil }

// Head implements audit.HeadStore.
func (l *Log) Head(n int64) ([]byte, error) { return get(l.RawHeads, n) }

// PutHead implements audit.HeadStore.
func (l *Log) PutHead(_ int64, raw []byte) error {
	l.RawHeads = append(l.RawHeads, slices.Clone(raw))
	return nil
}

func get(all [][]byte, n int64) ([]byte, error) {
	if n < 0 || n >= int64(len(all)) || all[n] == nil {
		return nil, errNone
	}
	return all[n], nil
}
