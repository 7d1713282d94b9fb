package web

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/officer"
	"github.com/watchpost/watchpost/device/officer/session"
)

// CookieName is the cookie of a browser's session. The prefix makes a browser
// refuse it unless it is Secure, for the whole site and of this host only
// (RFC 6265bis, section 4.1.3.2).
const CookieName = "__Host-watchpost"

// signedIn marks an operation that needs a session: a program's by bearer
// token, or a browser's by cookie with its token against forged requests.
var signedIn = []map[string][]string{{"session": {}}, {"cookie": {}, "csrf": {}}}

var securitySchemes = map[string]*huma.SecurityScheme{
	"session": {Type: "http", Scheme: "bearer", Description: "token of POST /v1/session"},
	"cookie":  {Type: "apiKey", In: "cookie", Name: CookieName, Description: "set by POST /v1/session with browser: true"},
	"csrf":    {Type: "apiKey", In: "header", Name: session.CSRFHeader, Description: "csrf of GET /v1/session; needed beside the cookie by every method but GET"},
}

// presented is the session that a request names.
type presented struct {
	token   string
	browser bool // by cookie
}

// present reads what a request names; a bearer token goes before a cookie.
func present(authorization, cookies string) presented {
	if token := bearer(authorization); token != "" {
		return presented{token: token}
	}
	parsed, err := http.ParseCookie(cookies)
	if err != nil {
		return presented{}
	}
	for _, c := range parsed {
		if c.Name == CookieName {
			return presented{token: c.Value, browser: true}
		}
	}
	return presented{}
}

func bearer(header string) string {
	token, ok := strings.CutPrefix(header, "Bearer ")
	if !ok {
		return ""
	}
	return token
}

// safe reports whether a method changes nothing (RFC 9110, section 9.2.1).
func safe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// admit returns the session of a request that is used by an officer.
func (s *Server) admit(p presented, method, csrf string) (held, error) {
	h, err := s.sessions.Get(p.token, true)
	if err != nil {
		return held{}, err
	}
	if p.browser != h.Who.browser {
		// A cookie's token is no bearer token: what a page could leak must not
		// work without the token against forged requests, and the reverse.
		return held{}, session.ErrMissing
	}
	if p.browser && !safe(method) {
		if err := h.Forged(csrf); err != nil {
			return held{}, err
		}
	}
	if !s.accounts.Allow(h.Who.ID) {
		return held{}, errRate
	}
	return h, nil
}

type contextKey struct{}

// signed is what the context of an operation knows of its caller.
type signed struct {
	held
	token string
}

// authenticate puts the session into the context of every operation that
// declares a security scheme.
func (s *Server) authenticate(ctx huma.Context, next func(huma.Context)) {
	if len(ctx.Operation().Security) == 0 {
		next(ctx)
		return
	}
	p := present(ctx.Header("Authorization"), ctx.Header("Cookie"))
	h, err := s.admit(p, ctx.Method(), ctx.Header(session.CSRFHeader))
	if err != nil {
		writeError(ctx, coded(err))
		return
	}
	next(huma.WithValue(ctx, contextKey{}, signed{h, p.token}))
}

// nothingEmpty refuses a number or a time that is named in the query and left
// empty: huma takes it as left out, the description does not.
func nothingEmpty(ctx huma.Context, next func(huma.Context)) {
	u := ctx.URL()
	query := u.Query()
	for _, p := range ctx.Operation().Parameters {
		if p.In != "query" || p.Schema == nil || p.Schema.Type == huma.TypeString && p.Schema.Format == "" {
			continue
		}
		if slices.Contains(query[p.Name], "") {
			e := coded(fault.New("request.invalid", "query.%s: is empty", p.Name))
			e.status = http.StatusUnprocessableEntity // as all that does not fit the description
			writeError(ctx, e)
			return
		}
	}
	next(ctx)
}

func writeError(ctx huma.Context, e *apiError) {
	ctx.SetHeader("Content-Type", "application/json")
	e.headers(ctx.SetHeader)
	ctx.SetStatus(e.status) // sends the headers
	writeJSON(ctx.BodyWriter(), e)
}

// anyRole are all roles there are.
var anyRole = []officer.Role{officer.Officer, officer.Supervisor, officer.Administrator, officer.Auditor}

// officerOf returns the signed-in officer if it holds one of the roles.
func officerOf(ctx context.Context, roles ...officer.Role) (*officer.Account, error) {
	by, ok := ctx.Value(contextKey{}).(signed)
	if !ok {
		return nil, session.ErrMissing
	}
	if err := by.Who.Need(roles...); err != nil {
		return nil, err
	}
	return by.Who.Account, nil
}
