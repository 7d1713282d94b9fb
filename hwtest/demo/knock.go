package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/sdk/client"
)

// Role is one process of the product that a knock can be meant for.
type Role string

// Roles.
const (
	Devices Role = "devices" // watchpost-capture devices
	Decode  Role = "decode"  // watchpost-capture decode: the spare, and the one at work
	Daemon  Role = "daemon"  // watchpostd
	Service Role = "central" // watchpost-central
)

// PIDs returns the processes of a role of the post, none where none runs now.
func (p *Post) PIDs(r Role) ([]int, error) {
	switch r {
	case Devices:
		return p.capture.pids(), nil
	case Daemon:
		return p.daemon.pids(), nil
	case Decode:
		return children(p.daemon.pids(), string(Decode))
	}
	return nil, fmt.Errorf("the post has no role %q", r)
}

// Signal sends a signal to every process of a role of the post and returns how
// many there were. One that has ended meanwhile is no error.
func (p *Post) Signal(r Role, s syscall.Signal) (int, error) {
	pids, err := p.PIDs(r)
	if err != nil {
		return 0, err
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, s); err != nil && !errors.Is(err, syscall.ESRCH) {
			return 0, fmt.Errorf("signal %s: %w", r, err)
		}
	}
	return len(pids), nil
}

// KillDaemon ends the daemon by force, as a crash or a power cut does.
func (p *Post) KillDaemon() error { return p.daemon.kill() }

// StartDaemon starts the daemon on what it has, as a supervisor does, and
// returns when it takes commands. Its sessions have gone with it.
func (p *Post) StartDaemon(ctx context.Context) (err error) {
	p.daemon, err = p.startDaemon(ctx)
	return err
}

// startDaemon runs the daemon with further arguments until it answers.
func (p *Post) startDaemon(ctx context.Context, args ...string) (*process, error) {
	args = append([]string{"--config", p.world.Config, "--passphrase-file", p.world.Passphrase}, args...)
	daemon, err := start(p.options.Bin, "watchpostd", p.log, nil, args...)
	if err != nil {
		return nil, err
	}
	c := client.NewSocket(filepath.Join(p.world.State, "admin.sock"))
	if err := p.until(ctx, daemon, func() error { return answers(ctx, c) }); err != nil {
		return nil, errors.Join(err, daemon.stop())
	}
	return daemon, nil
}

// answers reports whether the daemon takes commands: a stranger is told so.
func answers(ctx context.Context, c *client.Client) error {
	_, err := c.System(ctx)
	var told *client.Error
	if errors.As(err, &told) {
		return nil
	}
	return err
}

// KillCentral ends central by force.
func (c *Central) KillCentral() error { return c.process.kill() }

// StartCentral starts central on what it has; the wire leads there.
func (c *Central) StartCentral() error {
	address, err := c.serve()
	if err != nil {
		return err
	}
	c.Wire.Aim(address)
	return nil
}

// Connected waits until the post says that its link is up.
func (c *Central) Connected(ctx context.Context, api *client.Client) error {
	return c.connected(ctx, api)
}

// State is central's folder.
func (c *Central) State() string { return filepath.Join(c.dir, "s") }

// PIDs returns central's process, none where it does not run.
func (c *Central) PIDs() []int { return c.process.pids() }

// pids is the process as long as it runs.
func (p *process) pids() []int {
	if p == nil {
		return nil
	}
	select {
	case <-p.done:
		return nil
	default:
		return []int{p.cmd.Process.Pid}
	}
}

// children returns the processes below parents that have word as an argument.
func children(parents []int, word string) ([]int, error) {
	var found []int
	for _, parent := range parents {
		tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", parent))
		if err != nil {
			return nil, fmt.Errorf("list the children: %w", err)
		}
		for _, file := range tasks {
			raw, err := os.ReadFile(file)
			if err != nil {
				continue // the thread has ended
			}
			for _, field := range strings.Fields(string(raw)) {
				pid, err := strconv.Atoi(field)
				if err != nil {
					return nil, fault.New("bench.proc", "%s holds %q", file, field)
				}
				line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
				if err == nil && strings.Contains(string(line), "\x00"+word+"\x00") {
					found = append(found, pid)
				}
			}
		}
	}
	return found, nil
}
