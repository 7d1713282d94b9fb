package web

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/officer"
)

// Limits of sessions.
const (
	sessionIdle    = 30 * time.Minute // OWASP session guidance: 15 to 30 minutes for such work
	sessionLife    = 12 * time.Hour   // one shift
	triesPerWindow = 5                // wrong passwords an account may have
	tryWindow      = 5 * time.Minute
)

// session is one signed-in officer.
type session struct {
	account *officer.Account
	begun   time.Time
	used    time.Time
}

// sessions are the signed-in officers of this run of the daemon. Tokens live
// in memory only: a restart signs everybody out.
type sessions struct {
	now func() time.Time

	mu    sync.Mutex // protects both maps
	held  map[string]*session
	tries map[string][]time.Time // wrong passwords by account id
}

func newSessions(now func() time.Time) *sessions {
	return &sessions{now: now, held: make(map[string]*session), tries: make(map[string][]time.Time)}
}

var (
	errNoSession = &fault.Error{Code: "session.missing", Hint: "sign in first"}
	errExpired   = &fault.Error{Code: "session.expired", Hint: "sign in again; the encounter is still there"}
	errRole      = &fault.Error{Code: "officer.role", Hint: "this needs another role"}
	errTries     = &fault.Error{Code: "officer.too_many_tries", Hint: "wait five minutes, then try again", Retryable: true}
)

// add makes a session and returns its token.
func (s *sessions) add(a *officer.Account) string {
	raw := make([]byte, 32)
	rand.Read(raw) // never fails (crypto/rand, Go 1.24)
	token := base64.RawURLEncoding.EncodeToString(raw)
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	s.held[token] = &session{account: a, begun: now, used: now}
	return token
}

// get returns the account of a token and keeps its session alive.
func (s *sessions) get(token string) (*officer.Account, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	held := s.held[token]
	if held == nil {
		return nil, errNoSession
	}
	now := s.now()
	if now.Sub(held.used) >= sessionIdle || now.Sub(held.begun) >= sessionLife || !now.Before(held.account.Expires) {
		delete(s.held, token)
		return nil, errExpired
	}
	held.used = now
	return held.account, nil
}

func (s *sessions) end(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.held, token)
}

// mayTry reports whether an account may be tried; failed notes a wrong try.
func (s *sessions) mayTry(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	s.tries[id] = slices.DeleteFunc(s.tries[id], func(t time.Time) bool { return now.Sub(t) >= tryWindow })
	if len(s.tries[id]) == 0 {
		delete(s.tries, id)
	}
	return len(s.tries[id]) < triesPerWindow
}

func (s *sessions) failed(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tries[id] = append(s.tries[id], s.now())
}

type contextKey struct{}

// authenticate puts the officer of the session into the context of every
// operation that declares the session scheme.
func (s *Server) authenticate(ctx huma.Context, next func(huma.Context)) {
	if len(ctx.Operation().Security) == 0 {
		next(ctx)
		return
	}
	account, err := s.sessions.get(bearer(ctx.Header("Authorization")))
	if err != nil {
		failed := fail(err).(*apiError)
		writeError(ctx, failed)
		return
	}
	next(huma.WithValue(ctx, contextKey{}, account))
}

func writeError(ctx huma.Context, e *apiError) {
	ctx.SetStatus(e.status)
	ctx.SetHeader("Content-Type", "application/json")
	writeJSON(ctx.BodyWriter(), e)
}

func bearer(header string) string {
	token, ok := strings.CutPrefix(header, "Bearer ")
	if !ok {
		return ""
	}
	return token
}

// officerOf returns the signed-in officer if they hold one of roles.
func officerOf(ctx context.Context, roles ...officer.Role) (*officer.Account, error) {
	a, ok := ctx.Value(contextKey{}).(*officer.Account)
	if !ok {
		return nil, errNoSession
	}
	if !slices.ContainsFunc(roles, a.Has) {
		return nil, errRole
	}
	return a, nil
}

// signIn checks a password, counting wrong ones.
func (s *Server) signIn(id, password string) (*officer.Account, error) {
	if !s.sessions.mayTry(id) {
		return nil, errTries
	}
	a, err := s.backend.Accounts().SignIn(id, password, s.now())
	if err != nil {
		s.sessions.failed(id)
		// The tried id is not written down: people type passwords there.
		if werr := s.backend.Witnessed(audit.Line{Time: s.now(), Actor: "post", Action: audit.SignInFailed, Facts: map[string]string{"code": string(fault.CodeOf(err))}}); werr != nil {
			return nil, werr
		}
		return nil, err
	}
	return a, nil
}

// Credentials are what an officer signs in with.
type Credentials struct {
	ID       string `json:"id" minLength:"1" maxLength:"64"`
	Password string `json:"password" minLength:"1" maxLength:"256"`
}

type signInInput struct{ Body Credentials }

// SignedIn is an open session.
type SignedIn struct {
	Token string         `json:"token" doc:"bearer token of the session"`
	ID    string         `json:"id"`
	Name  string         `json:"name"`
	Roles []officer.Role `json:"roles"`
}

type signInOutput struct{ Body SignedIn }

func (s *Server) sessionOperations() {
	huma.Register(s.api, huma.Operation{
		OperationID: "sign-in", Method: http.MethodPost, Path: "/v1/session", Summary: "Sign in",
		DefaultStatus: http.StatusCreated,
	}, func(_ context.Context, in *signInInput) (*signInOutput, error) {
		a, err := s.signIn(in.Body.ID, in.Body.Password)
		if err != nil {
			return nil, fail(err)
		}
		if err := s.backend.Witnessed(audit.Line{Time: s.now(), Actor: a.ID, Action: audit.SignedIn}); err != nil {
			return nil, fail(err)
		}
		return &signInOutput{Body: SignedIn{Token: s.sessions.add(a), ID: a.ID, Name: a.Name, Roles: a.Roles}}, nil
	})
	huma.Register(s.api, huma.Operation{
		OperationID: "sign-out", Method: http.MethodDelete, Path: "/v1/session", Summary: "Sign out", Security: signedIn,
	}, func(ctx context.Context, in *struct {
		Authorization string `header:"Authorization"`
	}) (*struct{}, error) {
		a, err := officerOf(ctx, officer.Officer, officer.Supervisor, officer.Administrator, officer.Auditor)
		if err != nil {
			return nil, fail(err)
		}
		s.sessions.end(bearer(in.Authorization))
		return nil, fail(s.backend.Witnessed(audit.Line{Time: s.now(), Actor: a.ID, Action: audit.SignedOut}))
	})
}

// signedIn marks an operation that needs a session.
var signedIn = []map[string][]string{{"session": {}}}
