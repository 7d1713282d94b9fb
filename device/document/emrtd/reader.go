package emrtd

import (
	"context"
	"crypto/rand"
	"io"
	"time"

	"github.com/watchpost/watchpost/device/document/emrtd/termauth"
	"github.com/watchpost/watchpost/device/fault"
)

// DefaultBudget bounds a whole reading. A slow chip (0.5 s for PACE, 20 KB
// portrait in 223-octet blocks at 106 kbit/s) takes some 10 s.
const DefaultBudget = 90 * time.Second

// maxSessions bounds the access control procedures of one reading. Each may
// cost a second and, with a CAN, an attempt.
const maxSessions = 6

// Options say what to read and with what. The zero value reads a chip without
// access control.
type Options struct {
	Passwords []Password    // tried in this order; the caller wipes them
	Files     []string      // names of the files wanted beside COM and SOD; nil: everything the chip lists
	Progress  func(Event)   // called from the reading goroutine; nil for none
	Budget    time.Duration // of the whole reading, 0 for DefaultBudget
	MaxFile   int           // octets of one file, 0 for DefaultMaxFile
	Random    io.Reader     // nil for crypto/rand; tests with known answers set it

	// ISKey signs for this terminal, so that DG3 and DG4 of a chip that guards
	// them can be read. nil: Terminal Authentication is not performed.
	ISKey termauth.ISKey
}

// Read reads one chip from field on. The reading is never nil: where err is
// not nil it holds what came before the error. err is nil even if files are
// missing: Reading.Unread says which and why. Errors of the channel keep its
// codes; the others are the Err values of this package.
//
// Read uses the channel until it returns and may be called once per card.
func Read(ctx context.Context, channel Channel, o Options) (*Reading, error) {
	if o.Budget <= 0 {
		o.Budget = DefaultBudget
	}
	if o.MaxFile <= 0 {
		o.MaxFile = DefaultMaxFile
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	ctx, cancel := context.WithTimeoutCause(ctx, o.Budget, fault.New(ErrTime.Code, "%s", o.Budget))
	defer cancel()
	r := &reader{
		options: o, card: &card{channel: channel}, channel: channel,
		reading: &Reading{Files: map[string][]byte{}, Unread: map[string]fault.Code{}, Access: Access{ParameterID: -1}},
	}
	r.blocks.learn(channel, 0)
	err := r.run(ctx)
	r.card.start(nil)
	r.reading.Traffic = r.card.traffic
	if err == nil {
		r.progress(StageDone, "", 0, 0)
	}
	return r.reading, err
}

// reader is one reading. It belongs to one goroutine.
type reader struct {
	options Options
	channel Channel
	card    *card
	reading *Reading
	blocks  blocks
	bySFI   sfiUse
	offers  []offer                     // PACE variants of EF.CardAccess, best first
	again   func(context.Context) error // opens the chip once more in the way that worked
	listed  []int                       // data groups of EF.COM and EF.SOD

	chipTried  bool
	unproven   int                         // number of the proof of Chip Authentication that awaits an answer, 0 for none
	strengthen func(context.Context) error // runs Chip Authentication again in a session opened anew
	terminal   termauth.Session            // what Terminal Authentication needs of this session
	admit      func(context.Context) error // runs Terminal Authentication again; nil where it was not or cannot be
}

func (r *reader) progress(stage Stage, name string, bytes, total int) {
	if r.options.Progress != nil {
		r.options.Progress(Event{Stage: stage, Name: name, Bytes: bytes, Total: total})
	}
}

func (r *reader) run(ctx context.Context) error {
	r.progress(StageConnect, "", 0, 0)
	if err := r.readMaster(ctx); err != nil {
		return err
	}
	if err := r.open(ctx); err != nil {
		return err
	}
	return r.readApplication(ctx)
}

// read reads a file into the reading and notes why it could not. Only errors
// that end the reading come back.
func (r *reader) read(ctx context.Context, f File) error {
	if _, done := r.reading.Files[f.Name]; done {
		return nil
	}
	data, err := r.readFile(ctx, f)
	if err == nil {
		r.reading.Files[f.Name] = data
		delete(r.reading.Unread, f.Name)
		return nil
	}
	r.reading.Unread[f.Name] = fault.CodeOf(err)
	if lost(err) {
		return err
	}
	if r.card.broken {
		return r.reopen(ctx, err)
	}
	return nil
}

// reopen opens the chip again after its session was lost to cause.
func (r *reader) reopen(ctx context.Context, cause error) error {
	if r.again == nil || r.reading.Access.Sessions >= maxSessions {
		return fault.Wrap(ErrSession.Code, cause)
	}
	r.progress(StageAccess, r.reading.Access.Protocol, 0, 0)
	r.card.start(nil)
	if resetter, ok := r.channel.(Resetter); ok {
		if err := resetter.Reset(ctx); err != nil {
			return &channelError{err}
		}
	}
	if err := r.again(ctx); err != nil {
		if lost(err) {
			return err
		}
		return fault.Wrap(ErrSession.Code, err)
	}
	if r.strengthen == nil {
		return nil
	}
	err := r.strengthen(ctx)
	if err == nil && r.admit != nil {
		err = r.admit(ctx)
	}
	if lost(err) {
		return err
	}
	if err != nil && r.card.broken {
		r.strengthen, r.admit = nil, nil // it worked once; the rest is read under the keys of access control
		return r.reopen(ctx, err)
	}
	return nil
}
