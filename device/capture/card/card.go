// Package card is a document on a reader as the chip protocol wants it: a
// channel over a capture process, with the reset that a lost session needs.
package card

import (
	"context"
	"errors"
	"time"

	"github.com/watchpost/watchpost/device/capture"
)

// Card is one open card. It implements emrtd.Channel and emrtd.Resetter and is
// for one goroutine.
type Card struct {
	client *capture.Client
	chip   *capture.Chip
}

// Open opens the card on the reader of that name and waits for it at most
// wait. An empty name means the reader on which a card lies, where there are
// several: ErrAmbiguous if cards lie on more than one, capture.ErrCardNone if
// on none. The client stays the caller's; it must outlive the card.
func Open(ctx context.Context, client *capture.Client, reader string, wait time.Duration) (*Card, error) {
	if reader == "" {
		var err error
		if reader, err = readerWithCard(ctx, client, wait); err != nil {
			return nil, err
		}
	}
	chip, err := client.OpenChip(ctx, reader, capture.ChipOptions{Wait: wait})
	if err != nil {
		return nil, err
	}
	return &Card{client: client, chip: chip}, nil
}

// Transmit sends one command and returns the whole response.
func (c *Card) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	return c.chip.Transmit(ctx, command)
}

// MaxCommand is the longest command in octets, 0 where it is not known.
func (c *Card) MaxCommand() int { return c.chip.MaxCommand }

// MaxResponse is the longest response in octets, 0 where it is not known.
func (c *Card) MaxResponse() int { return c.chip.MaxResponse }

// How long and how often Reset asks for a card that is still being let go.
const (
	releaseLimit = 2 * time.Second
	releaseStep  = 20 * time.Millisecond
)

// Reset opens the card anew: a channel resets its card when it is closed. The
// process lets the card go a little later than Close returns.
func (c *Card) Reset(ctx context.Context) error {
	reader := c.chip.Reader
	if err := c.chip.Close(); err != nil {
		return err
	}
	limit, cancel := context.WithTimeout(ctx, releaseLimit)
	defer cancel()
	for {
		chip, err := c.client.OpenChip(ctx, reader, capture.ChipOptions{})
		if err == nil {
			c.chip = chip
			return nil
		}
		if !errors.Is(err, capture.ErrDeviceBusy) {
			return err
		}
		select {
		case <-limit.Done():
			return err
		case <-time.After(releaseStep):
		}
	}
}

// Close lets the card go. An error changes nothing of what was read.
func (c *Card) Close() error { return c.chip.Close() }
