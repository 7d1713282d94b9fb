package admin

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"time"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/officer"
	"github.com/watchpost/watchpost/device/officer/lockout"
	"github.com/watchpost/watchpost/device/officer/session"
	"github.com/watchpost/watchpost/sdk/central/store"
)

// CookieName is the cookie of a session. The prefix makes a browser refuse it
// unless it is Secure, for the whole site and of this host only (RFC 6265bis,
// section 4.1.3.2).
const CookieName = "__Host-watchpost-central"

// Limits of sessions (OWASP session guidance: 15 to 30 minutes idle).
const (
	sessionIdle  = 15 * time.Minute
	sessionLife  = 8 * time.Hour
	sessionsEach = 8 // one person may hold; the oldest gives way

	noteLimit = 5 * time.Second // for a line of the history
)

var errRefused = &fault.Error{Code: "operator.refused", Hint: "name or password is wrong, or nobody has given you access: watchpost-central operator password"}

// signer is who is signed in.
type signer struct {
	id       string
	password [sha256.Size]byte // of the encoded password that opened the session
}

type held = session.Held[signer]

func newSessions(now func() time.Time) *session.Table[signer] {
	return session.New(session.Options[signer]{
		Idle: sessionIdle, Life: sessionLife, Each: sessionsEach, ID: func(who signer) string { return who.id }, Now: now,
	})
}

// call is one call of somebody who is signed in.
type call struct {
	*http.Request
	w       http.ResponseWriter
	who     store.Operator
	session held
	token   string
}

// idleQuery marks a call that the page makes by itself: it keeps nobody signed in.
const idleQuery = "idle"

// handle adds an operation for people of one of the roles.
func (s *Server) handle(pattern string, roles []store.Role, do func(*call) (any, error)) {
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		c, err := s.admit(w, r)
		if err == nil && !slices.Contains(roles, c.who.Role) {
			err = errRole
		}
		var out any
		if err == nil {
			out, err = do(c)
		}
		if err != nil {
			if statusOf(fault.CodeOf(err)) >= http.StatusInternalServerError {
				s.o.Log.Warn("call of the page failed", "code", string(fault.CodeOf(err)))
			}
			refuse(w, err)
			return
		}
		send(w, http.StatusOK, out)
	})
}

// admit returns the call of a request. Who was retired is out at once, and so is
// every session that an earlier password opened.
func (s *Server) admit(w http.ResponseWriter, r *http.Request) (*call, error) {
	cookie, err := r.Cookie(CookieName)
	if err != nil {
		return nil, session.ErrMissing
	}
	in, err := s.sessions.Get(cookie.Value, r.URL.Query().Get(idleQuery) == "")
	if err != nil {
		return nil, err
	}
	if r.Method != http.MethodGet {
		if err := in.Forged(r.Header.Get(session.CSRFHeader)); err != nil {
			return nil, err
		}
	}
	who, err := s.o.Store.OperatorByID(r.Context(), in.Who.id)
	if errors.Is(err, store.ErrOperator) || err == nil && (who.Password == nil || sha256.Sum256([]byte(*who.Password)) != in.Who.password) {
		s.sessions.End(cookie.Value)
		return nil, session.ErrExpired
	}
	if err != nil {
		return nil, err
	}
	return &call{Request: r, w: w, who: who, session: in, token: cookie.Value}, nil
}

// read decodes the body of a call; what is unknown or follows is refused.
func read(r *http.Request, into any) error {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return fault.New("request.media_type", "a body is application/json")
	}
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	err := dec.Decode(into)
	if err == nil {
		if _, err = dec.Token(); errors.Is(err, io.EOF) {
			return nil
		}
		err = errForm
	}
	if errors.As(err, new(*http.MaxBytesError)) {
		return errTooLarge
	}
	return fault.New(errForm.Code, "the body does not have the form of this call") // its text may quote a password
}

// sessionInfo is a session as its person sees it.
type sessionInfo struct {
	ID          string     `json:"id"`
	Role        store.Role `json:"role"`
	CSRF        string     `json:"csrf"`
	Ends        time.Time  `json:"ends"`
	IdleSeconds int        `json:"idle_seconds"`
	Server      time.Time  `json:"server_time"`
}

func (s *Server) info(h held, role store.Role) sessionInfo {
	return sessionInfo{h.Who.id, role, h.CSRF, h.Begun.Add(sessionLife).UTC(), int(sessionIdle.Seconds()), s.o.Now().UTC()}
}

func (s *Server) whoAmI(c *call) (any, error) { return s.info(c.session, c.who.Role), nil }

func (s *Server) signOut(c *call) (any, error) {
	s.sessions.End(c.token)
	http.SetCookie(c.w, cookie("", -1))
	return nil, nil
}

func cookie(token string, age int) *http.Cookie {
	return &http.Cookie{Name: CookieName, Value: token, Path: "/", MaxAge: age, Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode}
}

func (s *Server) signIn(w http.ResponseWriter, r *http.Request) {
	if !s.tries.Allow(remote(r)) {
		refuse(w, lockout.ErrLocked)
		return
	}
	var in struct {
		ID       string `json:"id"`
		Password string `json:"password"`
	}
	if err := read(r, &in); err != nil {
		refuse(w, err)
		return
	}
	who, err := s.check(r.Context(), in.ID, in.Password)
	if err == nil {
		err = s.o.Store.Note(r.Context(), who.ID, "operator.signed_in", who.ID, "")
	}
	if err != nil {
		refuse(w, err)
		return
	}
	token, h := s.sessions.Add(signer{who.ID, sha256.Sum256([]byte(*who.Password))})
	http.SetCookie(w, cookie(token, int(sessionLife.Seconds())))
	send(w, http.StatusCreated, s.info(h, who.Role))
}

// check judges a password, counting wrong ones. An unknown name takes as long
// as a wrong password.
func (s *Server) check(ctx context.Context, id, password string) (store.Operator, error) {
	if err := s.o.Guard.May(id); err != nil {
		return store.Operator{}, s.refused(ctx, err)
	}
	who, err := s.o.Store.OperatorByID(ctx, id)
	if err != nil && !errors.Is(err, store.ErrOperator) {
		return who, err
	}
	encoded := ""
	if err == nil && who.Password != nil {
		encoded = *who.Password
	}
	select {
	case s.hashing <- struct{}{}:
	case <-ctx.Done():
		return who, errRate
	}
	right := len(password) <= officer.PasswordMost && officer.PasswordIs(encoded, password)
	<-s.hashing
	if !right {
		if kept := s.o.Guard.Failed(id); kept != nil {
			return who, kept
		}
		return who, s.refused(ctx, errRefused)
	}
	return who, s.o.Guard.Succeeded(id)
}

// refused writes down that a sign-in was refused and returns why. The tried
// name is not written down: people type passwords there.
func (s *Server) refused(ctx context.Context, why error) error {
	// Who hangs up early is written down as well.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteLimit)
	defer cancel()
	if err := s.o.Store.Note(ctx, "central", "operator.sign_in_refused", "", string(fault.CodeOf(why))); err != nil {
		return err
	}
	return why
}
