package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/watchpost/watchpost/device/capture"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/sdk/client"
)

// stopLimit is how long a process may take to end when asked to.
const stopLimit = 5 * time.Second

// process is a program of the product that the bench runs. It dies with us.
type process struct {
	name string
	cmd  *exec.Cmd
	done chan struct{}
	err  error // after done
}

// start runs bin/name with args. What it says goes to log.
func start(bin, name string, log io.Writer, env []string, args ...string) (*process, error) {
	p := &process{name: name, cmd: exec.Command(filepath.Join(bin, name), args...), done: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return nil, fault.New("bench.program", "%s: %w", name, err).WithHint("make build puts the programs into bin/")
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// stop asks the process to end and waits for it.
func (p *process) stop() error {
	select {
	case <-p.done:
		return fmt.Errorf("%s had ended: %w", p.name, p.err)
	default:
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop %s: %w", p.name, err)
	}
	select {
	case <-p.done:
		if p.err != nil {
			return fmt.Errorf("%s: %w", p.name, p.err)
		}
		return nil
	case <-time.After(stopLimit):
		return errors.Join(fmt.Errorf("%s did not end in %s", p.name, stopLimit), p.cmd.Process.Kill())
	}
}

// post is the running product: capture process and daemon.
type post struct {
	capture, daemon *process
	log             *log
}

// startPost starts both processes and waits until the daemon takes commands.
func startPost(ctx context.Context, w *world, o Options, pcscd string) (*post, *client.Client, error) {
	p := &post{log: &log{}}
	socket := filepath.Join(w.state, "capture.sock")
	var err error
	if p.capture, err = start(o.Bin, capture.Program, p.log, []string{"PCSCLITE_CSOCK_NAME=" + pcscd}, "devices", "--socket", socket, "--config", w.capture); err != nil {
		return nil, nil, err
	}
	// The daemon wants the capture process to be there.
	if err := p.until(ctx, p.capture, func() error {
		c, err := capture.Dial(ctx, socket)
		if err != nil {
			return err
		}
		return c.Close()
	}); err != nil {
		return nil, nil, errors.Join(err, p.capture.stop())
	}
	p.daemon, err = start(o.Bin, "watchpostd", p.log, nil, "--config", w.config, "--passphrase-file", w.passphrase, "--provision", w.provision)
	if err != nil {
		return nil, nil, errors.Join(err, p.capture.stop())
	}
	c := client.NewSocket(filepath.Join(w.state, "admin.sock"))
	if err := p.until(ctx, p.daemon, func() error { return c.SignIn(ctx, officerID, w.password) }); err != nil {
		return nil, nil, errors.Join(err, p.stop())
	}
	return p, c, nil
}

// startLimit is how long a process may take to become ready.
const startLimit = 30 * time.Second

// until asks ready until it answers, the process has ended or time is up.
func (p *post) until(ctx context.Context, proc *process, ready func() error) error {
	deadline := time.NewTimer(startLimit)
	defer deadline.Stop()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		err := ready()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-proc.done:
			return fault.New("bench.ended", "%s ended at once: %w\n%s", proc.name, proc.err, p.log.tail())
		case <-deadline.C:
			return fault.New("bench.not_ready", "%s is not ready after %s: %w\n%s", proc.name, startLimit, err, p.log.tail())
		case <-again.C:
		}
	}
}

func (p *post) stop() error {
	var errs []error
	for _, proc := range []*process{p.daemon, p.capture} {
		if proc != nil {
			errs = append(errs, proc.stop())
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fault.New("bench.stop", "%w\n%s", err, p.log.tail())
	}
	return nil
}

// log keeps the last of what processes say. It is safe for concurrent use.
type log struct {
	mu  sync.Mutex
	buf []byte
}

const logKept = 8 << 10

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf = append(l.buf, p...)
	if over := len(l.buf) - logKept; over > 0 {
		l.buf = l.buf[over:]
	}
	return len(p), nil
}

func (l *log) tail() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.buf)
}
