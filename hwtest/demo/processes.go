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

// stopLimit is how long a process may take to end when asked to: a second on a
// quiet machine.
const stopLimit = 30 * time.Second

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
	// A group of its own: Ctrl-C at the terminal is for us, who then stop it.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
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
		return fmt.Errorf("%s had ended by itself (%v)", p.name, p.err)
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

// kill ends the process by force and waits for it.
func (p *process) kill() error {
	if err := p.cmd.Process.Kill(); err != nil {
		return fmt.Errorf("kill %s: %w", p.name, err)
	}
	<-p.done
	return nil
}

// Post is the running product: capture process and daemon. It is for one
// goroutine.
type Post struct {
	capture, daemon *process
	captureEnv      []string // of the process of the devices
	world           *World
	options         Options
	log             *log
}

// StartPost starts both processes and waits until the daemon takes commands.
// pcscd is the socket of the bench. The client is signed in.
func StartPost(ctx context.Context, w *World, o Options, pcscd string) (*Post, *client.Client, error) {
	p := &Post{world: w, options: o.filled(), log: &log{also: o.Log}}
	if err := p.StartCapture(ctx, w.Capture, "PCSCLITE_CSOCK_NAME="+pcscd); err != nil {
		return nil, nil, err
	}
	var err error
	if p.daemon, err = p.startDaemon(ctx, "--provision", w.Provision); err != nil {
		return nil, nil, errors.Join(err, p.capture.stop())
	}
	c, err := w.signedIn(ctx)
	if err != nil {
		return nil, nil, errors.Join(err, p.Stop())
	}
	return p, c, nil
}

// StartCapture starts the process of the devices and waits until it answers:
// the daemon wants it to be there, and a supervisor starts it again.
func (p *Post) StartCapture(ctx context.Context, config string, env ...string) error {
	socket := filepath.Join(p.world.State, "capture.sock")
	args := []string{"devices", "--socket", socket, "--config", config}
	if p.options.LogLevel == "debug" {
		args = append(args, "--debug")
	}
	p.captureEnv = env
	var err error
	if p.capture, err = start(p.options.Bin, capture.Program, p.log, env, args...); err != nil {
		return err
	}
	err = p.until(ctx, p.capture, func() error {
		c, err := capture.Dial(ctx, socket)
		if err != nil {
			return err
		}
		return c.Close()
	})
	if err != nil {
		return errors.Join(err, p.capture.stop())
	}
	return nil
}

// KillCapture ends the process of the devices by force, as a crash does.
func (p *Post) KillCapture() error { return p.capture.kill() }

// StopCapture ends it as a supervisor does.
func (p *Post) StopCapture() error { return p.capture.stop() }

// startLimit is how long a process may take to become ready: seconds on a quiet
// machine.
const startLimit = 2 * time.Minute

// until asks ready until it answers, the process has ended or time is up.
func (p *Post) until(ctx context.Context, proc *process, ready func() error) error {
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

// Stop ends both and reports what did not end as it should.
func (p *Post) Stop() error {
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
	mu   sync.Mutex
	buf  []byte    // guarded by mu
	also io.Writer // takes everything, nil is nobody; guarded by mu
}

const logKept = 8 << 10

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf = append(l.buf, p...)
	if over := len(l.buf) - logKept; over > 0 {
		l.buf = l.buf[over:]
	}
	if l.also != nil {
		return l.also.Write(p)
	}
	return len(p), nil
}

func (l *log) tail() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.buf)
}
