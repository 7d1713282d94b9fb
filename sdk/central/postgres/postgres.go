// Package postgres runs a private PostgreSQL for a central service that was
// given no other: an instance of its own folder, reached by a unix socket
// only, run by an unprivileged user, started again when it ends.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/watchpost/watchpost/device/fault"
)

// ErrMissing says that PostgreSQL is not installed.
var ErrMissing = &fault.Error{Code: "central.postgres_missing", Hint: "install Debian's package postgresql, or give --dsn"}

const (
	user0     = "watchpost" // the database role
	account   = "postgres"  // the system account that Debian's package makes
	portName  = ".s.PGSQL.5432"
	maxSocket = 107 // bytes of a unix socket's path (unix(7))

	startLimit = 30 * time.Second // initdb alone takes 0.8 s
	stopLimit  = 10 * time.Second
	restartMin = 100 * time.Millisecond
	restartMax = 5 * time.Second
)

// Options of Start.
type Options struct {
	Dir string // made if missing; data and socket lie in it
	Log *slog.Logger
	// Stderr takes what PostgreSQL says; nil throws it away.
	Stderr io.Writer
}

// Instance is a running PostgreSQL. It is safe for concurrent use.
type Instance struct {
	o       Options
	bin     string
	cred    *syscall.Credential // nil: as ourselves
	stop    chan struct{}
	stopped chan struct{}
	once    sync.Once

	mu  sync.Mutex
	pid int // of the postmaster, 0 while none runs
}

// Find returns the folder of PostgreSQL's programs, the newest version where
// there are several. ErrMissing if there is none.
func Find() (string, error) {
	if p, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(p), nil
	}
	all, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb") // Debian's place
	if err != nil || len(all) == 0 {
		return "", ErrMissing
	}
	version := func(p string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(p)))) // no number sorts first
		return n
	}
	slices.SortFunc(all, func(a, b string) int { return version(a) - version(b) })
	return filepath.Dir(all[len(all)-1]), nil
}

// Start makes the instance at the first call and runs it until Stop. It
// returns when it accepts connections.
func Start(ctx context.Context, o Options) (*Instance, error) {
	i := &Instance{o: o, stop: make(chan struct{}), stopped: make(chan struct{})}
	if o.Log == nil {
		i.o.Log = slog.New(slog.DiscardHandler)
	}
	var err error
	if i.o.Dir, err = filepath.Abs(o.Dir); err != nil {
		return nil, fault.Wrap("central.postgres", err)
	}
	if n := len(i.socket()); n > maxSocket {
		return nil, fault.New("central.postgres_path", "the socket's path has %d bytes, at most %d are possible", n, maxSocket).
			WithHint("choose a state folder with a shorter path")
	}
	if i.bin, err = Find(); err != nil {
		return nil, err
	}
	if err := i.folder(); err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(i.data(), "PG_VERSION")); err != nil {
		if err := i.init(ctx); err != nil {
			return nil, err
		}
	}
	first := make(chan error, 1)
	go i.supervise(first)
	ready := make(chan error, 1)
	go func() { ready <- i.wait(ctx, first) }()
	if err := <-ready; err != nil {
		return nil, errors.Join(err, i.Stop())
	}
	return i, nil
}

func (i *Instance) data() string   { return filepath.Join(i.o.Dir, "data") }
func (i *Instance) socket() string { return filepath.Join(i.o.Dir, portName) }

// DSN is how the instance in dir is reached.
func DSN(dir string) string {
	if whole, err := filepath.Abs(dir); err == nil { // what does not begin with / would be a host's name
		dir = whole
	}
	q := url.Values{"host": {dir}, "user": {user0}, "dbname": {"postgres"}}
	return "postgres:///?" + q.Encode()
}

// DSN is how this instance is reached.
func (i *Instance) DSN() string { return DSN(i.o.Dir) }

// PID is the process of the postmaster, 0 while none runs.
func (i *Instance) PID() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.pid
}

// folder makes Dir for whoever runs PostgreSQL: initdb refuses root, so root
// hands it to an account without rights.
func (i *Instance) folder() error {
	if err := os.MkdirAll(i.o.Dir, 0o700); err != nil {
		return fault.Wrap("central.postgres", err)
	}
	if os.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup(account)
	if err != nil {
		if u, err = user.Lookup("nobody"); err != nil {
			return fault.New("central.postgres_user", "neither %s nor nobody is an account here: %w", account, err)
		}
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return fault.Wrap("central.postgres_user", err)
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return fault.Wrap("central.postgres_user", err)
	}
	i.cred = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return fault.Wrap("central.postgres", os.Chown(i.o.Dir, int(uid), int(gid)))
}

// command prepares a program of PostgreSQL. It ends with us, in good order
// (SIGINT is its fast shutdown), even if we are killed.
func (i *Instance) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(i.bin, name), args...)
	cmd.Dir = i.o.Dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8", "TZ=UTC"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: i.cred, Pdeathsig: syscall.SIGINT, Setpgid: true}
	return cmd
}

// init makes the cluster beside its place and renames it there, so that a
// power cut leaves none or a whole one. The name beside it is new each time: an
// initdb that a killed central left removes its own folder when it ends. Who
// reaches the socket is the role: the folder is closed to everybody else.
func (i *Instance) init(ctx context.Context) error {
	left, err := filepath.Glob(i.data() + ".part*")
	if err != nil {
		return fault.Wrap("central.postgres", err)
	}
	for _, l := range left {
		_ = os.RemoveAll(l) // one that is still written is in nobody's way
	}
	part, err := os.MkdirTemp(i.o.Dir, filepath.Base(i.data())+".part-")
	if err == nil && i.cred != nil {
		err = os.Chown(part, int(i.cred.Uid), int(i.cred.Gid))
	}
	if err != nil {
		return fault.Wrap("central.postgres", err)
	}
	cmd := i.command(ctx, "initdb", "-D", part, "-A", "trust", "-U", user0, "-E", "UTF8", "--locale=C.UTF-8")
	out, err := cmd.CombinedOutput()
	if err != nil {
		hint := "look at the folder's rights; the account that runs PostgreSQL must be able to reach it"
		return fault.New("central.postgres_init", "initdb: %w: %s", err, tail(out)).WithHint(hint)
	}
	return fault.Wrap("central.postgres_init", os.Rename(part, i.data()))
}

// supervise runs the postmaster again whenever it ends, or could not be started
// again. What the first start
// gave is told once on first if it failed.
func (i *Instance) supervise(first chan<- error) {
	defer close(i.stopped)
	delay := restartMin
	for again := false; ; again = true {
		begun := time.Now()
		cmd := i.command(context.Background(), "postgres", "-D", i.data(), "-k", i.o.Dir, "-c", "listen_addresses=", "-c", "unix_socket_permissions=0700")
		cmd.Stdout, cmd.Stderr = i.o.Stderr, i.o.Stderr
		err := cmd.Start()
		if err != nil && !again {
			first <- fault.Wrap("central.postgres_start", err)
			return
		}
		if err == nil {
			i.set(cmd.Process.Pid)
			done := make(chan error, 1)
			go func() { done <- cmd.Wait() }()
			select {
			case err = <-done:
			case <-i.stop:
				i.end(cmd, done)
				return
			}
			i.set(0)
		}
		i.o.Log.Warn("PostgreSQL has ended and is started again", "cause", fmt.Sprint(err), "in", delay)
		select {
		case <-time.After(delay):
		case <-i.stop:
			return
		}
		if delay = min(2*delay, restartMax); time.Since(begun) > restartMax {
			delay = restartMin
		}
	}
}

func (i *Instance) set(pid int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.pid = pid
}

// end asks for a fast shutdown and, where that takes too long, an immediate
// one, after which the next start recovers from the log.
func (i *Instance) end(cmd *exec.Cmd, done <-chan error) {
	defer i.set(0)
	_ = cmd.Process.Signal(syscall.SIGINT) // it may have ended by itself
	select {
	case <-done:
	case <-time.After(stopLimit):
		_ = cmd.Process.Signal(syscall.SIGQUIT)
		<-done
	}
}

// wait returns when our postmaster says in its lock file that it is ready. A
// postmaster that was orphaned by a crash may still be shutting down, and its
// socket answers until the end; the supervisor tries again until its lock is
// gone.
func (i *Instance) wait(ctx context.Context, first <-chan error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startLimit, fault.New("central.postgres_start", "PostgreSQL is not ready after %s", startLimit))
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-first:
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
		if pid := i.PID(); pid != 0 && i.ready(pid) {
			return nil
		}
	}
}

// ready reads postmaster.pid: its first line is the process, its eighth the
// state, which is told when connections are accepted (PostgreSQL 10 and later,
// src/include/utils/pidfile.h).
func (i *Instance) ready(pid int) bool {
	b, err := os.ReadFile(filepath.Join(i.data(), "postmaster.pid"))
	if err != nil {
		return false // not written yet
	}
	lines := strings.Split(string(b), "\n")
	return len(lines) >= 8 && lines[0] == strconv.Itoa(pid) && strings.TrimSpace(lines[7]) == "ready"
}

// Stop ends the instance and waits for it. It may be called more than once.
func (i *Instance) Stop() error {
	i.once.Do(func() { close(i.stop) })
	<-i.stopped
	return nil
}

// tail is the end of what a program said.
func tail(out []byte) string {
	const kept = 400
	if len(out) > kept {
		out = out[len(out)-kept:]
	}
	return string(out)
}
