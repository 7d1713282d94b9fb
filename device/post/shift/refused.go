package shift

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/provision/install"
	"github.com/watchpost/watchpost/device/vault"
)

// wayOf names the way into the vault that u is.
func wayOf(u vault.Unlocker) vault.Way {
	by := vault.Way{Kind: u.Kind()}
	if n, ok := u.(vault.Named); ok {
		by.Name = n.SlotName()
	}
	return by
}

// refused notes an opening that was refused, for the audit log to have once it
// is open again. A central that cannot be reached refuses nothing. A name that
// is not in the vault is not written down: people type secrets into the wrong
// field.
func (s *Shift) refused(by vault.Way, why error) {
	if fault.IsRetryable(why) || errors.Is(why, context.Canceled) {
		return
	}
	if ways, err := vault.Ways(filepath.Join(s.o.Config.StateDir(), install.VaultFile)); err != nil || !slices.Contains(ways, by) {
		by.Name = ""
	}
	err := vault.NoteRefusal(s.refusals(), vault.Refusal{At: s.o.Now().UTC(), Kind: by.Kind, Name: by.Name, Code: fault.CodeOf(why)})
	if err != nil {
		s.o.Log.Error("a refused opening is not noted", "code", string(fault.CodeOf(err)))
	}
}

func (s *Shift) refusals() string { return filepath.Join(s.o.Config.StateDir(), vault.RefusalsFile) }

// tellRefused writes the openings that were refused into the audit log, which
// can be written to again. Only then are they forgotten.
func (s *Shift) tellRefused(p *opened) {
	all, damaged, err := vault.Refusals(s.refusals())
	if err != nil {
		s.o.Log.Error("refused openings", "code", string(fault.CodeOf(err)))
		return
	}
	told := true
	for _, r := range all {
		facts := map[string]string{"code": string(r.Code), "by": r.Kind, "at": r.At.UTC().Format(time.RFC3339)}
		if r.Name != "" {
			facts["name"] = r.Name
		}
		told = told && s.witness(p, audit.UnlockRefused, "post", facts)
	}
	if damaged > 0 {
		told = told && s.witness(p, audit.UnlockRefused, "post", map[string]string{"code": "vault.damaged", "lines": strconv.Itoa(damaged)})
	}
	if !told {
		return
	}
	if err := vault.ForgetRefusals(s.refusals()); err != nil {
		s.o.Log.Error("refused openings", "code", string(fault.CodeOf(err)))
	}
}
