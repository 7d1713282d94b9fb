package web

import (
	"time"

	"github.com/watchpost/watchpost/device/officer"
	"github.com/watchpost/watchpost/device/officer/session"
)

// Limits of sessions.
const (
	sessionIdle  = 30 * time.Minute // OWASP session guidance: 15 to 30 minutes for such work
	sessionLife  = 12 * time.Hour   // one shift
	sessionsEach = 16               // sessions an account may hold; the oldest gives way
)

// signer is who is signed in, and how.
type signer struct {
	*officer.Account
	browser bool // held in a cookie
}

// held is the session of one officer. Encounters stay when it ends.
type held = session.Held[signer]

func newSessions(now func() time.Time) *session.Table[signer] {
	return session.New(session.Options[signer]{
		Idle: sessionIdle, Life: sessionLife, Each: sessionsEach, Now: now,
		ID:    func(who signer) string { return who.ID },
		Ended: func(who signer, now time.Time) bool { return who.InForce(now) != nil },
	})
}
