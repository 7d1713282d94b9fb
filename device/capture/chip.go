package capture

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/watchpost/watchpost/device/fault"
	driverv1 "github.com/watchpost/watchpost/sdk/proto/driver/v1"
)

const (
	// commandLimit is given to a command whose context has no deadline: longer
	// than any chip computes, shorter than an officer waits.
	commandLimit = 10 * time.Second
	// commandMargin is how much later than the driver we give up on a command,
	// so that its answer (card.silent) is heard rather than ours.
	commandMargin = 500 * time.Millisecond
	openLimit     = 10 * time.Second
)

// ChipOptions say how to open a chip; the zero value opens at once, for this
// process alone.
type ChipOptions struct {
	Wait   time.Duration // for a card to come; 0 = card.none at once
	Shared bool          // let other programs use the card as well
}

// Chip is an open APDU channel to one card (ISO/IEC 7816-4:2020). Transmit may
// be called by one goroutine at a time; Close at any time.
type Chip struct {
	ATR         []byte // answer to reset
	MaxCommand  int    // bytes of one command APDU
	MaxResponse int    // bytes of one response APDU with status
	Reader      string // ID of the reader

	stream   grpc.BidiStreamingClient[driverv1.ChannelRequest, driverv1.ChannelResponse]
	cancel   context.CancelFunc
	mu       sync.Mutex // held by Transmit
	sequence uint64     // guarded by mu
	broken   error      // guarded by mu: why the channel is of no more use
}

// OpenChip opens the card on a reader given by ID or by model name; "" means
// the only reader. Errors: reader.none, device.unknown, device.busy, card.none,
// capture.lost. The context bounds the opening; the channel lives until Close.
func (c *Client) OpenChip(ctx context.Context, reader string, o ChipOptions) (*Chip, error) {
	if err := ctx.Err(); err != nil {
		return nil, fail(err)
	}
	id, err := c.readerID(ctx, reader)
	if err != nil {
		return nil, err
	}
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	chip := &Chip{cancel: cancel}
	if err := chip.open(ctx, life, c.card, id, o); err != nil {
		cancel()
		return nil, err
	}
	return chip, nil
}

// readerID finds a reader by the name that people use.
func (c *Client) readerID(ctx context.Context, name string) (string, error) {
	if name == "" {
		return "", nil
	}
	readers, err := c.Readers(ctx)
	if err != nil {
		return "", err
	}
	for _, r := range readers {
		if r.ID == name || r.Model == name {
			return r.ID, nil
		}
	}
	return name, nil // the process says what is wrong with it
}

func (chip *Chip) open(ctx, life context.Context, client driverv1.SmartcardServiceClient, id string, o ChipOptions) error {
	ctx, cancel := context.WithTimeout(ctx, o.Wait+openLimit)
	defer cancel()
	// The opening is bounded by ctx, the channel is not.
	defer context.AfterFunc(ctx, func() {
		if errors.Is(ctx.Err(), context.DeadlineExceeded) || errors.Is(ctx.Err(), context.Canceled) {
			chip.cancel()
		}
	})()
	// What ends the opening ends the channel: it is told as what it is.
	failed := func(err error) error {
		if ctx.Err() != nil {
			return fail(ctx.Err())
		}
		return fail(err)
	}
	stream, err := client.Channel(life)
	if err != nil {
		return failed(err)
	}
	access := driverv1.AccessMode_ACCESS_MODE_EXCLUSIVE
	if o.Shared {
		access = driverv1.AccessMode_ACCESS_MODE_SHARED
	}
	open := &driverv1.ChannelOpen{DeviceId: id, Access: access, WaitMs: uint32(min(o.Wait, time.Hour).Milliseconds())}
	if err := stream.Send(&driverv1.ChannelRequest{Part: &driverv1.ChannelRequest_Open{Open: open}}); err != nil && !errors.Is(err, io.EOF) {
		return failed(err)
	}
	answer, err := stream.Recv()
	if err != nil {
		return failed(err)
	}
	opened := answer.GetOpened()
	if opened == nil || opened.GetMaxCommand() < 4 || opened.GetMaxResponse() < 2 {
		return fault.New(ErrAnswer.Code, "the reader did not say how it was opened")
	}
	chip.stream, chip.ATR, chip.Reader = stream, opened.GetAtr(), opened.GetDeviceId()
	chip.MaxCommand, chip.MaxResponse = int(opened.GetMaxCommand()), int(opened.GetMaxResponse())
	return nil
}

// Transmit sends one command APDU and returns its response with status word.
// The context's deadline is the command's (10 s where it has none); when it
// passes, or ctx is cancelled, the channel is of no more use, as the card's
// state is not known. Errors: card.removed, card.silent, device.lost,
// capture.lost. Chip answers belong to the caller and may be personal data.
func (chip *Chip) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	chip.mu.Lock()
	defer chip.mu.Unlock()
	if chip.broken != nil {
		return nil, chip.broken
	}
	if err := ctx.Err(); err != nil {
		return nil, fail(err) // nothing was sent, the channel stays good
	}
	if len(command) < 4 || len(command) > chip.MaxCommand {
		return nil, fault.New("call.invalid", "a command of %d bytes, 4 to %d are possible", len(command), chip.MaxCommand)
	}
	response, err := chip.exchange(ctx, command)
	if err != nil {
		chip.broken = err
		chip.cancel()
		return nil, err
	}
	return response, nil
}

func (chip *Chip) exchange(ctx context.Context, command []byte) ([]byte, error) {
	limit := commandLimit
	if deadline, ok := ctx.Deadline(); ok {
		limit = min(max(time.Until(deadline), time.Millisecond), time.Minute)
	}
	wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit+commandMargin)
	defer cancel()
	defer context.AfterFunc(wait, func() {
		if errors.Is(wait.Err(), context.DeadlineExceeded) {
			chip.cancel()
		}
	})()
	defer context.AfterFunc(ctx, func() {
		if errors.Is(ctx.Err(), context.Canceled) {
			chip.cancel()
		}
	})()
	chip.sequence++
	transmit := &driverv1.ChannelTransmit{Sequence: chip.sequence, Command: command, TimeoutMs: uint32((limit + time.Millisecond - 1).Milliseconds())}
	// On io.EOF the status is told by Recv.
	if err := chip.stream.Send(&driverv1.ChannelRequest{Part: &driverv1.ChannelRequest_Transmit{Transmit: transmit}}); err != nil && !errors.Is(err, io.EOF) {
		return nil, fail(err)
	}
	message, err := chip.stream.Recv()
	if err != nil {
		switch {
		case errors.Is(ctx.Err(), context.Canceled):
			return nil, fail(context.Canceled)
		case wait.Err() != nil:
			return nil, fault.New(ErrCardSilent.Code, "no answer within %v", limit)
		}
		return nil, fail(err)
	}
	answer := message.GetAnswer()
	if answer == nil || answer.GetSequence() != chip.sequence || len(answer.GetResponse()) < 2 || len(answer.GetResponse()) > chip.MaxResponse {
		return nil, fault.New(ErrAnswer.Code, "no answer to this command")
	}
	return answer.GetResponse(), nil
}

// Close resets the card and ends the channel. A Transmit under way fails.
func (chip *Chip) Close() error {
	chip.cancel()
	return nil
}
