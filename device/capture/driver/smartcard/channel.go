package smartcard

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/ebfe/scard"
	"google.golang.org/grpc"

	"github.com/watchpost/watchpost/sdk/driver"
	driverv1 "github.com/watchpost/watchpost/sdk/proto/driver/v1"
)

const (
	// maxCommand is 4 header bytes, 3 of Lc, 65,535 of data, 2 of Le: the largest
	// extended command (ISO/IEC 7816-4:2020, 5.2).
	maxCommand = 4 + 3 + 65535 + 2
	// maxResponse is 65,536 bytes and the status word.
	maxResponse = 65536 + 2
	maxWait     = time.Hour
	maxTimeout  = time.Minute
	// settle is how long after a failed command we watch for the card's removal,
	// which pcscd notices up to its polling period (400 ms) later.
	settle = 600 * time.Millisecond
	// again is how soon a card is tried anew that was not there after all.
	again = 50 * time.Millisecond
	// busy is how long a card may still be put down by the channel before.
	busy = time.Second
	// abandoned is how long a command may go on whose caller has gone: it cannot
	// be recalled, and the cameras of the same process need not end with it. With
	// the watchdog's grace it has the ten seconds of a command without a limit of
	// its own (device/capture).
	abandoned = 8 * time.Second
)

// stayHint is what helps where a card has left.
const stayHint = "lay the document on the reader again and leave it there"

// Channel serves one session with one card.
func (d *Driver) Channel(stream grpc.BidiStreamingServer[driverv1.ChannelRequest, driverv1.ChannelResponse]) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	open := first.GetOpen()
	if open == nil {
		return driver.Errorf(driver.CallInvalid, "a channel begins with open")
	}
	ctx := stream.Context()
	deadline := time.Now().Add(min(time.Duration(open.GetWaitMs())*time.Millisecond, maxWait))
	if _, err := d.await(ctx, open.GetDeviceId(), deadline); err != nil {
		return err // no card: pcscd need not be asked
	}
	released := d.server.Watch(ctx, "smartcard channel")
	session, err := scard.EstablishContext()
	if err != nil {
		released()
		return coded(err)
	}
	name, card, err := d.take(ctx, session, open, deadline)
	if err != nil {
		release(session)
		released()
		return err
	}
	c := &channel{driver: d, reader: name, card: card, idle: make(chan struct{}, 1)}
	c.idle <- struct{}{}
	disposition := scard.ResetCard
	// The card is put down when the last command has come back, which may be
	// after the stream has ended; the watchdog of the command waits for that,
	// not for ever.
	defer func() {
		put := func(released func()) {
			defer released()
			_ = card.Disconnect(disposition) // the card may have gone
			release(session)
		}
		select {
		case <-c.idle:
			put(released) // before the stream ends, so that the next channel finds the card free
		default:
			released()
			go func() {
				<-c.idle
				ended, cancel := context.WithCancel(context.Background())
				cancel()
				put(d.server.Watch(ended, "put the card down"))
			}()
		}
	}()

	opened, err := c.opened()
	if err != nil {
		return err
	}
	if err := stream.Send(opened); err != nil {
		return err
	}
	for {
		request, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch {
		case request.GetClose() != nil:
			disposition = dispositionOf(request.GetClose().GetDisposition())
			return nil
		case request.GetTransmit() == nil:
			return driver.Errorf(driver.CallInvalid, "neither transmit nor close")
		}
		answer, err := c.transmit(ctx, request.GetTransmit())
		if err != nil {
			return err
		}
		if err := stream.Send(&driverv1.ChannelResponse{Part: &driverv1.ChannelResponse_Answer{Answer: answer}}); err != nil {
			return err
		}
	}
}

// take connects to a card that comes before the deadline. A card that has just
// left looks present until pcscd polls again: then the next one is waited for.
// One that the channel before is putting down is waited for as well, shorter.
func (d *Driver) take(ctx context.Context, session *scard.Context, open *driverv1.ChannelOpen, deadline time.Time) (string, *scard.Card, error) {
	begun := time.Now()
	for {
		name, err := d.await(ctx, open.GetDeviceId(), deadline)
		if err != nil {
			return "", nil, err
		}
		card, err := connect(session, name, open)
		limit := deadline
		switch driver.CodeOf(err) {
		case driver.CardNone, driver.CardRemoved:
		case driver.DeviceBusy:
			if free := begun.Add(busy); free.Before(limit) {
				limit = free
			}
		default:
			return name, card, err
		}
		if !time.Now().Before(limit) {
			return name, card, err
		}
		timer := time.NewTimer(again)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return "", nil, ctx.Err()
		}
	}
}

// await waits until the deadline for a card on the reader.
func (d *Driver) await(ctx context.Context, id string, deadline time.Time) (string, error) {
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	for {
		name, present, changed, err := d.find(id)
		if err != nil || present {
			return name, err
		}
		select {
		case <-changed:
		case <-timer.C:
			return "", driver.Errorf(driver.CardNone, "no card on the reader").WithHint("lay the document on the reader")
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

func connect(session *scard.Context, name string, open *driverv1.ChannelOpen) (*scard.Card, error) {
	mode := scard.ShareExclusive
	if open.GetAccess() == driverv1.AccessMode_ACCESS_MODE_SHARED {
		mode = scard.ShareShared
	}
	protocol := scard.ProtocolAny
	switch open.GetProtocol() {
	case driverv1.CardProtocol_CARD_PROTOCOL_T0:
		protocol = scard.ProtocolT0
	case driverv1.CardProtocol_CARD_PROTOCOL_T1:
		protocol = scard.ProtocolT1
	}
	card, err := session.Connect(name, mode, protocol)
	if err != nil {
		return nil, coded(err)
	}
	if p := card.ActiveProtocol(); p != scard.ProtocolT0 && p != scard.ProtocolT1 {
		_ = card.Disconnect(scard.ResetCard)
		return nil, driver.Errorf(driver.DeviceFault, "the card speaks neither T=0 nor T=1")
	}
	return card, nil
}

// channel is a connected card, used by one goroutine.
type channel struct {
	driver *Driver
	reader string
	card   *scard.Card
	idle   chan struct{} // holds a token while no command is under way
}

func (c *channel) opened() (*driverv1.ChannelResponse, error) {
	status, err := c.card.Status()
	if err != nil {
		return nil, coded(err)
	}
	protocol := driverv1.CardProtocol_CARD_PROTOCOL_T1
	if c.card.ActiveProtocol() == scard.ProtocolT0 {
		protocol = driverv1.CardProtocol_CARD_PROTOCOL_T0
	}
	return &driverv1.ChannelResponse{Part: &driverv1.ChannelResponse_Opened{Opened: &driverv1.ChannelOpened{
		Atr: status.Atr, Protocol: protocol, MaxCommand: maxCommand, MaxResponse: maxResponse, DeviceId: idPrefix + c.reader,
	}}}, nil
}

// transmit carries one command. When its time is up or its caller has gone, the
// C call may still be under way: it cannot be recalled, and the watchdog ends
// the process unless it comes back soon.
func (c *channel) transmit(ctx context.Context, t *driverv1.ChannelTransmit) (*driverv1.ChannelAnswer, error) {
	limit := time.Duration(t.GetTimeoutMs()) * time.Millisecond
	if limit <= 0 || limit > maxTimeout {
		return nil, driver.Errorf(driver.CallInvalid, "a time limit of %v", limit)
	}
	if n := len(t.GetCommand()); n < 4 || n > maxCommand {
		return nil, driver.Errorf(driver.CallInvalid, "a command of %d bytes", n)
	}
	type result struct {
		response []byte
		took     time.Duration
		err      error
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	back := make(chan result, 1)
	<-c.idle
	go func() {
		called, end := context.WithTimeout(context.WithoutCancel(ctx), limit)
		defer end()
		defer c.driver.server.Watch(called, "card command")()
		defer context.AfterFunc(ctx, func() { time.AfterFunc(abandoned, end) })()
		start := time.Now()
		response, err := c.card.Transmit(t.GetCommand())
		c.idle <- struct{}{}
		back <- result{response, time.Since(start), err}
	}()
	select {
	case r := <-back:
		// Some readers answer for a card torn off with nothing at all; no card
		// answers with less than a status word.
		if r.err == nil && len(r.response) < 2 {
			r.err = scard.ErrCommError
		}
		if r.err != nil {
			return nil, c.failed(r.err)
		}
		return &driverv1.ChannelAnswer{Sequence: t.GetSequence(), Response: r.response, CardNs: uint64(r.took.Nanoseconds())}, nil
	case <-ctx.Done():
		if errors.Is(ctx.Err(), context.Canceled) {
			return nil, ctx.Err()
		}
		return nil, driver.Errorf(driver.CardSilent, "no answer within %v", limit)
	}
}

// failed finds out why a command failed: readers report a card torn off as one
// of several errors of communication.
func (c *channel) failed(err error) error {
	e := coded(err)
	if e.Code != driver.CardProtocol {
		return e
	}
	timer := time.NewTimer(settle)
	defer timer.Stop()
	for {
		_, present, changed, err := c.driver.find(idPrefix + c.reader)
		if err != nil {
			return err // the reader itself has gone
		}
		if !present {
			return driver.Errorf(driver.CardRemoved, "the card left during a command").WithHint(stayHint)
		}
		if _, err := c.card.Status(); errors.Is(err, scard.ErrRemovedCard) || errors.Is(err, scard.ErrResetCard) {
			return driver.Errorf(driver.CardRemoved, "the card left during a command").WithHint(stayHint)
		}
		select {
		case <-changed:
		case <-timer.C:
			return e
		}
	}
}

// coded maps PC/SC's return codes (pcsclite.h, PC/SC part 5) in one place.
func coded(err error) *driver.Error {
	var code scard.Error
	if !errors.As(err, &code) {
		return driver.Errorf(driver.DeviceFault, "%v", err)
	}
	switch code {
	case scard.ErrNoService, scard.ErrServiceStopped:
		return driver.Errorf(driver.ReaderNone, "the PC/SC service has ended").WithHint("start pcscd")
	case scard.ErrRemovedCard, scard.ErrResetCard:
		return driver.Errorf(driver.CardRemoved, "%v", code).WithHint(stayHint)
	case scard.ErrNoSmartcard, scard.ErrUnpoweredCard:
		return driver.Errorf(driver.CardNone, "%v", code).WithHint("lay the document on the reader")
	case scard.ErrSharingViolation:
		return driver.Errorf(driver.DeviceBusy, "another program uses the card").WithHint("end the other program")
	case scard.ErrReaderUnavailable, scard.ErrUnknownReader, scard.ErrNoReadersAvailable:
		return driver.Errorf(driver.DeviceLost, "%v", code)
	case scard.ErrUnresponsiveCard, scard.ErrNotTransacted, scard.ErrCommError, scard.ErrProtoMismatch, scard.ErrUnsupportedCard:
		return driver.Errorf(driver.CardProtocol, "%v", code).WithHint("take the document off and lay it on again")
	}
	return driver.Errorf(driver.DeviceFault, "%v", code)
}

func dispositionOf(d driverv1.CardDisposition) scard.Disposition {
	switch d {
	case driverv1.CardDisposition_CARD_DISPOSITION_LEAVE:
		return scard.LeaveCard
	case driverv1.CardDisposition_CARD_DISPOSITION_POWER_OFF:
		return scard.UnpowerCard
	}
	return scard.ResetCard
}
