// Package clock is the time of a post: the machine's clock, but never earlier
// than a time that the post has seen before. A box whose battery is empty, or
// whose clock somebody puts back, must not take expired documents, lists and
// accounts for good ones, nor write an audit log that runs backwards (design
// section 9: a wrong clock is met by a persisted floor).
package clock

import (
	"sync"
	"time"

	"github.com/watchpost/watchpost/device/fault"
)

// ErrBack is what the officer is told while the machine's clock is behind.
var ErrBack = &fault.Error{Code: "clock.back", Hint: "the clock of the post has gone back: no answer is called clear; have the clock set right"}

// Slack is how far the machine's clock may be behind without being called
// wrong: what time services step at most while they discipline a clock.
const Slack = 2 * time.Second

// Clock tells the time. While the machine's clock is more than Slack behind
// what is known, time goes on from there by the monotonic clock; a clock that
// is ahead is believed, for nothing here can know better. It is safe for
// concurrent use.
type Clock struct {
	wall    func() time.Time     // the machine's clock
	elapsed func() time.Duration // monotonic, since any fixed moment

	mu    sync.Mutex
	floor time.Time     // guarded by mu: latest time told or known
	at    time.Duration // guarded by mu: elapsed() when it was
	back  bool          // guarded by mu
}

// New returns a clock that reads the machine's by wall. It knows no floor yet.
func New(wall func() time.Time) *Clock {
	begun := time.Now()
	return newClock(wall, func() time.Duration { return time.Since(begun) })
}

func newClock(wall func() time.Time, elapsed func() time.Duration) *Clock {
	return &Clock{wall: wall, elapsed: elapsed}
}

// Raise makes the clock tell no time before t: one that was kept, or that
// somebody has signed.
func (c *Clock) Raise(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t = t.Round(0); t.After(c.floor) {
		c.floor, c.at = t, c.elapsed()
	}
}

// Now returns the time, never before one that was returned earlier. As long as
// the machine's clock is right it is the machine's, with its monotonic reading.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, elapsed := c.wall(), c.elapsed()
	known := c.floor.Add(elapsed - c.at)
	behind := known.Sub(now.Round(0))
	c.back = !c.floor.IsZero() && behind > Slack
	switch {
	case c.back:
		now = known
	case now.Round(0).Before(c.floor): // within the slack time stands still
		return c.floor
	}
	c.floor, c.at = now.Round(0), elapsed
	return now
}

// Back returns ErrBack while the machine's clock is behind what is known, and
// nil while it is not.
func (c *Clock) Back() error {
	c.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.back {
		return ErrBack
	}
	return nil
}
