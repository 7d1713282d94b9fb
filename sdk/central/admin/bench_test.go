package admin_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/nats-io/nkeys"
	"golang.org/x/crypto/argon2"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/officer/lockout"
	"github.com/watchpost/watchpost/device/officer/session"
	"github.com/watchpost/watchpost/sdk/central/admin"
	"github.com/watchpost/watchpost/sdk/central/approval"
	"github.com/watchpost/watchpost/sdk/central/postgres"
	"github.com/watchpost/watchpost/sdk/central/store"
	linkv1 "github.com/watchpost/watchpost/sdk/proto/link/v1"
)

const password = "four words nobody guesses"

// wide are limits that no test meets by accident.
var wide = admin.Limits{Remote: 1e6, RemoteBurst: 1e6, SignIn: 1e6, SignInBurst: 1e6}

// bench is the page behind a real HTTPS server, over a real PostgreSQL. anna
// and boris are operators, adam an administrator, dora an auditor.
type bench struct {
	t      *testing.T
	store  *store.Store
	db     *pgx.Conn // of the test, for what posts would tell
	https  *httptest.Server
	shards []admin.Shard

	mu  sync.Mutex // protects ahead
	fwd time.Duration
}

func newBench(t *testing.T, pg *postgres.Instance, shards []admin.Shard) *bench {
	t.Helper()
	b := &bench{t: t}
	dsn := database(t, pg)
	var err error
	if b.store, err = store.Open(t.Context(), dsn); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.store.Close)
	if b.db, err = pgx.Connect(t.Context(), dsn); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.db.Close(context.Background()) })
	hash := cheap(password)
	for _, name := range []string{"anna", "boris", "carla"} {
		if err := b.store.AddOperator(t.Context(), name, keyOf(name).Public().(ed25519.PublicKey), &hash, "test"); err != nil {
			t.Fatal(err)
		}
	}
	for name, role := range map[string]store.Role{"adam": store.RoleAdministrator, "dora": store.RoleAuditor} {
		if err := b.store.AddReader(t.Context(), name, role, hash, "test"); err != nil {
			t.Fatal(err)
		}
	}
	b.shards = shards
	b.serve(wide)
	return b
}

// serve serves the page with these limits, in the place of one before.
func (b *bench) serve(limits admin.Limits) {
	b.t.Helper()
	known := func(id string) bool { _, err := b.store.OperatorByID(context.Background(), id); return err == nil }
	guard, err := lockout.New(lockout.Options{Known: known, Now: b.now})
	if err != nil {
		b.t.Fatal(err)
	}
	o := admin.Options{
		Store: b.store, Guard: guard, Limits: limits, Now: b.now, Log: slog.New(slog.DiscardHandler),
		Page: admin.NewPage(fstest.MapFS{"index.html": {Data: []byte("<h1>page</h1>")}, "assets/a-1.js": {Data: []byte("1")}, ".keep": {}}),
	}
	if b.shards != nil {
		o.Shards = func(context.Context) ([]admin.Shard, error) { return b.shards, nil }
	}
	b.https = httptest.NewTLSServer(admin.New(o))
	b.https.Client().Transport.(*http.Transport).ExpectContinueTimeout = time.Minute
	b.t.Cleanup(b.https.Close)
}

// database makes one for this test in an instance that several share: starting
// PostgreSQL takes seconds.
func database(t *testing.T, pg *postgres.Instance) string {
	t.Helper()
	var db *pgx.Conn
	deadline := time.After(time.Minute)
	for {
		var err error
		if db, err = pgx.Connect(t.Context(), pg.DSN()); err == nil {
			break
		}
		select {
		case <-deadline:
			t.Fatal(err)
		case <-time.After(20 * time.Millisecond): // it may be starting
		}
	}
	defer db.Close(context.Background())
	sum := sha256.Sum256([]byte(t.Name()))
	name := fmt.Sprintf("test_%x", sum[:8])
	if _, err := db.Exec(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	return strings.Replace(pg.DSN(), "dbname=postgres", "dbname="+name, 1)
}

func (b *bench) now() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return time.Now().Add(b.fwd)
}

// later puts the clock of the page forward.
func (b *bench) later(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fwd += d
}

func (b *bench) exec(sql string, args ...any) {
	b.t.Helper()
	if _, err := b.db.Exec(b.t.Context(), sql, args...); err != nil {
		b.t.Fatal(err)
	}
}

// cheap is a password's form at a cost that only a test may have.
func cheap(password string) string {
	salt := []byte("salt of the test")
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=19$m=8,t=1,p=1$%s$%s", b64.EncodeToString(salt), b64.EncodeToString(argon2.IDKey([]byte(password), salt, 1, 8, 1, 32)))
}

// keyOf is a person's key, the same in every run.
func keyOf(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

// person is a browser of somebody.
type person struct {
	b      *bench
	name   string
	client *http.Client
	csrf   string
}

func (b *bench) stranger() *person {
	jar, err := cookiejar.New(nil)
	if err != nil {
		b.t.Fatal(err)
	}
	client := *b.https.Client()
	client.Jar = jar
	return &person{b: b, client: &client}
}

// as signs somebody in.
func (b *bench) as(name string) *person {
	b.t.Helper()
	p := b.stranger()
	p.name = name
	r := p.call("POST", "/v1/session", map[string]string{"id": name, "password": password})
	if r.status != http.StatusCreated {
		b.t.Fatalf("%s does not sign in: %d %s", name, r.status, r.body)
	}
	p.csrf = r.field("csrf")
	return p
}

// reply is an answer of the page.
type reply struct {
	t      *testing.T
	status int
	header http.Header
	body   []byte
}

func (r reply) into(v any) {
	r.t.Helper()
	if err := json.Unmarshal(r.body, v); err != nil {
		r.t.Fatalf("%v: %.300s", err, r.body)
	}
}

func (r reply) field(name string) string {
	r.t.Helper()
	var m map[string]any
	r.into(&m)
	s, _ := m[name].(string)
	return s
}

// is fails unless the answer is an error of this status and code, in the one form.
func (r reply) is(status int, code fault.Code) {
	r.t.Helper()
	var e struct {
		Code    fault.Code `json:"code"`
		Cause   string     `json:"cause"`
		TextKey string     `json:"text_key"`
	}
	r.into(&e)
	if r.status != status || e.Code != code || e.Cause == "" || e.TextKey != "error."+string(code) {
		r.t.Fatalf("%d %.300s; want %d %s", r.status, r.body, status, code)
	}
}

func (r reply) ok() reply {
	r.t.Helper()
	if r.status/100 != 2 {
		r.t.Fatalf("%d %.300s", r.status, r.body)
	}
	return r
}

// call sends what may be text, or nil, or a document; header is pairs.
func (p *person) call(method, path string, body any, header ...string) reply {
	p.b.t.Helper()
	var in io.Reader
	switch v := body.(type) {
	case nil:
	case string:
		in = strings.NewReader(v)
	default:
		raw, err := json.Marshal(v)
		if err != nil {
			p.b.t.Fatal(err)
		}
		in = bytes.NewReader(raw)
	}
	r, err := http.NewRequestWithContext(p.b.t.Context(), method, p.b.https.URL+path, in)
	if err != nil {
		p.b.t.Fatal(err)
	}
	if in != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if p.csrf != "" {
		r.Header.Set(session.CSRFHeader, p.csrf)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := p.client.Do(r)
	if err != nil {
		p.b.t.Fatal(err)
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(answer.Body)
	if err != nil {
		p.b.t.Fatal(err)
	}
	return reply{p.b.t, answer.StatusCode, answer.Header, raw}
}

// post registers a post.
func (b *bench) post(name string) {
	b.t.Helper()
	key, err := nkeys.CreateUser()
	if err != nil {
		b.t.Fatal(err)
	}
	public, err := key.PublicKey()
	if err != nil {
		b.t.Fatal(err)
	}
	if err := b.store.AddDevice(b.t.Context(), name, public); err != nil {
		b.t.Fatal(err)
	}
}

// request is the request that a new box shows, and its code.
func (b *bench) request(name string) (text, code string) {
	b.t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		b.t.Fatal(err)
	}
	text, err = linkv1.NewEnrolmentRequest(name, public, make([]byte, 32), time.Now(), func(m []byte) ([]byte, error) { return ed25519.Sign(private, m), nil })
	if err != nil {
		b.t.Fatal(err)
	}
	return text, linkv1.EnrolmentCode(text)
}

// propose files an order to wipe a post and returns its id.
func (p *person) propose(post string) string {
	p.b.t.Helper()
	return p.call("POST", "/v1/orders", map[string]any{"what": "wipe", "posts": []string{post}, "reason": "stolen", "days": 3}).ok().field("id")
}

// sign does what "watchpost-central proposal sign" does with the file that the
// page hands out.
func (p *person) sign(id, by string, key ed25519.PrivateKey) approval.Signed {
	p.b.t.Helper()
	var row approval.Row
	p.call("GET", "/v1/proposals/"+id, nil).ok().into(&row)
	content, err := base64.StdEncoding.DecodeString(row.Content)
	if err != nil {
		p.b.t.Fatal(err)
	}
	signature, err := store.SignProposal(row.Kind, content, key)
	if err != nil {
		p.b.t.Fatal(err)
	}
	return approval.Signed{ID: id, By: by, Signature: base64.StdEncoding.EncodeToString(signature)}
}

func (p *person) hand(id string, s approval.Signed, code string) reply {
	p.b.t.Helper()
	return p.call("POST", "/v1/proposals/"+id+"/signatures", map[string]any{"signature": s, "code": code})
}

// signs signs and hands in, and reports whether it was the last needed.
func (p *person) signs(id, code string) bool {
	p.b.t.Helper()
	var out struct{ Approved bool }
	p.hand(id, p.sign(id, p.name, keyOf(p.name)), code).ok().into(&out)
	return out.Approved
}

func (p *person) state() admin.State {
	p.b.t.Helper()
	var s admin.State
	p.call("GET", "/v1/state", nil).ok().into(&s)
	return s
}

// pending is the state of an order at its first post.
func (b *bench) pending(id string) string {
	b.t.Helper()
	raw, err := approval.ParseID(id)
	if err != nil {
		b.t.Fatal(err)
	}
	all, err := b.store.OrderStates(b.t.Context(), raw)
	if err != nil || len(all) == 0 {
		b.t.Fatal(all, err)
	}
	return all[0].State
}

// isCode fails unless err has the code.
func isCode(t *testing.T, err error, code fault.Code) {
	t.Helper()
	if fault.CodeOf(err) != code {
		t.Fatalf("%v; want %s", err, code)
	}
}

// must is for what cannot fail in a test.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
