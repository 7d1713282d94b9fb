package link_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/uplink"
	"github.com/watchpost/watchpost/hwtest/wire"
	wcentral "github.com/watchpost/watchpost/sdk/central"
	"github.com/watchpost/watchpost/sdk/central/postgres"
	"github.com/watchpost/watchpost/sdk/central/store"
	linkv1 "github.com/watchpost/watchpost/sdk/proto/link/v1"
)

// counted fails unless central has n outcomes, each once, and the outbox none.
func (w *world) counted(t *testing.T, s *store.Store, n int) {
	t.Helper()
	rows, ids, err := s.Outcomes(t.Context(), w.post)
	if err != nil || rows != n || ids != n {
		t.Fatalf("central has %d outcomes of %d encounters, must have %d: %v", rows, ids, n, err)
	}
	if left := w.waiting(t); left != 0 {
		t.Fatalf("%d outcomes are left in the outbox", left)
	}
	head, err := w.outbox.AuditHead()
	if err != nil || head.Lines != int64(n) {
		t.Fatalf("%d audit lines of deliveries, must be %d: %v", head.Lines, n, err)
	}
}

// committed fails unless the post has n receipts, and PostgreSQL holds the
// outcome of each, committed when the receipt says.
func (w *world) committed(t *testing.T, n int) {
	t.Helper()
	held := map[string]string{}
	until(t, time.Minute, "read", func() bool { // the database may just start again
		db, err := pgx.Connect(t.Context(), postgres.DSN(wcentral.PostgresDir(w.config.State)))
		if err != nil {
			return false
		}
		defer db.Close(context.Background())
		rows, err := db.Query(t.Context(), "SELECT encounter, committed_ms::text FROM outcomes WHERE device = $1", w.post)
		if err != nil {
			return false
		}
		var id, at string
		_, err = pgx.ForEachRow(rows, []any{&id, &at}, func() error { held[id] = at; return nil })
		return err == nil
	})
	receipts := map[string]bool{}
	for line, err := range audit.Lines(w.outbox.AuditLines) {
		if err != nil {
			t.Fatal(err)
		}
		if line.Action != audit.OutcomeDelivered {
			continue
		}
		if at, ok := held[line.Encounter]; !ok || at != line.Facts["committed_ms"] || line.Facts["receipt"] == "" || receipts[line.Encounter] {
			t.Errorf("the receipt of %s is doubled, or of no commit: %v, PostgreSQL has %q", line.Encounter, line.Facts["committed_ms"], at)
		}
		receipts[line.Encounter] = true
	}
	if n >= 0 && len(receipts) != n {
		t.Errorf("%d receipts, must be %d", len(receipts), n)
	}
}

// TestNoReceiptWithoutCommit: PostgreSQL is killed three times while outcomes
// come. At no moment has the post a receipt of what PostgreSQL does not hold,
// and in the end each outcome is there once and has its receipt.
func TestNoReceiptWithoutCommit(t *testing.T) {
	w := newWorld(t)
	w.run(t, w.link(t))
	const each, rounds = 40, 3
	for round := range rounds {
		for i := range each {
			w.put(t, fmt.Sprintf("e-%d-%02d", round, i))
			if i == each/2 {
				until(t, time.Minute, "in mid-work", func() bool { return w.waiting(t) < each/2 })
				killPostgres(t, w.config.State)
			}
		}
		w.committed(t, -1)
		until(t, 2*time.Minute, "delivered", func() bool { return w.waiting(t) == 0 })
	}
	w.counted(t, w.central.Store, each*rounds)
	w.committed(t, each*rounds)
}

// TestOutcomes: an outcome waits as long as the link is cut and is delivered
// once it is back, with a receipt of central.
func TestOutcomes(t *testing.T) {
	w := newPost(t)
	w.wire.Set(wire.Cut)
	l := w.link(t)
	w.run(t, l)
	for i := range 3 {
		w.put(t, fmt.Sprintf("e-%d", i))
	}
	// A second of a cut link changes nothing.
	select {
	case <-upOnce(l):
		t.Fatal("the link is up although it is cut")
	case <-time.After(time.Second):
	}
	if n := w.waiting(t); n != 3 {
		t.Fatalf("%d outcomes wait, must be 3", n)
	}
	w.wire.Set(wire.Open)
	until(t, time.Minute, "delivered", func() bool { return w.waiting(t) == 0 })
	w.counted(t, w.central.Store, 3)

	lines, err := w.outbox.AuditLines(0, 10)
	if err != nil {
		t.Fatal(err)
	}
	var line struct{ Facts map[string]string }
	if err := json.Unmarshal(lines[0], &line); err != nil || line.Facts["receipt"] == "" {
		t.Fatalf("audit line %s has no receipt: %v", lines[0], err)
	}
}

// TestForeignReceipt: outcomes stay for a central that is not the one named in
// the configuration, whatever it signs.
func TestForeignReceipt(t *testing.T) {
	w := newPost(t)
	other, err := linkv1.KEM().GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	w.put(t, "e-1")
	for name, change := range map[string]func(*uplink.Options){
		"another signature": func(o *uplink.Options) { o.SignKey = make([]byte, 32) },
		"another seal":      func(o *uplink.Options) { o.SealKey = other.PublicKey().Bytes() },
	} {
		l := w.link(t, change)
		until(t, time.Minute, "up", l.Up)
		stop := w.run(t, l)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		if _, err := l.Ask(ctx, question(listed)); err == nil {
			t.Errorf("%s: an answer was taken", name)
		}
		cancel()
		stop()
		if n := w.waiting(t); n != 1 {
			t.Errorf("%s: the outcome has left the outbox", name)
		}
	}
}

// TestConflict: what central refuses for good does not hold up the others.
func TestConflict(t *testing.T) {
	w := newPost(t)
	l := w.link(t)
	w.put(t, "e-1")
	w.run(t, l)
	until(t, time.Minute, "delivered", func() bool { return w.waiting(t) == 0 })
	w.put(t, "e-1") // another time of decision: another outcome under the same id
	w.put(t, "e-2")
	until(t, time.Minute, "delivered but for the refused one", func() bool { return w.waiting(t) == 1 })
	if rows, _, err := w.central.Store.Outcomes(t.Context(), w.post); err != nil || rows != 2 {
		t.Fatalf("%d outcomes, %v", rows, err)
	}
}

// TestRandomCuts delivers encounters while the link is cut, broken and stalled
// at random, and central with its broker, and PostgreSQL, are killed and started
// again: none is lost, none doubled, each has its receipt. Ten thousand with
// WATCHPOST_SOAK=1 (TestSoakRandomCuts), else sixty.
func TestRandomCuts(t *testing.T) { randomCuts(t, 60, 1) }

// TestSoakRandomCuts is the ten thousand, or as many as WATCHPOST_ENCOUNTERS
// says. It says how fast it goes.
func TestSoakRandomCuts(t *testing.T) {
	if os.Getenv("WATCHPOST_SOAK") == "" {
		t.Skip("SKIPPED: ten thousand encounters run with WATCHPOST_SOAK=1")
	}
	n := 10_000
	if text := os.Getenv("WATCHPOST_ENCOUNTERS"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil || n < 20 {
			t.Fatalf("WATCHPOST_ENCOUNTERS is %q, must be a number from 20", text)
		}
	}
	randomCuts(t, n, 5)
}

// backlog is how many outcomes wait at most before more are made: an outbox of
// thousands is read through whenever it is counted.
const backlog = 128

// randomCuts kills central and PostgreSQL kills times each, spread evenly.
func randomCuts(t *testing.T, n, kills int) {
	w := newWorld(t)
	if err := w.central.Close(); err != nil {
		t.Fatal(err)
	}
	w.central = nil
	serve := w.program(t)
	central := serve()
	l := w.link(t)
	w.run(t, l)
	stop := w.trouble(rand.New(rand.NewPCG(20261122, uint64(n))))
	begun := time.Now()
	// Enough for the slowest machine: on a quiet one ten thousand take minutes.
	within := 10*time.Minute + time.Duration(n)*250*time.Millisecond
	for i := range n {
		if i%backlog == 0 {
			until(t, within, "delivered but for a few", func() bool { return w.waiting(t) <= backlog })
			t.Logf("%d encounters after %s", i, time.Since(begun).Round(time.Second))
		}
		w.put(t, fmt.Sprintf("e-%05d", i))
		for k := range kills {
			switch i {
			case (4*k + 1) * n / (4 * kills):
				killPostgres(t, w.config.State)
			case (4*k + 3) * n / (4 * kills):
				if err := central.Process.Kill(); err != nil {
					t.Fatal(err)
				}
				_ = central.Wait() // killed
				central = serve()
			}
		}
	}
	until(t, within, "all but a few delivered", func() bool { return w.waiting(t) <= max(1, backlog/4) })
	cuts := stop()
	until(t, within, "delivered", func() bool { return w.waiting(t) == 0 })
	took := time.Since(begun)
	var s *store.Store
	until(t, time.Minute, "counted", func() (ok bool) {
		var err error
		s, err = store.Open(t.Context(), postgres.DSN(wcentral.PostgresDir(w.config.State)))
		return err == nil
	})
	defer s.Close()
	w.counted(t, s, n)
	w.committed(t, n)
	if err := central.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := central.Wait(); err != nil {
		t.Errorf("central did not end in good order: %v", err)
	}
	t.Logf("%d encounters through %d cuts, breaks and stalls, %d kills of central and its broker, %d of PostgreSQL, in %s (%.1f a second): none lost, none doubled, %d receipts",
		n, cuts, kills, kills, took.Round(time.Millisecond), float64(n)/took.Seconds(), n)
}

// trouble cuts, breaks and stalls the wire at random until stop, which leaves it
// open and says how often.
func (w *world) trouble(rnd *rand.Rand) (stop func() int) {
	done := make(chan struct{})
	cuts := make(chan int, 1)
	go func() {
		n := 0
		defer func() { w.wire.Set(wire.Open); cuts <- n }()
		wait := func(most int) bool {
			select {
			case <-done:
				return false
			case <-time.After(time.Duration(rnd.IntN(most)) * time.Millisecond):
				return true
			}
		}
		for {
			states := []wire.State{wire.Cut, wire.Stalled, wire.Open}
			if s := rnd.IntN(4); s < len(states) {
				w.wire.Set(states[s])
			} else {
				w.wire.Break()
			}
			n++
			if !wait(150) {
				return
			}
			w.wire.Set(wire.Open)
			if !wait(2000) {
				return
			}
		}
	}()
	return func() int { close(done); return <-cuts }
}

// killPostgres ends the private database by force; central starts it again.
func killPostgres(t *testing.T, state string) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(wcentral.PostgresDir(state), "data", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Sscan(string(raw), &pid); err != nil || pid <= 1 {
		t.Fatalf("no process in postmaster.pid: %v", err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// program returns watchpost-central: the one that make test has built, or one
// built here.
func program(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv("WATCHPOST_BIN"); dir != "" {
		return filepath.Join(dir, "watchpost-central")
	}
	bin := filepath.Join(t.TempDir(), "watchpost-central")
	build := exec.Command("go", "build", "-o", bin, "github.com/watchpost/watchpost/sdk/central/cmd/watchpost-central")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return bin
}

// TestCentralKilled: the real program is killed in mid-work and started again
// on its state; what had a receipt is there, what had none is delivered.
func TestCentralKilled(t *testing.T) {
	w := newWorld(t)
	if err := w.central.Close(); err != nil {
		t.Fatal(err)
	}
	w.central = nil
	start := w.program(t)
	l := w.link(t)
	w.run(t, l)
	const n = 40
	for round := range 2 {
		cmd := start()
		for i := range n / 2 {
			w.put(t, fmt.Sprintf("e-%d-%02d", round, i))
		}
		// Killed with some delivered and some not.
		until(t, time.Minute, "in mid-work", func() bool { return w.waiting(t) < n/2 })
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // killed
	}
	cmd := start()
	until(t, time.Minute, "delivered", func() bool { return w.waiting(t) == 0 })
	s, err := store.Open(t.Context(), postgres.DSN(wcentral.PostgresDir(w.config.State)))
	if err != nil {
		t.Fatal(err)
	}
	w.counted(t, s, n)
	s.Close()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("central did not end in good order: %v", err)
	}
}

// program returns what starts the real central on the world's state, and returns
// once it answers.
func (w *world) program(t *testing.T) (start func() *exec.Cmd) {
	t.Helper()
	bin := program(t)
	pass := filepath.Join(w.dir, "pass")
	if err := os.WriteFile(pass, []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	return func() *exec.Cmd {
		cmd := exec.Command(bin, "serve", "--state", w.config.State, "--passphrase-file", pass, "--lists", w.config.Lists, "--listen", w.config.Listen, "--page=", "--metrics=")
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(out).ReadString('\n')
		if err != nil {
			t.Fatalf("central did not say that it answers: %q, %v", line, err)
		}
		return cmd
	}
}
