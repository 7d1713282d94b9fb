package config

import (
	"time"

	"github.com/watchpost/watchpost/device/encounter/policy"
	"github.com/watchpost/watchpost/device/fault"
)

// Keys says when the keys of a post lock by themselves, and who releases a
// gate's.
type Keys struct {
	// LockIdle locks when nobody has done anything for so long; 0 never.
	LockIdle policy.Duration `yaml:"lock_idle,omitempty"`
	// Shift locks so long after unlocking at the latest; 0 never.
	Shift policy.Duration `yaml:"shift,omitempty"`
	// ShiftEnds locks at this time of day, "15:04" by the post's clock; "" never.
	ShiftEnds string `yaml:"shift_ends,omitempty"`
	// Swap is what to do where memory could be written to a disk and cannot be
	// locked: warn (also ""), or refuse to start.
	Swap string `yaml:"swap,omitempty"`
	// Releaser gives a gate its lease, where it is not central: a
	// watchpost-central at the site.
	Releaser *Central `yaml:"releaser,omitempty"`
}

// Shortest time after which keys may lock by themselves: below it nobody could
// end an encounter.
const minLock = time.Minute

// shiftForm is the form of ShiftEnds.
const shiftForm = "15:04"

// EndOf returns the first time after t at which the shift ends; false where it
// has no end by the clock.
func (k *Keys) EndOf(t time.Time) (time.Time, bool) {
	if k == nil || k.ShiftEnds == "" {
		return time.Time{}, false
	}
	at, err := time.Parse(shiftForm, k.ShiftEnds)
	if err != nil {
		return time.Time{}, false // refused by validate
	}
	y, m, d := t.Date()
	end := time.Date(y, m, d, at.Hour(), at.Minute(), 0, 0, t.Location())
	if !end.After(t) {
		end = time.Date(y, m, d+1, at.Hour(), at.Minute(), 0, 0, t.Location())
	}
	return end, true
}

func (k *Keys) validate() error {
	if k == nil {
		return nil
	}
	for name, d := range map[string]policy.Duration{"lock_idle": k.LockIdle, "shift": k.Shift} {
		if d != 0 && d.Of() < minLock {
			return fault.New("config.keys", "keys.%s is at least %v, or left out", name, minLock)
		}
	}
	if k.ShiftEnds != "" {
		if _, err := time.Parse(shiftForm, k.ShiftEnds); err != nil {
			return fault.New("config.keys", "keys.shift_ends is a time of day such as 22:00")
		}
	}
	switch k.Swap {
	case "", "warn", "refuse":
	default:
		return fault.New("config.keys", "keys.swap is warn or refuse")
	}
	return k.Releaser.validate()
}

// ReleaserOf returns who releases the keys of a gate, nil where nobody is named.
func (c *Config) ReleaserOf() *Central {
	if c.Keys != nil && c.Keys.Releaser != nil {
		return c.Keys.Releaser
	}
	return c.Central
}
