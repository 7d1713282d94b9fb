package shift

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/post/feedapi"
	"github.com/watchpost/watchpost/device/post/keysapi"
	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/device/vault/stack"
	"github.com/watchpost/watchpost/device/vault/tpm"
	"github.com/watchpost/watchpost/device/web"
)

// Limits of calls.
const (
	maxBody    = 16 << 10
	triesAtAll = 10 // wrong secrets at the page, then nothing is tried
	triesFor   = 5 * time.Minute
)

// admin is what stands behind the admin socket: commands on the keys, and the
// API as at the page.
func (s *Shift) admin() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+keysapi.Path, func(w http.ResponseWriter, _ *http.Request) { s.show(w) })
	mux.HandleFunc("POST "+keysapi.Path+"/lock", func(w http.ResponseWriter, r *http.Request) {
		s.reply(w, s.ask(r.Context(), request{why: WhyCommand, now: r.URL.Query().Has("now")}))
	})
	mux.HandleFunc("POST "+keysapi.Path+"/unlock", func(w http.ResponseWriter, r *http.Request) {
		stack.Wiped(func() { s.unlockBy(w, r) })
	})
	mux.Handle(feedapi.Path, s.feed)
	mux.Handle(feedapi.Path+"/", s.feed)
	mux.Handle("/", s.public(s.sw))
	return mux
}

func (s *Shift) unlockBy(w http.ResponseWriter, r *http.Request) {
	var given keysapi.Secrets
	defer given.Wipe()
	if err := decode(r.Body, &given); err != nil {
		web.AnswerError(w, err)
		return
	}
	bare := len(given.PIN) == 0 && len(given.Passphrase) == 0 // a lease alone
	way, err := s.o.With(given)
	if err == nil {
		err = s.ask(r.Context(), request{way: &way, bare: bare})
	}
	s.reply(w, err)
}

func decode(body io.Reader, into any) error {
	raw, err := io.ReadAll(io.LimitReader(body, maxBody))
	if err != nil {
		return fault.Wrap("request.invalid", err)
	}
	defer clear(raw)
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if dec.Decode(into) != nil { // the cause may quote a secret
		return fault.New("request.invalid", "not what unlocks")
	}
	return nil
}

func (s *Shift) show(w http.ResponseWriter) {
	s.mu.Lock()
	state, lease := s.state, s.lease
	s.mu.Unlock()
	if lease != nil {
		left, _ := lease.Left()
		state.LeaseS = int64(left.Seconds())
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(state) // whoever asked has gone
}

func (s *Shift) reply(w http.ResponseWriter, err error) {
	if err != nil {
		web.AnswerError(w, err)
		return
	}
	s.show(w)
}

// ask passes a command on and waits for its end.
func (s *Shift) ask(ctx context.Context, r request) error {
	r.done = make(chan error, 1)
	select {
	case s.requests <- r:
	case <-ctx.Done():
		if r.way != nil {
			r.way.Forget()
		}
		return fault.New("post.stopping", "the daemon is ending")
	}
	return <-r.done
}

// isLocked reports whether the keys are locked.
func (s *Shift) isLocked() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.Locked
}

// public is what stands behind every door: while the keys are open it passes
// calls on and notes work; while they are locked an officer's sign-in unlocks.
// What calls with a body leave on the stack is wiped: it may be a password.
func (s *Shift) public(api http.Handler) http.Handler {
	cross := http.NewCrossOriginProtection()
	serve := func(w http.ResponseWriter, r *http.Request) {
		if s.isLocked() && r.Method == http.MethodPost && r.URL.Path == "/v1/session" && cross.Check(r) == nil {
			s.signIn(w, r, api)
			return
		}
		if s.isLocked() && cross.Check(r) == nil && s.serveKeys(w, r) {
			return
		}
		// What merely looks (a page left open) is no work, nor is what is refused.
		if r.Method == http.MethodGet || r.Method == http.MethodHead {
			api.ServeHTTP(w, r)
			return
		}
		seen := &status{ResponseWriter: w}
		api.ServeHTTP(seen, r)
		if seen.code < http.StatusBadRequest {
			s.used.Store(s.o.Now().UnixNano())
		}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost || r.Method == http.MethodPut {
			stack.Wiped(func() { serve(w, r) })
			return
		}
		serve(w, r)
	})
}

// signIn unlocks by the officer's own PIN or passphrase, which is the password
// of the account as well, and then signs in. A vault that opened for an
// account that is no more is locked again.
func (s *Shift) signIn(w http.ResponseWriter, r *http.Request, api http.Handler) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		web.AnswerError(w, fault.New("request.too_large", "more than %d bytes", maxBody))
		return
	}
	defer clear(raw)
	way, err := s.wayIn(raw)
	if err == nil {
		err = s.ask(r.Context(), request{way: &way})
		s.tries.note(s.o.Now(), err)
	}
	if err != nil {
		web.AnswerError(w, err)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(raw))
	seen := &status{ResponseWriter: w}
	api.ServeHTTP(seen, r)
	if seen.code >= http.StatusBadRequest {
		_ = s.ask(context.WithoutCancel(r.Context()), request{why: WhyRefused}) // told by the state
	}
}

// wayIn makes a way in of a sign-in.
func (s *Shift) wayIn(raw []byte) (Way, error) {
	var in struct {
		ID       string `json:"id"`
		Password string `json:"password"`
	}
	if json.Unmarshal(raw, &in) != nil || in.ID == "" || in.Password == "" {
		return Way{}, fault.New("request.invalid", "not a sign-in")
	}
	if !s.tries.may(s.o.Now()) {
		return Way{}, errTries()
	}
	s.mu.Lock()
	ways := s.state.UnlockBy
	s.mu.Unlock()
	given := keysapi.Secrets{Officer: in.ID}
	switch {
	case slices.Contains(ways, vault.Way{Kind: tpm.Kind, Name: in.ID}):
		given.PIN = []byte(in.Password)
	case slices.Contains(ways, vault.Way{Kind: vault.PassphraseKind, Name: in.ID}):
		given.Passphrase = []byte(in.Password)
	default:
		return Way{}, web.ErrLocked
	}
	return s.o.With(given)
}

func errTries() error {
	return (&fault.Error{Code: "officer.too_many_tries", Hint: "wait five minutes, then try again"}).AsRetryable()
}

// status remembers how a call was answered.
type status struct {
	http.ResponseWriter
	code int
}

// WriteHeader implements http.ResponseWriter.
func (s *status) WriteHeader(code int) {
	if s.code == 0 {
		s.code = code
	}
	s.ResponseWriter.WriteHeader(code)
}

// Write implements http.ResponseWriter.
func (s *status) Write(b []byte) (int, error) {
	if s.code == 0 {
		s.code = http.StatusOK
	}
	return s.ResponseWriter.Write(b)
}

// tries counts wrong secrets while the keys are locked, over all accounts: a
// TPM counts its own, a passphrase nobody else does. It is safe for concurrent
// use.
type tries struct {
	mu    sync.Mutex
	wrong []time.Time
}

func (t *tries) may(now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.wrong = slices.DeleteFunc(t.wrong, func(at time.Time) bool { return now.Sub(at) >= triesFor })
	return len(t.wrong) < triesAtAll
}

func (t *tries) note(now time.Time, err error) {
	code := fault.CodeOf(err)
	if code != "vault.passphrase" && code != "vault.pin" && !strings.HasPrefix(string(code), "vault.open") {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.wrong = append(t.wrong, now)
}
