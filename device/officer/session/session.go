// Package session holds who is signed in at a page, in memory only: a restart
// signs everybody out.
package session

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"sync"
	"time"

	"github.com/watchpost/watchpost/device/fault"
)

// CSRFHeader repeats the session's CSRF value in calls that change something.
const CSRFHeader = "X-CSRF-Token"

// Errors of a call that carries no session in force.
var (
	ErrMissing = &fault.Error{Code: "session.missing", Hint: "sign in first"}
	ErrExpired = &fault.Error{Code: "session.expired", Hint: "sign in again; what was begun is still there"}
	ErrCSRF    = &fault.Error{Code: "session.csrf", Hint: "repeat the csrf value of GET /v1/session in the header " + CSRFHeader}
)

// Options are the limits of a table, and what it asks of who is signed in.
type Options[T any] struct {
	Idle time.Duration // after the last use a session ends
	Life time.Duration // after it began
	Each int           // sessions one person may hold; the oldest gives way

	ID    func(T) string                  // names the person
	Ended func(who T, now time.Time) bool // whether the account has ended, nil never
	Now   func() time.Time
}

// Held is one session. It is a copy.
type Held[T any] struct {
	Who   T
	CSRF  string // what unsafe calls by cookie must repeat in a header
	Begun time.Time
	used  time.Time
}

// Forged returns ErrCSRF unless repeated is the session's CSRF value.
func (h *Held[T]) Forged(repeated string) error {
	if subtle.ConstantTimeCompare([]byte(repeated), []byte(h.CSRF)) != 1 {
		return ErrCSRF
	}
	return nil
}

// Table holds sessions by their token. It is safe for concurrent use.
type Table[T any] struct {
	o Options[T]

	mu   sync.Mutex // protects the map and what the sessions hold
	held map[string]*Held[T]
}

// New returns a table in which nobody is signed in.
func New[T any](o Options[T]) *Table[T] {
	return &Table[T]{o: o, held: make(map[string]*Held[T])}
}

// secret returns 256 random bits in URL-safe text.
func secret() string {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails (crypto/rand, Go 1.24)
	return base64.RawURLEncoding.EncodeToString(raw)
}

// Add makes a session and returns its token.
func (t *Table[T]) Add(who T) (token string, made Held[T]) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now, id := t.o.Now(), t.o.ID(who)
	oldest, n := "", 0
	for token, h := range t.held {
		if t.over(h, now) {
			delete(t.held, token)
			continue
		}
		if t.o.ID(h.Who) == id {
			n++
			if oldest == "" || h.Begun.Before(t.held[oldest].Begun) {
				oldest = token
			}
		}
	}
	if n >= t.o.Each {
		delete(t.held, oldest)
	}
	token, made = secret(), Held[T]{Who: who, CSRF: secret(), Begun: now, used: now}
	t.held[token] = &made
	return token, made
}

// over tells whether a session has run out. A clock that was put back does not
// lengthen one. t.mu is held.
func (t *Table[T]) over(h *Held[T], now time.Time) bool {
	return now.Sub(h.used) >= t.o.Idle || now.Sub(h.Begun) >= t.o.Life || now.Before(h.Begun.Add(-time.Minute)) ||
		t.o.Ended != nil && t.o.Ended(h.Who, now)
}

// Get returns the session of a token and, if a person uses it rather than a
// stream that merely stays open, keeps it alive. A token that names no session
// was one once: sessions do not outlive the program.
func (t *Table[T]) Get(token string, use bool) (Held[T], error) {
	if token == "" {
		return Held[T]{}, ErrMissing
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	h := t.held[token]
	if h == nil {
		return Held[T]{}, ErrExpired
	}
	now := t.o.Now()
	if t.over(h, now) {
		delete(t.held, token)
		return Held[T]{}, ErrExpired
	}
	if use {
		h.used = now
	}
	return *h, nil
}

// End signs out.
func (t *Table[T]) End(token string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.held, token)
}
