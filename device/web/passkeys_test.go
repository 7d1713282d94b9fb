package web

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/officer/session"
	"github.com/watchpost/watchpost/hwtest/authenticator"
)

// site is the page of newBench's passkeys.
const (
	siteHost   = "localhost"
	siteOrigin = "https://localhost:8443"
)

func newKey(t *testing.T) *authenticator.Key {
	t.Helper()
	k, err := authenticator.New(siteHost, siteOrigin)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// ceremony is what the API says at the begin of one.
type ceremony struct {
	Ceremony string
	Options  json.RawMessage
}

// begin starts a ceremony at path.
func (c *caller) begin(path string) ceremony {
	c.b.t.Helper()
	var begun ceremony
	c.ok(http.MethodPost, path, nil, &begun)
	return begun
}

// made is the body that ends a ceremony of k.
func made(t *testing.T, by func([]byte) ([]byte, error), of ceremony) map[string]any {
	t.Helper()
	credential, err := by(of.Options)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]any{"ceremony": of.Ceremony, "credential": json.RawMessage(credential)}
}

// named is made with the name that a new passkey needs.
func named(t *testing.T, by func([]byte) ([]byte, error), of ceremony) map[string]any {
	t.Helper()
	body := made(t, by, of)
	body["name"] = "a key"
	return body
}

const (
	registrations = "/v1/passkey-ceremonies"
	signIns       = "/v1/session/passkey-ceremonies"
)

// register adds k to the account of c and returns the passkey's id.
func (c *caller) register(k *authenticator.Key) string {
	c.b.t.Helper()
	var p struct{ ID, Name string }
	c.ok(http.MethodPost, "/v1/passkeys", named(c.b.t, k.Create, c.begin(registrations)), &p)
	if p.Name != "a key" {
		c.b.t.Errorf("made %+v", p)
	}
	return p.ID
}

func TestPasskeyOverTheAPI(t *testing.T) {
	b := newBench(t, wide())
	c := b.browser("o1")
	k := newKey(t)
	id := c.register(k)
	if strings.Contains(string(k.Handle), "o1") {
		t.Error("the authenticator is told the officer's id")
	}

	// A program gets a token, a browser a cookie and a csrf value.
	var in SignedIn
	stranger := b.caller()
	stranger.ok(http.MethodPost, "/v1/session/passkey", made(t, k.Get, stranger.begin(signIns)), &in)
	if in.ID != "o1" || in.Token == "" || in.CSRF != "" {
		t.Errorf("a program is signed in as %+v", in)
	}
	browser := b.caller()
	body := made(t, k.Get, browser.begin(signIns))
	body["browser"] = true
	res, raw := browser.do(http.MethodPost, "/v1/session/passkey", body)
	if res.StatusCode != http.StatusCreated || !strings.HasPrefix(res.Header.Get("Set-Cookie"), CookieName+"=") || strings.Contains(string(raw), `"token"`) {
		t.Errorf("a browser is answered %d %v %s", res.StatusCode, res.Header, raw)
	}
	var who SessionInfo
	browser.ok(http.MethodGet, "/v1/session", nil, &who)
	browser.with(session.CSRFHeader, who.CSRF).open(false)

	var list struct {
		Passkeys []struct {
			ID, Name    string
			Added, Used time.Time
		}
	}
	c.ok(http.MethodGet, "/v1/passkeys", nil, &list)
	if len(list.Passkeys) != 1 || list.Passkeys[0].ID != id || list.Passkeys[0].Used.IsZero() {
		t.Errorf("has %+v", list)
	}
	c.ok(http.MethodDelete, "/v1/passkeys/"+id, nil, nil)
	c.ok(http.MethodGet, "/v1/passkeys", nil, &list)
	if len(list.Passkeys) != 0 {
		t.Errorf("still has %+v", list)
	}
	stranger.refused(http.MethodPost, "/v1/session/passkey", made(t, k.Get, stranger.begin(signIns)), 401, "passkey.refused")

	lines, err := b.store.AuditLines(0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, l := range lines {
		var line struct{ Action string }
		if err := json.Unmarshal(l, &line); err != nil {
			t.Fatal(err)
		}
		seen[line.Action]++
	}
	for action, n := range map[string]int{"passkey.added": 1, "passkey.used": 2, "passkey.removed": 1, "officer.signed_in": 3, "officer.sign_in_failed": 1} {
		if seen[action] != n {
			t.Errorf("%s stands %d times in the audit log, want %d: %v", action, seen[action], n, seen)
		}
	}
}

func TestAttackPasskeySignIn(t *testing.T) {
	for name, attack := range map[string]struct {
		bend   func(*bench, *authenticator.Key)
		status int
		code   string
	}{
		"another_site":        {func(_ *bench, k *authenticator.Key) { k.Origin = "https://elsewhere.example" }, 401, "passkey.refused"},
		"another_port":        {func(_ *bench, k *authenticator.Key) { k.Origin = "https://localhost:9443" }, 401, "passkey.refused"},
		"no_tls":              {func(_ *bench, k *authenticator.Key) { k.Origin = "http://localhost:8443" }, 401, "passkey.refused"},
		"another_host":        {func(_ *bench, k *authenticator.Key) { k.Host = "elsewhere.example" }, 401, "passkey.refused"},
		"nobody_verified":     {func(_ *bench, k *authenticator.Key) { k.Flags = authenticator.UserPresent }, 401, "passkey.refused"},
		"nobody_there":        {func(_ *bench, k *authenticator.Key) { k.Flags = authenticator.UserVerified }, 401, "passkey.refused"},
		"counter_went_back":   {func(_ *bench, k *authenticator.Key) { k.Count = 0 }, 401, "passkey.refused"},
		"another_private_key": {func(b *bench, k *authenticator.Key) { k.Private = newKey(b.t).Private }, 401, "passkey.refused"},
		"unknown_credential":  {func(b *bench, k *authenticator.Key) { k.ID = newKey(b.t).ID }, 401, "passkey.refused"},
		"wrong_account": {func(b *bench, k *authenticator.Key) {
			other := newKey(b.t)
			b.browser("o2").register(other)
			k.Handle = other.Handle
		}, 401, "passkey.refused"},
		"unknown_account": {func(_ *bench, k *authenticator.Key) { k.Handle[0] ^= 1 }, 401, "passkey.refused"},
		"account_revoked": {func(b *bench, _ *authenticator.Key) { b.revoked = b.Now() }, 401, "officer.revoked"},
		"account_run_out": {func(b *bench, _ *authenticator.Key) { b.forward(365 * 24 * time.Hour) }, 401, "officer.expired"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, wide())
			k := newKey(t)
			b.browser("o1").register(k)
			c := b.caller()
			c.ok(http.MethodPost, "/v1/session/passkey", made(t, k.Get, c.begin(signIns)), nil) // it works before it is bent
			attack.bend(b, k)
			c.refused(http.MethodPost, "/v1/session/passkey", made(t, k.Get, c.begin(signIns)), attack.status, attack.code)
		})
	}
}

func TestAttackPasskeyCeremony(t *testing.T) {
	const path = "/v1/session/passkey"
	for name, attack := range map[string]func(t *testing.T, b *bench, k *authenticator.Key){
		"replayed": func(t *testing.T, b *bench, k *authenticator.Key) {
			body := made(t, k.Get, b.caller().begin(signIns))
			b.caller().ok(http.MethodPost, path, body, nil)
			b.caller().refused(http.MethodPost, path, body, 409, "passkey.ceremony")
		},
		"replayed_under_a_new_ceremony": func(t *testing.T, b *bench, k *authenticator.Key) {
			body := made(t, k.Get, b.caller().begin(signIns))
			b.caller().ok(http.MethodPost, path, body, nil)
			body["ceremony"] = b.caller().begin(signIns).Ceremony
			b.caller().refused(http.MethodPost, path, body, 401, "passkey.refused")
		},
		"refused_and_tried_again": func(t *testing.T, b *bench, k *authenticator.Key) {
			begun := b.caller().begin(signIns)
			k.Flags = authenticator.UserPresent
			b.caller().refused(http.MethodPost, path, made(t, k.Get, begun), 401, "passkey.refused")
			k.Flags |= authenticator.UserVerified
			b.caller().refused(http.MethodPost, path, made(t, k.Get, begun), 409, "passkey.ceremony")
		},
		"expired": func(t *testing.T, b *bench, k *authenticator.Key) {
			begun := b.caller().begin(signIns)
			b.forward(5 * time.Minute)
			b.caller().refused(http.MethodPost, path, made(t, k.Get, begun), 409, "passkey.ceremony")
		},
		"invented": func(t *testing.T, b *bench, k *authenticator.Key) {
			begun := b.caller().begin(signIns)
			begun.Ceremony = "invented"
			b.caller().refused(http.MethodPost, path, made(t, k.Get, begun), 409, "passkey.ceremony")
		},
		"registration_as_sign_in": func(t *testing.T, b *bench, k *authenticator.Key) {
			begun := b.browser("o1").begin(registrations)
			b.caller().refused(http.MethodPost, path, made(t, k.Get, begun), 409, "passkey.ceremony")
		},
		"registration_of_another_officer": func(t *testing.T, b *bench, _ *authenticator.Key) {
			mine := newKey(t)
			begun := b.browser("o1").begin(registrations)
			b.browser("o2").refused(http.MethodPost, "/v1/passkeys", named(t, mine.Create, begun), 409, "passkey.ceremony")
		},
		"registration_expired": func(t *testing.T, b *bench, _ *authenticator.Key) {
			c, mine := b.browser("o1"), newKey(t)
			begun := c.begin(registrations)
			b.forward(5 * time.Minute)
			c.refused(http.MethodPost, "/v1/passkeys", named(t, mine.Create, begun), 409, "passkey.ceremony")
		},
		"registration_on_another_site": func(t *testing.T, b *bench, _ *authenticator.Key) {
			c, mine := b.browser("o1"), newKey(t)
			mine.Origin = "https://elsewhere.example"
			c.refused(http.MethodPost, "/v1/passkeys", named(t, mine.Create, c.begin(registrations)), 401, "passkey.refused")
		},
		"the_same_key_twice": func(t *testing.T, b *bench, k *authenticator.Key) {
			c := b.browser("o1")
			c.refused(http.MethodPost, "/v1/passkeys", named(t, k.Create, c.begin(registrations)), 401, "passkey.refused")
		},
		"one_too_many": func(t *testing.T, b *bench, _ *authenticator.Key) {
			c := b.browser("o1")
			for range 7 {
				c.register(newKey(t))
			}
			c.refused(http.MethodPost, registrations, nil, 409, "passkey.limit")
		},
		"removed_by_another": func(t *testing.T, b *bench, k *authenticator.Key) {
			b.browser("o2").refused(http.MethodDelete, "/v1/passkeys/"+encoded(k.ID), nil, 404, "passkey.not_found")
			b.caller().ok(http.MethodPost, path, made(t, k.Get, b.caller().begin(signIns)), nil)
		},
		"nobody_signed_in": func(t *testing.T, b *bench, k *authenticator.Key) {
			c := b.caller()
			c.refused(http.MethodPost, registrations, nil, 401, "session.missing")
			c.refused(http.MethodGet, "/v1/passkeys", nil, 401, "session.missing")
			c.refused(http.MethodDelete, "/v1/passkeys/"+encoded(k.ID), nil, 401, "session.missing")
		},
		"without_csrf": func(t *testing.T, b *bench, k *authenticator.Key) {
			c := b.browser("o1").with(session.CSRFHeader, "")
			c.refused(http.MethodPost, registrations, nil, 403, "session.csrf")
			c.refused(http.MethodDelete, "/v1/passkeys/"+encoded(k.ID), nil, 403, "session.csrf")
		},
		"no_credential": func(t *testing.T, b *bench, _ *authenticator.Key) {
			c := b.caller()
			for _, credential := range []string{`{}`, `{"id":1}`, `{"id":"AA","rawId":"AA","type":"public-key","response":{}}`} {
				body := fmt.Sprintf(`{"ceremony":%q,"credential":%s}`, c.begin(signIns).Ceremony, credential)
				c.refused(http.MethodPost, path, body, 401, "passkey.refused")
			}
			c.refused(http.MethodPost, path, `{"ceremony":"x","credential":[]}`, 422, "request.invalid")
		},
		"too_many_tries": func(t *testing.T, _ *bench, _ *authenticator.Key) {
			tight := wide()
			tight.SignIn, tight.SignInBurst = 1, 3
			b := newBench(t, tight)
			for range 3 {
				b.caller().begin(signIns)
			}
			b.caller().refused(http.MethodPost, signIns, nil, 429, "officer.too_many_tries")
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, wide())
			k := newKey(t)
			b.browser("o1").register(k)
			attack(t, b, k)
		})
	}
}

// encoded names a credential as a path does.
func encoded(id []byte) string { return base64.RawURLEncoding.EncodeToString(id) }

// TestAttackSessionOfRevoked is an officer who is signed in when the account
// is withdrawn.
func TestAttackSessionOfRevoked(t *testing.T) {
	for name, passkey := range map[string]bool{"by password": false, "by passkey": true} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, wide())
			b.revoked = b.Now().Add(20 * time.Minute)
			c := b.browser("o1")
			if passkey {
				k := newKey(t)
				c.register(k)
				body := made(t, k.Get, c.begin(signIns))
				body["browser"] = true
				c = b.caller()
				c.ok(http.MethodPost, "/v1/session/passkey", body, nil)
			}
			b.forward(10 * time.Minute)
			c.ok(http.MethodGet, "/v1/session", nil, nil)
			b.forward(10 * time.Minute)
			c.refused(http.MethodGet, "/v1/session", nil, 401, "session.expired")
		})
	}
}
