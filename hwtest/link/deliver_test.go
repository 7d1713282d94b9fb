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
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/uplink"
	"github.com/watchpost/watchpost/hwtest/wire"
	"github.com/watchpost/watchpost/sdk/central"
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
	until(t, 15*time.Second, "delivered", func() bool { return w.waiting(t) == 0 })
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
		until(t, 10*time.Second, "up", l.Up)
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
	until(t, 15*time.Second, "delivered", func() bool { return w.waiting(t) == 0 })
	w.put(t, "e-1") // another time of decision: another outcome under the same id
	w.put(t, "e-2")
	until(t, 15*time.Second, "delivered but for the refused one", func() bool { return w.waiting(t) == 1 })
	if rows, _, err := w.central.Store.Outcomes(t.Context(), w.post); err != nil || rows != 2 {
		t.Fatalf("%d outcomes, %v", rows, err)
	}
}

// TestRandomCuts delivers encounters while the link is cut, broken and stalled
// at random, PostgreSQL is killed and central restarted: none is lost, none
// doubled. Ten thousand with WATCHPOST_SOAK=1, else fifty.
func TestRandomCuts(t *testing.T) { randomCuts(t, 50) }

// TestSoakRandomCuts is the ten thousand.
func TestSoakRandomCuts(t *testing.T) {
	if os.Getenv("WATCHPOST_SOAK") == "" {
		t.Skip("SKIPPED: ten thousand encounters run with WATCHPOST_SOAK=1")
	}
	randomCuts(t, 10_000)
}

func randomCuts(t *testing.T, n int) {
	w := newWorld(t)
	l := w.link(t)
	w.run(t, l)
	rnd := rand.New(rand.NewPCG(20261122, uint64(n)))
	done := make(chan struct{})
	var trouble sync.WaitGroup
	cuts := 0
	trouble.Go(func() {
		defer w.wire.Set(wire.Open)
		for {
			states := []wire.State{wire.Cut, wire.Stalled, wire.Open}
			if s := rnd.IntN(4); s < len(states) {
				w.wire.Set(states[s])
			} else {
				w.wire.Break()
			}
			cuts++
			select {
			case <-done:
				return
			case <-time.After(time.Duration(rnd.IntN(150)) * time.Millisecond):
			}
			w.wire.Set(wire.Open)
			select {
			case <-done:
				return
			case <-time.After(time.Duration(rnd.IntN(400)) * time.Millisecond):
			}
		}
	})
	begun := time.Now()
	for i := range n {
		w.put(t, fmt.Sprintf("e-%04d", i))
		if i == n/2 {
			killPostgres(t, w.config.State)
		}
	}
	until(t, 40*time.Minute, "all but a few delivered", func() bool { return w.waiting(t) <= n/10 })
	close(done)
	trouble.Wait()
	until(t, 30*time.Second, "delivered", func() bool { return w.waiting(t) == 0 })
	w.counted(t, w.central.Store, n)
	t.Logf("%d encounters through %d cuts and one kill of PostgreSQL in %s: none lost, none doubled", n, cuts, time.Since(begun).Round(time.Millisecond))
}

// killPostgres ends the private database by force; central starts it again.
func killPostgres(t *testing.T, state string) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(central.PostgresDir(state), "data", "postmaster.pid"))
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
	bin := program(t)
	pass := filepath.Join(w.dir, "pass")
	if err := os.WriteFile(pass, []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	start := func() *exec.Cmd {
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
	l := w.link(t)
	w.run(t, l)
	const n = 40
	for round := range 2 {
		cmd := start()
		for i := range n / 2 {
			w.put(t, fmt.Sprintf("e-%d-%02d", round, i))
		}
		// Killed with some delivered and some not.
		until(t, 20*time.Second, "in mid-work", func() bool { return w.waiting(t) < n/2 })
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // killed
	}
	cmd := start()
	until(t, 30*time.Second, "delivered", func() bool { return w.waiting(t) == 0 })
	s, err := store.Open(t.Context(), postgres.DSN(central.PostgresDir(w.config.State)))
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
