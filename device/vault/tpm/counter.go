package tpm

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"strconv"

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

// ListCounter is the chip's count of lists and of what else decides: it notices
// that a post's state was put back. It implements listfeed.Counter.
type ListCounter struct {
	device string
	p      *params
}

// ListCounter returns that of the vault of these parameters; ok is false for a
// vault that was made before there was one.
func (u Unlocker) ListCounter(raw json.RawMessage) (c ListCounter, ok bool, err error) {
	p, err := decodeParams(raw)
	if err != nil {
		return c, false, err
	}
	return ListCounter{u.Device, p}, p.Lists.valid(), nil
}

// Name tells this count from that of another chip or enrolment.
func (c ListCounter) Name() string {
	return hex.EncodeToString(c.p.Parent) + "/" + strconv.FormatUint(uint64(c.p.Lists.Handle), 16) + "/" + strconv.FormatUint(c.p.Lists.Value, 10)
}

// Read returns the count. It fails with tpm.wiped where the chip has forgotten
// it.
func (c ListCounter) Read(ctx context.Context) (uint64, error) {
	chip, err := open(ctx, c.device, c.p.Parent)
	if err != nil {
		return 0, err
	}
	defer chip.close()
	return chip.readCounter(c.p.Lists.Handle)
}

// Raise raises the count by one.
func (c ListCounter) Raise(ctx context.Context) error {
	chip, err := open(ctx, c.device, c.p.Parent)
	if err != nil {
		return err
	}
	defer chip.close()
	return chip.raiseCounter(c.p.Lists.Handle)
}
