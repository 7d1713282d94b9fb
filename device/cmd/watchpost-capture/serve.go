package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"

	"github.com/watchpost/watchpost/device/capture/decode/face"
	"github.com/watchpost/watchpost/device/capture/sandbox"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/sdk/driver"
)

func (c *common) logger() *slog.Logger {
	level := slog.LevelInfo
	if c.debug {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
}

// listen opens the way in, which has to be done before the sandbox is entered.
func (c *common) listen() (net.Listener, error) {
	var listener net.Listener
	var err error
	if c.fd >= 0 {
		listener, err = driver.Inherited(uintptr(c.fd))
	} else {
		listener, err = driver.Listen(c.socket)
	}
	if err != nil && driver.CodeOf(err) == "" {
		return nil, fault.Wrap("capture.start", err)
	}
	return listener, err
}

// role is what a confined process does.
type role struct {
	name    string
	profile sandbox.Profile
	// setup registers services. What it starts ends with ctx; what it returns
	// is run after the last call.
	setup func(ctx context.Context, server *driver.Server, logger *slog.Logger) (closeDown func() error)
}

// serve confines the process and answers calls until ctx ends.
func (c *common) serve(ctx context.Context, r role) error {
	listener, err := c.listen()
	if err != nil {
		return err
	}
	defer listener.Close()
	if err := sandbox.Enter(r.profile); err != nil {
		return err
	}
	logger := c.logger().With("role", r.name)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	server := driver.New(driver.Info{Name: "watchpost-capture " + r.name, Vendor: "Watchpost", Version: version}, driver.WithLogger(logger))
	closeDown := r.setup(ctx, server, logger)
	err = server.Serve(ctx, listener)
	cancel()
	return errors.Join(err, closeDown())
}

// openModels reads and verifies the face models.
func (c *common) openModels() (face.Models, error) { return face.LoadModels(c.models) }
