// Package witness is how somebody who does not run a post keeps what its audit
// log has shown, and notices when the log is later shown otherwise: central, a
// service of another operator (c2sp.org/tlog-witness), or a folder on a medium
// that is carried away.
//
// A witness takes a head only if it continues the last one it took, proved by
// hashes (RFC 6962, 2013, 2.1.2). It sees no line of the log.
package witness

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/watchpost/watchpost/device/audit/checkpoint"
	"github.com/watchpost/watchpost/device/fault"
)

// MaxProof is how many hashes a proof may have (c2sp.org/tlog-witness).
const MaxProof = 63

// Errors of taking a head.
var (
	// ErrFork says that a head is no continuation of what the witness holds:
	// lines were changed or removed, or two logs have one name.
	ErrFork = &fault.Error{Code: "audit.fork", Hint: "keep the post's disk and this head for the investigation: its audit log was changed"}
	// ErrReplayed says that a head is older than what the witness holds: it is
	// shown again, or an old state of the post was put back.
	ErrReplayed = &fault.Error{Code: "audit.replayed", Hint: "an old state of the post may have been put back: look at when its disk was last exchanged"}
	// ErrSize says that the sizes in a request contradict each other.
	ErrSize = &fault.Error{Code: "audit.head_size"}
	// ErrUnknown says that the witness was not told of this log.
	ErrUnknown = &fault.Error{Code: "audit.unknown_log"}
	// ErrNumber says that a head between this and the last was never shown.
	ErrNumber = &fault.Error{Code: "audit.head_missing"}
)

// HeldError says how many lines the last head held by a witness covers, where
// that is not what the request says.
type HeldError struct{ Lines int64 }

func (e *HeldError) Error() string {
	return fmt.Sprintf("audit.held: the witness holds a head over %d lines", e.Lines)
}

// Submission is a head on its way to a witness.
type Submission struct {
	Head  []byte // as signed
	From  int64  // lines under the head that the witness is thought to hold, 0 for none
	Proof tlog.TreeProof
}

// Judge decides whether next may follow held, the last head taken (nil for
// none). repeated is true for the very head that is held: it is taken again,
// and changes nothing. A HeldError asks for another proof.
func Judge(held *checkpoint.Checkpoint, next checkpoint.Checkpoint, from int64, proof tlog.TreeProof) (repeated bool, err error) {
	switch {
	case from < 0 || from > next.Lines || len(proof) > MaxProof:
		return false, fault.New(ErrSize.Code, "from %d lines to %d", from, next.Lines)
	case (from == 0 || from == next.Lines) && len(proof) > 0:
		return false, fault.New(ErrSize.Code, "a proof where there is nothing to prove")
	case held == nil && from == 0:
		return false, nil
	case held == nil:
		return false, &HeldError{0}
	}
	if numbered := held.Number != checkpoint.NoNumber && next.Number != checkpoint.NoNumber; numbered {
		switch {
		case next == *held:
			return true, nil
		case next.Number == held.Number:
			return false, fault.New(ErrFork.Code, "two heads of number %d", next.Number).WithHint(ErrFork.Hint)
		case next.Number < held.Number:
			return false, fault.New(ErrReplayed.Code, "head %d after head %d", next.Number, held.Number).WithHint(ErrReplayed.Hint)
		case next.Lines < held.Lines:
			return false, fault.New(ErrFork.Code, "a later head covers %d lines, an earlier one %d", next.Lines, held.Lines).WithHint(ErrFork.Hint)
		}
	}
	switch {
	case from != held.Lines:
		return false, &HeldError{held.Lines}
	case next.Lines == held.Lines && next.Root != held.Root:
		return false, fault.New(ErrFork.Code, "two trees of %d lines", next.Lines).WithHint(ErrFork.Hint)
	case next.Lines == held.Lines || held.Lines == 0:
		return false, nil
	}
	if err := tlog.CheckTree(proof, next.Lines, next.Root, held.Lines, held.Root); err != nil {
		return false, fault.New(ErrFork.Code, "%d lines are no continuation of the %d that were shown before", next.Lines, held.Lines).WithHint(ErrFork.Hint)
	}
	return false, nil
}
