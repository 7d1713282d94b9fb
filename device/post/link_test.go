package post

import (
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/uplink"
)

// TestCentralsShare: a policy for a slow link gives central the time, a strict
// one leaves the local search its own.
func TestCentralsShare(t *testing.T) {
	for answer, want := range map[time.Duration]time.Duration{
		time.Second:            uplink.DefaultBudget,
		20 * time.Second:       19700 * time.Millisecond,
		400 * time.Millisecond: 200 * time.Millisecond,
		time.Millisecond:       time.Millisecond / 2,
	} {
		if got := centralsShare(answer); got != want {
			t.Errorf("an answer within %s leaves central %s, must be %s", answer, got, want)
		}
	}
}
