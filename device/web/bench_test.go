package web

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/biometric/quality"
	"github.com/watchpost/watchpost/device/biometric/template"
	"github.com/watchpost/watchpost/device/capture"
	"github.com/watchpost/watchpost/device/document/inspect"
	"github.com/watchpost/watchpost/device/encounter"
	"github.com/watchpost/watchpost/device/encounter/policy"
	"github.com/watchpost/watchpost/device/encounter/store"
	"github.com/watchpost/watchpost/device/officer"
	"github.com/watchpost/watchpost/device/officer/lockout"
	"github.com/watchpost/watchpost/device/officer/passkey"
	"github.com/watchpost/watchpost/device/officer/session"
	"github.com/watchpost/watchpost/device/screening"
)

// bench is a real post, with its store, policy and state machine, behind a
// real HTTPS server. Devices and sources are played.
type bench struct {
	t      *testing.T
	post   *encounter.Post
	store  *store.Store
	server *Server
	https  *httptest.Server
	looks  iter.Seq2[[]quality.Looking, error] // nil: none come
	camera iter.Seq2[capture.Frame, error]

	mu     sync.Mutex
	now    time.Time
	result screening.Result
	late   func(screening.Reply)
	noFace error

	revoked time.Time // of account o1
}

const password = "correct horse"

// cheap is the argon2id form of password at the lowest cost: tests are about
// sessions, not about hashing.
func cheap() string {
	salt := []byte("0123456789abcdef")
	key := argon2.IDKey([]byte(password), salt, 1, 8, 1, 32)
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=8,t=1,p=1$%s$%s", argon2.Version, b64.EncodeToString(salt), b64.EncodeToString(key))
}

func (b *bench) Accounts() *officer.Accounts {
	year := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	account := func(id string, expires time.Time, roles ...officer.Role) officer.Account {
		return officer.Account{ID: id, Name: "Name of " + id, Roles: roles, Password: cheap(), Expires: expires}
	}
	of := &officer.Accounts{Version: 1, Edition: 1, Accounts: []officer.Account{
		account("o1", year, officer.Officer), account("o2", year, officer.Officer), account("s1", year, officer.Supervisor),
		account("a1", year, officer.Administrator), account("u1", year, officer.Auditor), account("old", year.AddDate(-2, 0, 0), officer.Officer),
	}}
	of.Find("o1").Revoked = b.revoked
	return of
}

func (b *bench) System(context.Context) (System, error) {
	return System{Post: "p1", Workplace: "desk", Lists: []ListState{}, Devices: []DeviceInfo{}, Link: "none"}, nil
}

func (b *bench) AuditLines(from int64, limit int) ([][]byte, error) {
	return b.store.AuditLines(from, limit)
}

func (b *bench) AuditHeads(from int64, limit int) ([][]byte, error) {
	return b.store.Heads(from, limit)
}

func (b *bench) Witnessed(line audit.Line) error {
	return b.store.Commit(store.Change{Audit: []audit.Line{line}})
}

func (b *bench) Preview(_ context.Context, _ capture.PreviewOptions) iter.Seq2[capture.Frame, error] {
	return b.camera
}

func (b *bench) Looks(ctx context.Context) iter.Seq2[[]quality.Looking, error] {
	if b.looks != nil {
		return b.looks
	}
	return func(func([]quality.Looking, error) bool) { <-ctx.Done() }
}

func (b *bench) ReadDocument(context.Context, encounter.DocumentKey, func(encounter.Progress)) (encounter.DocumentResult, error) {
	return encounter.DocumentResult{
		Inspection: inspect.Inspection{Checks: []inspect.Check{
			{Code: inspect.SODSignature, Result: inspect.Pass}, {Code: inspect.DSChain, Result: inspect.Pass},
			{Code: inspect.GroupHash(1), Result: inspect.Pass}, {Code: inspect.GroupHash(2), Result: inspect.Pass},
		}},
		Portrait: []byte("picture"), Vouched: true, BirthDate: "1990-05-04",
		Document: screening.DocumentProbe{Type: "P", Issuer: "UTO", Number: "L898902C3"},
	}, nil
}

func face() template.Face {
	f := template.Face{Model: "m", Version: "1", Images: 1}
	f.Vector[0] = 1
	return f
}

func (b *bench) CaptureFace(context.Context, int) (encounter.FaceCapture, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.noFace != nil {
		return encounter.FaceCapture{}, b.noFace
	}
	return encounter.FaceCapture{Templates: []template.Face{face()}, Quality: 80, Faces: 1, Picture: []byte("\xff\xd8\xff live")}, nil
}

func (b *bench) DecodePortrait(context.Context, []byte) (encounter.Portrait, error) {
	return encounter.Portrait{Face: face(), JPEG: []byte("\xff\xd8\xff chip")}, nil
}

func (b *bench) ScoreAt(float64) float64 { return 0.9 }
func (b *bench) FMRAt(float64) float64   { return 1e-3 }

func (b *bench) Screen(_ context.Context, _ screening.Question, late func(screening.Reply)) screening.Result {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.late = late
	return b.result
}

func (b *bench) Now() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

func (b *bench) forward(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = b.now.Add(d)
}

type sealer struct{ cipher.AEAD }

func (s sealer) Seal(id, plain []byte) ([]byte, error)  { return s.AEAD.Seal(nil, nil, plain, id), nil }
func (s sealer) Open(id, sealed []byte) ([]byte, error) { return s.AEAD.Open(nil, nil, sealed, id) }

// wide are limits that no test but those of limits reaches.
func wide() Limits {
	return Limits{Remote: 1e6, RemoteBurst: 1e6, Account: 1e6, AccountBurst: 1e6, SignIn: 1e6, SignInBurst: 1e6}
}

func newBench(t *testing.T, limits Limits, change ...func(*policy.Policy)) *bench {
	t.Helper()
	b := &bench{t: t, now: time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC), result: screening.Result{Answer: screening.Clear}}
	b.camera = func(func(capture.Frame, error) bool) {}
	block, err := aes.NewCipher(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		t.Fatal(err)
	}
	if b.store, err = store.Open(t.TempDir(), sealer{aead}); err != nil {
		t.Fatal(err)
	}
	rules := policy.Default(policy.Desk)
	for _, c := range change {
		c(rules)
	}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	b.post, err = encounter.NewPost(encounter.Dependencies{
		Name: "p1", Policy: rules, Documents: b, Camera: b, Portraits: b, Faces: b, Screener: b, Photographs: b, Store: b.store,
		Events: encounter.NewEvents(), Now: b.Now, Log: log, Answered: func(time.Duration) {}, Ended: func(encounter.Outcome) {}, Watcher: b,
	})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := passkey.New(passkey.Site{Host: "localhost", Origin: "https://localhost:8443"}, b.store, b.Accounts, b.Now)
	if err != nil {
		t.Fatal(err)
	}
	page, err := NewPage(emptyPage())
	if err != nil {
		t.Fatal(err)
	}
	guard, err := lockout.New(lockout.Options{Now: b.Now, Known: func(id string) bool {
		return slices.ContainsFunc(b.Accounts().Accounts, func(a officer.Account) bool { return a.ID == id })
	}})
	if err != nil {
		t.Fatal(err)
	}
	b.server = New(Options{Post: b.post, Backend: b, Log: log, Now: b.Now, Limits: limits, Guard: guard, Passkeys: keys, Page: page})
	b.https = httptest.NewTLSServer(b.server)
	t.Cleanup(func() {
		_ = b.server.Close()
		b.https.Close()
		b.post.Stop()
		if err := b.store.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// caller is one program or browser.
type caller struct {
	b      *bench
	http   *http.Client
	header map[string]string
}

func (b *bench) caller() *caller {
	jar, err := cookiejar.New(nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return &caller{b, &http.Client{Transport: b.https.Client().Transport, Jar: jar}, map[string]string{}}
}

// program signs in with a bearer token.
func (b *bench) program(id string) *caller {
	b.t.Helper()
	c := b.caller()
	var in SignedIn
	c.ok(http.MethodPost, "/v1/session", Credentials{id, password}, &in)
	c.header["Authorization"] = "Bearer " + in.Token
	return c
}

// browser signs in with a cookie.
func (b *bench) browser(id string) *caller {
	b.t.Helper()
	c := b.caller()
	var in SignedIn
	c.ok(http.MethodPost, "/v1/session", SignInBody{Credentials{id, password}, true}, &in)
	c.header[session.CSRFHeader] = in.CSRF
	return c
}

// do makes a call; body is sent as it is if it is a string, else as JSON.
func (c *caller) do(method, path string, body any) (*http.Response, []byte) {
	c.b.t.Helper()
	var r io.Reader
	switch v := body.(type) {
	case nil:
	case string:
		r = strings.NewReader(v)
	default:
		raw, err := json.Marshal(v)
		if err != nil {
			c.b.t.Fatal(err)
		}
		r = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(c.b.t.Context(), method, c.b.https.URL+path, r)
	if err != nil {
		c.b.t.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for k, v := range c.header {
		req.Header.Set(k, v)
	}
	res, err := c.http.Do(req)
	if err != nil {
		c.b.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		c.b.t.Fatal(err)
	}
	return res, raw
}

// ok makes a call that must succeed.
func (c *caller) ok(method, path string, body, out any) {
	c.b.t.Helper()
	res, raw := c.do(method, path, body)
	if res.StatusCode/100 != 2 {
		c.b.t.Fatalf("%s %s: %d %s", method, path, res.StatusCode, raw)
	}
	if out != nil {
		if err := json.Unmarshal(raw, out); err != nil {
			c.b.t.Fatal(err)
		}
	}
}

// refused makes a call that must fail with status and code, in the one form.
func (c *caller) refused(method, path string, body any, status int, code string) {
	c.b.t.Helper()
	res, raw := c.do(method, path, body)
	c.b.refusal(method+" "+path, res, raw, status, code)
}

// refusal holds that an answer is one, with status and code, in the one form.
func (b *bench) refusal(what string, res *http.Response, raw []byte, status int, code string) {
	b.t.Helper()
	var e struct {
		Code    string `json:"code"`
		TextKey string `json:"text_key"`
		Cause   string `json:"cause"`
	}
	if err := json.Unmarshal(raw, &e); err != nil {
		b.t.Errorf("%s: %d, not the one form: %s", what, res.StatusCode, raw)
		return
	}
	if res.StatusCode != status || e.Code != code || e.TextKey != "error."+code || res.Header.Get("Content-Type") != "application/json" {
		b.t.Errorf("%s: %d %s, want %d %s", what, res.StatusCode, raw, status, code)
	}
	for name, value := range headers {
		if res.Header.Get(name) != value {
			b.t.Errorf("%s: %s is %q", what, name, res.Header.Get(name))
		}
	}
}

// with returns a caller that sends one header more.
func (c *caller) with(name, value string) *caller {
	other := *c
	other.header = maps.Clone(c.header)
	other.header[name] = value
	return &other
}

// open starts an encounter and returns its path.
func (c *caller) open(document bool) string {
	c.b.t.Helper()
	var e struct{ ID string }
	c.ok(http.MethodPost, "/v1/encounters", map[string]any{"purpose": "border_check", "document": document, "declared": map[string]string{"age": "adult"}}, &e)
	return "/v1/encounters/" + e.ID
}

// review takes an encounter with a document to its answer.
func (c *caller) review() string {
	c.b.t.Helper()
	e := c.open(true)
	c.ok(http.MethodPost, e+"/document", DocumentBody{MRZ: "L898902C3,900504,300101"}, nil)
	c.ok(http.MethodPost, e+"/face", nil, nil)
	c.until(e, "review")
	return e
}

// until waits for the event after which the encounter is in state.
func (c *caller) until(path, state string) {
	c.b.t.Helper()
	ctx, cancel := context.WithTimeout(c.b.t.Context(), 20*time.Second)
	defer cancel()
	var after uint64
	for {
		e, err := c.b.post.Get(strings.TrimPrefix(path, "/v1/encounters/"))
		if err != nil {
			c.b.t.Fatal(err)
		}
		if e.State.String() == state {
			return
		}
		batch, err := c.b.post.Events.Next(ctx, after)
		if err != nil {
			c.b.t.Fatalf("waiting for %s: %v", state, errors.Join(err, ctx.Err()))
		}
		after = batch[len(batch)-1].Seq
	}
}

func listed() screening.Result {
	return screening.Result{Answer: screening.Candidates, Candidates: []screening.Candidate{{Source: "local", List: "l", Record: "r1", Name: "LISTED"}}}
}
