package main

import (
	"context"
	"io"
	"time"

	"github.com/watchpost/watchpost/device/capture"
	"github.com/watchpost/watchpost/device/capture/card"
	"github.com/watchpost/watchpost/device/document/emrtd"
)

// captureChannel starts a private capture process and opens the card through
// it. The closing ends the process.
func captureChannel(ctx context.Context, reader string, wait time.Duration, stderr io.Writer) (emrtd.Channel, func(), error) {
	client, err := capture.Start(ctx, capture.Options{Role: capture.Devices, Stderr: stderr})
	if err != nil {
		return nil, nil, err
	}
	c, err := card.Open(ctx, client, reader, wait)
	if err != nil {
		client.Close()
		return nil, nil, err
	}
	return c, func() {
		c.Close()
		client.Close()
	}, nil
}
