package knocks_test

import (
	"context"
	"path/filepath"
	"sync"
	"testing"

	"github.com/watchpost/watchpost/hwtest/demo"
	"github.com/watchpost/watchpost/sdk/client"
)

// TestTwoTabs has one officer work on one encounter from two tabs at once: of
// two commands of a kind one is taken, the other is told so in words, and there
// is one outcome.
func TestTwoTabs(t *testing.T) {
	s := onStage(t)
	s.settled(t)
	before := s.delivered(t)
	s.show(t, "astronaut")
	p := s.arrive(t, false)
	other := client.NewSocket(filepath.Join(s.world.State, "admin.sock"))
	if err := s.world.SignIn(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Open(t.Context(), demo.Purpose, false, client.Declared{Age: "adult"}); code(err) != "encounter.busy" {
		t.Errorf("a second encounter of the same officer: %v", err)
	}
	inWords(t, "encounter.busy")
	one(t, "encounter.state", func(c *client.Client) error {
		_, err := c.CaptureFace(t.Context(), p.id)
		return err
	}, s.client, other)
	p.done(p.ended("face"))
	p.answered()
	one(t, "encounter.not_found", func(c *client.Client) error {
		_, err := c.Decide(t.Context(), p.id, "admitted", "")
		return err
	}, s.client, other)
	p.delivered()
	if after := s.delivered(t); after != before+1 {
		t.Errorf("central has %d outcomes more, must have one", after-before)
	}
	s.auditCounts(t, p.id, map[string]int{"encounter.opened": 1, "encounter.outcome": 1})
}

// one holds that of two clients at once one succeeds and the other is told a
// code that the page has words for.
func one(t *testing.T, refusal string, do func(*client.Client) error, clients ...*client.Client) {
	t.Helper()
	errs := make([]error, len(clients))
	var both sync.WaitGroup
	for i, c := range clients {
		both.Go(func() { errs[i] = do(c) })
	}
	both.Wait()
	taken := 0
	for _, err := range errs {
		switch {
		case err == nil:
			taken++
		case code(err) != refusal:
			t.Errorf("the other is told %v, must be %s", err, refusal)
		}
	}
	if taken != 1 {
		t.Errorf("%d of %d were taken", taken, len(clients))
	}
	inWords(t, refusal)
}

// TestTwoOfficers has two officers at one camera at once: each has an
// encounter, nobody touches the other's, and each face is of one burst of its
// own or is told to be taken again.
func TestTwoOfficers(t *testing.T) {
	s := onStage(t)
	s.settled(t)
	before := s.delivered(t)
	s.show(t, "astronaut")
	p := s.arrive(t, false)
	colleague := s.colleague(t)
	e, err := colleague.Open(t.Context(), demo.Purpose, false, client.Declared{Age: "adult"})
	if err != nil {
		t.Fatal(err)
	}
	q := &person{&stage{client: colleague, seq: s.seq}, t, e.ID}
	for what, err := range map[string]error{
		"read":   second(colleague.Get(t.Context(), p.id)),
		"take":   second(colleague.CaptureFace(t.Context(), p.id)),
		"decide": second(colleague.Decide(t.Context(), p.id, "admitted", "")),
	} {
		if code(err) != "officer.role" {
			t.Errorf("%s the encounter of another officer: %v", what, err)
		}
	}
	inWords(t, "officer.role")
	steps := make([]client.Step, 2)
	var both sync.WaitGroup
	for i, one := range []*person{p, q} {
		both.Go(func() { steps[i] = one.face() })
	}
	both.Wait()
	for i, one := range []*person{p, q} {
		if steps[i].State == "failed" {
			inWords(t, steps[i].Code)
			one.done(one.face())
		}
		if e := one.answered(); e.Answer != "clear" {
			t.Errorf("the answer is %s (%v)", e.Answer, e.Missing)
		}
		one.begin(one.client.Decide(t.Context(), one.id, "admitted", ""))
	}
	p.delivered()
	if after := s.delivered(t); after != before+2 {
		t.Errorf("central has %d outcomes more, must have two", after-before)
	}
}

func second(_ *client.Encounter, err error) error { return err }

// TestSessionEnds signs out in one tab, and kills the daemon, in
// mid-encounter: the next command says to sign in, and the encounter is there
// afterwards. That a session ends by itself after half an hour is tested in
// device/web.
func TestSessionEnds(t *testing.T) {
	s := onStage(t)
	s.show(t, "astronaut")
	p := s.arrive(t, false)
	p.done(p.face())
	p.answered()
	tab := client.NewSocket(filepath.Join(s.world.State, "admin.sock"))
	if err := s.world.SignIn(t.Context(), tab); err != nil {
		t.Fatal(err)
	}
	token := *tab // the same session in another window
	if err := tab.SignOut(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err := token.Decide(t.Context(), p.id, "admitted", "")
	if c := code(err); c != "session.missing" && c != "session.expired" {
		t.Errorf("a command of a session that has ended: %v", err)
	} else {
		inWords(t, c)
	}
	if err := token.Follow(soon(t), 0, func(client.Event) (bool, error) { return false, nil }); err == nil {
		t.Error("a session that has ended follows the events")
	}
	if err := s.world.SignIn(t.Context(), tab); err != nil {
		t.Fatal(err)
	}
	e, err := tab.Get(t.Context(), p.id)
	if err != nil || e.State != "review" {
		t.Fatalf("after signing in again: %+v, %v", e, err)
	}
	p.begin(tab.Decide(t.Context(), p.id, "admitted", ""))
}

// soon is a context for a call that has to come back at once.
func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), stepLimit)
	t.Cleanup(cancel)
	return ctx
}
