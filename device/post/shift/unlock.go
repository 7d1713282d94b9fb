package shift

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed"
	"github.com/watchpost/watchpost/device/post"
	"github.com/watchpost/watchpost/device/post/keysapi"
	"github.com/watchpost/watchpost/device/provision/install"
	"github.com/watchpost/watchpost/device/uplink/command"
	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/device/vault/erase"
	"github.com/watchpost/watchpost/device/vault/lease"
	"github.com/watchpost/watchpost/device/vault/stack"
	"github.com/watchpost/watchpost/device/vault/tpm"
)

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
	stack.Wiped(func() { p.keys, err = vault.Open(ctx, filepath.Join(state, install.VaultFile), w.Unlocker) })
	if err != nil {
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
