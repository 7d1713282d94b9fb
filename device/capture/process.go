package capture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/watchpost/watchpost/device/fault"
)

// Role is what a capture process does; one process has one.
type Role string

// The roles (design section 3).
const (
	Devices Role = "devices" // holds camera, sensor, reader
	Decode  Role = "decode"  // turns outside images into pixels and templates
)

// Program is the name of the capture program, found beside the running one.
const Program = "watchpost-capture"

const (
	// startLimit covers loading OpenCV's and dlib's libraries on a slow disk.
	startLimit = 20 * time.Second
	// stopLimit is how long a process may take to put its devices down.
	stopLimit = time.Second
	inherited = 3 // descriptor of the socket in the child: the first after stderr
)

// Options say which process to start. The zero value of each but Role is
// useful.
type Options struct {
	Role   Role
	Binary string // path of watchpost-capture; "" = beside the running program
	Config string // path of its configuration, "" = its defaults
	Models string // folder of the face models, "" = WATCHPOST_MODELS or its default
	// Stderr takes the process's messages, which hold no personal data; nil
	// drops them.
	Stderr io.Writer
	Logger *slog.Logger // nil = none
}

// passed are the variables of our environment that a capture process sees.
// Everything else is kept from it: what C libraries read there is not ours.
var passed = [...]string{"HOME", "XDG_CACHE_HOME", "WATCHPOST_MODELS", "PCSCLITE_CSOCK_NAME", "FP_VIRTUAL_IMAGE", "LD_LIBRARY_PATH", "GOCOVERDIR"}

// Start runs a private capture process over an inherited socket: no path, so
// nobody else can reach it, and it ends when this process does. It is ready
// when Start returns. The context bounds starting only; Close ends it. Errors:
// capture.missing, capture.start, and the code the process itself gave.
func Start(ctx context.Context, o Options) (*Client, error) {
	if o.Role != Devices && o.Role != Decode {
		return nil, fault.New(ErrStart.Code, "no role %q", o.Role)
	}
	logger := o.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	binary, err := o.binary()
	if err != nil {
		return nil, err
	}
	conn, theirs, err := socketPair()
	if err != nil {
		return nil, fault.Wrap(ErrStart.Code, err)
	}
	p := &process{ended: make(chan struct{})}
	p.cmd = exec.Command(binary, o.arguments()...)
	p.cmd.ExtraFiles = []*os.File{theirs}
	p.cmd.Env = environment()
	p.cmd.Stderr = &p.tail
	if o.Stderr != nil {
		p.cmd.Stderr = io.MultiWriter(o.Stderr, &p.tail)
	}
	p.cmd.WaitDelay = stopLimit
	err = p.cmd.Start()
	theirs.Close()
	if err != nil {
		conn.Close()
		return nil, fault.Wrap(ErrStart.Code, err)
	}
	go p.wait(ctx, logger, o.Role)

	var used atomic.Bool
	client, err := newClient(func(context.Context, string) (net.Conn, error) {
		if used.Swap(true) {
			return nil, errors.New("the process has ended")
		}
		return conn, nil
	})
	if err != nil {
		conn.Close()
		p.stop()
		return nil, err
	}
	client.process = p
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	// A process that ends while it starts must not be waited for.
	go func() {
		select {
		case <-p.ended:
			cancel()
		case <-ctx.Done():
		}
	}()
	if err := client.ready(ctx); err != nil {
		client.Close()
		return nil, p.startError(err)
	}
	return client, nil
}

func (o Options) binary() (string, error) {
	path := o.Binary
	if path == "" {
		own, err := os.Executable()
		if err != nil {
			return "", fault.Wrap(ErrMissing.Code, err)
		}
		path = filepath.Join(filepath.Dir(own), Program)
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && (info.IsDir() || info.Mode()&0o111 == 0) {
		return "", fault.New(ErrMissing.Code, "no program %s", path).WithHint("make build puts " + Program + " beside this program")
	}
	if err != nil {
		return "", fault.Wrap(ErrMissing.Code, err)
	}
	return path, nil
}

func (o Options) arguments() []string {
	args := []string{string(o.Role), fmt.Sprintf("--fd=%d", inherited)}
	if o.Config != "" {
		args = append(args, "--config="+o.Config)
	}
	if o.Models != "" {
		args = append(args, "--models="+o.Models)
	}
	return args
}

func environment() []string {
	// One thread a face engine: linear algebra of its own threads only adds
	// waiting (notes on the face engine), and they start before the sandbox.
	env := []string{"OPENBLAS_NUM_THREADS=1", "OMP_NUM_THREADS=1", "LC_ALL=C.UTF-8"}
	for _, name := range passed {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// socketPair returns our end as a connection and the child's as a file.
func socketPair() (net.Conn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("socket pair: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "capture"), os.NewFile(uintptr(fds[1]), "capture")
	conn, err := net.FileConn(ours)
	ours.Close()
	if err != nil {
		theirs.Close()
		return nil, nil, fmt.Errorf("socket pair: %w", err)
	}
	return conn, theirs, nil
}

// process is a started program; ended is closed after it was reaped.
type process struct {
	cmd   *exec.Cmd
	tail  tail
	ended chan struct{}
}

func (p *process) wait(ctx context.Context, logger *slog.Logger, role Role) {
	err := p.cmd.Wait()
	logger.LogAttrs(context.WithoutCancel(ctx), slog.LevelDebug, "capture process ended",
		slog.String("role", string(role)), slog.Int("pid", p.cmd.Process.Pid), slog.Any("status", err))
	close(p.ended)
}

// stop waits for the process, whose connection has been closed, and kills it
// when it takes too long.
func (p *process) stop() {
	timer := time.NewTimer(stopLimit)
	defer timer.Stop()
	select {
	case <-p.ended:
		return
	case <-timer.C:
	}
	// An error means that it has ended meanwhile.
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// startError prefers what the process itself said last: its code.
func (p *process) startError(err error) error {
	line := p.tail.last()
	const prefix = Program + ": "
	if text, ok := strings.CutPrefix(line, prefix); ok {
		if code, cause, ok := strings.Cut(text, ": "); ok && strings.Contains(code, ".") && !strings.ContainsAny(code, " /") {
			return fault.New(fault.Code(code), "%s", cause)
		}
	}
	if line != "" {
		return fault.New(ErrStart.Code, "%s", line)
	}
	return fault.Wrap(ErrStart.Code, err)
}

// tail keeps the end of what is written to it.
type tail struct {
	mu  sync.Mutex
	buf []byte // guarded by mu
}

const tailLimit = 4 << 10 // bytes

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	if len(t.buf) > tailLimit {
		t.buf = bytes.Clone(t.buf[len(t.buf)-tailLimit:])
	}
	return len(p), nil
}

// last returns the last line that holds anything.
func (t *tail) last() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := strings.Split(strings.TrimSpace(string(t.buf)), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}
