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
	programs(t)
	dir := centraltest.Dir(t)
	made, err := postgres.Start(t.Context(), postgres.Options{Dir: dir})
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

// TestFirstStartBesideAnOrphan: a central that was killed in its first start
// leaves an initdb that removes the folder it was making when it ends. It does
// not remove the one that the next central makes.
func TestFirstStartBesideAnOrphan(t *testing.T) {
	bin := programs(t)
	dir := centraltest.Dir(t)
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := postgres.Start(ended, postgres.Options{Dir: dir}); err == nil { // hands the folder to its account
		t.Fatal("started although it was told to end")
	}
	orphan := exec.Command(filepath.Join(bin, "initdb"), "-D", filepath.Join(dir, "data.part"), "-A", "trust")
	orphan.SysProcAttr = as(t, dir)
	if err := orphan.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = orphan.Process.Kill() // it has ended where the test passed
		_ = orphan.Wait()
	}()
	theirs := making(t, dir, nil)
	held, err := os.Open(filepath.Join(dir, "data.part")) // another folder is not given its inode
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	if err := orphan.Process.Signal(syscall.SIGSTOP); err != nil { // it ends when we say so
		t.Fatal(err)
	}
	started := make(chan error, 1)
	go func() {
		i, err := postgres.Start(t.Context(), postgres.Options{Dir: dir})
		if err == nil {
			err = i.Stop()
		}
		started <- err
	}()
	making(t, dir, theirs)
	for _, s := range []os.Signal{syscall.SIGINT, syscall.SIGCONT} {
		if err := orphan.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-started; err != nil {
		t.Error(err)
	}
}

// TestRestartIsTriedAgain: a postmaster that cannot be started again, for want
// of memory, say, is tried again. Here its folder is away for a while.
func TestRestartIsTriedAgain(t *testing.T) {
	programs(t)
	dir := filepath.Join(centraltest.Dir(t), "pg")
	if err := os.Chmod(filepath.Dir(dir), 0o711); err != nil { // PostgreSQL's account passes through
		t.Fatal(err)
	}
	tries := &counter{reached: make(chan struct{})}
	i, err := postgres.Start(t.Context(), postgres.Options{Dir: dir, Log: slog.New(slog.NewTextHandler(tries, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := i.Stop(); err != nil {
			t.Error(err)
		}
	}()
	if err := os.Rename(dir, dir+"-away"); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(i.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	select {
	case <-tries.reached: // killed, and then not to be started
	case <-time.After(time.Minute):
		t.Error("not tried again")
	}
	if err := os.Rename(dir+"-away", dir); err != nil {
		t.Fatal(err)
	}
	if err := connect(t, dir).Close(context.Background()); err != nil {
		t.Error(err)
	}
}

// programs is the folder of PostgreSQL's programs. Where they are not installed
// the test is skipped, in CI (CI=true) it fails.
func programs(t *testing.T) string {
	t.Helper()
	bin, err := postgres.Find()
	if errors.Is(err, postgres.ErrMissing) && os.Getenv("CI") != "true" {
		t.Skip("SKIPPED: PostgreSQL is not installed; apt-get install postgresql")
	}
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

// making waits until an initdb writes in dir, into another folder than but, and
// tells which.
func making(t *testing.T, dir string, but os.FileInfo) os.FileInfo {
	t.Helper()
	deadline := time.After(time.Minute)
	for {
		for _, at := range []string{"data.part*", "data"} { // the last: it is made already
			all, err := filepath.Glob(filepath.Join(dir, at, "PG_VERSION"))
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range all {
				// What has gone again is none.
				if info, err := os.Stat(filepath.Dir(name)); err == nil && (but == nil || !os.SameFile(info, but)) {
					return info
				}
			}
		}
		select {
		case <-deadline:
			t.Fatal("no initdb writes")
		case <-time.After(time.Millisecond):
		}
	}
}

// as runs a program as the account that owns a folder, and ends it with us.
func as(t *testing.T, dir string) *syscall.SysProcAttr {
	t.Helper()
	info, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		t.Fatal("the owner of the folder is not known")
	}
	a := &syscall.SysProcAttr{Pdeathsig: syscall.SIGINT}
	if os.Geteuid() == 0 {
		a.Credential = &syscall.Credential{Uid: owner.Uid, Gid: owner.Gid}
	}
	return a
}

// run runs a postmaster of the instance in dir by nobody's supervision.
func run(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	data := filepath.Join(dir, "data")
	cmd := exec.Command(filepath.Join(programs(t), "postgres"), "-D", data, "-k", dir, "-c", "listen_addresses=")
	cmd.SysProcAttr = as(t, data)
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
