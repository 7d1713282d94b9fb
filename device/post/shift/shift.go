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

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/config"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed"
	"github.com/watchpost/watchpost/device/post"
	"github.com/watchpost/watchpost/device/post/doors"
	"github.com/watchpost/watchpost/device/post/keysapi"
	"github.com/watchpost/watchpost/device/provision/install"
	"github.com/watchpost/watchpost/device/uplink/command"
	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/device/vault/erase"
	"github.com/watchpost/watchpost/device/vault/lease"
	"github.com/watchpost/watchpost/device/vault/tpm"
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

// mayWait reports whether a post without a lease waits for one: where central
// cannot be reached, not where it refuses.
func (s *Shift) mayWait(err error) bool {
	return s.o.Lease != nil && (fault.IsRetryable(err) || errors.Is(err, command.ErrLocked))
}

// unlock opens the vault and starts the post. What it fails with leaves the
// vault locked. unattended says that nobody unlocks who works there: then a lock
// by order stays.
func (s *Shift) unlock(ctx context.Context, w Way, unattended bool) (*opened, error) {
	p := &opened{forget: w.Forget, since: s.o.Now(), lost: make(chan error, 2)}
	p.lease, _ = w.Unlocker.(*lease.Unlocker)
	fail := func(err error) (*opened, error) { w.Forget(); return nil, err }
	state := s.o.Config.StateDir()
	var err error
	by := wayOf(w.Unlocker)
	if p.keys, err = vault.Open(ctx, filepath.Join(state, install.VaultFile), w.Unlocker); err != nil {
		s.refused(by, err)
		return fail(err)
	}
	starts, err := s.countStart(ctx, p.keys)
	if err != nil {
		s.refused(by, err)
		p.keys.Lock()
		return fail(err)
	}
	counter, err := s.listCounter(p.keys)
	if err != nil {
		p.keys.Lock()
		return fail(err)
	}
	p.post, err = post.Start(ctx, post.Options{Config: s.o.Config, Keys: p.keys, Counter: counter, Provision: s.provision, Log: s.o.Log, Now: s.o.Now, Lead: s.lead,
		Unlocking: &hardwareKeys{state: state, chip: s.o.TPM, keys: p.keys}, Unattended: unattended, Starts: starts, Run: s.run[:]})
	if errors.Is(err, command.ErrWiped) {
		s.destroy(ctx)
	}
	if err != nil {
		return fail(err)
	}
	s.provision = "" // taken in
	who, err := s.ownerInForce(p.post, by, s.o.Now())
	if err != nil {
		s.refused(by, err)
		return fail(errors.Join(err, p.post.Close()))
	}
	if !unattended {
		if err := p.post.Lift(who); err != nil {
			return fail(errors.Join(err, p.post.Close()))
		}
	}
	s.held = free
	if p.lease == nil {
		w.Forget() // a lease's is kept: it renews
	}
	s.used.Store(s.o.Now().UnixNano())
	s.set(keysapi.State{Since: p.since, By: by, UnlockBy: p.keys.State().UnlockBy, Starts: starts, Ends: s.ends(p.since)}, p.lease)
	s.tellRefused(p)
	s.witness(p, audit.KeysUnlocked, who, map[string]string{"by": by.Kind})
	s.watch(p)
	return p, nil
}

// actor is who unlocked, as far as the way in tells.
func actor(by vault.Way) string {
	if by.Name != "" {
		return by.Name
	}
	return "post"
}

// witness writes an audit line. A store that cannot take it shows elsewhere.
func (s *Shift) witness(p *opened, action audit.Action, who string, facts map[string]string) bool {
	err := p.post.Witnessed(audit.Line{Time: s.o.Now(), Actor: who, Action: action, Facts: facts})
	if err != nil {
		s.o.Log.Error("audit line", "action", string(action), "code", string(fault.CodeOf(err)))
	}
	return err == nil
}

// countStart raises the count of starts, in the TPM as well where the vault
// has a way in by it.
func (s *Shift) countStart(ctx context.Context, keys *vault.Vault) (uint64, error) {
	var chip vault.Counter
	if params := erase.ChipOf(keys); params != nil && s.o.TPM != "" {
		var err error
		if chip, err = (tpm.Unlocker{Device: s.o.TPM}).Counter(params); err != nil {
			return 0, err
		}
	}
	return keys.CountStart(ctx, filepath.Join(s.o.Config.StateDir(), vault.StartsFile), chip)
}

// listCounter is the chip's count of what lists must not come back; nil where
// the vault has no way in by the TPM, or one of before there was such a count.
func (s *Shift) listCounter(keys *vault.Vault) (listfeed.Counter, error) {
	params := erase.ChipOf(keys)
	if params == nil || s.o.TPM == "" {
		return nil, nil
	}
	c, ok, err := (tpm.Unlocker{Device: s.o.TPM}).ListCounter(params)
	if err != nil || !ok {
		return nil, err
	}
	return c, nil
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

// over says why the keys have to lock by now, "" if they need not.
func (s *Shift) over(p *opened) string {
	if p.lease != nil {
		if left, life := p.lease.Left(); life > 0 && left <= 0 {
			return string(lease.ErrExpired.Code)
		}
	}
	now := s.o.Now()
	if ends := s.state.Ends; ends != nil && !now.Before(*ends) { // state changes in this goroutine only
		return WhyShift
	}
	if k := s.o.Config.Keys; k != nil && k.LockIdle > 0 && now.Sub(time.Unix(0, s.used.Load())) >= k.LockIdle.Of() {
		return WhyIdle
	}
	return ""
}

// ends is when the shift that began at begun ends at the latest.
func (s *Shift) ends(begun time.Time) *time.Time {
	k := s.o.Config.Keys
	end, ok := k.EndOf(begun)
	if k != nil && k.Shift > 0 {
		if by := begun.Add(k.Shift.Of()); !ok || by.Before(end) {
			end, ok = by, true
		}
	}
	if !ok {
		return nil
	}
	return &end
}

// endNow wipes the keys before anything else, for who destroys them: what the
// post would still have written is lost with them.
func (s *Shift) endNow(p *opened, r request) error {
	p.keys.Lock()
	s.lockedFor(r.why)
	r.done <- nil
	if err := s.end(p, r.why); err != nil {
		s.o.Log.Warn("the post closed without its keys", "code", string(fault.CodeOf(err)))
	}
	return nil
}

// wipe destroys the keys for good, by an order that two have signed: those in
// memory first, then what opens them.
func (s *Shift) wipe(ctx context.Context, p *opened) error {
	err := s.endNow(p, request{why: string(command.ErrWiped.Code), done: make(chan error, 1)})
	s.destroy(ctx)
	return err
}

// destroy destroys what opens the vault.
func (s *Shift) destroy(ctx context.Context) {
	gone, failed := erase.Keys(ctx, s.o.Config.StateDir(), install.VaultFile, s.o.TPM)
	if failed != nil {
		s.o.Log.Error("wipe", "code", string(fault.CodeOf(failed)), "file", gone.File, "tpm", gone.TPM)
	}
	s.o.Log.Warn("keys destroyed by order", "file", gone.File, "tpm", gone.TPM)
}

// end closes the post and wipes its keys; why is "" where the daemon ends.
func (s *Shift) end(p *opened, why string) error {
	if why != "" {
		s.witness(p, audit.KeysLocked, "post", map[string]string{"why": why})
		s.lockedFor(why)
	}
	p.stop()
	err := p.post.Close()
	if p.lease != nil {
		p.forget()
	}
	p.post, p.keys, p.lease = nil, nil, nil
	if s.doors != nil {
		s.doors.DropIdle()
	}
	vault.Scrub() // what officers saw, and copies that libraries made of secrets
	if why != "" {
		s.o.Log.Warn("keys locked", "why", why)
	}
	return err
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
