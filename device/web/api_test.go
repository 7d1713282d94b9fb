package web

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/watchpost/watchpost/device/encounter/policy"
	"github.com/watchpost/watchpost/device/fault"
)

func emptyPage() fs.FS { return fstest.MapFS{".keep": {}} }

// longIdle keeps encounters open over a session's end.
func longIdle(p *policy.Policy) { p.Deadlines.Idle = policy.Duration(24 * time.Hour) }

func TestEncounterOverTheAPI(t *testing.T) {
	b := newBench(t, wide())
	b.result = listed()
	c := b.browser("o1")
	e := c.open(true)
	c.refused(http.MethodGet, e+"/pictures/probe", nil, 404, "encounter.no_picture")
	c.refused(http.MethodGet, e+"/pictures/chip", nil, 404, "encounter.no_picture")
	c.ok(http.MethodPost, e+"/document", DocumentBody{CAN: "123456"}, nil)
	c.ok(http.MethodPost, e+"/face", nil, nil)
	c.until(e, "review")
	for which, want := range map[string]string{"probe": "live", "chip": "chip"} {
		res, raw := c.do(http.MethodGet, e+"/pictures/"+which, nil)
		if res.StatusCode != 200 || res.Header.Get("Content-Type") != "image/jpeg" || !strings.HasSuffix(string(raw), want) || res.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %v %q", which, res.StatusCode, res.Header, raw)
		}
	}
	c.refused(http.MethodGet, e+"/pictures/record", nil, 422, "request.invalid")
	c.ok(http.MethodPost, e+"/adjudications", map[string]string{"list": "l", "record": "r1", "finding": "same_person", "reason": "scar"}, nil)
	var done struct{ State, Answer string }
	c.ok(http.MethodPost, e+"/outcome", map[string]string{"outcome": "referred"}, &done)
	if done.State != "closed" || done.Answer != "candidates" {
		t.Errorf("ended %+v", done)
	}
	c.ok(http.MethodGet, e, nil, nil)
	c.refused(http.MethodGet, e+"/pictures/probe", nil, 404, "encounter.no_picture")
	c.refused(http.MethodGet, e+"/pictures/chip", nil, 404, "encounter.no_picture")

	e = c.open(false)
	c.ok(http.MethodPost, e+"/steps/face/skip", SkipBody{"refused_by_person"}, nil)
	c.until(e, "review")
	c.ok(http.MethodPost, e+"/outcome", map[string]string{"outcome": "abandoned", "reason": "left"}, nil)
	c.ok(http.MethodGet, "/v1/system", nil, nil)
	var view PolicyView
	c.ok(http.MethodGet, "/v1/policy-view", nil, &view)
	if len(view.Purposes) != 2 || view.AnswerMS != 1000 || view.VerificationFMR != 1e-3 || view.KeepEvidenceHours != 72 {
		t.Errorf("policy %+v", view)
	}
	var lines struct{ Lines []map[string]any }
	b.program("u1").ok(http.MethodGet, "/v1/audit?limit=1000", nil, &lines)
	if len(lines.Lines) < 8 {
		t.Errorf("%d audit lines", len(lines.Lines))
	}
	c.ok(http.MethodGet, "/v1/openapi.json", nil, nil)
}

func TestCommandsAreRefused(t *testing.T) {
	b := newBench(t, wide(), func(p *policy.Policy) {
		p.Officers.SecondOfficer = []policy.Act{policy.ActConfirmCandidate, policy.ActOverride}
		p.Officers.SearchesPerHour = 3
	})
	b.result = listed()
	c := b.program("o1")
	open := map[string]any{"purpose": "curiosity", "document": false, "declared": map[string]string{"age": "adult"}}
	c.refused(http.MethodPost, "/v1/encounters", open, 409, "encounter.purpose")
	e := c.open(true)
	open["purpose"] = "border_check"
	c.refused(http.MethodPost, "/v1/encounters", open, 409, "encounter.busy")
	c.refused(http.MethodPost, e+"/outcome", map[string]string{"outcome": "admitted"}, 409, "encounter.state")
	c.refused(http.MethodPost, e+"/outcome", map[string]string{"outcome": "abandoned"}, 409, "encounter.reason_needed")
	c.refused(http.MethodPost, e+"/adjudications", map[string]string{"list": "l", "record": "r1", "finding": "undecided", "reason": "x"}, 409, "encounter.state")
	c.refused(http.MethodPost, "/v1/encounters/nowhere/face", nil, 404, "encounter.not_found")
	c.refused(http.MethodPost, e+"/steps/iris/skip", SkipBody{"x"}, 422, "request.invalid")
	b.program("o2").refused(http.MethodPost, e+"/face", nil, 403, "officer.role")
	b.program("o2").refused(http.MethodGet, e, nil, 403, "officer.role")
	b.program("o2").refused(http.MethodGet, e+"/pictures/probe", nil, 403, "officer.role")
	b.program("s1").ok(http.MethodGet, e, nil, nil)
	b.program("s1").refused(http.MethodPost, e+"/face", nil, 403, "officer.role")
	b.program("a1").refused(http.MethodGet, "/v1/encounters", nil, 403, "officer.role")
	c.refused(http.MethodGet, "/v1/audit", nil, 403, "officer.role")

	c.ok(http.MethodPost, e+"/document", DocumentBody{MRZ: "x"}, nil)
	c.ok(http.MethodPost, e+"/face", nil, nil)
	c.until(e, "review")
	c.refused(http.MethodPost, e+"/face", nil, 409, "encounter.state")
	c.refused(http.MethodPost, e+"/outcome", map[string]string{"outcome": "referred"}, 409, "encounter.candidates_open")
	same := map[string]any{"list": "l", "record": "r1", "finding": "same_person", "reason": "scar"}
	c.refused(http.MethodPost, e+"/adjudications", same, 409, "encounter.second_needed")
	for second, want := range map[Credentials]struct {
		status int
		code   string
	}{
		{"s1", "wrong"}: {401, "officer.refused"}, {"o2", password}: {403, "officer.role"}, {"o1", password}: {403, "officer.role"},
	} {
		same["second"] = second
		c.refused(http.MethodPost, e+"/adjudications", same, want.status, want.code)
	}
	same["second"] = Credentials{"s1", password}
	c.ok(http.MethodPost, e+"/adjudications", same, nil)
	same["record"] = "r2"
	c.refused(http.MethodPost, e+"/adjudications", same, 404, "encounter.no_such_candidate")
	c.refused(http.MethodPost, e+"/outcome", map[string]string{"outcome": "admitted"}, 409, "encounter.reason_needed")
	c.refused(http.MethodPost, e+"/outcome", map[string]string{"outcome": "admitted", "reason": "known"}, 409, "encounter.second_needed")
	c.refused(http.MethodPost, e+"/outcome", map[string]string{"outcome": "unknown"}, 409, "encounter.word")
	c.ok(http.MethodPost, e+"/outcome", map[string]any{"outcome": "admitted", "reason": "known", "second": Credentials{"s1", password}}, nil)

	for range 2 {
		e = c.open(false)
		c.ok(http.MethodPost, e+"/outcome", map[string]string{"outcome": "evacuated", "reason": "alarm"}, nil)
	}
	c.refused(http.MethodPost, "/v1/encounters", open, 429, "officer.limit")
	b.post.Stop()
	b.program("o2").refused(http.MethodPost, "/v1/encounters", open, 503, "post.stopping")
}

func TestFailedStepCanBeTriedAgain(t *testing.T) {
	b := newBench(t, wide())
	b.noFace = fault.New("device.lost", "unplugged").WithHint("plug it in")
	c := b.program("o1")
	e := c.open(false)
	c.ok(http.MethodPost, e+"/face", nil, nil)
	var after uint64
	for failed := false; !failed; {
		batch, err := b.post.Events.Next(t.Context(), after)
		if err != nil {
			t.Fatal(err)
		}
		for _, ev := range batch {
			after = ev.Seq
			failed = failed || strings.Contains(string(ev.Data), "device.lost")
		}
	}
	b.mu.Lock()
	b.noFace = nil
	b.mu.Unlock()
	c.ok(http.MethodPost, e+"/face", nil, nil)
	c.until(e, "review")
}

func TestOneErrorForm(t *testing.T) {
	b := newBench(t, wide())
	c := b.program("o1")
	const open = "/v1/encounters"
	c.refused(http.MethodGet, "/v1/nothing", nil, 404, "request.not_found")
	c.refused(http.MethodGet, "/v1/", nil, 404, "request.not_found")
	c.refused(http.MethodGet, "/v1/encounters/../session", nil, 404, "request.not_found")
	c.refused(http.MethodGet, "/v1//session", nil, 404, "request.not_found")
	c.refused(http.MethodGet, "/nothing", nil, 404, "request.not_found")
	c.refused(http.MethodGet, "/.keep", nil, 404, "request.not_found")
	c.refused(http.MethodPut, "/", nil, 405, "request.method")
	c.refused(http.MethodPatch, "/v1/session", "{}", 405, "request.method")
	c.refused("TRACE", "/v1/session", nil, 405, "request.method")
	if res, _ := c.do(http.MethodPatch, "/v1/session", "{}"); res.Header.Get("Allow") != "DELETE, GET, HEAD, POST" {
		t.Errorf("allowed: %q", res.Header.Get("Allow"))
	}
	c.refused(http.MethodPost, open, "{", 400, "request.invalid")
	c.refused(http.MethodPost, open, "", 400, "request.invalid")
	c.refused(http.MethodPost, open, "[]", 422, "request.invalid")
	c.refused(http.MethodPost, open, `{"purpose":"border_check","document":true,"sex":"M"}`, 422, "request.invalid")
	c.refused(http.MethodPost, open, `{"purpose":"border_check","document":true,"declared":{"age":"old"}}`, 422, "request.invalid")
	c.with("Content-Type", "text/plain").refused(http.MethodPost, open, "x", 415, "request.media_type")
	c.refused(http.MethodPost, open, `{"purpose":"`+strings.Repeat("x", maxBody)+`"}`, 413, "request.too_large")
	c.flooded(open, 40*maxBody)
	c.flooded(open+"/x/face", 40*maxBody) // takes no body at all
	c.flooded(open, -1)
	b.program("u1").refused(http.MethodGet, "/v1/audit?limit=0", nil, 422, "request.invalid")
	b.program("u1").refused(http.MethodGet, "/v1/audit?from=x", nil, 422, "request.invalid")
	b.program("u1").refused(http.MethodGet, "/v1/audit?from=", nil, 422, "request.invalid")
	b.program("u1").refused(http.MethodGet, "/v1/reports/searches?to=", nil, 422, "request.invalid")
	c.refused(http.MethodGet, "/v1/events", nil, 400, "request.invalid") // no websocket
	c.refused(http.MethodGet, "/v1/preview?width=0", nil, 400, "request.invalid")
	b.caller().refused(http.MethodGet, "/v1/events", nil, 401, "session.missing")
	b.program("u1").refused(http.MethodGet, "/v1/events", nil, 403, "officer.role")

	// What was typed does not come back: it may be personal data.
	_, raw := c.do(http.MethodPost, open, `{"purpose":"border_check","document":"P<UTOERIKSSON"}`)
	if strings.Contains(string(raw), "ERIKSSON") {
		t.Errorf("an error repeats what was sent: %s", raw)
	}
}

// blanks are a body without an end.
type blanks struct{}

func (blanks) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// flooded sends a body of so many bytes, or one that does not say how long it is
// where length is -1, and must be refused. It reads beside writing: the server
// closes in the middle of the body, and a client that stood still meanwhile
// would have no more to tell than that.
func (c *caller) flooded(path string, length int64) {
	c.b.t.Helper()
	body := io.Reader(blanks{})
	if length > 0 {
		body = io.LimitReader(body, length)
	}
	req, err := http.NewRequestWithContext(c.b.t.Context(), http.MethodPost, c.b.https.URL+path, body)
	if err != nil {
		c.b.t.Fatal(err)
	}
	req.ContentLength = length
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", c.header["Authorization"])
	conn, err := tls.Dial("tcp", c.b.https.Listener.Addr().String(), c.b.https.Client().Transport.(*http.Transport).TLSClientConfig)
	if err != nil {
		c.b.t.Fatal(err)
	}
	defer conn.Close()
	go func() { _ = req.Write(conn) }() // fails where the server has closed
	res, err := http.ReadResponse(bufio.NewReader(conn), req)
	if err != nil {
		c.b.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		c.b.t.Fatal(err)
	}
	c.b.refusal(fmt.Sprintf("POST %s of %d bytes", path, length), res, raw, http.StatusRequestEntityTooLarge, "request.too_large")
}

// TestTwoTabs has two tabs of one officer decide at once: one outcome.
func TestTwoTabs(t *testing.T) {
	b := newBench(t, wide())
	one, two := b.browser("o1"), b.browser("o1")
	e := one.review()
	var mu sync.Mutex
	var wg sync.WaitGroup
	statuses := map[int]int{}
	for _, tab := range []*caller{one, two, one, two} {
		wg.Go(func() {
			res, _ := tab.do(http.MethodPost, e+"/outcome", map[string]string{"outcome": "admitted"})
			mu.Lock()
			defer mu.Unlock()
			statuses[res.StatusCode]++
		})
	}
	wg.Wait()
	if statuses[200] != 1 || statuses[404] != 3 {
		t.Errorf("answers %v", statuses)
	}
	if w, err := b.store.Outbox(10); err != nil || len(w) != 1 {
		t.Errorf("%d outcomes recorded, %v", len(w), err)
	}
}

// TestTwoOfficers holds that both work beside each other and see their own.
func TestTwoOfficers(t *testing.T) {
	b := newBench(t, wide())
	one, two := b.browser("o1"), b.browser("o2")
	first, second := one.review(), two.review()
	for c, n := range map[*caller]int{one: 1, two: 1, b.program("s1"): 2} {
		var open struct{ Encounters []struct{ ID string } }
		c.ok(http.MethodGet, "/v1/encounters", nil, &open)
		if len(open.Encounters) != n {
			t.Errorf("sees %d encounters, want %d", len(open.Encounters), n)
		}
	}
	one.ok(http.MethodPost, first+"/outcome", map[string]string{"outcome": "admitted"}, nil)
	two.ok(http.MethodPost, second+"/outcome", map[string]string{"outcome": "admitted"}, nil)
}

func TestPage(t *testing.T) {
	b := newBench(t, wide())
	res, raw := b.caller().do(http.MethodGet, "/", nil)
	if res.StatusCode != 200 || !strings.Contains(string(raw), "make build") || res.Header.Get("Content-Security-Policy") == "" {
		t.Errorf("without a page: %d %s", res.StatusCode, raw)
	}
	script := strings.Repeat("let a = 1;\n", 100)
	h, err := NewPage(fstest.MapFS{"index.html": {Data: []byte("<p>page")}, "assets/a-1.js": {Data: []byte(script)}})
	if err != nil {
		t.Fatal(err)
	}
	b.server.page = h
	res, raw = b.caller().do(http.MethodGet, "/", nil)
	if string(raw) != "<p>page" || res.Header.Get("Cache-Control") != "no-cache" {
		t.Errorf("%s %v", raw, res.Header)
	}
	if res, _ = b.caller().with("If-None-Match", res.Header.Get("ETag")).do(http.MethodGet, "/", nil); res.StatusCode != 304 {
		t.Errorf("asked again: %d", res.StatusCode)
	}
	res, raw = b.caller().with("Accept-Encoding", "gzip").do(http.MethodGet, "/assets/a-1.js", nil)
	if res.Header.Get("Content-Encoding") != "gzip" || len(raw) >= len(script) || !strings.Contains(res.Header.Get("Cache-Control"), "immutable") || !strings.Contains(res.Header.Get("Content-Type"), "javascript") {
		t.Errorf("%d bytes %v", len(raw), res.Header)
	}
	if _, raw = b.caller().do(http.MethodGet, "/assets/a-1.js", nil); string(raw) != script {
		t.Error("the script came another way")
	}
}
