// Package retention tells how much time has passed for what is kept with an
// end: by the machine's own running time, so that a wall clock that is set
// neither destroys early nor keeps longer.
//
// Retention time counts seconds from a post's first start. While the machine
// runs it follows CLOCK_BOOTTIME, also over restarts of the program and over
// suspension. Over the time the machine was off it follows the wall clock. A
// wall clock that is behind after such a pause (an empty RTC battery) counts
// nothing at first, and what was missed as soon as it shows a later time than
// the last one seen. A wall clock that was set forwards while the machine was
// off cannot be told from a long pause: then what is kept ends early, since
// the other error would keep it too long.
package retention

import (
	"encoding/json"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/watchpost/watchpost/device/fault"
)

// Moment is what the machine's clocks show at one moment.
type Moment struct {
	Wall time.Time
	Boot string        // identity of this run of the machine, "" unknown
	Up   time.Duration // since the machine's start, suspension included
}

// Machine reads the clocks of this machine; wall is the wall clock.
func Machine(wall time.Time) Moment {
	m := Moment{Wall: wall}
	var up unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &up); err != nil {
		return m
	}
	m.Up = time.Duration(up.Nano())
	if id, err := os.ReadFile("/proc/sys/kernel/random/boot_id"); err == nil {
		m.Boot = strings.TrimSpace(string(id))
	}
	return m
}

// saved is the kept form of a Clock.
type saved struct {
	Elapsed time.Duration `json:"elapsed"` // nanoseconds of retention time
	Wall    time.Time     `json:"wall"`    // the latest that is known
	Boot    string        `json:"boot"`
	Up      time.Duration `json:"up"`
}

// Clock is the retention time of one post. It is safe for concurrent use.
type Clock struct {
	mu     sync.Mutex // protects what follows
	s      saved
	behind bool // the wall clock shows less than was seen before
}

// Resume returns the clock as State had it, nil for a first start, moved on to
// now. It fails with retention.clock where state is none.
func Resume(state []byte, now Moment) (*Clock, error) {
	c := &Clock{s: saved{Wall: now.Wall, Boot: now.Boot, Up: now.Up}}
	if state == nil {
		return c, nil
	}
	if err := json.Unmarshal(state, &c.s); err != nil || c.s.Elapsed < 0 {
		return nil, fault.New("retention.clock", "the kept retention time cannot be read")
	}
	c.advance(now)
	return c, nil
}

// Now moves the clock on and returns the retention time in whole seconds.
func (c *Clock) Now(m Moment) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.advance(m)
	return int64(c.s.Elapsed / time.Second)
}

// State returns what Resume takes.
func (c *Clock) State() ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	raw, err := json.Marshal(c.s)
	return raw, fault.Wrap("retention.clock", err)
}

// advance moves the clock on to m. mu is held.
func (c *Clock) advance(m Moment) {
	wall := m.Wall.Round(0) // without Go's own monotonic reading
	passed := m.Up - c.s.Up
	if m.Boot == "" || m.Boot != c.s.Boot || passed < 0 {
		// The machine was off, or says nothing of itself.
		passed = wall.Sub(c.s.Wall)
		if c.behind = passed < 0; c.behind {
			passed = 0
		}
	} else if c.behind {
		if missed := wall.Sub(c.s.Wall) - passed; missed >= 0 {
			passed, c.behind = passed+missed, false
		}
	}
	c.s.Elapsed += passed
	c.s.Boot, c.s.Up = m.Boot, m.Up
	if c.behind {
		c.s.Wall = c.s.Wall.Add(passed)
	} else {
		c.s.Wall = wall
	}
}
