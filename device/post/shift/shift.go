// Package shift runs a post for as long as its keys may be open, and keeps its
// doors answering while they are not: it opens the vault at the start, locks it
// by command, when nobody works any more, at the end of the shift, or when the
// lease is gone, and opens it again without a restart of the daemon.
//
// Locking ends the whole post: stores and lists are closed and every key is
// wiped. Encounters under way wait sealed in post.db, and are there when the
// next officer unlocks.
package shift

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/watchpost/watchpost/device/config"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/post"
	"github.com/watchpost/watchpost/device/post/doors"
	"github.com/watchpost/watchpost/device/post/keysapi"
	"github.com/watchpost/watchpost/device/provision/install"
	"github.com/watchpost/watchpost/device/uplink/command"
	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/device/vault/lease"
	"github.com/watchpost/watchpost/device/web"
	kioskui "github.com/watchpost/watchpost/kiosk-ui"
)

// Why keys were locked, as audit lines and GET /v1/keys say it. Where central
// or the lease locked them it is the code.
const (
	WhyCommand = "command"
	WhyIdle    = "idle"
	WhyShift   = "shift_end"
	WhyRefused = "sign_in_refused" // the vault opened, the account did not
	WhyStart   = "start"           // the daemon was started locked
)

// Pace of looking.
const (
	lookEvery   = time.Second      // at idleness, the shift's end and the lease
	leaseAgain  = 30 * time.Second // a lease that could not be had is asked for again, at most
	leaseSooner = time.Second      // at least
)

// Way is a way into the vault and what wipes its secrets.
type Way struct {
	Unlocker vault.Unlocker
	Forget   func()
}

// Options of Run.
type Options struct {
	Config *config.Config
	// First opens the vault at the start; its Unlocker is nil where the daemon
	// starts locked.
	First Way
	// With makes a way in of what an officer gives later.
	With func(keysapi.Secrets) (Way, error)
	// Lease makes a way in by a lease, nil for posts that have none.
	Lease     func() (Way, error)
	TPM       string // device, for the count of starts; "" counts on disk only
	Provision string // folder to take in at the first opening
	Log       *slog.Logger
	Now       func() time.Time
}

// Shift is a daemon's keys over its life. Its methods are for any goroutine.
type Shift struct {
	o      Options
	run    [16]byte // of this run of the daemon, for central
	sw     *doors.Switch
	feed   *doors.Switch // commands on the feed, for the admin socket alone
	locked http.Handler
	doors  *doors.Doors
	// provision is a folder to take in at the next opening; of the goroutine of
	// Run.
	provision string
	// held says that a lock stays until somebody unlocks; of the goroutine of
	// Run.
	held hold

	used     atomic.Int64 // time of the last work, nanoseconds since 1970
	requests chan request
	tries    tries

	mu    sync.Mutex // protects what follows
	state keysapi.State
	lease *lease.Unlocker // while open by one
}

// request is a command to the one goroutine that opens and locks.
type request struct {
	way  *Way   // unlocks; nil locks
	bare bool   // the way asks for no officer's secret
	why  string // it locks
	now  bool   // keys first: done before the post has closed
	done chan error
}

// opened is a post with open keys.
type opened struct {
	post   *post.Post
	keys   *vault.Vault
	lease  *lease.Unlocker // nil where it opened otherwise
	forget func()
	since  time.Time
	lost   chan error // what central or the lease says against it
	stop   func()     // ends the watching
}

// Run runs the post until ctx ends. The first opening's failure ends it.
func Run(ctx context.Context, o Options) error {
	page, err := web.NewPage(kioskui.Files())
	if err != nil {
		return err
	}
	s := &Shift{o: o, provision: o.Provision, requests: make(chan request), locked: web.NewLocked(page)}
	rand.Read(s.run[:])
	s.sw, s.feed = doors.NewSwitch(s.locked), doors.NewSwitch(s.locked)
	if err := os.MkdirAll(o.Config.StateDir(), 0o700); err != nil {
		return fault.Wrap("post.state", err)
	}
	if err := vault.Harden(); err != nil {
		return err
	}
	if err := s.lockMemory(); err != nil {
		return err
	}
	defer func() {
		if s.doors != nil {
			_ = s.doors.Close() // calls under way have ended or been given up
		}
	}()
	return s.live(ctx)
}

// lockMemory keeps the process out of swap space as the configuration asks.
func (s *Shift) lockMemory() error {
	locked, err := vault.LockMemory()
	if err != nil {
		if k := s.o.Config.Keys; k != nil && k.Swap == "refuse" {
			return err
		}
		s.o.Log.Warn("memory can be written to swap space", "code", string(fault.CodeOf(err)), "hint", fault.HintOf(err))
		return nil
	}
	s.o.Log.Info("memory", "locked", locked)
	return nil
}

// live opens and locks in turn.
func (s *Shift) live(ctx context.Context) error {
	var p *opened
	var err error
	if s.o.First.Unlocker == nil {
		s.lockedFor(WhyStart)
		err = s.open()
	} else if p, err = s.unlock(ctx, s.o.First, byItself(s.o.First)); err != nil && s.mayWait(err) {
		s.o.Log.Warn("no lease yet", "code", string(fault.CodeOf(err)))
		s.lockedFor(string(fault.CodeOf(err)))
		err = s.open()
	}
	if err != nil {
		return err
	}
	for {
		if p == nil {
			p, err = s.waitLocked(ctx)
		} else {
			err = s.waitOpen(ctx, p)
			p = nil
		}
		if err != nil || ctx.Err() != nil {
			return err
		}
	}
}

// open opens the doors if they are not.
func (s *Shift) open() error {
	if s.doors != nil {
		return nil
	}
	var err error
	s.doors, err = doors.Open(doors.Options{Config: s.o.Config, Admin: s.admin(), Public: s.public(s.sw), Now: s.o.Now, Log: s.o.Log})
	return err
}

// lead puts the API of a post behind the doors.
func (s *Shift) lead(api, feed http.Handler) (func() func() error, error) {
	wait, waitFeed := s.sw.To(api), s.feed.To(feed)
	if err := s.open(); err != nil {
		return nil, errors.Join(err, wait(), waitFeed())
	}
	return func() func() error {
		api, feed := s.sw.To(s.locked), s.feed.To(s.locked)
		return func() error { return errors.Join(api(), feed()) }
	}, nil
}

// waitOpen waits for what ends the opening, and ends it.
func (s *Shift) waitOpen(ctx context.Context, p *opened) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		var why string
		var done chan error
		select {
		case <-ctx.Done():
			return s.end(p, "")
		case err := <-p.post.Failed():
			return errors.Join(err, s.end(p, ""))
		case err := <-s.doors.Failed():
			return errors.Join(err, s.end(p, ""))
		case err := <-p.lost:
			if errors.Is(err, command.ErrWiped) {
				return s.wipe(ctx, p)
			}
			why = string(fault.CodeOf(err))
		case r := <-s.requests:
			if r.way != nil {
				r.way.Forget()
				r.done <- nil // open already
				continue
			}
			if r.now {
				return s.endNow(p, r)
			}
			why, done = r.why, r.done
		case <-tick.C:
			why = s.over(p)
		}
		if why == "" {
			continue
		}
		err := s.end(p, why)
		if done != nil {
			done <- err
		}
		return err
	}
}

// waitLocked waits for somebody who unlocks, or for a lease.
func (s *Shift) waitLocked(ctx context.Context) (*opened, error) {
	var again <-chan time.Time
	pause := leaseSooner
	for {
		again = nil
		switch {
		case s.o.Lease == nil || s.held == byCommand:
		case s.held == byOrder:
			again = time.After(heldAgain)
		default:
			again = time.After(pause)
		}
		select {
		case <-ctx.Done():
			return nil, nil
		case err := <-s.doors.Failed():
			return nil, err
		case <-again:
			w, err := s.o.Lease()
			if err != nil {
				return nil, err
			}
			p, err := s.unlock(ctx, w, true)
			if err == nil {
				return p, nil
			}
			if errors.Is(err, command.ErrLocked) {
				s.lockedFor(string(command.ErrLocked.Code))
			}
			s.o.Log.Warn("no lease", "code", string(fault.CodeOf(err)))
			pause = min(2*pause, leaseAgain)
		case r := <-s.requests:
			if r.way == nil {
				r.done <- nil // locked already
				continue
			}
			p, err := s.unlock(ctx, *r.way, r.bare)
			r.done <- err
			if err == nil {
				return p, nil
			}
		}
	}
}

func (s *Shift) set(state keysapi.State, l *lease.Unlocker) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state, s.lease = state, l
}

// lockedFor notes that the keys are locked.
func (s *Shift) lockedFor(why string) {
	switch why {
	case string(command.ErrLocked.Code):
		s.held = byOrder
	case WhyCommand:
		s.held = byCommand
	}
	ways, err := vault.Ways(filepath.Join(s.o.Config.StateDir(), install.VaultFile))
	if err != nil {
		s.o.Log.Warn("vault", "code", string(fault.CodeOf(err)))
	}
	s.set(keysapi.State{Locked: true, Why: why, Since: s.o.Now(), UnlockBy: ways}, nil)
}
