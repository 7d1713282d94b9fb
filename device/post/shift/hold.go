package shift

import (
	"time"

	"github.com/watchpost/watchpost/device/vault/lease"
)

// hold says who has to lift a lock. A lease lifts none of them.
type hold int

// Holds.
const (
	free      hold = iota // nobody: idle, the end of the shift, a lease that ran out
	byCommand             // an officer, as one has locked it
	byOrder               // an officer, or an order of two; it lies in post.db and outlasts a restart
)

// heldAgain is how often a post that an order has locked asks whether the lock
// was lifted: central gives it no lease before.
const heldAgain = 5 * time.Second

// byItself reports whether a way in asks nobody who works at the post.
func byItself(w Way) bool {
	_, leased := w.Unlocker.(*lease.Unlocker)
	return leased
}
