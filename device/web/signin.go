package web

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/officer"
)

// signIn checks a password, counting wrong ones.
func (s *Server) signIn(ctx context.Context, id, password string) (*officer.Account, error) {
	if err := s.guard.May(id); err != nil {
		return nil, s.refused(err)
	}
	// argon2id takes 64 MiB a check (device/officer): many at once would take
	// the memory that encounters need.
	select {
	case s.hashing <- struct{}{}:
	case <-ctx.Done():
		return nil, errRate
	}
	a, err := s.backend.Accounts().SignIn(id, password, s.now())
	<-s.hashing
	if err != nil {
		if kept := s.guard.Failed(id); kept != nil {
			return nil, kept
		}
		return nil, s.refused(err)
	}
	return a, s.guard.Succeeded(id)
}

// refused writes down that a sign-in was refused and returns why. The tried id
// is not written down: people type passwords there.
func (s *Server) refused(err error) error {
	if werr := s.backend.Witnessed(audit.Line{Time: s.now(), Actor: "post", Action: audit.SignInFailed, Facts: map[string]string{"code": string(fault.CodeOf(err))}}); werr != nil {
		return werr
	}
	return err
}

// Credentials are what an officer signs in with.
type Credentials struct {
	ID       string `json:"id" minLength:"1" maxLength:"64"`
	Password string `json:"password" minLength:"1" maxLength:"256"`
}

// SignInBody signs in.
type SignInBody struct {
	Credentials
	Browser bool `json:"browser,omitempty" doc:"keep the session in a cookie (HttpOnly, Secure, SameSite=Strict) and answer no token; calls that change something then need the header X-CSRF-Token"`
}

// SessionInfo is a session as its officer sees it.
type SessionInfo struct {
	ID          string         `json:"id"`
	Name        string         `json:"name"`
	Roles       []officer.Role `json:"roles" enum:"officer,supervisor,administrator,auditor"`
	CSRF        string         `json:"csrf,omitempty" doc:"value for the header X-CSRF-Token; with a session in a cookie only"`
	Ends        time.Time      `json:"ends" doc:"the session ends then at the latest"`
	IdleSeconds int            `json:"idle_seconds" doc:"the session ends after this time without a call"`
	Server      time.Time      `json:"server_time" doc:"clock of the post"`
}

// SignedIn is a session just opened.
type SignedIn struct {
	SessionInfo
	Token string `json:"token,omitempty" doc:"bearer token of the session; absent where it is in a cookie"`
}

type signedInOutput struct {
	SetCookie string `header:"Set-Cookie"`
	Body      SignedIn
}

func (s *Server) info(h held) SessionInfo {
	i := SessionInfo{
		ID: h.Who.ID, Name: h.Who.Name, Roles: h.Who.Roles, Ends: h.Begun.Add(sessionLife).UTC(), IdleSeconds: int(sessionIdle.Seconds()), Server: s.now().UTC(),
	}
	if h.Who.Expires.Before(i.Ends) {
		i.Ends = h.Who.Expires.UTC()
	}
	if h.Who.browser {
		i.CSRF = h.CSRF
	}
	return i
}

// openSession opens a session for a, in a cookie for a browser.
func (s *Server) openSession(a *officer.Account, browser bool, by string) (*signedInOutput, error) {
	if err := s.backend.Witnessed(audit.Line{Time: s.now(), Actor: a.ID, Action: audit.SignedIn, Facts: map[string]string{"by": by}}); err != nil {
		return nil, fail(err)
	}
	token, h := s.sessions.Add(signer{a, browser})
	out := &signedInOutput{Body: SignedIn{SessionInfo: s.info(h)}}
	if browser {
		out.SetCookie = cookie(token, int(sessionLife.Seconds()))
	} else {
		out.Body.Token = token
	}
	return out, nil
}

// cookie is the session's cookie; an age below zero removes it.
func cookie(token string, age int) string {
	c := http.Cookie{Name: CookieName, Value: token, Path: "/", MaxAge: age, Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode}
	return c.String()
}

type sessionOutput struct{ Body SessionInfo }

type signedOutOutput struct {
	SetCookie string `header:"Set-Cookie"`
}

func (s *Server) sessionOperations() {
	register(s, huma.Operation{
		OperationID: "sign-in", Method: http.MethodPost, Path: "/v1/session", Summary: "Sign in with a password",
		DefaultStatus: http.StatusCreated,
	}, func(ctx context.Context, in *struct{ Body SignInBody }) (*signedInOutput, error) {
		a, err := s.signIn(ctx, in.Body.ID, in.Body.Password)
		if err != nil {
			return nil, fail(err)
		}
		return s.openSession(a, in.Body.Browser, "password")
	})
	register(s, huma.Operation{
		OperationID: "get-session", Method: http.MethodGet, Path: "/v1/session", Summary: "Who is signed in", Security: signedIn,
	}, func(ctx context.Context, _ *struct{}) (*sessionOutput, error) {
		if _, err := officerOf(ctx, anyRole...); err != nil {
			return nil, fail(err)
		}
		return &sessionOutput{s.info(ctx.Value(contextKey{}).(signed).held)}, nil
	})
	register(s, huma.Operation{
		OperationID: "sign-out", Method: http.MethodDelete, Path: "/v1/session", Summary: "Sign out; open encounters stay", Security: signedIn,
	}, func(ctx context.Context, _ *struct{}) (*signedOutOutput, error) {
		a, err := officerOf(ctx, anyRole...)
		if err != nil {
			return nil, fail(err)
		}
		by := ctx.Value(contextKey{}).(signed)
		s.sessions.End(by.token)
		if err := s.backend.Witnessed(audit.Line{Time: s.now(), Actor: a.ID, Action: audit.SignedOut}); err != nil {
			return nil, fail(err)
		}
		out := new(signedOutOutput)
		if by.Who.browser {
			out.SetCookie = cookie("", -1)
		}
		return out, nil
	})
}
