// Package listfeed is how what decides enters a post: targets of The Update
// Framework (specification 1.0.31, by go-tuf v2), signed by two of their
// owner on their own machines and carried by anything.
//
// Life of an update. Refresh asks a Carrier for metadata, or Apply finds it in
// a bundle that came as a message; both go the same way. Root, timestamp,
// snapshot, the delegations and each owner's targets are judged in this order
// with the post's clock, whose floor a wrong clock cannot undercut. Metadata,
// urgent segments and their cursor are committed to post.db in one
// transaction; a generation is fetched chunk by chunk into a fresh folder,
// checked whole, put in force by renaming, and noted in a transaction of its
// own. One owner's failure stops no other owner.
//
// No carrier is trusted: sizes are known before bytes are taken, or bounded.
package listfeed

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed/target"
	"github.com/watchpost/watchpost/device/vault"
)

// Bundle is an urgent change in one message; see target.Bundle.
type Bundle = target.Bundle

// Carrier brings bytes by name and is trusted in nothing. Open returns the
// bytes of name (target.ValidName) from offset on; it may end early, whereupon
// it is asked again for the rest. It fails with ErrAbsent where it has no such
// name. It is used by one goroutine at a time.
type Carrier interface {
	Open(ctx context.Context, name string, offset int64) (io.ReadCloser, error)
	String() string // for logs; no credentials
}

// State keeps what an updater must not forget, best in the database whose
// other contents depend on it. It is used by one goroutine at a time.
type State interface {
	// Load returns all that was committed.
	Load(ctx context.Context) (map[string][]byte, error)
	// Commit writes changes (nil removes a name) and audit lines in one
	// transaction, and returns after it is on disk.
	Commit(ctx context.Context, changes map[string][]byte, lines ...audit.Line) error
}

// Keys are the device's: *vault.Vault is one.
type Keys interface {
	Recipient() (vault.Recipient, error)
	AcceptListKey(name string, wrapped []byte) error
	ListKey(name string) (*vault.Key, error) // the key stays the Keys'
	ShredListKey(name string) error
}

// Counter is a count that only rises, kept by a chip: it notices that the
// state itself was put back.
type Counter interface {
	Name() string // of this count; another chip's is another
	Read(ctx context.Context) (uint64, error)
	Raise(ctx context.Context) error // by one
}

// Check judges the files of a target that is no list, as they lie in a folder,
// before they are in force: that whoever reads them can, and that they undo
// nothing. What it refuses is refused with its code, and what was in force
// stays.
type Check func(ctx context.Context, p target.Path, dir string) error

// Options of Open.
type Options struct {
	Dir     string // folder of contents, made where it is not there
	State   State
	Keys    Keys
	Root    []byte                           // root metadata that came with the installation; begins the chain
	Now     func() time.Time                 // the post's clock, with its floor
	Raise   func(time.Time)                  // told of times that two have signed; may be nil
	Counter Counter                          // may be nil
	Site    string                           // NAME of policy, accounts and the like that are for this post; those of "all" are too
	Free    func(dir string) (uint64, error) // bytes that may still be written there; nil: the disk's
	Check   Check                            // judges files before they are in force; may be nil
	Changed func(Change)                     // called after each change is in force, from Apply's or Refresh's goroutine; may be nil
	Log     *slog.Logger                     // nil: none
}

// What can go wrong, beyond the codes of package target.
var (
	ErrAbsent      = &fault.Error{Code: "listfeed.absent"}       // a carrier has no such name
	ErrSignatures  = &fault.Error{Code: "listfeed.signatures"}   // fewer valid signatures of different keys than asked for
	ErrRollback    = &fault.Error{Code: "listfeed.rollback"}     // older than what was seen
	ErrExpired     = &fault.Error{Code: "listfeed.expired"}      // run out: of a frozen or dead source
	ErrMix         = &fault.Error{Code: "listfeed.mix"}          // not the file that the metadata above names
	ErrWrongOwner  = &fault.Error{Code: "listfeed.wrong_owner"}  // a target that its signer may not sign
	ErrWrongDevice = &fault.Error{Code: "listfeed.wrong_device"} // the owner's list of devices does not name this one
	ErrWeak        = &fault.Error{Code: "listfeed.weak"}         // a delegation that would let one person decide
	ErrTooLarge    = &fault.Error{Code: "listfeed.too_large"}
	ErrNoRoom      = &fault.Error{Code: "listfeed.no_room"} // the disk cannot hold the target beside what else it has to
	ErrHash        = &fault.Error{Code: "listfeed.hash"}
)

// Change says what came into force.
type Change struct {
	Path      target.Path
	Version   uint64 // generation of a list, edition of others
	Segment   uint64 // last segment of a list
	Withdrawn bool   // the target is gone: its contents and keys are shredded
	Dir       string // of its files; "" for segments and what is withdrawn
	Changes   int    // in segments that were applied
	Expires   time.Time
}

// Refusal is a target that was not taken. What was in force before still is.
type Refusal struct {
	Path target.Path
	Err  error // coded
}

// Result of a refresh.
type Result struct {
	Changed []Change
	Refused []Refusal
}

// Err joins the refusals but those of other devices' targets, which are no
// failure; nil for none.
func (r Result) Err() error {
	var errs []error
	for _, f := range r.Refused {
		if !errors.Is(f.Err, ErrWrongDevice) {
			errs = append(errs, fault.New(fault.CodeOf(f.Err), "%s: %w", f.Path, f.Err))
		}
	}
	return errors.Join(errs...)
}

// ListStatus is what is in force of a list.
type ListStatus struct {
	List, Owner string
	Generation  uint64
	Segment     uint64    // applied to it
	Issued      time.Time // of the last of them
	Expires     time.Time // of the generation
	Behind      bool      // signed metadata names more than is here
}

// Status is what an updater holds.
type Status struct {
	Root      int64     // version
	Timestamp int64     // version, 0 for none yet
	Fresh     time.Time // until when the last timestamp holds; zero for none yet
	Stale     bool      // now is after Fresh: the source is silent or frozen
	Lists     []ListStatus
	Contents  []ContentStatus // in order of their paths
}

// Updater takes what carriers bring. It is safe for concurrent use; refreshes
// wait for each other.
type Updater struct {
	o    Options
	log  *slog.Logger
	us   string        // id of this device
	turn chan struct{} // of the one who fetches and writes
	line chan struct{} // of the one who is next

	wayMu sync.Mutex // protects stop
	stop  func()     // ends the fetching of a refresh under way; nil: of none

	mu   sync.RWMutex // protects what follows for readers; the one who has turn writes
	held held
}

// Open loads what was committed and judges it anew. Metadata that is damaged,
// empty for one, is dropped and asked for again; the versions seen stay. It
// fails with listfeed.root without any root, and listfeed.put_back where the
// counter says that the state is older than the chip has seen.
func Open(ctx context.Context, o Options) (*Updater, error) {
	u := &Updater{o: o, log: o.Log, turn: make(chan struct{}, 1), line: make(chan struct{}, 1)}
	if u.log == nil {
		u.log = slog.New(slog.DiscardHandler)
	}
	us, err := o.Keys.Recipient()
	if err != nil {
		return nil, err
	}
	u.us = us.ID()
	if err := u.load(ctx); err != nil {
		return nil, err
	}
	return u, nil
}

// Apply takes a bundle, from wherever it came. It fails where the metadata do;
// targets that are not taken are in the result. A refresh that is fetching stops
// for a bundle that is new, and goes on after it.
func (u *Updater) Apply(ctx context.Context, b *Bundle) (Result, error) {
	return u.refresh(ctx, newMemory(b), true, u.urgent(b))
}

// Refresh brings everything up to what the carrier has. It fails where the
// metadata do; targets that are not taken are in the result. A cut is retried
// a few times from the byte where it came, and what was fetched of a
// generation is kept for the next Refresh.
func (u *Updater) Refresh(ctx context.Context, c Carrier) (Result, error) {
	var changed []Change
	for {
		r, err := u.refresh(ctx, c, false, false)
		changed = append(changed, r.Changed...)
		if !gaveWay(&r, err) || ctx.Err() != nil {
			r.Changed = changed
			return r, err
		}
	}
}
