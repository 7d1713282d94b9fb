package bench

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/watchpost/watchpost/device/fault"
)

// reader is the pcscd inside a bench with its one reader, which can be
// unplugged: to its programs pcscd is gone then, as when the service of a
// reader that was torn off has ended. It is safe for concurrent use.
type reader struct {
	dir  string
	died chan error // one for a pcscd that ended by itself

	mu  sync.Mutex
	run *running // guarded by mu, nil = unplugged
}

// running is one pcscd.
type running struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed after err was set
	err   error
}

func newReader(dir string) *reader { return &reader{dir: dir, died: make(chan error, 1)} }

// plug starts pcscd and returns when it takes clients and cards.
func (r *reader) plug(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.run != nil {
		return fault.New(codeSlot, "the reader is plugged in already")
	}
	cmd, err := startPCSCD(r.dir)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	err = answers(ctx, socketIn(r.dir))
	for slot := range Slots {
		if err == nil {
			err = listens(ctx, firstPort+slot)
		}
	}
	if err != nil {
		cmd.Process.Kill() // an error means that it has ended
		cmd.Wait()
		return fmt.Errorf("%w; see %s", err, logIn(r.dir))
	}
	run := &running{cmd: cmd, ended: make(chan struct{})}
	r.run = run
	go func() {
		run.err = cmd.Wait()
		close(run.ended)
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.run == run { // nobody has unplugged it
			r.died <- run.err
		}
	}()
	return nil
}

// unplug ends pcscd and leaves nothing of it behind.
func (r *reader) unplug() error {
	r.mu.Lock()
	run := r.run
	r.run = nil
	r.mu.Unlock()
	if run == nil {
		return fault.New(codeSlot, "the reader is not plugged in")
	}
	run.cmd.Process.Signal(syscall.SIGTERM) // an error means that it has ended
	<-run.ended
	left, err := filepath.Glob(filepath.Join(r.dir, "pcscd", "*"))
	return errors.Join(err, removeAll(left))
}
