// Package keysapi is the form of the commands on a running daemon's keys, over
// its admin socket: GET Path tells the State, POST Path/lock locks (with ?now
// the keys go before the post has closed in order), POST Path/unlock takes
// Secrets. Errors come in the form of the API.
package keysapi

import (
	"time"

	"github.com/watchpost/watchpost/device/vault"
)

// Path is where the keys are shown, locked and unlocked.
const Path = "/v1/keys"

// HardwarePath is where, while the keys are locked, the page is told which
// hardware keys open them (GET), and hands over what one gave (POST).
const HardwarePath = Path + "/hardware"

// State is what a daemon tells of its keys.
type State struct {
	Locked   bool        `json:"locked"`
	Why      string      `json:"why,omitempty"` // they are locked
	Since    time.Time   `json:"since"`
	By       vault.Way   `json:"by,omitzero"` // the way in, while open
	UnlockBy []vault.Way `json:"unlock_by"`
	Starts   uint64      `json:"starts,omitempty"`        // count of unlockings, while open
	Ends     *time.Time  `json:"ends,omitempty"`          // of the shift, at the latest
	LeaseS   int64       `json:"lease_seconds,omitempty"` // that the lease still lasts
}

// Secrets are what an officer gives to unlock. They are wiped once used.
type Secrets struct {
	Officer    string `json:"officer,omitempty"`    // whose, where officers have their own
	PIN        []byte `json:"pin,omitempty"`        // opens by the TPM
	Passphrase []byte `json:"passphrase,omitempty"` // where there is none
	Lease      bool   `json:"lease,omitempty"`      // asks for a lease now
}

// Wipe clears the secrets.
func (s *Secrets) Wipe() {
	clear(s.PIN)
	clear(s.Passphrase)
}

// String keeps the secrets out of formatted text.
func (Secrets) String() string { return "[secrets]" }

// GoString keeps the secrets out of formatted text.
func (Secrets) GoString() string { return "[secrets]" }
