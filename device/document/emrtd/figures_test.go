package emrtd_test

import (
	"context"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/document/emrtd"
	"github.com/watchpost/watchpost/hwtest/passport"
)

// onAir is what a reading's commands and answers take on the air, summed by
// the model instead of waited for.
type onAir struct {
	*virtual
	air  passport.Air
	took time.Duration
}

func (a *onAir) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	answer, err := a.virtual.Transmit(ctx, command)
	a.took += a.air.Duration(len(command), len(answer))
	return answer, err
}

// TestFiguresOfFullReading reads by the air model of 424 kbit/s and 3 ms a
// command: PACE over brainpoolP256r1, COM, SOD, DG1, DG2 of 18 KB, DG14, Chip
// Authentication. It holds the figures of device/document/README.md.
func TestFiguresOfFullReading(t *testing.T) {
	for _, tc := range []struct {
		name                  string
		maxResponse           int
		commands              int           // at most
		whole, dg1            time.Duration // at most
		ofBound               float64       // whole time over the bound of what must be carried, at most; 0 none
		kbitPerSecond, millis int
	}{
		{"extended length", 65_538, 16, 0, 300 * time.Millisecond, 1.10, 424, 3},
		{"256 octet blocks", 258, 0, 990 * time.Millisecond, 300 * time.Millisecond, 0, 424, 3},
	} {
		p := strong(brainpool, chipKey, nil, 18_000)
		v := newVirtual(t, p)
		v.maxResponse = tc.maxResponse
		a := &onAir{virtual: v, air: passport.Air{KbitPerSecond: tc.kbitPerSecond, CommandMillis: tc.millis}}
		var dg1 time.Duration
		r, err := emrtd.Read(t.Context(), a, emrtd.Options{
			Passwords: []emrtd.Password{mrzPassword(t, p.Person().Key())},
			Progress: func(e emrtd.Event) {
				if e.Name == "DG1" && e.Bytes == e.Total && dg1 == 0 {
					dg1 = a.took
				}
			},
		})
		if err != nil || proof(r, emrtd.ProofChip).Outcome != emrtd.OutcomeProven {
			t.Fatalf("%s: %v", tc.name, err)
		}
		n := r.Traffic.Commands
		octets := r.Traffic.Sent + r.Traffic.Received
		// Nothing that carries these octets by so many commands can be faster:
		// nine bits an octet, and the chip's own time.
		bound := time.Duration(octets*9)*time.Millisecond/time.Duration(tc.kbitPerSecond) + time.Duration(n*tc.millis)*time.Millisecond
		t.Logf("%s: %d commands, %d octets, %.3f s on the air, bound %.3f s (%.3f), DG1 after %.3f s",
			tc.name, n, octets, a.took.Seconds(), bound.Seconds(), a.took.Seconds()/bound.Seconds(), dg1.Seconds())
		if tc.commands > 0 && n > tc.commands {
			t.Errorf("%s: %d commands", tc.name, n)
		}
		if tc.whole > 0 && a.took > tc.whole {
			t.Errorf("%s: %s", tc.name, a.took)
		}
		if tc.ofBound > 0 && a.took.Seconds() > tc.ofBound*bound.Seconds() {
			t.Errorf("%s: %s, bound %s", tc.name, a.took, bound)
		}
		if dg1 == 0 || dg1 > tc.dg1 {
			t.Errorf("%s: DG1 after %s", tc.name, dg1)
		}
	}
}
