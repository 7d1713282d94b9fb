package drivertest

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/watchpost/watchpost/sdk/driver"
	driverv1 "github.com/watchpost/watchpost/sdk/proto/driver/v1"
)

// session is an open channel.
type session struct {
	grpc.BidiStreamingClient[driverv1.ChannelRequest, driverv1.ChannelResponse]
	opened *driverv1.ChannelOpened
	cancel context.CancelFunc
}

func (s *suite) open(ctx context.Context, id string, wait time.Duration) (*session, error) {
	ctx, cancel := context.WithCancel(ctx)
	stream, err := driverv1.NewSmartcardServiceClient(s.conn).Channel(ctx)
	if err != nil {
		cancel()
		return nil, err
	}
	if err := stream.Send(&driverv1.ChannelRequest{Part: &driverv1.ChannelRequest_Open{Open: &driverv1.ChannelOpen{
		DeviceId: id, WaitMs: uint32(wait.Milliseconds())}}}); err != nil {
		cancel()
		return nil, err
	}
	answer, err := stream.Recv()
	if err != nil {
		cancel()
		return nil, err
	}
	return &session{BidiStreamingClient: stream, opened: answer.GetOpened(), cancel: cancel}, nil
}

// transmit sends a command and returns the answer.
func (c *session) transmit(sequence uint64, command []byte, limit time.Duration) (*driverv1.ChannelAnswer, error) {
	// An error of Send is told by Recv.
	_ = c.Send(&driverv1.ChannelRequest{Part: &driverv1.ChannelRequest_Transmit{Transmit: &driverv1.ChannelTransmit{
		Sequence: sequence, Command: command, TimeoutMs: uint32(limit.Milliseconds())}}})
	answer, err := c.Recv()
	return answer.GetAnswer(), err
}

// close ends the session and waits for the driver to have ended it.
func (c *session) close() {
	_ = c.CloseSend()
	for {
		if _, err := c.Recv(); err != nil {
			break
		}
	}
	c.cancel()
}

// challenge asks any eMRTD for a random number and any other card for an error:
// both are answers (ISO/IEC 7816-4:2020, GET CHALLENGE).
var challenge = []byte{0x00, 0x84, 0x00, 0x00, 0x08}

func (s *suite) smartcard(t *testing.T) {
	device := s.first(t, driverv1.DeviceKind_DEVICE_KIND_SMARTCARD)
	id := device.GetId()
	ctx := within(t, 4*slow)
	if s.target.InsertCard == nil || s.target.RemoveCard == nil {
		t.Skip("SKIPPED: this bench has no card to lay on the reader")
	}

	_, err := s.open(ctx, id, 0)
	wantCode(t, "no card", err, driver.CardNone)
	start := time.Now()
	_, err = s.open(ctx, id, 300*time.Millisecond)
	wantCode(t, "no card within the wait", err, driver.CardNone)
	if took := time.Since(start); took < 250*time.Millisecond || took > soon {
		t.Errorf("waited %v for a card, 300 ms were asked for", took)
	}

	s.target.InsertCard(t, device)
	c, err := s.open(ctx, id, slow)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	if c.opened.GetMaxCommand() < 261 || c.opened.GetMaxResponse() < 258 || c.opened.GetDeviceId() != id {
		t.Errorf("opened: %v", c.opened)
	}
	for i := range uint64(3) {
		answer, err := c.transmit(100+i, challenge, slow)
		if err != nil {
			t.Fatalf("command %d: %v", i, err)
		}
		if answer.GetSequence() != 100+i || len(answer.GetResponse()) < 2 || answer.GetCardNs() == 0 {
			t.Errorf("answer %d: sequence %d, %d bytes, %d ns", i, answer.GetSequence(), len(answer.GetResponse()), answer.GetCardNs())
		}
	}
	if _, err := s.open(ctx, id, 0); driver.CodeOf(err) != driver.DeviceBusy {
		t.Errorf("second channel to the card: %v, want %s", err, driver.DeviceBusy)
	}
	c.close()

	for name, bad := range map[string]struct {
		command []byte
		limit   time.Duration
	}{
		"no command":      {nil, slow},
		"command of 3":    {challenge[:3], slow},
		"command too big": {make([]byte, c.opened.GetMaxCommand()+1), slow},
		"no time":         {challenge, 0},
	} {
		c, err := s.open(ctx, id, slow)
		if err != nil {
			t.Fatalf("%s: open: %v", name, err)
		}
		_, err = c.transmit(1, bad.command, bad.limit)
		wantCode(t, name, err, driver.CallInvalid)
		c.close()
	}

	// A session whose client has gone sets the card free.
	c, err = s.open(ctx, id, slow)
	if err != nil {
		t.Fatal(err)
	}
	c.cancel()
	deadline := time.Now().Add(soon)
	for {
		if c, err = s.open(ctx, id, 0); err == nil || time.Now().After(deadline) {
			break
		}
	}
	if err != nil {
		t.Fatalf("open after a cancelled session: %v", err)
	}

	s.target.RemoveCard(t, device)
	_, err = c.transmit(1, challenge, slow)
	wantCode(t, "card torn off", err, driver.CardRemoved)
	c.close()
	s.cardEvents(t, device)
}

func (s *suite) cardEvents(t *testing.T, device *driverv1.Device) {
	next := s.watch(t, within(t, 2*slow))
	until := func(kind driverv1.EventKind) {
		t.Helper()
		for {
			if event := next(); event.GetKind() == kind {
				return
			}
		}
	}
	until(driverv1.EventKind_EVENT_KIND_SYNCED)
	s.target.InsertCard(t, device)
	until(driverv1.EventKind_EVENT_KIND_CARD_PRESENT)
	s.target.RemoveCard(t, device)
	until(driverv1.EventKind_EVENT_KIND_CARD_REMOVED)
}
