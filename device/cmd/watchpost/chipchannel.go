package main

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/watchpost/watchpost/device/capture"
	"github.com/watchpost/watchpost/device/document/emrtd"
	"github.com/watchpost/watchpost/device/fault"
)

// chipChannel is an open chip of a capture process as the chip reader wants
// it. It is for one goroutine.
type chipChannel struct {
	client *capture.Client
	chip   *capture.Chip
}

// captureChannel starts a private capture process and opens the card through
// it. The closing ends the process.
func captureChannel(ctx context.Context, reader string, wait time.Duration, stderr io.Writer) (emrtd.Channel, func(), error) {
	client, err := capture.Start(ctx, capture.Options{Role: capture.Devices, Stderr: stderr})
	if err != nil {
		return nil, nil, err
	}
	if reader == "" {
		if reader, err = readerWithCard(ctx, client, wait); err != nil {
			client.Close()
			return nil, nil, err
		}
	}
	chip, err := client.OpenChip(ctx, reader, capture.ChipOptions{Wait: wait})
	if err != nil {
		client.Close()
		return nil, nil, err
	}
	c := &chipChannel{client: client, chip: chip}
	return c, c.close, nil
}

// readerWithCard chooses among several readers the one on which a card lies,
// or comes to lie before wait is over. It returns "" where there is no choice
// to make.
func readerWithCard(ctx context.Context, client *capture.Client, wait time.Duration) (string, error) {
	readers, err := client.Readers(ctx)
	if err != nil || len(readers) < 2 {
		return "", err
	}
	waiting, cancel := context.WithTimeout(ctx, stateLimit+wait)
	defer cancel()
	var cards []string
	synced := false
	for event, err := range client.Events(waiting) {
		if err != nil {
			if ctx.Err() == nil && waiting.Err() != nil {
				break
			}
			return "", err
		}
		switch event.Kind {
		case capture.CardPresent:
			cards = append(cards, event.DeviceID)
		case capture.Synced:
			synced = true
		}
		if synced && (len(cards) > 0 || wait == 0) {
			break
		}
	}
	switch len(cards) {
	case 0:
		return "", fault.New(capture.ErrCardNone.Code, "no card on any of %d readers", len(readers)).
			WithHint("lay the document on a reader, or give --wait")
	case 1:
		return cards[0], nil
	}
	return "", fault.New("reader.ambiguous", "cards lie on %d readers", len(cards)).WithHint("name one with --reader")
}

// stateLimit is what a capture process may take to tell its devices' state.
const stateLimit = 2 * time.Second

func (c *chipChannel) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	return c.chip.Transmit(ctx, command)
}

func (c *chipChannel) MaxCommand() int  { return c.chip.MaxCommand }
func (c *chipChannel) MaxResponse() int { return c.chip.MaxResponse }

// How long and how often Reset asks for a card that is still being let go.
const (
	releaseLimit = 2 * time.Second
	releaseStep  = 20 * time.Millisecond
)

// Reset opens the card anew: a channel resets its card when it is closed. The
// process lets the card go a little later than Close returns.
func (c *chipChannel) Reset(ctx context.Context) error {
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

// close ends card and process. Its errors change nothing of what was read.
func (c *chipChannel) close() {
	c.chip.Close()
	c.client.Close()
}
