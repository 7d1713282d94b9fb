package admin_test

import (
	"crypto/ed25519"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/officer/lockout"
	"github.com/watchpost/watchpost/device/officer/session"
	"github.com/watchpost/watchpost/sdk/central/admin"
	"github.com/watchpost/watchpost/sdk/central/approval"
	"github.com/watchpost/watchpost/sdk/central/centraltest"
)

// TestAttackPage is what somebody with a stolen cookie, a wrong role, a wrong
// signature or bad manners tries. Each ends in its code, and nothing changes.
func TestAttackPage(t *testing.T) {
	b := newBench(t, centraltest.Postgres(t), nil)
	b.post("gate-7")
	anna, boris, adam, dora := b.as("anna"), b.as("boris"), b.as("adam"), b.as("dora")
	wipe := map[string]any{"what": "wipe", "posts": []string{"gate-7"}, "reason": "x", "days": 1}
	why := map[string]string{"reason": "x"}
	id := anna.propose("gate-7")

	t.Run("cookie_without_csrf", func(t *testing.T) {
		anna.call("POST", "/v1/orders", wipe, session.CSRFHeader, "").is(403, "session.csrf")
	})
	t.Run("cookie_with_another_csrf", func(t *testing.T) {
		anna.call("POST", "/v1/orders", wipe, session.CSRFHeader, boris.csrf).is(403, "session.csrf")
	})
	t.Run("csrf_without_cookie", func(t *testing.T) {
		thief := b.stranger()
		thief.csrf = anna.csrf
		thief.call("POST", "/v1/orders", wipe).is(401, "session.missing")
	})
	t.Run("form_of_another_site", func(t *testing.T) {
		anna.call("POST", "/v1/orders", wipe, "Origin", "https://evil.example").is(403, "request.cross_origin")
		anna.call("POST", "/v1/orders", wipe, "Sec-Fetch-Site", "cross-site").is(403, "request.cross_origin")
	})
	t.Run("form_without_json", func(t *testing.T) {
		anna.call("POST", "/v1/orders", "what=wipe", "Content-Type", "application/x-www-form-urlencoded").is(415, "request.media_type")
		anna.call("POST", "/v1/orders", `{"what":"wipe"}`, "Content-Type", "text/plain").is(415, "request.media_type")
	})
	t.Run("token_that_was_brought_along", func(t *testing.T) { // fixation: a session is never opened under a token of the browser's
		victim := b.stranger()
		victim.call("GET", "/v1/session", nil, "Cookie", admin.CookieName+"=chosen").is(401, "session.expired")
		r := victim.call("POST", "/v1/session", map[string]string{"id": "anna", "password": password}, "Cookie", admin.CookieName+"=chosen").ok()
		if c := r.header.Get("Set-Cookie"); strings.Contains(c, "chosen") || !strings.HasPrefix(c, "__Host-") || !strings.Contains(c, "HttpOnly") || !strings.Contains(c, "Secure") || !strings.Contains(c, "SameSite=Strict") {
			t.Fatalf("cookie: %q", c)
		}
	})
	t.Run("session_after_sign_out", func(t *testing.T) {
		p := b.as("boris")
		r := p.call("GET", "/v1/session", nil).ok()
		cookie := p.client.Jar.Cookies(must(http.NewRequest("GET", b.https.URL, nil)).URL)[0].String()
		p.call("DELETE", "/v1/session", nil).ok()
		p.call("GET", "/v1/session", nil, "Cookie", cookie).is(401, "session.expired")
		p.csrf = r.field("csrf")
		p.call("POST", "/v1/orders", wipe, "Cookie", cookie).is(401, "session.expired")
	})
	t.Run("auditor_does_an_operators_work", func(t *testing.T) {
		for _, c := range []struct{ method, path string }{
			{"POST", "/v1/orders"}, {"POST", "/v1/enrolments"}, {"POST", "/v1/proposals/" + id + "/signatures"}, {"POST", "/v1/proposals/" + id + "/withdraw"},
			{"PUT", "/v1/posts/gate-7/missing"}, {"DELETE", "/v1/posts/gate-7/missing"}, {"POST", "/v1/posts/gate-7/retire"},
		} {
			dora.call(c.method, c.path, why).is(403, "operator.role")
		}
	})
	t.Run("administrator_does_what_two_decide", func(t *testing.T) {
		for _, path := range []string{"/v1/orders", "/v1/enrolments", "/v1/proposals/" + id + "/signatures", "/v1/proposals/" + id + "/withdraw"} {
			adam.call("POST", path, why).is(403, "operator.role")
		}
	})
	t.Run("operator_revokes_alone", func(t *testing.T) {
		anna.call("POST", "/v1/posts/gate-7/retire", why).is(403, "operator.role")
	})
	t.Run("auditor_with_a_key_of_an_operator", func(t *testing.T) { // past the page, by the store itself
		signed := anna.sign(id, "dora", keyOf("anna"))
		_, raw, err := signed.Open()
		if err != nil {
			t.Fatal(err)
		}
		_, err = b.store.Approve(t.Context(), must(approval.ParseID(id)), "dora", raw, time.Hour)
		isCode(t, err, "approve.unknown_operator")
	})
	t.Run("signature_of_another_person", func(t *testing.T) {
		boris.hand(id, anna.sign(id, "anna", keyOf("anna")), "").is(403, "approve.other_person")
	})
	t.Run("own_name_under_anothers_signature", func(t *testing.T) {
		boris.hand(id, anna.sign(id, "boris", keyOf("anna")), "").is(409, "approve.signature")
	})
	t.Run("signature_of_another_content", func(t *testing.T) {
		other := anna.propose("gate-7")
		s := boris.sign(other, "boris", keyOf("boris"))
		s.ID = id
		boris.hand(id, s, "").is(409, "approve.signature")
		s.ID = other
		boris.hand(id, s, "").is(409, "approve.other_proposal")
		boris.call("POST", "/v1/proposals/"+other+"/withdraw", why).ok()
		boris.hand(other, boris.sign(other, "boris", keyOf("boris")), "").is(409, "approve.not_waiting")
	})
	t.Run("signature_that_is_none", func(t *testing.T) {
		boris.hand(id, approval.Signed{ID: id, By: "boris", Signature: "AAAA"}, "").is(409, "approve.signature")
		boris.hand(id, approval.Signed{ID: id, By: "boris", Signature: "no base64"}, "").is(400, "proposal.form")
		boris.hand("00", approval.Signed{ID: "00", By: "boris"}, "").is(400, "proposal.form")
		boris.call("POST", "/v1/proposals/"+id+"/signatures", map[string]any{}).is(400, "request.invalid")
	})
	t.Run("approving_ones_own_alone", func(t *testing.T) {
		if anna.signs(id, "") {
			t.Fatal("one person was enough")
		}
		anna.hand(id, anna.sign(id, "anna", keyOf("anna")), "").is(409, "approve.same_operator")
		if got := b.pending(id); got != "proposed" {
			t.Fatalf("the order is %s by one", got)
		}
	})
	t.Run("replayed_signature", func(t *testing.T) {
		s := boris.sign(id, "boris", keyOf("boris"))
		if out := boris.hand(id, s, "").ok(); !strings.Contains(string(out.body), "true") {
			t.Fatalf("%s", out.body)
		}
		boris.hand(id, s, "").is(409, "approve.not_waiting")
		again := anna.propose("gate-7")
		s.ID = again
		boris.hand(again, s, "").is(409, "approve.signature")
	})
	t.Run("withdrawing_what_is_in_force", func(t *testing.T) {
		anna.call("POST", "/v1/proposals/"+id+"/withdraw", why).is(409, "approve.not_waiting")
	})
	t.Run("signature_that_comes_too_late", func(t *testing.T) {
		late := anna.propose("gate-7")
		s := boris.sign(late, "boris", keyOf("boris"))
		b.exec("UPDATE proposals SET expires = now() - interval '1 second' WHERE id = decode($1, 'hex')", late)
		boris.hand(late, s, "").is(409, "approve.expired")
	})
	t.Run("enrolment_with_another_code", func(t *testing.T) { // the request was swapped on its way
		request, code := b.request("desk-1")
		swapped, other := b.request("desk-1")
		anna.call("POST", "/v1/enrolments", map[string]string{"request": swapped, "code": code, "reason": "new"}).is(409, "enrol.code")
		filed := anna.call("POST", "/v1/enrolments", map[string]string{"request": request, "code": strings.ToLower(code), "reason": "new"}).ok().field("id")
		anna.hand(filed, anna.sign(filed, "anna", keyOf("anna")), "").is(409, "enrol.code")
		anna.hand(filed, anna.sign(filed, "anna", keyOf("anna")), other).is(409, "enrol.code")
		if anna.signs(filed, code) || !boris.signs(filed, code) {
			t.Fatal("not by two")
		}
		if _, err := b.store.DeviceByID(t.Context(), "desk-1"); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("order_for_all_by_leaving_out", func(t *testing.T) {
		anna.call("POST", "/v1/orders", map[string]any{"what": "wipe", "reason": "x", "days": 1}).is(400, "order.form")
		anna.call("POST", "/v1/orders", map[string]any{"what": "", "posts": []string{"gate-7"}, "reason": "x", "days": 1}).is(400, "order.form")
		anna.call("POST", "/v1/orders", map[string]any{"what": "wipe", "posts": []string{"gate-8"}, "reason": "x", "days": 1}).is(404, "link.device")
		anna.call("POST", "/v1/orders", map[string]any{"what": "wipe", "posts": []string{"gate-7"}, "reason": " ", "days": 1}).is(400, "central.proposal")
		anna.call("POST", "/v1/orders", map[string]any{"what": "wipe", "posts": []string{"gate-7"}, "reason": "x", "days": 4000}).is(400, "order.form")
	})
	t.Run("unknown_field", func(t *testing.T) { // a signature beside the order must not be overlooked
		anna.call("POST", "/v1/orders", map[string]any{"what": "lock", "posts": []string{"gate-7"}, "reason": "x", "days": 1, "approved": true}).is(400, "request.invalid")
		anna.call("POST", "/v1/orders", `{"what":"lock"} {}`).is(400, "request.invalid")
	})
	t.Run("endless_body", func(t *testing.T) {
		// Who asks first does not send on into a connection that is being closed.
		anna.call("POST", "/v1/orders", `{"what":"`+strings.Repeat("x", 5<<20)+`"}`, "Expect", "100-continue").is(413, "request.too_large")
	})
	t.Run("metadata_of_what_is_no_feed", func(t *testing.T) {
		anna.call("GET", "/v1/proposals/"+id+"/metadata", nil).is(404, "request.not_found")
		again := anna.propose("gate-7")
		boris.call("POST", "/v1/proposals/"+again+"/signatures", map[string]any{"copy": map[string]any{"signed": map[string]any{}, "signatures": []any{}}}).is(409, "approve.other_proposal")
	})
	t.Run("person_whose_rights_were_taken", func(t *testing.T) {
		carla := b.as("carla")
		carla.call("GET", "/v1/state", nil).ok()
		if err := b.store.RetireOperator(t.Context(), "carla", "test"); err != nil {
			t.Fatal(err)
		}
		carla.call("GET", "/v1/state", nil).is(401, "session.expired")
		b.stranger().call("POST", "/v1/session", map[string]string{"id": "carla", "password": password}).is(401, "operator.refused")
	})
	t.Run("session_of_an_earlier_password", func(t *testing.T) { // who stole the cookie is out as well
		hash := cheap(password)
		if err := b.store.AddOperator(t.Context(), "frida", keyOf("frida").Public().(ed25519.PublicKey), &hash, "test"); err != nil {
			t.Fatal(err)
		}
		frida := b.as("frida")
		frida.call("GET", "/v1/state", nil).ok()
		if err := b.store.SetPassword(t.Context(), "frida", cheap("another that nobody guesses"), "test"); err != nil {
			t.Fatal(err)
		}
		frida.call("GET", "/v1/state", nil).is(401, "session.expired")
	})
	t.Run("deed_without_its_line_in_the_history", func(t *testing.T) { // as where the call is cut between the two
		b.post("gate-9")
		if _, err := b.db.Exec(t.Context(), "ALTER TABLE history ADD CONSTRAINT cut CHECK (what NOT LIKE 'device.%') NOT VALID"); err != nil {
			t.Fatal(err)
		}
		adam.call("PUT", "/v1/posts/gate-9/missing", why).is(503, "central.store_unavailable")
		adam.call("POST", "/v1/posts/gate-9/retire", why).is(503, "central.store_unavailable")
		if _, err := b.db.Exec(t.Context(), "ALTER TABLE history DROP CONSTRAINT cut"); err != nil {
			t.Fatal(err)
		}
		if d, err := b.store.DeviceByID(t.Context(), "gate-9"); err != nil || d.Missing != nil {
			t.Errorf("done without a trace: %+v, %v", d, err)
		}
	})
	t.Run("operator_without_a_password", func(t *testing.T) {
		if err := b.store.AddOperator(t.Context(), "emil", keyOf("emil").Public().(ed25519.PublicKey), nil, "test"); err != nil {
			t.Fatal(err)
		}
		for _, guess := range []string{"", "x", password} {
			b.stranger().call("POST", "/v1/session", map[string]string{"id": "emil", "password": guess}).is(401, "operator.refused")
		}
	})
	t.Run("name_of_sql", func(t *testing.T) {
		b.stranger().call("POST", "/v1/session", map[string]string{"id": "anna' OR '1'='1", "password": password}).is(401, "operator.refused")
		r := anna.call("GET", "/v1/history?subject=%25", nil).ok()
		if strings.Contains(string(r.body), "gate-7") {
			t.Fatal("a wildcard in a subject finds all")
		}
	})
	t.Run("history_keeps_no_typed_name", func(t *testing.T) { // people type passwords there
		b.stranger().call("POST", "/v1/session", map[string]string{"id": "my secret password", "password": "x"}).is(401, "operator.refused")
		if r := anna.call("GET", "/v1/history", nil).ok(); strings.Contains(string(r.body), "my secret") || !strings.Contains(string(r.body), "operator.sign_in_refused") {
			t.Fatalf("%.300s", r.body)
		}
	})
	t.Run("guessed_password", func(t *testing.T) {
		for range lockout.Free {
			b.stranger().call("POST", "/v1/session", map[string]string{"id": "boris", "password": "guess"}).is(401, "operator.refused")
		}
		b.stranger().call("POST", "/v1/session", map[string]string{"id": "boris", "password": password}).is(429, "officer.too_many_tries")
		b.later(lockout.First + time.Second)
		b.as("boris")
	})
	t.Run("path_past_the_page", func(t *testing.T) {
		for _, path := range []string{"/.keep", "/assets", "/assets/", "/..%2f..%2fetc/passwd", "/%2e%2e/secret", "/v1/../index.html", "/v1//state", "/v2/state"} {
			r := anna.call("GET", path, nil)
			r.is(404, "request.not_found")
		}
	})
	t.Run("frame_and_script_of_elsewhere", func(t *testing.T) {
		h := anna.call("GET", "/", nil).ok().header
		for _, part := range []string{"default-src 'self'", "frame-ancestors 'none'", "object-src 'none'"} {
			if !strings.Contains(h.Get("Content-Security-Policy"), part) {
				t.Errorf("the policy lacks %s", part)
			}
		}
		if h.Get("X-Frame-Options") != "DENY" || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Error(h)
		}
	})
	flood(t, b)
}

// flood is somebody who calls too often.
func flood(t *testing.T, b *bench) {
	b.serve(admin.Limits{Remote: 0.001, RemoteBurst: 12, SignIn: 0.001, SignInBurst: 3})
	t.Run("flood_of_sign_ins", func(t *testing.T) {
		for range 3 {
			b.stranger().call("POST", "/v1/session", map[string]string{"id": "x", "password": "y"}).is(401, "operator.refused")
		}
		r := b.stranger().call("POST", "/v1/session", map[string]string{"id": "anna", "password": password})
		r.is(429, "officer.too_many_tries")
		if r.header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	})
	t.Run("flood_of_calls", func(t *testing.T) {
		for i := 0; ; i++ {
			if r := b.stranger().call("GET", "/v1/state", nil); r.status == http.StatusTooManyRequests {
				r.is(429, "request.rate")
				break
			} else if i > 12 {
				t.Fatal("no end of calls")
			}
		}
	})
}
