package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/watchpost/watchpost/sdk/central/centraltest"
	"github.com/watchpost/watchpost/sdk/central/postgres"
)

// TestStartBesideAnOrphan: a central that was killed leaves a postmaster that
// shuts down for a while and answers on the socket. Start waits for its own.
func TestStartBesideAnOrphan(t *testing.T) {
	dir := centraltest.Dir(t)
	made, err := postgres.Start(t.Context(), postgres.Options{Dir: dir})
	if errors.Is(err, postgres.ErrMissing) && os.Getenv("CI") != "true" {
		t.Skip("SKIPPED: PostgreSQL is not installed; apt-get install postgresql")
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := made.Stop(); err != nil {
		t.Fatal(err)
	}
	orphan := run(t, dir)
	client := connect(t, dir)
	if err := orphan.Process.Signal(syscall.SIGTERM); err != nil { // smart shutdown: ends when the client has gone
		t.Fatal(err)
	}

	tries := &counter{reached: make(chan struct{})}
	started := make(chan *postgres.Instance, 1)
	go func() {
		i, err := postgres.Start(t.Context(), postgres.Options{Dir: dir, Log: slog.New(slog.NewTextHandler(tries, nil))})
		if err != nil {
			t.Error(err)
		}
		started <- i
	}()
	select {
	case <-tries.reached: // our postmaster was refused by the lock of the other
	case <-time.After(time.Minute):
		t.Fatal("no postmaster beside the orphan was tried and refused")
	}
	select {
	case i := <-started:
		_ = i.Stop()
		t.Fatal("started while another postmaster held the data")
	default:
	}
	if err := client.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	i := <-started
	if i == nil {
		t.Fatal("not started")
	}
	defer func() {
		if err := i.Stop(); err != nil {
			t.Error(err)
		}
	}()
	if err := connect(t, dir).Close(context.Background()); err != nil {
		t.Error(err)
	}
}

// run runs a postmaster of the instance in dir by nobody's supervision.
func run(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	bin, err := postgres.Find()
	if err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "data")
	info, err := os.Stat(data)
	if err != nil {
		t.Fatal(err)
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		t.Fatal("the owner of the data is not known")
	}
	cmd := exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-k", dir, "-c", "listen_addresses=")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGINT}
	if os.Geteuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: owner.Uid, Gid: owner.Gid}
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGINT) // it has ended where the test passed
		_ = cmd.Wait()
	})
	return cmd
}

// connect is a connection to the instance in dir, as soon as it takes one.
func connect(t *testing.T, dir string) *pgx.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		c, err := pgx.Connect(ctx, postgres.DSN(dir))
		if err == nil {
			return c
		}
		select {
		case <-ctx.Done():
			t.Fatal(err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// counter sees how often PostgreSQL was started again.
type counter struct {
	mu      sync.Mutex
	n       int
	reached chan struct{} // closed at the second time
}

func (c *counter) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if bytes.Contains(b, []byte("started again")) {
		if c.n++; c.n == 2 {
			close(c.reached)
		}
	}
	return len(b), nil
}
