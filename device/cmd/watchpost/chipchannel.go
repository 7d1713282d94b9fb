package main

import (
	"context"
	"io"
	"time"

	"github.com/watchpost/watchpost/device/capture"
	"github.com/watchpost/watchpost/device/document/emrtd"
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
	chip, err := client.OpenChip(ctx, reader, capture.ChipOptions{Wait: wait})
	if err != nil {
		client.Close()
		return nil, nil, err
	}
	c := &chipChannel{client: client, chip: chip}
	return c, c.close, nil
}

func (c *chipChannel) Transmit(ctx context.Context, command []byte) ([]byte, error) {
	return c.chip.Transmit(ctx, command)
}

func (c *chipChannel) MaxCommand() int  { return c.chip.MaxCommand }
func (c *chipChannel) MaxResponse() int { return c.chip.MaxResponse }

// Reset opens the card anew: a channel resets its card when it is closed.
func (c *chipChannel) Reset(ctx context.Context) error {
	if err := c.chip.Close(); err != nil {
		return err
	}
	chip, err := c.client.OpenChip(ctx, c.chip.Reader, capture.ChipOptions{})
	if err != nil {
		return err
	}
	c.chip = chip
	return nil
}

// close ends card and process. Its errors change nothing of what was read.
func (c *chipChannel) close() {
	c.chip.Close()
	c.client.Close()
}
