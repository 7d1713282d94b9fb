// Package bench is a private reader bench: a pcscd with vsmartcard's virtual
// reader and nothing else, in namespaces of its own, and virtual passports that
// are put on its two slots. It needs no rights: an ordinary user gets a user
// namespace. vpcd listens on all addresses, but only inside the bench's network
// namespace; what the outside sees is pcscd's unix socket. Any number of
// benches run beside each other and beside the machine's own pcscd.
//
// Everything that a bench starts ends with it, and with the process that
// started it, however that ends.
package bench

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/hwtest/passport"
)

// Codes of the errors of this package.
const (
	codeMissing   fault.Code = "bench.missing"   // a program or driver is not installed
	codeNamespace fault.Code = "bench.namespace" // the kernel gives no namespaces
	codeStart     fault.Code = "bench.start"     // pcscd did not come up
	codeSlot      fault.Code = "bench.slot"      // no such slot, or it is taken or empty
	codeClosed    fault.Code = "bench.closed"    // the bench has ended
	codeInside    fault.Code = "bench.inside"    // what failed inside the bench, with the inner code in the text
)

// ErrMissing is a program or driver that is not installed; the hint names the
// Debian package.
var ErrMissing = &fault.Error{Code: codeMissing}

// ErrSlot is a slot that does not exist, or is taken or empty as may be.
var ErrSlot = &fault.Error{Code: codeSlot}

// ErrClosed is a bench that has ended.
var ErrClosed = &fault.Error{Code: codeClosed}

// Slots is the number of readers that vpcd offers.
const Slots = 2

// firstPort is vpcd's port of slot 0; slot 1 has the next one. On the machine's
// own pcscd this is the port that Debian's package configures.
const firstPort = 35963

// seenTimeout is how long pcscd may take to notice a card. It polls every
// 400 ms; a loaded machine may take longer.
const seenTimeout = 30 * time.Second

// Event is something that happened on the bench by itself.
type Event struct {
	Kind string `json:"kind"`           // "torn": the card tore itself off; "hung-up": the reader let go of the card; "ended": pcscd or the whole bench is gone
	Slot int    `json:"slot,omitempty"` // of torn and hung-up
}

// Options of Start. The zero value starts a private pcscd in a temporary
// folder.
type Options struct {
	// Dir is the folder for the socket and pcscd's log; a temporary one that
	// goes with the bench by default. Its path must leave room in the 107
	// octets of a unix socket's address.
	Dir string
	// PCSCD is the socket of a running pcscd whose vpcd listens on this
	// machine (/run/pcscd/pcscd.comm of Debian's own). Nothing is started then.
	PCSCD string
	// Helper is the command that runs Inside; this program's own
	// "passport serve --inside" by default.
	Helper []string
	// OnEvent is told what happens by itself. It is called from one goroutine
	// and must return soon. nil is nobody.
	OnEvent func(Event)
}

// cards is what a bench does with its slots: in this process where pcscd runs
// elsewhere already, through the helper where it runs in namespaces.
type cards interface {
	insert(ctx context.Context, slot int, doc *passport.Document) error
	remove(ctx context.Context, slot int) error
	plug(ctx context.Context, in bool) error
	close() error
}

// Bench is a running bench. It is safe for concurrent use.
type Bench struct {
	socket string
	name   string
	cards  cards
}

// Start brings a bench up and returns when its pcscd takes clients and both
// slots take cards. ctx is for starting only; Close ends the bench.
func Start(ctx context.Context, o Options) (*Bench, error) {
	if o.OnEvent == nil {
		o.OnEvent = func(Event) {}
	}
	if o.PCSCD != "" {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "unix", o.PCSCD)
		if err != nil {
			return nil, (&fault.Error{Code: codeStart, Cause: err}).WithHint("No pcscd takes clients at this socket; leave --pcscd out to have a private one started.")
		}
		conn.Close()
		return &Bench{socket: o.PCSCD, name: "Virtual PCD", cards: newLocal(o.OnEvent)}, nil
	}
	return startPrivate(ctx, o)
}

// PCSCDSocket is the value for PCSCLITE_CSOCK_NAME in the environment of the
// reader's programs.
func (b *Bench) PCSCDSocket() string { return b.socket }

// ReaderName is the PC/SC name of a slot.
func (b *Bench) ReaderName(slot int) string { return fmt.Sprintf("%s 00 %02X", b.name, slot) }

// Insert makes the passport of profile and lays it on a slot. It returns when
// pcscd has seen the card. Where ctx ends it first, the card may lie there.
func (b *Bench) Insert(ctx context.Context, slot int, profile passport.Profile) error {
	doc, err := passport.Personalise(profile)
	if err != nil {
		return err
	}
	return b.InsertDocument(ctx, slot, doc)
}

// InsertDocument is Insert for a document that was made before.
func (b *Bench) InsertDocument(ctx context.Context, slot int, doc *passport.Document) error {
	if err := checkSlot(slot); err != nil {
		return err
	}
	return b.cards.insert(ctx, slot, doc)
}

// Remove takes the card off a slot.
func (b *Bench) Remove(ctx context.Context, slot int) error {
	if err := checkSlot(slot); err != nil {
		return err
	}
	return b.cards.remove(ctx, slot)
}

// Unplug takes the reader away from its programs; cards on it are gone.
func (b *Bench) Unplug(ctx context.Context) error { return b.cards.plug(ctx, false) }

// Plug gives the reader back, without cards.
func (b *Bench) Plug(ctx context.Context) error { return b.cards.plug(ctx, true) }

// Close ends the bench and everything that it started. It may be called more
// than once.
func (b *Bench) Close() error { return b.cards.close() }

func checkSlot(slot int) error {
	if slot < 0 || slot >= Slots {
		return fault.New(codeSlot, "there is no slot %d, only 0 to %d", slot, Slots-1)
	}
	return nil
}

func slotAddr(slot int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(firstPort+slot)) }
