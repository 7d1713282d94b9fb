// Package smartcard serves the SmartcardService of the driver contract over
// PC/SC: pcsc-lite's libpcsclite through github.com/ebfe/scard, which is all
// the C there is. It speaks to a running pcscd, by default the system's, or
// the one whose socket PCSCLITE_CSOCK_NAME names.
//
// Known of that binding: SCardGetStatusChange must not run twice for one
// reader at a time (it keeps one buffer a reader name alive, and drops the
// other), so one goroutine alone watches; Transmit panics on an empty command
// and on a card without protocol, so both are refused before.
package smartcard

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/ebfe/scard"

	"github.com/watchpost/watchpost/sdk/driver"
	driverv1 "github.com/watchpost/watchpost/sdk/proto/driver/v1"
)

const (
	// notification is the pseudo-reader whose state changes when readers come
	// and go (pcsc-lite's and Windows' SCardGetStatusChange).
	notification = `\\?PnP?\Notification`
	// poll bounds one wait for changes, so that cancelling is seen.
	poll = 500 * time.Millisecond
	// retry is the pause before a service that does not answer is tried again.
	retry = time.Second
	// idPrefix makes device IDs of reader names, which pcscd derives from model,
	// serial number and slot.
	idPrefix = "pcsc:"
)

// Driver watches the readers and serves channels. It is safe for concurrent
// use.
type Driver struct {
	driverv1.UnimplementedSmartcardServiceServer
	server *driver.Server
	logger *slog.Logger

	mu      sync.Mutex
	running bool                       // guarded by mu: pcscd answers
	cards   map[string]scard.StateFlag // guarded by mu: by reader name, readers that are there
	changed chan struct{}              // guarded by mu: closed and replaced at each change
}

// New registers the service with the server. The readers that are there now are
// attached when New returns, where pcscd runs. Call Run to follow changes.
func New(server *driver.Server, logger *slog.Logger) *Driver {
	d := &Driver{server: server, logger: logger, cards: map[string]scard.StateFlag{}, changed: make(chan struct{})}
	driverv1.RegisterSmartcardServiceServer(server, d)
	if ctx, err := scard.EstablishContext(); err == nil {
		states, err := d.look(ctx, nil, 0)
		if err == nil {
			d.apply(states)
		}
		release(ctx)
	}
	return d
}

// Run follows readers and cards until ctx ends. A pcscd that is not there, or
// that ends, is waited for.
func (d *Driver) Run(ctx context.Context) {
	for ctx.Err() == nil {
		if err := d.follow(ctx); err != nil && ctx.Err() == nil {
			d.gone()
			d.logger.LogAttrs(ctx, slog.LevelDebug, "no PC/SC service", slog.Any("error", err))
			timer := time.NewTimer(retry)
			select {
			case <-ctx.Done():
				timer.Stop()
			case <-timer.C:
			}
		}
	}
}

// follow holds one session with pcscd.
func (d *Driver) follow(ctx context.Context) error {
	session, err := scard.EstablishContext()
	if err != nil {
		return err
	}
	defer release(session)
	var states []scard.ReaderState
	wait := time.Duration(0)
	for ctx.Err() == nil {
		states, err = d.look(session, states, wait)
		if err != nil {
			return err
		}
		d.apply(states)
		wait = poll
	}
	return nil
}

// look returns the states of all readers that are there, after at most wait for
// a change of what was known.
func (d *Driver) look(session *scard.Context, known []scard.ReaderState, wait time.Duration) ([]scard.ReaderState, error) {
	if len(known) == 0 {
		known = []scard.ReaderState{{Reader: notification}}
	}
	switch err := session.GetStatusChange(known, wait); {
	case err == nil, errors.Is(err, scard.ErrTimeout), errors.Is(err, scard.ErrUnknownReader):
	default:
		return nil, err
	}
	names, err := session.ListReaders()
	if err != nil && !errors.Is(err, scard.ErrNoReadersAvailable) {
		return nil, err
	}
	old := map[string]scard.ReaderState{}
	for _, s := range known {
		old[s.Reader] = s
	}
	next := []scard.ReaderState{{Reader: notification, CurrentState: old[notification].EventState}}
	fresh := false
	for _, name := range names {
		s, ok := old[name]
		fresh = fresh || !ok
		next = append(next, scard.ReaderState{Reader: name, CurrentState: s.EventState, EventState: s.EventState, Atr: s.Atr})
	}
	if fresh { // ask at once for the state of readers just seen
		if err := session.GetStatusChange(next, 0); err != nil && !errors.Is(err, scard.ErrTimeout) {
			return nil, err
		}
		for i := range next {
			next[i].CurrentState = next[i].EventState
		}
	}
	return next, nil
}

// apply tells the server what has changed.
func (d *Driver) apply(states []scard.ReaderState) {
	d.mu.Lock()
	defer d.mu.Unlock()
	there := map[string]bool{}
	for _, s := range states {
		if s.Reader == notification {
			continue
		}
		there[s.Reader] = true
		before, known := d.cards[s.Reader]
		d.cards[s.Reader] = s.EventState
		if !known {
			d.server.Attach(describe(s.Reader))
		}
		// The upper half of the state counts insertions and removals, so that a
		// card changed between two looks shows.
		was, is := before&scard.StatePresent != 0, s.EventState&scard.StatePresent != 0
		swapped := was && is && known && before>>16 != s.EventState>>16
		if was && !is || swapped {
			d.server.Emit(&driverv1.Event{Kind: driverv1.EventKind_EVENT_KIND_CARD_REMOVED, DeviceId: idPrefix + s.Reader})
		}
		if is && !was || swapped {
			d.server.Emit(&driverv1.Event{Kind: driverv1.EventKind_EVENT_KIND_CARD_PRESENT, DeviceId: idPrefix + s.Reader, Atr: s.Atr})
		}
	}
	for name := range d.cards {
		if !there[name] {
			delete(d.cards, name)
			d.server.Lost(idPrefix + name)
		}
	}
	d.running = true
	close(d.changed)
	d.changed = make(chan struct{})
}

// gone marks every reader lost: pcscd has ended.
func (d *Driver) gone() {
	d.apply(nil)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.running = false
}

func describe(name string) *driverv1.Device {
	return &driverv1.Device{
		Id: idPrefix + name, Kind: driverv1.DeviceKind_DEVICE_KIND_SMARTCARD, Model: name,
		Smartcard: &driverv1.SmartcardAbility{Contactless: true, Contact: true, MaxCommand: maxCommand, MaxResponse: maxResponse},
	}
}

func release(session *scard.Context) {
	// Nothing can be done about a context that does not go; pcscd drops it with
	// the connection.
	_ = session.Release()
}

// find returns the name of the reader asked for and whether a card is there,
// with a channel that closes when that may have changed.
func (d *Driver) find(id string) (name string, present bool, changed <-chan struct{}, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case !d.running:
		return "", false, nil, driver.Errorf(driver.ReaderNone, "the PC/SC service does not answer").
			WithHint("start pcscd (Debian: systemctl start pcscd.socket) and check PCSCLITE_CSOCK_NAME")
	case id == "" && len(d.cards) == 0:
		return "", false, nil, driver.Errorf(driver.ReaderNone, "no chip reader").
			WithHint("plug a PC/SC reader in; pcsc_scan shows whether the system sees it")
	case id == "" && len(d.cards) > 1:
		return "", false, nil, driver.Errorf(driver.CallInvalid, "%d readers are there", len(d.cards)).
			WithHint("name the reader to use")
	}
	for reader, state := range d.cards {
		if id == "" || id == idPrefix+reader {
			return reader, state&scard.StatePresent != 0, d.changed, nil
		}
	}
	if _, err := d.server.Device(id); err != nil {
		return "", false, nil, err
	}
	return "", false, nil, driver.Errorf(driver.DeviceUnknown, "no such reader")
}
