package witness

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/audit/audittest"
	"github.com/watchpost/watchpost/device/audit/checkpoint"
	"github.com/watchpost/watchpost/device/audit/witness"
	"github.com/watchpost/watchpost/device/fault"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// service is a witness that knows the logs given.
func service(t *testing.T, dir string, logs ...*audittest.Log) (*Client, *httptest.Server) {
	t.Helper()
	folder, err := witness.OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	cosigner, err := checkpoint.NewCosigner("witness.example/w1", audittest.Key("w1"))
	if err != nil {
		t.Fatal(err)
	}
	known := map[string][]note.Verifier{}
	for _, l := range logs {
		known[l.Origin] = []note.Verifier{l.Verifier(t)}
	}
	h := httptest.NewServer(&Server{Folder: folder, Logs: known, Key: cosigner, Now: func() time.Time { return audittest.Start }, Log: quiet})
	t.Cleanup(h.Close)
	key, err := checkpoint.ParseWitnessKey(cosigner.Key())
	if err != nil {
		t.Fatal(err)
	}
	return NewClient(h.URL+"/", key, nil), h
}

func TestHeadsAreCosigned(t *testing.T) {
	l := audittest.New(t, "desk-1")
	l.Work(t, 3, 4)
	dir := t.TempDir()
	c, _ := service(t, dir, l)
	from := int64(0)
	for n := range l.RawHeads {
		if err := c.Show(t.Context(), l.Submission(t, n, from)); err != nil {
			t.Fatalf("head %d: %v", n, err)
		}
		from = l.Checkpoint(t, n).Lines
	}
	if err := c.Show(t.Context(), l.Submission(t, 3, from)); err != nil {
		t.Errorf("the same head again: %v", err)
	}
	// A service that starts again knows what it has cosigned.
	again, _ := service(t, dir, l)
	var held *witness.HeldError
	if err := again.Show(t.Context(), l.Submission(t, 1, 1)); !errors.As(err, &held) || held.Lines != from {
		t.Errorf("%v, want held %d", err, from)
	}
	folder, err := witness.OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := folder.Heads(l.Origin)
	if err != nil || len(kept) != 4 {
		t.Fatalf("%d heads kept: %v", len(kept), err)
	}
	_, findings, err := audit.Check(l, audit.Rules{Origin: l.Origin, Key: l.Verifier(t)}, audit.Evidence{Source: "witness", Heads: kept})
	if err != nil || findings[0].Err != nil {
		t.Errorf("%+v %v", findings, err)
	}
}

// TestProtocol holds the statuses of c2sp.org/tlog-witness.
func TestProtocol(t *testing.T) {
	l, stranger := audittest.New(t, "desk-1"), audittest.New(t, "desk-9")
	l.Work(t, 2, 4)
	_, h := service(t, t.TempDir(), l)
	post := func(body []byte) (int, string, string) {
		t.Helper()
		res, err := http.Post(h.URL+"/add-checkpoint", "text/plain", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		raw, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, res.Header.Get("Content-Type"), string(raw)
	}
	if status, _, line := post(l.Submission(t, 1, 0).Encode()); status != 200 || !strings.HasPrefix(line, "— witness.example/w1 ") || !strings.HasSuffix(line, "\n") {
		t.Fatalf("%d %q", status, line)
	}
	forked := audittest.New(t, "desk-1")
	forked.Searches(t, "o9", 4)
	forked.Sign(t, checkpoint.Interval)
	fork := forked.Clone()
	fork.Searches(t, "o9", 4)
	fork.Sign(t, checkpoint.Interval)
	forged := l.Submission(t, 2, 5)
	forged.Head = []byte(strings.Replace(string(forged.Head), "\n9\n", "\n8\n", 1))
	over := l.Submission(t, 1, 0)
	over.From = 99
	size := "5\n"
	for name, c := range map[string]struct {
		body   []byte
		status int
		says   string
	}{
		"from another size":     {l.Submission(t, 2, 1).Encode(), 409, size},
		"from the beginning":    {l.Submission(t, 2, 0).Encode(), 409, size},
		"another tree, as long": {fork.Submission(t, 1, 5).Encode(), 409, size},
		"no continuation":       {fork.Submission(t, 2, 5).Encode(), 422, ""},
		"an older head":         {l.Submission(t, 0, 0).Encode(), 409, size},
		"an unknown log":        {stranger.Submission(t, 0, 0).Encode(), 404, ""},
		"another key":           {audittest.NewWithKey(t, "desk-1", "thief").Submission(t, 0, 0).Encode(), 403, ""},
		"a changed head":        {forged.Encode(), 403, ""},
		"from beyond the head":  {over.Encode(), 400, ""},
		"no old line":           {[]byte("\n\n" + string(l.RawHeads[2])), 400, ""},
		"a leading zero":        {[]byte("old 05\n\n" + string(l.RawHeads[2])), 400, ""},
		"a short hash":          {[]byte("old 5\nAAAA\n\n" + string(l.RawHeads[2])), 400, ""},
		"nothing":               {nil, 400, ""},
		"too much":              {bytes.Repeat([]byte("x"), witness.MaxRequest+1), 413, ""},
	} {
		status, kind, body := post(c.body)
		if status != c.status || c.says != "" && (body != c.says || kind != "text/x.tlog.size") {
			t.Errorf("%s: %d %q %q, want %d %q", name, status, kind, body, c.status, c.says)
		}
	}
	if status, _, _ := post(l.Submission(t, 2, 5).Encode()); status != 200 {
		t.Errorf("after all that the true head: %d", status)
	}
	res, err := http.Get(h.URL + "/add-checkpoint")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", res.StatusCode)
	}
}

// TestAnswersOfOthers are what somebody between post and witness may answer.
func TestAnswersOfOthers(t *testing.T) {
	l := audittest.New(t, "desk-1")
	l.Work(t, 1, 4)
	sub := l.Submission(t, 1, 1)
	other, err := checkpoint.NewCosigner("witness.example/w1", audittest.Key("not w1"))
	if err != nil {
		t.Fatal(err)
	}
	line := func(head []byte, key string) string {
		c, err := checkpoint.NewCosigner("witness.example/w1", audittest.Key(key))
		if err != nil {
			t.Fatal(err)
		}
		raw, err := c.Cosign(head, audittest.Start)
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	w1, err := checkpoint.NewCosigner("witness.example/w1", audittest.Key("w1"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := checkpoint.ParseWitnessKey(w1.Key())
	if err != nil {
		t.Fatal(err)
	}
	if other.Key() == w1.Key() {
		t.Fatal("two keys are one")
	}
	for name, c := range map[string]struct {
		status int
		kind   string
		body   string
		code   fault.Code
	}{
		"a cosignature by another":           {200, "", line(sub.Head, "not w1"), "audit.witness"},
		"a cosignature of another head":      {200, "", line(l.RawHeads[0], "w1"), "audit.witness"},
		"no signature":                       {200, "", "fine\n", "audit.witness"},
		"nothing":                            {200, "", "", "audit.witness"},
		"too much":                           {200, "", strings.Repeat("— a b\n", 1000), "audit.witness"},
		"a conflict without a size":          {409, "text/x.tlog.size", "none\n", "audit.witness"},
		"a conflict of another kind":         {409, "text/html", "7\n", "audit.witness"},
		"a conflict below zero":              {409, "text/x.tlog.size", "-7\n", "audit.witness"},
		"a conflict at the size that we say": {409, "text/x.tlog.size", "1\n", "audit.fork"},
		"no continuation":                    {422, "", "", "audit.fork"},
		"an unknown key":                     {403, "", "", "audit.head_key"},
		"an unknown log":                     {404, "", "", "audit.unknown_log"},
		"somewhere else":                     {307, "", "", "audit.witness"},
		"trouble":                            {500, "", "", "audit.witness"},
	} {
		h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if c.status == 307 {
				w.Header().Set("Location", "/elsewhere")
			}
			w.Header().Set("Content-Type", c.kind)
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, c.body)
		}))
		err := NewClient(h.URL, key, nil).Show(t.Context(), sub)
		h.Close()
		if fault.CodeOf(err) != c.code {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
}
