package bench

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/hwtest/passport"
)

// Limits of a private bench.
const (
	startTimeout  = time.Minute     // pcscd is up in 0.1 s; a loaded machine may take longer
	closeTimeout  = 5 * time.Second // then the helper is killed, and its process namespace with it
	maxSocketPath = 107             // octets of sun_path without its final zero
)

// helper is a bench behind a process in namespaces of its own. It is safe for
// concurrent use.
type helper struct {
	onEvent func(Event)
	process *os.Process
	input   io.WriteCloser
	tempDir string        // removed at the end, "" is none
	gone    chan struct{} // closed when the process has ended and its output is read

	mu      sync.Mutex // guards all below and writing to input
	enc     *json.Encoder
	nextID  int
	waiting map[int]chan error
	closing bool
}

func startPrivate(ctx context.Context, o Options) (*Bench, error) {
	if _, err := findPCSCD(); err != nil {
		return nil, err
	}
	dir, temp, err := makeDir(o.Dir)
	if err != nil {
		return nil, err
	}
	b, err := launch(ctx, o, dir, temp)
	if err != nil && temp != "" {
		os.RemoveAll(temp)
	}
	return b, err
}

// makeDir returns the absolute folder of a bench, and again as temp where it
// is to go with the bench.
func makeDir(given string) (dir, temp string, err error) {
	if given == "" {
		temp, err = os.MkdirTemp("", "wpbench-")
		given = temp
	}
	if err == nil {
		dir, err = filepath.Abs(given)
	}
	if err == nil {
		err = os.MkdirAll(filepath.Join(dir, "pcscd"), 0o755)
	}
	if err != nil {
		return "", "", fault.Wrap(codeStart, err)
	}
	if n := len(socketIn(dir)); n > maxSocketPath {
		return "", "", fault.New(codeStart, "the socket's path has %d octets, %d are allowed", n, maxSocketPath).WithHint("Give a shorter --dir.")
	}
	return dir, temp, nil
}

func socketIn(dir string) string { return filepath.Join(dir, "pcscd", "pcscd.comm") }

func launch(ctx context.Context, o Options, dir, temp string) (*Bench, error) {
	argv := o.Helper
	if len(argv) == 0 {
		self, err := os.Executable()
		if err != nil {
			return nil, fault.Wrap(codeStart, err)
		}
		argv = []string{self, "passport", "serve", "--inside"}
	}
	cmd := exec.Command(argv[0], append(append([]string{}, argv[1:]...), dir)...)
	cmd.SysProcAttr = namespaces()
	cmd.Stderr = os.Stderr
	input, err := cmd.StdinPipe()
	if err != nil {
		return nil, fault.Wrap(codeStart, err)
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fault.Wrap(codeStart, err)
	}
	h := &helper{
		onEvent: o.OnEvent, input: input, enc: json.NewEncoder(input), tempDir: temp,
		gone: make(chan struct{}), waiting: map[int]chan error{},
	}
	ready := make(chan error, 1)
	started := make(chan error)
	go h.run(cmd, output, started, ready)
	if err := <-started; err != nil {
		return nil, err
	}
	timer := time.NewTimer(startTimeout)
	defer timer.Stop()
	select {
	case err = <-ready:
	case <-timer.C:
		err = fault.New(codeStart, "the bench was not ready within %v", startTimeout)
	case <-ctx.Done():
		err = fault.Wrap(codeStart, ctx.Err())
	}
	if err != nil {
		return nil, errors.Join(err, h.close())
	}
	return &Bench{socket: socketIn(dir), name: friendlyName, cards: h}, nil
}

// namespaces gives the helper mounts, a network and a process tree of its own,
// and for that a user namespace to who is not root. The kernel kills the whole
// tree with the helper, and the helper with the thread that started it.
func namespaces() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWPID,
		Pdeathsig:  syscall.SIGKILL,
		Setpgid:    true, // a Ctrl-C at the terminal goes to the starter, which closes the bench in order
	}
	if os.Geteuid() != 0 {
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	return attr
}

// run starts the helper and reads what it says to its end. It stays on one
// thread, for the kernel sends the death signal when the starting thread ends.
func (h *helper) run(cmd *exec.Cmd, output io.Reader, started, ready chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EINVAL) {
			err = (&fault.Error{Code: codeNamespace, Cause: err}).
				WithHint("The kernel refuses namespaces (user.max_user_namespaces, kernel.unprivileged_userns_clone); run as root, or give a running pcscd with --pcscd.")
		} else {
			err = fault.Wrap(codeStart, err)
		}
		started <- err
		return
	}
	h.process = cmd.Process
	started <- nil
	h.listen(output, ready)
	waitErr := cmd.Wait()
	h.mu.Lock()
	closing := h.closing
	h.closing = true
	for id, reply := range h.waiting {
		reply <- ErrClosed
		delete(h.waiting, id)
	}
	h.mu.Unlock()
	select {
	case ready <- fault.New(codeStart, "the helper ended before it was ready: %v", waitErr):
	default:
	}
	if !closing {
		h.onEvent(Event{Kind: "ended"})
	}
	close(h.gone)
}

// listen hands out what the helper says. The first message without a number
// is whether it is ready.
func (h *helper) listen(output io.Reader, ready chan<- error) {
	dec := json.NewDecoder(output)
	for {
		var m message
		if err := dec.Decode(&m); err != nil {
			return // its end; run says how it ended
		}
		switch {
		case m.Event != nil:
			h.onEvent(*m.Event)
		case m.ID != 0:
			h.mu.Lock()
			reply := h.waiting[m.ID]
			delete(h.waiting, m.ID)
			h.mu.Unlock()
			if reply != nil {
				reply <- m.Error.err()
			}
		case m.Ready || m.Error != nil:
			ready <- m.Error.err()
		}
	}
}

func (h *helper) call(ctx context.Context, r request) error {
	reply := make(chan error, 1)
	h.mu.Lock()
	if h.closing {
		h.mu.Unlock()
		return ErrClosed
	}
	h.nextID++
	r.ID = h.nextID
	h.waiting[r.ID] = reply
	err := h.enc.Encode(r)
	h.mu.Unlock()
	if err != nil {
		return fault.Wrap(codeClosed, err)
	}
	select {
	case err := <-reply:
		return err
	case <-ctx.Done():
		return fault.Wrap(codeSlot, ctx.Err())
	}
}

func (h *helper) insert(ctx context.Context, slot int, doc *passport.Document) error {
	return h.call(ctx, request{Op: "insert", Slot: slot, Document: doc})
}

func (h *helper) remove(ctx context.Context, slot int) error {
	return h.call(ctx, request{Op: "remove", Slot: slot})
}

func (h *helper) plug(ctx context.Context, in bool) error {
	op := "unplug"
	if in {
		op = "plug"
	}
	return h.call(ctx, request{Op: op})
}

// close ends the helper by the end of its input, and by force when it does not
// listen.
func (h *helper) close() error {
	h.mu.Lock()
	h.closing = true
	h.mu.Unlock()
	h.input.Close() // an error means that it is closed already
	timer := time.NewTimer(closeTimeout)
	defer timer.Stop()
	select {
	case <-h.gone:
	case <-timer.C:
		h.process.Kill() // an error means that it has ended just now
		<-h.gone
	}
	if h.tempDir != "" {
		return fault.Wrap(codeStart, os.RemoveAll(h.tempDir))
	}
	return nil
}
