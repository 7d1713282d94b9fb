package lease

import (
	"time"

	"golang.org/x/sys/unix"
)

// Clock is the time since some point in the past. It must go on while the box
// is suspended, and nobody may be able to set it.
type Clock func() time.Duration

// sinceBoot is Linux's CLOCK_BOOTTIME.
func sinceBoot() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		panic("lease: no clock of the boot: " + err.Error()) // there since Linux 2.6.39
	}
	return time.Duration(t.Nano())
}
