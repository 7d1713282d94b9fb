package knocks_test

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/watchpost/watchpost/hwtest/demo"
	"github.com/watchpost/watchpost/hwtest/passport"
	"github.com/watchpost/watchpost/hwtest/wire"
	"github.com/watchpost/watchpost/sdk/central"
	"github.com/watchpost/watchpost/sdk/central/postgres"
	"github.com/watchpost/watchpost/sdk/central/store"
	"github.com/watchpost/watchpost/sdk/client"
)

// roles are the processes that are killed.
var roles = []demo.Role{demo.Devices, demo.Decode, demo.Daemon, demo.Service}

// standing is one state of an encounter, with how an officer gets there.
type standing struct {
	name   string
	sitter demo.Sitter
	link   wire.State
	faults []passport.Fault
	reach  func(p *person, key string)
	// always are the roles killed here in every run; the others in soak runs.
	always []demo.Role
}

// slowly keeps a reading going until somebody has struck, on a busy machine too.
var slowly = []passport.Fault{{Kind: passport.KindDelay, Step: "read:DG1", Millis: 2500, Times: 1}}

// standings are the states of device/encounter: collecting with a step in each
// of its states, screening, review with each answer, closed with the outcome
// on its way. TestEveryStateIsKnocked holds that none is left out.
func standings() []standing {
	read := func(p *person, key string) { p.done(p.read(key)) }
	review := func(p *person, key string) {
		read(p, key)
		p.done(p.face())
		p.answered()
	}
	return []standing{
		{name: "collecting, document pending", sitter: demo.Astronaut, reach: func(*person, string) {}, always: []demo.Role{demo.Devices}},
		{name: "collecting, document running", sitter: demo.Astronaut, faults: slowly, always: []demo.Role{demo.Daemon},
			reach: func(p *person, key string) {
				p.begin(p.client.ReadDocument(p.t.Context(), p.id, key))
				p.follow(func(ev client.Event) bool { return ev.Kind == "step.progress" })
			}},
		{name: "collecting, document failed", sitter: demo.Astronaut, always: []demo.Role{demo.Service},
			reach: func(p *person, _ string) { p.fails(p.read("X1234567,010101,330101"), "access.wrong_password") }},
		{name: "collecting, document done", sitter: demo.Astronaut, reach: read, always: []demo.Role{demo.Decode}},
		{name: "collecting, document skipped", sitter: demo.Astronaut, always: []demo.Role{demo.Daemon},
			reach: func(p *person, _ string) {
				p.begin(p.client.Skip(p.t.Context(), p.id, "document", "the chip is dead"))
			}},
		{name: "collecting, face running", sitter: demo.Astronaut, always: []demo.Role{demo.Devices},
			reach: func(p *person, key string) {
				read(p, key)
				p.begin(p.client.CaptureFace(p.t.Context(), p.id))
			}},
		{name: "screening", sitter: demo.Astronaut, link: wire.Stalled, always: []demo.Role{demo.Daemon, demo.Decode},
			reach: func(p *person, key string) {
				read(p, key)
				p.begin(p.client.CaptureFace(p.t.Context(), p.id))
				p.follow(func(ev client.Event) bool { return ev.Kind == "screening.started" })
			}},
		{name: "review, clear", sitter: demo.Astronaut, reach: review, always: []demo.Role{demo.Decode}},
		{name: "review, not-verified", sitter: demo.Astronaut, link: wire.Cut, reach: review, always: []demo.Role{demo.Service}},
		{name: "review, candidates", sitter: demo.Man, reach: review, always: []demo.Role{demo.Devices}},
		{name: "review, adjudicated", sitter: demo.Man, always: []demo.Role{demo.Daemon},
			reach: func(p *person, key string) {
				review(p, key)
				p.adjudicate("same_person")
			}},
		{name: "closed, outcome waiting", sitter: demo.Astronaut, link: wire.Cut, always: []demo.Role{demo.Daemon},
			reach: func(p *person, key string) {
				review(p, key)
				p.begin(p.client.Decide(p.t.Context(), p.id, "referred", ""))
			}},
		{name: "closed, outcome delivered", sitter: demo.Astronaut, always: []demo.Role{demo.Service},
			reach: func(p *person, key string) {
				review(p, key)
				p.begin(p.client.Decide(p.t.Context(), p.id, "admitted", ""))
				p.delivered()
			}},
	}
}

// TestKilledInEveryState kills each process with SIGKILL in states of an
// encounter, every state at least once; WATCHPOST_SOAK=1 makes it the whole
// product. Afterwards the encounter is there, its officer was told what to do
// by a code that the page has words for, and one outcome is in the store, in
// the audit log and at central.
func TestKilledInEveryState(t *testing.T) {
	for _, k := range standings() {
		for _, r := range k.always {
			if !t.Run(k.name+"/"+string(r), func(t *testing.T) { onStage(t).knock(t, k, r) }) {
				t.Fatal("what is left on the stage would fail the others") // each after a minute: go test ends before it says a word
			}
		}
	}
}

// TestSoakKilledInEveryState is the whole product of states and processes.
func TestSoakKilledInEveryState(t *testing.T) {
	if os.Getenv("WATCHPOST_SOAK") == "" {
		t.Skip("SKIPPED: every process in every state is killed with WATCHPOST_SOAK=1")
	}
	for _, k := range standings() {
		for _, r := range roles {
			t.Run(k.name+"/"+string(r), func(t *testing.T) { onStage(t).knock(t, k, r) })
		}
	}
}

// TestEveryStateIsKnocked holds the table against the published words.
func TestEveryStateIsKnocked(t *testing.T) {
	var all []string
	killed := map[demo.Role]bool{}
	for _, k := range standings() {
		all = append(all, k.name)
		if len(k.always) == 0 {
			t.Errorf("%s is left to soak runs", k.name)
		}
		for _, r := range k.always {
			killed[r] = true
		}
	}
	text := strings.Join(all, "; ")
	for _, word := range []string{
		"collecting", "screening", "review", "closed", // encounter.State
		"pending", "running", "failed", "done", "skipped", // encounter.StepState
		"clear", "not-verified", "candidates", // screening.Answer
	} {
		if !strings.Contains(text, word) {
			t.Errorf("no process is killed in %s", word)
		}
	}
	for _, r := range roles {
		if !killed[r] {
			t.Errorf("%s is never killed", r)
		}
	}
}

// knock takes an encounter to a state, kills the process, starts it again as a
// supervisor does, lets the officer do what is told, and counts.
func (s *stage) knock(t *testing.T, k standing, r demo.Role) {
	t.Helper()
	s.settled(t)
	before := s.delivered(t)
	s.show(t, k.sitter.Name)
	document := s.passport(t, k.sitter, k.faults...)
	s.lay(t, document)
	defer s.central.Wire.Set(wire.Open)
	p := s.arrive(t, true)
	if k.link != 0 && k.link != wire.Stalled {
		s.wire(t, k.link)
	} else if k.link == wire.Stalled {
		// Only the question meets it: a link known to be down is not asked.
		s.central.Wire.Set(wire.Stalled)
	}
	key := document.Person().Key()
	k.reach(p, key)
	s.kill(t, r)
	p.goesOn(key)
	s.central.Wire.Set(wire.Open)
	p.delivered()
	if after := s.delivered(t); after != before+1 {
		t.Errorf("central has %d outcomes more, must have one", after-before)
	}
	s.auditCounts(t, p.id, map[string]int{"encounter.opened": 1, "encounter.outcome": 1, "encounter.delivered": 1})
}

// kill ends a role by force and starts it again.
func (s *stage) kill(t *testing.T, r demo.Role) {
	t.Helper()
	var err error
	switch r {
	case demo.Devices:
		if err = s.post.KillCapture(); err == nil {
			s.supervise(t)
		}
	case demo.Decode:
		n, kerr := s.post.Signal(demo.Decode, syscall.SIGKILL)
		if err = kerr; n == 0 {
			t.Log("no decode process was there at that moment")
		}
	case demo.Daemon:
		if err = s.post.KillDaemon(); err == nil {
			err = s.post.StartDaemon(t.Context())
		}
		if err == nil {
			s.signInAgain(t)
		}
	case demo.Service:
		if err = s.central.KillCentral(); err == nil {
			err = s.central.StartCentral()
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// signInAgain holds that the daemon does not know the session any more and
// says what to do, and signs in.
func (s *stage) signInAgain(t *testing.T) {
	t.Helper()
	_, err := s.client.System(t.Context())
	if c := code(err); c != "session.missing" && c != "session.expired" {
		t.Errorf("after a restart a session is told as %q", c)
	} else {
		inWords(t, c)
	}
	if err := s.world.SignIn(t.Context(), s.client); err != nil {
		t.Fatal(err)
	}
	s.seq = 0 // events are numbered anew
}

// begin holds that a command was taken.
func (p *person) begin(_ *client.Encounter, err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// passing are codes that a killed process leaves behind for a moment.
var passing = []string{"capture.lost", "capture.hangs", "device.lost", "device.busy", "reader.none", "card.removed", "card.none", "camera.none"}

// goesOn is the officer after a knock: what the page says is done until the
// encounter is closed. Every code on the way must be in words.
func (p *person) goesOn(key string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 2*stepLimit)
	defer cancel()
	tick := time.NewTicker(tryEvery)
	defer tick.Stop()
	for {
		e, err := p.client.Get(ctx, p.id)
		if err != nil {
			p.t.Fatalf("the encounter is lost: %v", err)
		}
		switch e.State {
		case "closed":
			return
		case "review":
			p.adjudicate("undecided")
			outcome := "referred"
			if e.Advice != nil && e.Advice.Clear {
				outcome = "admitted"
			}
			p.begin(p.client.Decide(ctx, p.id, outcome, ""))
			return
		case "collecting":
			for _, st := range e.Steps {
				p.again(ctx, st, key)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			p.t.Fatalf("the encounter stands still: %s, %+v", e.State, e.Steps)
		}
	}
}

// again takes a step where it is not under way and not over.
func (p *person) again(ctx context.Context, st client.Step, key string) {
	p.t.Helper()
	switch st.State {
	case "pending":
		if st.Code != "" {
			inWords(p.t, st.Code)
		}
	case "failed":
		inWords(p.t, st.Code)
		if st.Hint == "" {
			p.t.Errorf("step %s failed with %q and without a hint", st.Name, st.Code)
		}
		if st.Code != "access.wrong_password" && !slices.Contains(passing, st.Code) {
			p.t.Fatalf("step %s failed with %q", st.Name, st.Code)
		}
	default:
		return
	}
	var err error
	if st.Name == "document" {
		_, err = p.client.ReadDocument(ctx, p.id, key)
	} else {
		_, err = p.client.CaptureFace(ctx, p.id)
	}
	if err != nil && code(err) != "encounter.state" { // it has ended meanwhile
		p.t.Fatal(err)
	}
}

// adjudicate gives every candidate that has none a finding.
func (p *person) adjudicate(finding string) {
	p.t.Helper()
	e, err := p.client.Get(p.t.Context(), p.id)
	if err != nil {
		p.t.Fatal(err)
	}
	for _, c := range e.Candidates {
		if c.Finding == "unknown" {
			p.begin(p.client.Adjudicate(p.t.Context(), p.id, c, finding, "compared"))
		}
	}
}

// settled waits until nothing of an earlier test is under way.
func (s *stage) settled(t *testing.T) {
	t.Helper()
	s.until(t, "the link is up and no outcome waits", func(y *client.System) bool { return y.Link == "up" && y.Outbox == 0 })
}

// delivered waits until central has signed for every outcome.
func (p *person) delivered() {
	p.t.Helper()
	p.until(p.t, "central has signed for every outcome", func(y *client.System) bool { return y.Outbox == 0 || y.Link == "none" })
}

// wire sets the link and waits until the post knows.
func (s *stage) wire(t *testing.T, to wire.State) {
	t.Helper()
	s.central.Wire.Set(to)
	s.until(t, "the post knows of the link", func(y *client.System) bool { return (y.Link == "up") == (to == wire.Open) })
}

// until waits for the state of the post.
func (s *stage) until(t *testing.T, what string, holds func(*client.System) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), stepLimit)
	defer cancel()
	tick := time.NewTicker(tryEvery / 4)
	defer tick.Stop()
	for {
		y, err := s.client.System(ctx)
		if err == nil && holds(y) {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("not within %s: %s (%+v, %v)", stepLimit, what, y, err)
		}
	}
}

// delivered counts the outcomes that central has, each of another encounter.
func (s *stage) delivered(t *testing.T) int {
	t.Helper()
	db, err := store.Open(t.Context(), postgres.DSN(central.PostgresDir(s.central.State())))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	y, err := s.client.System(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	rows, ids, err := db.Outcomes(t.Context(), y.Post)
	if err != nil || rows != ids {
		t.Errorf("central has %d outcomes of %d encounters: %v", rows, ids, err)
	}
	return rows
}

// auditCounts holds how often the audit log tells of actions of an encounter.
func (s *stage) auditCounts(t *testing.T, id string, want map[string]int) {
	t.Helper()
	told := s.auditOf(t, id)
	for action, n := range want {
		if told[action] != n {
			t.Errorf("the audit log tells %d times of %s, must tell %d times", told[action], action, n)
		}
	}
}

// catalogue is what the page says, by key.
func catalogue(t *testing.T) map[string]string {
	t.Helper()
	raw, err := os.ReadFile("../../kiosk-ui/src/texts/en.json")
	if err != nil {
		t.Fatal(err)
	}
	var texts map[string]string
	if err := json.Unmarshal(raw, &texts); err != nil {
		t.Fatal(err)
	}
	return texts
}

// inWords holds that the page has words for a code: what happened and, by the
// code or by its part, what to do.
func inWords(t *testing.T, code string) {
	t.Helper()
	texts := catalogue(t)
	part, _, _ := strings.Cut(code, ".")
	for _, suffix := range []string{"", ".do"} {
		if texts["error."+code+suffix] == "" && texts["error."+part+suffix] == "" {
			t.Errorf("the page has no words for %s%s", code, suffix)
		}
	}
}
