// Package courier brings the signed heads of a post's audit log to those who
// keep them: central, a witness service, a medium. Heads lie in post.db from
// the transaction on that signed them, so none is forgotten; each witness gets
// all of them, in order, and each has a mark of its own.
package courier

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/watchpost/watchpost/device/audit/checkpoint"
	"github.com/watchpost/watchpost/device/audit/witness"
	"github.com/watchpost/watchpost/device/encounter/store"
	"github.com/watchpost/watchpost/device/fault"
)

// Witness keeps heads. Show returns nil once the witness has the head on its
// disk, a witness.HeldError where it holds another than the submission says,
// and the codes of package witness where it refuses. Other errors are tried
// again.
type Witness interface {
	Show(ctx context.Context, s witness.Submission) error
}

// Log is the audit log with its heads.
type Log interface {
	Heads(from int64, limit int) ([][]byte, error)
	ProveAudit(from, size int64) (tlog.TreeProof, error)
	Mark(witness string) (store.Mark, error)
	SetMark(witness string, m store.Mark) error
}

// State is how a witness stands.
type State string

// States. Published words.
const (
	Unknown State = "unknown" // nothing is known yet
	OK      State = "ok"      // it holds every head that is not younger than the limit
	Late    State = "late"    // a head waits for longer than the limit
	Refused State = "refused" // the witness says that the log was changed
)

// Status is what a courier knows of its witness.
type Status struct {
	Witness string     `json:"witness"`
	State   State      `json:"state"`
	Code    fault.Code `json:"code,omitempty"` // why it is late or refused
	Heads   int64      `json:"heads"`          // that the witness has taken
	Lines   int64      `json:"lines"`          // under the last of them
	Since   time.Time  `json:"since,omitzero"` // the oldest head that waits was signed then
}

// Codes of a courier's own.
const (
	CodeLate fault.Code = "audit.head_late"    // beside the reason why, in the log
	CodeLost fault.Code = "audit.witness_lost" // the witness holds less than it once took
)

// Timing.
const (
	lookEvery    = 2 * time.Second // for heads and for what is late
	retryAtMost  = time.Minute
	refusedAgain = 15 * time.Minute
	showLimit    = 10 * time.Second
	batch        = 64
)

// Options of New.
type Options struct {
	Name    string // of the witness, in marks and status
	Witness Witness
	Log     Log
	Late    time.Duration // a head that waits longer alarms
	Now     func() time.Time
	Changed func(Status)     // told of each change of state, one call at a time
	Lost    func(code error) // told when the witness holds less than it took
	Logger  *slog.Logger
}

// Courier serves one witness. Run is for one goroutine; Status may be called
// by any.
type Courier struct {
	o Options

	mu     sync.Mutex // protects what follows
	status Status
	reason fault.Code // why the last try failed
	again  time.Time  // not before then
	tries  int
}

// New returns a courier for Run.
func New(o Options) *Courier {
	return &Courier{o: o, status: Status{Witness: o.Name, State: Unknown}}
}

// Status returns how the witness stands.
func (c *Courier) Status() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.status
}

// Run brings heads until ctx ends.
func (c *Courier) Run(ctx context.Context) {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		c.Once(ctx)
		select {
		case <-look.C:
		case <-ctx.Done():
			return
		}
	}
}

// Once brings what waits, as far as it goes, and judges what is late.
func (c *Courier) Once(ctx context.Context) {
	c.mu.Lock()
	wait := c.again.After(c.o.Now()) && c.again.Sub(c.o.Now()) <= refusedAgain // a clock put back delays nothing
	c.mu.Unlock()
	var err error
	if !wait {
		err = c.bring(ctx)
	}
	if ctx.Err() != nil {
		return
	}
	c.note(err, wait)
}

// bring shows heads in order until there is none or one fails.
func (c *Courier) bring(ctx context.Context) error {
	for {
		m, err := c.o.Log.Mark(c.o.Name)
		if err != nil {
			return err
		}
		heads, err := c.o.Log.Heads(m.Next, batch)
		if err != nil || len(heads) == 0 {
			return err
		}
		for _, raw := range heads {
			if m, err = c.show(ctx, m, raw); err != nil {
				return err
			}
			if err := c.o.Log.SetMark(c.o.Name, m); err != nil {
				return err
			}
			if m.Next == 0 {
				break // begin again
			}
		}
	}
}

// show shows one head, and again with another proof where the witness asks.
func (c *Courier) show(ctx context.Context, m store.Mark, raw []byte) (store.Mark, error) {
	head, err := checkpoint.Parse(raw)
	if err != nil {
		return m, err
	}
	from := m.Lines
	for range 2 {
		proof, err := c.o.Log.ProveAudit(from, head.Lines)
		if err != nil {
			return m, err
		}
		limit, cancel := context.WithTimeout(ctx, showLimit)
		err = c.o.Witness.Show(limit, witness.Submission{Head: raw, From: from, Proof: proof})
		cancel()
		var held *witness.HeldError
		switch {
		case err == nil:
			return store.Mark{Next: head.Number + 1, Lines: head.Lines}, nil
		case !errors.As(err, &held):
			return m, err
		case held.Lines > head.Lines:
			return m, fault.New(witness.ErrReplayed.Code, "the witness holds a head over %d lines, the post shows one over %d", held.Lines, head.Lines).WithHint(witness.ErrReplayed.Hint)
		case held.Lines == 0 && m.Next > 0:
			// It took heads and holds none: said aloud, then shown all again.
			c.o.Lost(fault.New(CodeLost, "%s held heads over %d lines, and holds none", c.o.Name, m.Lines))
			return store.Mark{}, nil
		case held.Lines < m.Lines:
			c.o.Lost(fault.New(CodeLost, "%s held heads over %d lines, and now %d", c.o.Name, m.Lines, held.Lines))
		}
		from = held.Lines
	}
	return m, fault.New("audit.witness", "the witness says each time that it holds something else").AsRetryable()
}

// refusals are the codes by which a witness says that a log was changed.
func refusal(err error) bool {
	switch fault.CodeOf(err) {
	case witness.ErrFork.Code, witness.ErrReplayed.Code, checkpoint.ErrKey.Code, checkpoint.ErrForged.Code, checkpoint.ErrOrigin.Code:
		return true
	}
	return false
}

// note works out the state after a try, or without one.
func (c *Courier) note(err error, waited bool) {
	m, merr := c.o.Log.Mark(c.o.Name)
	waiting, herr := c.o.Log.Heads(m.Next, 1)
	now := c.o.Now()
	c.mu.Lock()
	before := c.status
	s := Status{Witness: c.o.Name, State: OK, Heads: m.Next, Lines: m.Lines}
	switch {
	case err == nil && waited:
		// as it was: only time has passed
	case err == nil:
		c.reason, c.tries, c.again = "", 0, time.Time{}
	default:
		c.reason = fault.CodeOf(err)
		c.tries++
		c.again = now.Add(min(retryAtMost, time.Second<<min(c.tries, 6)))
		if refusal(err) {
			c.again = now.Add(refusedAgain)
		}
	}
	if len(waiting) > 0 {
		if head, err := checkpoint.Parse(waiting[0]); err == nil {
			s.Since = head.Time
		}
	}
	switch {
	case merr != nil || herr != nil:
		s.State, s.Code = Late, "store.failed"
	case refusal(&fault.Error{Code: c.reason}):
		s.State, s.Code = Refused, c.reason
	case !s.Since.IsZero() && now.Sub(s.Since) > c.o.Late:
		s.State, s.Code = Late, CodeLate
	case c.reason != "" && before.State == Unknown:
		s.State = Unknown
	}
	c.status = s
	reason := c.reason
	c.mu.Unlock()
	if s.State != before.State || s.Code != before.Code {
		if s.State == Late || s.State == Refused {
			c.o.Logger.Error("head of the audit log", "witness", c.o.Name, "state", string(s.State), "code", string(s.Code), "reason", string(reason))
		}
		c.o.Changed(s)
	} else if err != nil {
		c.o.Logger.Debug("head of the audit log", "witness", c.o.Name, "code", string(reason))
	}
}
