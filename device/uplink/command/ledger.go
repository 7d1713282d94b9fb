package command

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/fault"
	linkv1 "github.com/watchpost/watchpost/sdk/proto/link/v1"
)

// Errors of Take. They travel as codes in receipts.
var (
	ErrForm      = &fault.Error{Code: "command.form"}          // not of the contract's form, or too large
	ErrSigner    = &fault.Error{Code: "command.unknown_owner"} // signed by somebody whom the configuration does not name
	ErrSignature = &fault.Error{Code: "command.signature"}     // a signature that does not verify
	ErrSame      = &fault.Error{Code: "command.same_owner"}    // one person has signed twice
	ErrTooFew    = &fault.Error{Code: "command.too_few"}       // fewer have signed than the order needs
	ErrForeign   = &fault.Error{Code: "command.other_post"}    // for other posts
	ErrReplayed  = &fault.Error{Code: "command.replayed"}      // was taken before
	ErrOrder     = &fault.Error{Code: "command.order"}         // a later one was taken already
	ErrExpired   = &fault.Error{Code: "command.expired"}       // came too late
	ErrNotYet    = &fault.Error{Code: "command.not_yet"}       // issued in the future: one of two clocks is wrong
	ErrNoKey     = &fault.Error{Code: "command.no_key"}        // a new list key that is not wrapped for this post
	ErrLimit     = &fault.Error{Code: "command.limit"}         // as many records are recalled as can be kept
)

// Words by which a shift ends the post.
var (
	ErrLocked = &fault.Error{Code: "command.lock"}
	ErrWiped  = &fault.Error{Code: "command.wipe"}
)

// Limits and timing.
const (
	cursor     = "commands"       // in post.db
	slack      = 10 * time.Minute // how far an order's date may lie ahead of the post's clock
	keptOrders = 64               // receipts that can be given again
	maxRecalls = 100_000          // records
)

// Store is the part of post.db that the ledger uses.
type Store interface {
	Cursor(name string) ([]byte, error)
	SetCursor(name string, value []byte, line audit.Line) error
}

// Sealer keeps what is written from whoever reads the disk.
type Sealer interface {
	Seal(identity, plain []byte) ([]byte, error)
	Open(identity, sealed []byte) ([]byte, error)
}

// Options of Open.
type Options struct {
	Post    string
	Central ed25519.PublicKey            // signs locks
	Owners  map[string]ed25519.PublicKey // by id, as the configuration names them
	Store   Store
	Sealer  Sealer
	// Rekey takes over a list's new key, one of wrapped, by recipient; ErrNoKey
	// if none is for this post. It must bear being called again with the same.
	Rekey func(ctx context.Context, list string, wrapped map[string][]byte) error
	Now   func() time.Time
	Log   *slog.Logger
}

// Ledger knows which orders were taken, and what they left in force. It is
// safe for concurrent use.
type Ledger struct {
	o Options

	mu    sync.Mutex // one order at a time, and guards what follows
	state state
}

// state is what the ledger keeps, sealed, in post.db.
type state struct {
	Version int     `json:"version"`
	Last    uint64  `json:"last"` // highest number taken
	Taken   []taken `json:"taken"`
	Recalls recalls `json:"recalls"`
	Locked  uint64  `json:"locked,omitempty"` // number of the lock in force, 0 for none
}

// taken is an order that was taken.
type taken struct {
	Number uint64 `json:"number"`
	Digest []byte `json:"digest"`
	Code   string `json:"code,omitempty"`
	MS     int64  `json:"ms"`
}

const stateVersion = 1

// Open reads what was taken before.
func Open(o Options) (*Ledger, error) {
	l := &Ledger{o: o, state: state{Version: stateVersion}}
	sealed, err := o.Store.Cursor(cursor)
	if err != nil || sealed == nil {
		return l, err
	}
	raw, err := o.Sealer.Open([]byte(cursor), sealed)
	if err == nil {
		err = json.Unmarshal(raw, &l.state)
	}
	if err != nil || l.state.Version != stateVersion {
		// Without it old orders would be taken again.
		return nil, fault.New("command.ledger", "what was taken cannot be read: %w", err).WithHint("put post.db back from the backup, or enrol the post anew")
	}
	return l, nil
}

// Last is the highest number taken.
func (l *Ledger) Last() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state.Last
}

// Take judges an order, obeys it and returns the receipt. The error says why it
// was not obeyed; then the receipt says the same, and is nil where the post's
// own trouble kept it from obeying: it may come again. ErrLocked and ErrWiped
// come with the receipt of an order that was taken and that the caller has to
// carry out, after it has tried to send the receipt.
func (l *Ledger) Take(ctx context.Context, s *linkv1.SignedOrder) (*linkv1.CommandReceipt, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	digest := linkv1.OrderDigest(s.GetContent())
	order, number, err := linkv1.OpenOrder(s, l.o.Post, l.keyOf)
	if err != nil {
		return l.refused(number, digest, coded(err))
	}
	for _, t := range l.state.Taken {
		if t.Number == number && string(t.Digest) == string(digest) {
			return t.receipt(), ErrReplayed
		}
	}
	now := l.o.Now()
	switch {
	case number == l.state.Last:
		return l.refused(number, digest, ErrReplayed)
	case number < l.state.Last:
		return l.refused(number, digest, ErrOrder)
	case time.UnixMilli(order.IssuedMs).After(now.Add(slack)):
		return l.refused(number, digest, ErrNotYet)
	}
	if !now.Before(time.UnixMilli(order.ExpiresMs)) {
		return l.close(order, taken{number, digest, string(ErrExpired.Code), now.UnixMilli()}, l.state, ErrExpired)
	}
	return l.obey(ctx, order, taken{Number: number, Digest: digest, MS: now.UnixMilli()})
}

func (l *Ledger) obey(ctx context.Context, order *linkv1.Order, t taken) (*linkv1.CommandReceipt, error) {
	kept, effect := l.state, error(nil)
	switch what := order.What.(type) {
	case *linkv1.Order_Recall:
		if kept.Recalls.count() >= maxRecalls {
			t.Code = string(ErrLimit.Code)
			return l.close(order, t, kept, ErrLimit)
		}
		kept.Recalls = kept.Recalls.with(what.Recall.List, what.Recall.Record, what.Recall.Edition)
	case *linkv1.Order_Rekey:
		err := l.o.Rekey(ctx, what.Rekey.List, what.Rekey.Wrapped)
		if errors.Is(err, ErrNoKey) || fault.CodeOf(err) == "vault.open" {
			t.Code = string(fault.CodeOf(err))
			return l.close(order, t, kept, err)
		}
		if err != nil {
			return nil, err // the disk, say: it comes again
		}
	case *linkv1.Order_Lock:
		kept.Locked, effect = t.Number, ErrLocked
	case *linkv1.Order_Unlock:
		kept.Locked = 0
	case *linkv1.Order_Wipe:
		effect = ErrWiped
	}
	return l.close(order, t, kept, effect)
}

// close writes down that an order was taken, with its audit line, and what it
// left in force; then result is the outcome. A failure leaves all as it was.
func (l *Ledger) close(order *linkv1.Order, t taken, next state, result error) (*linkv1.CommandReceipt, error) {
	next.Last = t.Number
	next.Taken = append(append([]taken(nil), l.state.Taken[max(0, len(l.state.Taken)-keptOrders+1):]...), t)
	what, object := kindOf(order)
	facts := map[string]string{"command": what, "number": strconv.FormatUint(t.Number, 10), "order": hex.EncodeToString(t.Digest[:8])}
	action := audit.CommandTaken
	if t.Code != "" {
		action, facts["code"] = audit.CommandRefused, t.Code
	}
	if err := l.write(next, audit.Line{Time: l.o.Now(), Actor: "central", Action: action, Object: object, Facts: facts}); err != nil {
		return nil, err
	}
	return t.receipt(), result
}

// write puts next in force with its audit line, or leaves all as it was. The
// caller holds mu.
func (l *Ledger) write(next state, line audit.Line) error {
	raw, err := json.Marshal(next)
	if err != nil {
		return fault.Wrap("command.ledger", err)
	}
	sealed, err := l.o.Sealer.Seal([]byte(cursor), raw)
	if err != nil {
		return fault.Wrap("command.ledger", err)
	}
	if err := l.o.Store.SetCursor(cursor, sealed, line); err != nil {
		return err
	}
	l.state = next
	return nil
}

// Locked is the number of the lock in force, 0 for none: who opens the post
// without an officer shuts it again.
func (l *Ledger) Locked() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state.Locked
}

// Lift ends a lock, since an officer has unlocked the post there.
func (l *Ledger) Lift(officer string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.state.Locked == 0 {
		return nil
	}
	next := l.state
	next.Locked = 0
	facts := map[string]string{"command": "unlock", "number": strconv.FormatUint(l.state.Locked, 10)}
	return l.write(next, audit.Line{Time: l.o.Now(), Actor: officer, Action: audit.CommandTaken, Facts: facts})
}

// refused is an order that leaves no trace but in the log: anybody may make
// such ones, and their numbers say nothing.
func (l *Ledger) refused(number uint64, digest []byte, err error) (*linkv1.CommandReceipt, error) {
	l.o.Log.Warn("order refused", "code", string(fault.CodeOf(err)), "number", number)
	t := taken{number, digest, string(fault.CodeOf(err)), l.o.Now().UnixMilli()}
	if errors.Is(err, ErrNotYet) {
		return nil, err // a clock may be set right: it comes again
	}
	return t.receipt(), err
}

func (l *Ledger) keyOf(by string) ed25519.PublicKey {
	if by == linkv1.CentralSigner {
		return l.o.Central
	}
	return l.o.Owners[by]
}

func (t taken) receipt() *linkv1.CommandReceipt {
	return &linkv1.CommandReceipt{Number: t.Number, OrderSha256: t.Digest, Code: t.Code, DoneMs: t.MS}
}

// kindOf names an order for the audit log, and what it is about.
func kindOf(o *linkv1.Order) (kind, object string) {
	switch what := o.What.(type) {
	case *linkv1.Order_Recall:
		return "recall", what.Recall.List + "/" + what.Recall.Record
	case *linkv1.Order_Rekey:
		return "rekey", what.Rekey.List
	case *linkv1.Order_Lock:
		return "lock", ""
	case *linkv1.Order_Unlock:
		return "unlock", ""
	case *linkv1.Order_Wipe:
		return "wipe", ""
	}
	return "", ""
}

func coded(err error) error {
	for from, to := range map[error]*fault.Error{
		linkv1.ErrOrderSigner: ErrSigner, linkv1.ErrOrderForged: ErrSignature, linkv1.ErrOrderTwice: ErrSame,
		linkv1.ErrOrderTooFew: ErrTooFew, linkv1.ErrOrderForeign: ErrForeign,
	} {
		if errors.Is(err, from) {
			return to
		}
	}
	return ErrForm
}
