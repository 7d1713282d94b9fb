package knocks_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/encounter/store"
	"github.com/watchpost/watchpost/hwtest/demo"
	"github.com/watchpost/watchpost/sdk/client"
)

// person is one encounter at the post, abandoned at the end of its test where
// the test has not decided.
type person struct {
	*stage
	t  *testing.T
	id string
}

// arrive opens an encounter of an adult. At the end of the test it must have
// an outcome, and the audit log must be whole and tell of it.
func (s *stage) arrive(t *testing.T, document bool) *person {
	t.Helper()
	e, err := s.client.Open(t.Context(), demo.Purpose, document, client.Declared{Age: "adult"})
	if err != nil {
		t.Fatal(err)
	}
	p := &person{s, t, e.ID}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), stepLimit)
		defer cancel()
		e, err := s.client.Get(ctx, p.id)
		if err != nil {
			t.Errorf("the encounter is lost: %v", err)
			return
		}
		if e.State != "closed" {
			if _, err := s.client.Decide(ctx, p.id, "abandoned", "the test ends here"); err != nil {
				t.Errorf("abandon the encounter: %v", err)
				return
			}
		}
		p.delivered() // nobody writes to post.db then
		s.auditTells(t, p.id, "encounter.opened", "encounter.outcome")
	})
	return p
}

// read starts reading the document and returns how the step ended.
func (p *person) read(mrz string) client.Step {
	p.t.Helper()
	if _, err := p.client.ReadDocument(p.t.Context(), p.id, mrz); err != nil {
		p.t.Fatal(err)
	}
	return p.ended("document")
}

// face starts taking the face and returns how the step ended.
func (p *person) face() client.Step {
	p.t.Helper()
	if _, err := p.client.CaptureFace(p.t.Context(), p.id); err != nil {
		p.t.Fatal(err)
	}
	return p.ended("face")
}

// ended waits until a step has ended.
func (p *person) ended(name string) client.Step {
	p.t.Helper()
	var last client.Step
	p.follow(func(ev client.Event) bool {
		if ev.Kind != "step.changed" {
			return false
		}
		var st client.Step
		if err := json.Unmarshal(ev.Data, &st); err != nil {
			p.t.Fatalf("event %d: %v", ev.Seq, err)
		}
		if st.Name != name || st.State == "running" {
			return false
		}
		last = st
		return true
	})
	return last
}

// follow reads the encounter's events, each once, until one is the last.
func (p *person) follow(last func(client.Event) bool) {
	p.t.Helper()
	ctx, cancel := context.WithTimeoutCause(p.t.Context(), stepLimit, errors.New("it hangs"))
	defer cancel()
	err := p.client.Follow(ctx, p.seq, func(ev client.Event) (bool, error) {
		p.seq = ev.Seq
		return ev.Encounter != p.id || !last(ev), nil
	})
	if err != nil {
		p.t.Fatalf("follow the events: %v", err)
	}
}

// fails holds that a step failed with a code and a hint, and that the
// encounter is open and waits for another try.
func (p *person) fails(st client.Step, code string) {
	p.t.Helper()
	if st.State != "failed" || st.Code != code {
		p.t.Errorf("step %s is %s with code %q, must be failed with %q", st.Name, st.State, st.Code, code)
	}
	if st.Hint == "" {
		p.t.Errorf("step %s failed with %q and without a hint", st.Name, st.Code)
	}
	e, err := p.client.Get(p.t.Context(), p.id)
	if err != nil {
		p.t.Fatal(err)
	}
	if e.State != "collecting" {
		p.t.Errorf("after a failed step the encounter is %s", e.State)
	}
}

// again tries a step as an officer does, for as long as it fails with a code
// that is known to pass, at most stepLimit.
func again(code string, step func() client.Step) client.Step {
	begun := time.Now()
	tick := time.NewTicker(tryEvery)
	defer tick.Stop()
	st := step()
	for st.Code == code && time.Since(begun) < stepLimit {
		<-tick.C
		st = step()
	}
	return st
}

// done holds that a step succeeded.
func (p *person) done(st client.Step) {
	p.t.Helper()
	if st.State != "done" {
		p.t.Fatalf("step %s is %s with code %q (%s), must be done", st.Name, st.State, st.Code, st.Hint)
	}
}

// answered waits for the answer and returns the encounter.
func (p *person) answered() *client.Encounter {
	p.t.Helper()
	p.follow(func(ev client.Event) bool { return ev.Kind == "answer.ready" })
	e, err := p.client.Get(p.t.Context(), p.id)
	if err != nil {
		p.t.Fatal(err)
	}
	return e
}

// noKey opens no sealed bytes: the audit log needs none.
type noKey struct{}

func (noKey) Seal(_, _ []byte) ([]byte, error) { return nil, errors.New("no key here") }
func (noKey) Open(_, _ []byte) ([]byte, error) { return nil, errors.New("no key here") }

// auditTells verifies the audit log on a copy of post.db and holds that it tells
// of each action.
func (s *stage) auditTells(t *testing.T, id string, actions ...string) {
	t.Helper()
	told := s.auditOf(t, id)
	for _, a := range actions {
		if told[a] == 0 {
			t.Errorf("the audit log does not tell of %s", a)
		}
	}
}

// auditOf counts the actions that the audit log tells of an encounter.
func (s *stage) auditOf(t *testing.T, id string) map[string]int {
	t.Helper()
	told := map[string]int{}
	for _, l := range s.auditLines(t) {
		if l.Encounter == id {
			told[string(l.Action)]++
		}
	}
	return told
}

// metaPages is how much of post.db is written anew by each transaction: bbolt's
// two pages of a memory page each.
var metaPages = 2 * os.Getpagesize()

// database is post.db as a transaction left it. The daemon signs heads and notes
// the time when no encounter moves as well: a copy is whole where nothing has been
// written when the next is begun.
func (s *stage) database(t *testing.T) []byte {
	t.Helper()
	path := filepath.Join(s.world.State, "post.db")
	var before []byte
	for begun := time.Now(); time.Since(begun) < stepLimit; {
		after, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if n := min(metaPages, len(after)); len(before) >= n && bytes.Equal(before[:n], after[:n]) {
			return before
		}
		before = after
	}
	t.Fatalf("post.db is written to without a pause for %s", stepLimit)
	return nil
}

// auditLines are the lines of the audit log, which must verify.
func (s *stage) auditLines(t *testing.T) []audit.Line {
	t.Helper()
	raw := s.database(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "post.db"), raw, 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(dir, noKey{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	head, err := db.VerifyAudit()
	if err != nil {
		t.Fatalf("the audit log does not verify: %v", err)
	}
	lines, err := db.AuditLines(0, int(head.Lines))
	if err != nil {
		t.Fatal(err)
	}
	out := make([]audit.Line, len(lines))
	for i, raw := range lines {
		if err := json.Unmarshal(raw, &out[i]); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// busy is how much longer a machine may take that does other things as well. Soak
// runs have one to themselves, and hold the limits as they are.
const busy = 4

// within fails the test when f takes longer.
func within(t *testing.T, limit time.Duration, f func()) {
	t.Helper()
	if os.Getenv("WATCHPOST_SOAK") == "" {
		limit *= busy
	}
	begun := time.Now()
	f()
	if took := time.Since(begun); took > limit {
		t.Errorf("it took %s, at most %s", took, limit)
	}
}
