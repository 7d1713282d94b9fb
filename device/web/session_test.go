package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/officer/lockout"
	"github.com/watchpost/watchpost/device/officer/session"
)

func TestBrowserSession(t *testing.T) {
	b := newBench(t, wide())
	c := b.caller()
	res, raw := c.do(http.MethodPost, "/v1/session", SignInBody{Credentials{"o1", password}, true})
	set := res.Header.Get("Set-Cookie")
	for _, want := range []string{CookieName + "=", "Path=/", "HttpOnly", "Secure", "SameSite=Strict"} {
		if !strings.Contains(set, want) {
			t.Errorf("the cookie %q lacks %s", set, want)
		}
	}
	if strings.Contains(set, "Domain") || strings.Contains(string(raw), `"token"`) {
		t.Errorf("the session leaves the cookie: %s %s", set, raw)
	}
	var who SessionInfo
	c.ok(http.MethodGet, "/v1/session", nil, &who) // by cookie alone
	if who.ID != "o1" || who.CSRF == "" || !who.Ends.Equal(b.Now().Add(sessionLife)) {
		t.Errorf("session %+v", who)
	}
	body := OpenBody{Purpose: "border_check"}
	c.refused(http.MethodPost, "/v1/encounters", body, 403, "session.csrf")
	c.with(session.CSRFHeader, "x").refused(http.MethodPost, "/v1/encounters", body, 403, "session.csrf")
	c.with(session.CSRFHeader, b.browser("o1").header[session.CSRFHeader]).refused(http.MethodPost, "/v1/encounters", body, 403, "session.csrf") // another session's
	c.refused(http.MethodDelete, "/v1/session", nil, 403, "session.csrf")
	c.with(session.CSRFHeader, who.CSRF).with("Sec-Fetch-Site", "cross-site").refused(http.MethodPost, "/v1/encounters", body, 403, "request.cross_origin")
	c.with(session.CSRFHeader, who.CSRF).with("Origin", "https://elsewhere.example").refused(http.MethodPost, "/v1/encounters", body, 403, "request.cross_origin")

	// What is in the cookie is no bearer token, and the reverse.
	at, err := url.Parse(b.https.URL)
	if err != nil {
		t.Fatal(err)
	}
	cookie := c.http.Jar.Cookies(at)[0].Value
	b.caller().with("Authorization", "Bearer "+cookie).refused(http.MethodGet, "/v1/session", nil, 401, "session.missing")
	token := strings.TrimPrefix(b.program("o1").header["Authorization"], "Bearer ")
	b.caller().with("Cookie", CookieName+"="+token).refused(http.MethodGet, "/v1/session", nil, 401, "session.missing")

	signed := c.with(session.CSRFHeader, who.CSRF)
	res, _ = signed.do(http.MethodDelete, "/v1/session", nil)
	if res.StatusCode != http.StatusNoContent || !strings.Contains(res.Header.Get("Set-Cookie"), "Max-Age=0") {
		t.Errorf("signed out with %d, cookie %q", res.StatusCode, res.Header.Get("Set-Cookie"))
	}
	b.caller().with("Cookie", CookieName+"="+cookie).refused(http.MethodGet, "/v1/session", nil, 401, "session.expired")
}

func TestSignInIsRefused(t *testing.T) {
	b := newBench(t, wide())
	c := b.caller()
	c.refused(http.MethodGet, "/v1/session", nil, 401, "session.missing")
	c.with("Authorization", "Bearer nobody").refused(http.MethodGet, "/v1/session", nil, 401, "session.expired")
	c.with("Authorization", "Basic bzE6eA==").refused(http.MethodGet, "/v1/session", nil, 401, "session.missing")
	c.refused(http.MethodPost, "/v1/session", Credentials{"nobody", password}, 401, "officer.refused")
	c.refused(http.MethodPost, "/v1/session", Credentials{"old", password}, 401, "officer.expired")
	for range lockout.Free {
		c.refused(http.MethodPost, "/v1/session", Credentials{"o1", "wrong"}, 401, "officer.refused")
	}
	c.refused(http.MethodPost, "/v1/session", Credentials{"o1", password}, 429, "officer.too_many_tries")
	b.program("o2") // others are not kept out
	b.forward(lockout.First)
	b.program("o1")
	lines, err := b.store.AuditLines(0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	failed := 0
	for _, l := range lines {
		if strings.Contains(string(l), "officer.sign_in_failed") {
			failed++
		}
		if strings.Contains(string(l), "nobody") || strings.Contains(string(l), "wrong") {
			t.Errorf("the audit log holds what was typed: %s", l)
		}
	}
	if failed != 3+lockout.Free {
		t.Errorf("%d failed sign-ins written down", failed)
	}
}

// TestSessionEndsInMidEncounter holds that signing in again finds the
// encounter where it was left.
func TestSessionEndsInMidEncounter(t *testing.T) {
	b := newBench(t, wide(), longIdle)
	c := b.browser("o1")
	e := c.review()
	b.forward(sessionIdle)
	c.refused(http.MethodPost, e+"/outcome", map[string]string{"outcome": "admitted"}, 401, "session.expired")
	c.refused(http.MethodGet, e, nil, 401, "session.expired")
	again := b.browser("o1")
	var open struct{ Encounters []struct{ ID, State string } }
	again.ok(http.MethodGet, "/v1/encounters", nil, &open)
	if len(open.Encounters) != 1 || open.Encounters[0].State != "review" {
		t.Fatalf("open: %+v", open)
	}
	again.ok(http.MethodPost, e+"/outcome", map[string]string{"outcome": "admitted"}, nil)
	again.refused(http.MethodPost, e+"/outcome", map[string]string{"outcome": "admitted"}, 404, "encounter.not_found")
}

func TestSessionDoesNotOutliveAShiftOrTheClock(t *testing.T) {
	b := newBench(t, wide())
	c := b.program("o1")
	for range int(sessionLife/sessionIdle)*2 - 1 {
		b.forward(sessionIdle / 2)
		c.ok(http.MethodGet, "/v1/session", nil, nil)
	}
	b.forward(sessionIdle / 2)
	c.refused(http.MethodGet, "/v1/session", nil, 401, "session.expired")
	c = b.program("o1")
	b.forward(-time.Hour)
	c.refused(http.MethodGet, "/v1/session", nil, 401, "session.expired")
}

func TestOldestSessionGivesWay(t *testing.T) {
	b := newBench(t, wide())
	first := b.program("o1")
	for range sessionsEach {
		b.forward(time.Second)
		b.program("o1")
	}
	first.refused(http.MethodGet, "/v1/session", nil, 401, "session.expired")
}

func TestLimits(t *testing.T) {
	tight := wide()
	tight.Remote, tight.RemoteBurst = 1, 10
	b := newBench(t, tight)
	c := b.program("o1")
	for range 9 {
		c.ok(http.MethodGet, "/v1/session", nil, nil)
	}
	res, _ := c.do(http.MethodGet, "/v1/session", nil)
	if res.StatusCode != 429 || res.Header.Get("Retry-After") == "" {
		t.Errorf("the eleventh call of a remote: %d", res.StatusCode)
	}
	c.refused(http.MethodGet, "/", nil, 429, "request.rate")
	b.forward(time.Second)
	c.ok(http.MethodGet, "/v1/session", nil, nil)

	tight = wide()
	tight.Account, tight.AccountBurst = 1, 5
	b = newBench(t, tight)
	c = b.program("o1")
	for range 5 {
		c.ok(http.MethodGet, "/v1/session", nil, nil)
	}
	b.program("o1").refused(http.MethodGet, "/v1/session", nil, 429, "request.rate") // the account, not the session
	b.program("o2").ok(http.MethodGet, "/v1/session", nil, nil)

	tight = wide()
	tight.SignIn, tight.SignInBurst = 1, 3
	b = newBench(t, tight)
	for range 3 {
		b.caller().refused(http.MethodPost, "/v1/session", Credentials{"x", "y"}, 401, "officer.refused")
	}
	b.caller().refused(http.MethodPost, "/v1/session", Credentials{"z", "y"}, 429, "officer.too_many_tries")
}
