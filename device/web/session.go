package web

import (
	"crypto/rand"
	"encoding/base64"
	"sync"
	"time"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/officer"
)

// Limits of sessions.
const (
	sessionIdle  = 30 * time.Minute // OWASP session guidance: 15 to 30 minutes for such work
	sessionLife  = 12 * time.Hour   // one shift
	sessionsEach = 16               // sessions an account may hold; the oldest gives way
)

// session is one signed-in officer. It is changed under the lock of its
// sessions only.
type session struct {
	account *officer.Account
	csrf    string // what unsafe calls by cookie must repeat in a header
	browser bool   // held in a cookie
	begun   time.Time
	used    time.Time
}

// sessions are the signed-in officers of this run of the daemon. Tokens live
// in memory only: a restart signs everybody out, and encounters stay.
type sessions struct {
	now func() time.Time

	mu   sync.Mutex // protects the map and what the sessions hold
	held map[string]*session
}

func newSessions(now func() time.Time) *sessions {
	return &sessions{now: now, held: make(map[string]*session)}
}

var (
	errNoSession = &fault.Error{Code: "session.missing", Hint: "sign in first"}
	errExpired   = &fault.Error{Code: "session.expired", Hint: "sign in again; the encounter is still there"}
	errCSRF      = &fault.Error{Code: "session.csrf", Hint: "repeat the csrf value of GET /v1/session in the header X-CSRF-Token"}
)

// secret returns 256 random bits in URL-safe text.
func secret() string {
	raw := make([]byte, 32)
	rand.Read(raw) // never fails (crypto/rand, Go 1.24)
	return base64.RawURLEncoding.EncodeToString(raw)
}

// add makes a session and returns its token.
func (s *sessions) add(a *officer.Account, browser bool) (string, session) {
	token := secret()
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	oldest, held := "", 0
	for t, h := range s.held {
		if s.over(h, now) {
			delete(s.held, t)
			continue
		}
		if h.account.ID == a.ID {
			held++
			if oldest == "" || h.begun.Before(s.held[oldest].begun) {
				oldest = t
			}
		}
	}
	if held >= sessionsEach {
		delete(s.held, oldest)
	}
	made := &session{account: a, csrf: secret(), browser: browser, begun: now, used: now}
	s.held[token] = made
	return token, *made
}

// over reports whether a session has run out. A clock that was put back does
// not lengthen one. s.mu is held.
func (s *sessions) over(h *session, now time.Time) bool {
	return now.Sub(h.used) >= sessionIdle || now.Sub(h.begun) >= sessionLife || now.Before(h.begun.Add(-time.Minute)) || h.account.InForce(now) != nil
}

// get returns the session of a token and, if it is used by an officer rather
// than by a stream that merely stays open, keeps it alive. A token that names
// no session was one once: sessions do not outlive the daemon.
func (s *sessions) get(token string, use bool) (session, error) {
	if token == "" {
		return session{}, errNoSession
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	held := s.held[token]
	if held == nil {
		return session{}, errExpired
	}
	now := s.now()
	if s.over(held, now) {
		delete(s.held, token)
		return session{}, errExpired
	}
	if use {
		held.used = now
	}
	return *held, nil
}

func (s *sessions) end(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.held, token)
}
