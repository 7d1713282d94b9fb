package shift

import (
	"context"
	"time"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/provision/install"
	"github.com/watchpost/watchpost/device/uplink/command"
	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/device/vault/erase"
	"github.com/watchpost/watchpost/device/vault/lease"
)

// scrubAgain is when memory is scrubbed once more after locking, for what had
// not ended by then: a call that broke off, a goroutine of a library.
const scrubAgain = 10 * time.Second

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
	s.scrub()
	if why != "" {
		time.AfterFunc(scrubAgain, func() {
			if s.isLocked() { // who has unlocked since works there
				s.scrub()
			}
		})
		s.o.Log.Warn("keys locked", "why", why)
	}
	return err
}

// scrub clears what officers saw, and copies that libraries made of secrets.
func (s *Shift) scrub() {
	if s.doors != nil {
		s.doors.DropIdle()
	}
	vault.Scrub()
}
