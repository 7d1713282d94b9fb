package central_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/officer/lockout"
	"github.com/watchpost/watchpost/sdk/central"
	"github.com/watchpost/watchpost/sdk/central/admin"
	linkv1 "github.com/watchpost/watchpost/sdk/proto/link/v1"
	screeningv1 "github.com/watchpost/watchpost/sdk/proto/screening/v1"
)

// cheap is a password's form at a cost that only a test may have.
func cheap(password string) string {
	salt := []byte("salt of the test")
	text := base64.RawStdEncoding.EncodeToString
	return "$argon2id$v=19$m=8,t=1,p=1$" + text(salt) + "$" + text(argon2.IDKey([]byte(password), salt, 1, 8, 1, 32))
}

// visitor is a browser that knows the page's certificate by its fingerprint.
func (w *world) visitor() *http.Client {
	w.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.t.Fatal(err)
	}
	pinned := w.c.PageFingerprint
	return &http.Client{Jar: jar, Transport: &http.Transport{TLSClientConfig: &tls.Config{
		InsecureSkipVerify: true, // what is pinned is judged below
		VerifyConnection: func(s tls.ConnectionState) error {
			if sum := sha256.Sum256(s.PeerCertificates[0].Raw); hex.EncodeToString(sum[:]) != pinned {
				return fault.New("test", "another certificate")
			}
			return nil
		},
	}}}
}

// asks sends a call of the page and returns its status, code and body.
func (w *world) asks(c *http.Client, method, path string, body any) (int, fault.Code, []byte) {
	w.t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		w.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(w.t.Context(), method, strings.TrimSuffix(w.c.PageURL, "/")+path, bytes.NewReader(raw))
	if err != nil {
		w.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := c.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer answer.Body.Close()
	out, err := io.ReadAll(answer.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	var e struct{ Code fault.Code }
	if err := json.Unmarshal(out, &e); err != nil && answer.StatusCode >= 400 {
		w.t.Fatalf("%d %.200s", answer.StatusCode, out)
	}
	return answer.StatusCode, e.Code, out
}

// measured returns central's metrics.
func (w *world) measured() string {
	w.t.Helper()
	answer, err := http.Get(w.c.MetricsURL)
	if err != nil {
		w.t.Fatal(err)
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		w.t.Fatal(answer.Status, err)
	}
	return string(raw)
}

// TestPageAndMetrics has a real post speak to a real central, and reads what the
// page and the metrics say of it.
func TestPageAndMetrics(t *testing.T) {
	w := newWorld(t)
	if m := w.measured(); !strings.Contains(m, "\nwatchpost_central_posts{state=\"connected\"} 0\n") || !strings.Contains(m, "\nwatchpost_central_backup_timestamp_seconds 0\n") {
		t.Errorf("%.3000s", m)
	}
	b := w.box().enrol()
	hello := says(1, 1, 1)
	hello.Version, hello.Workplace, hello.Waiting = "1.2.3", "gate", 7
	hello.Lists = []*linkv1.HeldList{{List: "national", Generation: 4, IssuedMs: time.Now().Add(-time.Hour).UnixMilli()}, {List: "un", Generation: 1, IssuedMs: time.Now().UnixMilli(), Stale: true}}
	if code := b.hello(hello); code != "" {
		t.Fatal(code)
	}
	deliver := func(post string) fault.Code {
		return b.call(linkv1.DeliverSubject(b.name), &linkv1.Call{What: &linkv1.Call_Deliver{Deliver: &screeningv1.DeliverRequest{
			Id: "1", Post: post, Encounter: "e", Officer: "officer-of-the-test", Purpose: "entry", ClosedMs: 1, Outcome: screeningv1.OutcomeKind_OUTCOME_KIND_ADMITTED,
		}}})
	}
	if code := deliver(b.name); code != "" {
		t.Fatal(code)
	}
	if code := deliver("another"); code != "call.invalid" {
		t.Fatal(code)
	}
	ask := &linkv1.Call{PatienceMs: 500, What: &linkv1.Call_Ask{Ask: &screeningv1.AskRequest{Encounter: "e", Officer: "officer-of-the-test", Purpose: "entry", Name: &screeningv1.NameProbe{Primary: "DOE"}}}}
	if code := b.call(linkv1.AskSubject(b.name), ask); code != "source.unavailable" {
		t.Fatal(code)
	}
	order := &linkv1.Order{Reason: "left open", ExpiresMs: time.Now().Add(time.Hour).UnixMilli(), What: &linkv1.Order_Lock{Lock: &linkv1.LockPost{}}}
	p, err := w.c.Store.ProposeOrder(t.Context(), order, []string{b.name}, b.name, "anna")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"anna", "boris"} {
		if _, err := w.approve(p, name); err != nil {
			t.Fatal(err)
		}
	}
	m := w.measured()
	for _, line := range []string{
		`watchpost_central_database_up 1`, `watchpost_central_posts{state="connected"} 1`, `watchpost_central_list_posts{list="national",stale="false"} 1`, `watchpost_central_list_posts{list="un",stale="true"} 1`,
		`watchpost_central_outbox_waiting 7`, `watchpost_central_receipts_total{code="ok"} 1`, `watchpost_central_receipts_total{code="call.invalid"} 1`, `watchpost_central_search_seconds_count{coverage="none"} 1`,
		`watchpost_central_refused_calls_total{code="source.unavailable"} 1`, `watchpost_central_orders_pending 1`, `watchpost_central_proposals_waiting 0`,
	} {
		if !strings.Contains(m, "\n"+line+"\n") {
			t.Errorf("metrics lack %s", line)
		}
	}
	for _, personal := range []string{"officer-of-the-test", "DOE", "anna"} {
		if strings.Contains(m, personal) {
			t.Errorf("metrics name %s", personal)
		}
	}

	if err := w.c.Store.SetPassword(t.Context(), "anna", cheap("four words nobody guesses"), "test"); err != nil {
		t.Fatal(err)
	}
	anna := w.visitor()
	if status, code, _ := w.asks(anna, "POST", "/v1/session", map[string]string{"id": "anna", "password": "four words nobody guesses"}); status != http.StatusCreated {
		t.Fatal(status, code)
	}
	_, _, raw := w.asks(anna, "GET", "/v1/state", nil)
	var s admin.State
	if err := json.Unmarshal(raw, &s); err != nil {
		t.Fatal(err)
	}
	if len(s.Posts) != 1 || !s.Posts[0].Connected || s.Posts[0].Version != "1.2.3" || s.Posts[0].Workplace != "gate" || s.Posts[0].Orders != 1 || len(s.Posts[0].Troubles) != 2 || s.Posts[0].Troubles[0].Code != "post.locked" || s.Posts[0].Troubles[1].Code != "list.stale" || len(s.Orders) != 1 {
		t.Errorf("%.2000s", raw)
	}
}

// TestAttackPageRestart looks for a way in by starting central again, or on
// another address.
func TestAttackPageRestart(t *testing.T) {
	w := newWorld(t)
	if err := w.c.Store.SetPassword(t.Context(), "anna", cheap("four words nobody guesses"), "test"); err != nil {
		t.Fatal(err)
	}
	right := map[string]string{"id": "anna", "password": "four words nobody guesses"}
	again := func(config central.Config) error {
		if err := w.c.Close(); err != nil {
			return err
		}
		var err error
		w.c, err = central.Run(context.Background(), config)
		if err != nil {
			w.c = new(central.Central)
		}
		return err
	}
	anna := w.visitor()
	if status, code, _ := w.asks(anna, "POST", "/v1/session", right); status != http.StatusCreated {
		t.Fatal(status, code)
	}
	fingerprint := w.c.PageFingerprint
	if err := again(w.config); err != nil {
		t.Fatal(err)
	}
	t.Run("session_of_the_run_before", func(t *testing.T) {
		if status, code, _ := w.asks(anna, "GET", "/v1/state", nil); status != http.StatusUnauthorized || code != "session.missing" && code != "session.expired" {
			t.Fatal(status, code)
		}
	})
	t.Run("certificate_stays", func(t *testing.T) { // who compared it once must notice another
		if w.c.PageFingerprint != fingerprint {
			t.Fatal("another certificate after a start")
		}
	})
	t.Run("guesses_are_not_forgotten", func(t *testing.T) {
		for range lockout.Free {
			if status, code, _ := w.asks(anna, "POST", "/v1/session", map[string]string{"id": "anna", "password": "a guess of many"}); code != "operator.refused" {
				t.Fatal(status, code)
			}
		}
		if err := again(w.config); err != nil {
			t.Fatal(err)
		}
		if status, code, _ := w.asks(anna, "POST", "/v1/session", right); status != http.StatusTooManyRequests || code != "officer.too_many_tries" {
			t.Fatal(status, code)
		}
	})
	t.Run("page_for_the_whole_network", func(t *testing.T) {
		open := w.config
		open.Page = "0.0.0.0:0"
		if err := again(open); fault.CodeOf(err) != "central.page" {
			t.Fatal(err)
		}
	})
	t.Run("metrics_for_the_whole_network", func(t *testing.T) {
		open := w.config
		open.Metrics = "0.0.0.0:0"
		if err := again(open); fault.CodeOf(err) != "central.page" {
			t.Fatal(err)
		}
	})
}
