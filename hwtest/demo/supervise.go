package demo

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"syscall"
	"time"

	"github.com/watchpost/watchpost/device/capture"
	"github.com/watchpost/watchpost/sdk/client"
)

// Pace of looking after the processes. One that does not answer twice in a row
// hangs and is ended by force.
const (
	lookEvery  = time.Second
	probeLimit = 4 * time.Second
	patience   = 2 // probes
)

// Supervise starts again each process of the product that ends or hangs, as
// systemd does on the box, until stop is called; say is told of each. Nobody
// else may start or stop processes of the post meanwhile. central may be nil.
func (p *Post) Supervise(ctx context.Context, central *Central, say func(string)) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	watched := []*watched{
		{name: capture.Program, proc: func() *process { return p.capture }, probe: p.probeCapture,
			start: func(ctx context.Context) error { return p.StartCapture(ctx, p.world.Capture, p.captureEnv...) }},
		{name: "watchpostd", proc: func() *process { return p.daemon }, probe: p.probeDaemon, start: p.StartDaemon},
	}
	if central != nil {
		watched = append(watched, central.watched())
	}
	go func() {
		defer close(done)
		tick := time.NewTicker(lookEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			for _, w := range watched {
				w.look(ctx, say)
			}
		}
	}()
	return func() { cancel(); <-done }
}

// watched is one process under supervision.
type watched struct {
	name   string
	proc   func() *process
	probe  func(context.Context) error // nil: only its end is seen
	start  func(context.Context) error
	silent int // probes without an answer
}

// look starts the process again where it has ended, and ends it where it hangs.
func (w *watched) look(ctx context.Context, say func(string)) {
	p := w.proc()
	if len(p.pids()) == 0 {
		say(fmt.Sprintf("%s has ended (%v): it is started again", w.name, p.err))
		w.silent = 0
		if err := w.start(ctx); err != nil && ctx.Err() == nil {
			say(fmt.Sprintf("%s does not start: %v", w.name, err))
		}
		return
	}
	if w.probe == nil {
		return
	}
	probing, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	if err := w.probe(probing); err == nil || ctx.Err() != nil || !errors.Is(probing.Err(), context.DeadlineExceeded) {
		w.silent = 0
		return
	}
	if w.silent++; w.silent < patience {
		return
	}
	w.silent = 0
	say(w.name + " hangs: it is ended by force")
	_ = p.cmd.Process.Signal(syscall.SIGKILL) // it may have ended meanwhile
	select {
	case <-p.done:
	case <-ctx.Done():
	}
}

func (p *Post) probeCapture(ctx context.Context) error {
	c, err := capture.Dial(ctx, filepath.Join(p.world.State, "capture.sock"))
	if err != nil {
		return err
	}
	return c.Close()
}

func (p *Post) probeDaemon(ctx context.Context) error {
	return answers(ctx, client.NewSocket(filepath.Join(p.world.State, "admin.sock")))
}

func (c *Central) watched() *watched {
	return &watched{name: centralProgram, proc: func() *process { return c.process }, start: func(context.Context) error { return c.StartCentral() }}
}
