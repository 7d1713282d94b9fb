// Package camera serves the CameraService of the driver contract through
// OpenCV (gocv.io/x/gocv v0.31.0 over OpenCV 4.6): a V4L2 device, a video file,
// or pictures in a folder. Only sources that the configuration lists are ever
// opened. Files and folders stand for a camera on a bench: they are announced
// as virtual devices.
//
// Known of OpenCV: a read from a V4L2 device that has gone can block for ten
// seconds (its select timeout), so each read is under the watchdog.
package camera

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/watchpost/watchpost/device/capture/driver/config"
	"github.com/watchpost/watchpost/sdk/driver"
	driverv1 "github.com/watchpost/watchpost/sdk/proto/driver/v1"
)

const (
	// linger is how long a camera stays open after its last user, as opening one
	// takes up to a second.
	linger = 5 * time.Second
	// readLimit bounds one read; slower is a camera that hangs.
	readLimit = 5 * time.Second
	// look is how often the presence of a source is looked at.
	look = time.Second
)

// camera is one configured source and the loop that reads it while somebody
// wants frames. It is safe for concurrent use.
type camera struct {
	config config.Source
	server *driver.Server
	logger *slog.Logger
	info   os.FileInfo // of the source when the process started; nil = was not there

	mu      sync.Mutex
	users   int         // guarded by mu
	present bool        // guarded by mu
	running *run        // guarded by mu; nil = closed
	count   uint64      // guarded by mu: frames read since the process started
	idle    *time.Timer // guarded by mu: closes the camera after linger
}

// run is one time that the source is open.
type run struct {
	frames driver.Newest[*shot]
	cancel context.CancelFunc
	ended  chan struct{}
}

// use opens the camera, unless it is open, and returns its run; done gives it
// back.
func (c *camera) use() (r *run, done func(), err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.present {
		return nil, nil, driver.Errorf(driver.DeviceLost, "the camera has gone").WithHint("check the camera's cable")
	}
	if c.idle != nil {
		c.idle.Stop()
		c.idle = nil
	}
	if c.running != nil {
		select {
		case <-c.running.ended:
			c.running = nil
		default:
		}
	}
	if c.running == nil {
		ctx, cancel := context.WithCancel(context.Background())
		c.running = &run{cancel: cancel, ended: make(chan struct{})}
		go c.read(ctx, c.running)
	}
	c.users++
	var once sync.Once
	return c.running, func() { once.Do(c.unuse) }, nil
}

func (c *camera) unuse() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.users--
	if c.users > 0 || c.running == nil {
		return
	}
	r := c.running
	c.idle = time.AfterFunc(linger, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.users == 0 && c.running == r {
			r.cancel()
			c.running = nil
		}
	})
}

// read runs until it is cancelled or the source fails.
func (c *camera) read(ctx context.Context, r *run) {
	defer close(r.ended)
	in, err := c.open()
	if err != nil {
		r.frames.End(err)
		c.lost(err)
		return
	}
	defer in.close()
	judge := judge{frozenAfter: c.config.Frozen()}
	pace := newPace(c.config.FPS)
	for ctx.Err() == nil {
		if err := pace.wait(ctx); err != nil {
			break
		}
		s, err := c.next(in)
		if err != nil {
			r.frames.End(err)
			c.lost(err)
			return
		}
		judge.judge(s)
		r.frames.Put(s)
	}
	r.frames.End(driver.Errorf(driver.DeviceLost, "the camera was closed"))
}

func (c *camera) open() (source, error) {
	ctx, cancel := context.WithTimeout(context.Background(), readLimit)
	defer cancel()
	defer c.server.Watch(ctx, "open camera")()
	return open(c.config)
}

func (c *camera) next(in source) (*shot, error) {
	ctx, cancel := context.WithTimeout(context.Background(), readLimit)
	defer cancel()
	defer c.server.Watch(ctx, "read camera")()
	begun := driver.Now()
	s, err := in.read()
	if err != nil {
		return nil, err
	}
	s.begun = begun.GetMonotonicNs()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count++
	s.sequence, s.time = c.count, driver.Now()
	return s, nil
}

// lost says so, once; watch attaches the camera again when its source is back.
func (c *camera) lost(err error) {
	c.mu.Lock()
	was := c.present
	c.present = false
	c.mu.Unlock()
	if was {
		c.logger.Debug("why a camera is lost", "camera", c.config.ID, "code", driver.CodeOf(err))
		c.server.Lost(c.config.ID)
	}
}

// watch follows whether the source is there, until ctx ends. A device node that
// was made anew cannot be opened from inside the sandbox: restart is called.
func (c *camera) watch(ctx context.Context, restart func(error)) {
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		info, err := os.Stat(c.config.Path)
		c.mu.Lock()
		present := c.present
		c.mu.Unlock()
		switch {
		case err != nil && present:
			c.lost(driver.Errorf(driver.DeviceLost, "the source has gone"))
		case err == nil && !present && c.config.Kind == config.KindDevice && (c.info == nil || !os.SameFile(info, c.info)):
			restart(driver.Errorf(driver.DeviceLost, "camera %s was plugged in anew; the process has to start again to reach it", c.config.ID))
			return
		case err == nil && !present:
			c.attach()
		}
	}
}

// attach announces the camera.
func (c *camera) attach() {
	c.mu.Lock()
	c.present = true
	c.mu.Unlock()
	c.server.Attach(describe(c.config))
}

// Options say how the driver runs.
type Options struct {
	Sources []config.Source // the allow-list; nothing else is opened
	Logger  *slog.Logger
	// Restart is called when a camera can be reached again only by a new
	// process. It must not block.
	Restart func(error)
}

// Driver holds the cameras. It is safe for concurrent use.
type Driver struct {
	driverv1.UnimplementedCameraServiceServer
	cameras []*camera
	kept    keeper
	restart func(error)
}

// New registers the service with the server and attaches the sources that are
// there. Call Run to follow unplugging.
func New(server *driver.Server, o Options) *Driver {
	d := &Driver{restart: o.Restart}
	for _, config := range o.Sources {
		c := &camera{config: config, server: server, logger: o.Logger}
		if info, err := os.Stat(config.Path); err == nil {
			c.info = info
			c.attach()
		}
		d.cameras = append(d.cameras, c)
	}
	driverv1.RegisterCameraServiceServer(server, d)
	return d
}

// Run follows the sources until ctx ends.
func (d *Driver) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for _, c := range d.cameras {
		wg.Go(func() { c.watch(ctx, d.restart) })
	}
	wg.Wait()
	d.kept.drop("")
}

// find returns the camera asked for; "" is the only one.
func (d *Driver) find(id string) (*camera, error) {
	switch {
	case len(d.cameras) == 0:
		return nil, driver.Errorf(driver.CameraNone, "no camera is configured").
			WithHint("list the camera in the configuration of watchpost-capture (--config)")
	case id == "" && len(d.cameras) > 1:
		return nil, driver.Errorf(driver.CallInvalid, "%d cameras are configured", len(d.cameras)).WithHint("name the camera to use")
	case id == "":
		return d.cameras[0], d.cameras[0].never()
	}
	for _, c := range d.cameras {
		if c.config.ID == id {
			return c, c.never()
		}
	}
	return nil, driver.Errorf(driver.DeviceUnknown, "no such camera")
}

// never tells a camera that was not there since the start from one lost.
func (c *camera) never() error {
	_, err := c.server.Device(c.config.ID)
	var coded *driver.Error
	if errors.As(err, &coded) && coded.Code == driver.DeviceUnknown {
		return driver.Errorf(driver.CameraNone, "the camera is not there").WithHint("plug the camera in, or correct its path in the configuration")
	}
	return nil
}
