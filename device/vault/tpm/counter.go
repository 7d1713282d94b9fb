package tpm

import (
	"context"
	"encoding/json"

	"github.com/watchpost/watchpost/device/vault"
)

// Counter returns the chip's count of the starts of the vault of these
// parameters, for vault.CountStart.
func (u Unlocker) Counter(raw json.RawMessage) (vault.Counter, error) {
	p, err := decodeParams(raw)
	if err != nil {
		return nil, err
	}
	return counter{u.Device, p}, nil
}

type counter struct {
	device string
	p      *params
}

// Enrolled implements vault.Counter.
func (c counter) Enrolled() uint64 { return c.p.Starts.Value }

// Count implements vault.Counter. It fails with tpm.wiped where the chip has
// forgotten the count.
func (c counter) Count(ctx context.Context, check func(uint64) error) error {
	chip, err := open(ctx, c.device, c.p.Parent)
	if err != nil {
		return err
	}
	defer chip.close()
	now, err := chip.readCounter(c.p.Starts.Handle)
	if err != nil {
		return err
	}
	if err := check(now); err != nil {
		return err
	}
	return chip.raiseCounter(c.p.Starts.Handle)
}
