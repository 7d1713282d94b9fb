// Package emrtd reads the chip of an electronic travel document: access
// control (PACE, BAC), secure messaging, the files of the logical data
// structure and the proofs that the chip is genuine, as ICAO Doc 9303-10 and
// 9303-11, 8th edition (2021), lay down for the inspection system's side.
//
// It judges nothing: what was read, how, and what the chip proved are facts
// for the inspect package, which alone knows whether a key is vouched for.
// It opens no device: a Channel brings the card.
//
// A chip is taken as hostile. Lengths, rounds, octets and time are bounded;
// whatever it answers, the outcome is a file, a coded reason for a file that
// could not be read, or a coded error.
package emrtd

import (
	"context"
	"errors"

	"github.com/watchpost/watchpost/device/fault"
)

// Channel is one card in one reader, held for this reader alone. Transmit
// sends a command and waits for the whole response, status word included. It
// returns an error whenever the card did not answer, never an empty response:
// coded card.removed, card.timeout, reader.lost or alike. It gives up when
// ctx ends. A Channel is used by one goroutine at a time.
type Channel interface {
	Transmit(ctx context.Context, command []byte) (response []byte, err error)

	// MaxCommand and MaxResponse are the longest command and response in
	// octets, lengths and status word included, that reader and driver
	// carry; 0 where that is not known.
	MaxCommand() int
	MaxResponse() int
}

// Resetter is a Channel that can reset its card. A reader that has lost a
// session resets the card before it opens a new one, where it can.
type Resetter interface {
	Reset(ctx context.Context) error
}

// channelError marks what the channel reported, so that no tolerance for odd
// answers ever swallows a card that is gone.
type channelError struct{ err error }

func (e *channelError) Error() string { return e.err.Error() }
func (e *channelError) Unwrap() error { return e.err }

// lost reports whether err came from the channel: nothing more can be read.
func lost(err error) bool {
	var c *channelError
	return errors.As(err, &c)
}

// Errors of reading as a whole. Errors of the channel keep the codes that the
// channel gave them.
var (
	// ErrChannel: the channel failed and gave no code of its own.
	ErrChannel = &fault.Error{Code: "reader.failed"}
	// ErrCanceled: the caller gave up.
	ErrCanceled = &fault.Error{Code: "chip.canceled"}
	// ErrTime: the time budget of the reading is spent.
	ErrTime = &fault.Error{Code: "chip.time_budget"}
	// ErrTraffic: the budget of commands or octets is spent.
	ErrTraffic = &fault.Error{Code: "chip.traffic_budget"}
	// ErrNoApplication: the card has no eMRTD application that can be selected.
	ErrNoApplication = &fault.Error{Code: "chip.no_application"}
	// ErrSession: secure messaging was lost more often than is worth repairing.
	ErrSession = &fault.Error{Code: "chip.session_lost"}
	// ErrAccess: no access control procedure succeeded, for other reasons than the password.
	ErrAccess = &fault.Error{Code: "access.failed"}
	// ErrPassword: the chip refused the password (MRZ or CAN).
	ErrPassword = &fault.Error{Code: "access.wrong_password"}
	// ErrNoPassword: the chip wants a password and none that it takes was given.
	ErrNoPassword = &fault.Error{Code: "access.no_password"}
)
