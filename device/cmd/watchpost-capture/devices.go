package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/capture/decode"
	"github.com/watchpost/watchpost/device/capture/driver/camera"
	"github.com/watchpost/watchpost/device/capture/driver/cameraface"
	"github.com/watchpost/watchpost/device/capture/driver/config"
	"github.com/watchpost/watchpost/device/capture/driver/finger"
	"github.com/watchpost/watchpost/device/capture/driver/finger/fprint"
	"github.com/watchpost/watchpost/device/capture/driver/smartcard"
	"github.com/watchpost/watchpost/device/capture/sandbox"
	"github.com/watchpost/watchpost/sdk/driver"
	decodev1 "github.com/watchpost/watchpost/sdk/proto/decode/v1"
	facev1 "github.com/watchpost/watchpost/sdk/proto/face/v1"
)

func newDevices() *cobra.Command {
	var c common
	var path string
	cmd := &cobra.Command{
		Use:   "devices (--fd N | --socket PATH) [--config FILE]",
		Short: "Hold camera, fingerprint sensor and chip reader",
		Long: `Serve sdk/proto/driver/v1 for the cameras and fingerprint sensors that the
configuration lists and the readers of the system's PC/SC service (or the one
PCSCLITE_CSOCK_NAME names), and sdk/proto/face/v1 for templates of frames that
its own camera took.

Configuration, YAML, unknown keys refused:

  cameras:                  # the allow-list: no other source is ever opened
    - id: desk              # stable name of the device
      kind: device          # device (V4L2), video (file), images (folder or picture)
      path: /dev/video0     # absolute
      width: 1280           # pixels asked of a device
      height: 720
      fps: 30               # at most
      loop: false           # video and images: begin again at the end
      frozen_after: 2       # seconds of identical frames
  fingers:                # without it libfprint is not asked at all
    - id: prints
      driver: uru4000       # libfprint's name of the kind of sensor
      dpi: 500              # of its images, from its data sheet
      slaps: false          # true: it takes the four fingers of a hand at once
    - id: bench
      driver: virtual_image # libfprint's virtual sensor: tests and demonstration
      dpi: 500
      socket: /run/x/finger # where its feeder connects, in a folder of its own
  smartcard:
    off: false              # true: do not look for readers`,
		Example: `  watchpost-capture devices --socket /run/watchpost/capture.sock --config /etc/watchpost/capture.yaml
  PCSCLITE_CSOCK_NAME=/tmp/bench/pcscd.comm watchpost-capture devices --socket /tmp/capture.sock`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			settings, err := config.Load(path)
			if err != nil {
				return err
			}
			prints, err := openFingers(settings.Fingers)
			if err != nil {
				return err
			}
			ctx, restart := context.WithCancelCause(cmd.Context())
			defer restart(nil)
			err = c.serve(ctx, role{
				name:    "devices",
				profile: devicesProfile(settings, c.models),
				setup: func(ctx context.Context, server *driver.Server, logger *slog.Logger) func() error {
					sensors := finger.New(server, prints, settings.Fingers, logger)
					if prints != nil {
						go prints.Run(ctx)
						go sensors.Run(ctx)
					}
					return c.setupDevices(ctx, server, logger, settings, restart)
				},
			})
			if err == nil && cmd.Context().Err() == nil && context.Cause(ctx) != nil {
				return context.Cause(ctx) // a camera that only a new process reaches
			}
			return err
		},
	}
	c.flags(cmd)
	cmd.Flags().StringVar(&path, "config", "", "configuration file; without it no camera, and all readers")
	return cmd
}

func (c *common) setupDevices(ctx context.Context, server *driver.Server, logger *slog.Logger, settings config.Config, restart func(error)) func() error {
	cameras := camera.New(server, camera.Options{Sources: settings.Cameras, Logger: logger, Restart: restart})
	go cameras.Run(ctx)
	if !settings.Smartcard.Off {
		readers := smartcard.New(server, logger)
		go readers.Run(ctx)
	}
	// Reading chips needs no face models, so they are read when first asked for.
	lazy := &lazyEngine{open: func() (*decode.Server, error) {
		models, err := c.openModels()
		if err != nil {
			return nil, err
		}
		return decode.NewServer(cores(), engineOnly(decode.Engines(models, cores()))), nil
	}}
	facev1.RegisterFaceServiceServer(server, &cameraface.Service{Camera: cameras, Engine: lazy})
	return lazy.close
}

// openFingers makes libfprint ready, before the sandbox: its news of the USB bus
// come by a kernel socket that cannot be made inside. Nil where nothing is
// configured.
func openFingers(sensors []config.Sensor) (*fprint.Library, error) {
	if len(sensors) == 0 {
		return nil, nil
	}
	virtual := map[string]string{}
	for _, s := range sensors {
		if s.Virtual() {
			virtual[s.Driver] = s.Socket
		}
	}
	return fprint.Open(virtual)
}

// engineOnly keeps the default engine.
func engineOnly(all map[decodev1.FaceEngine]decode.Engine) map[decodev1.FaceEngine]decode.Engine {
	const dlib = decodev1.FaceEngine_FACE_ENGINE_DLIB
	return map[decodev1.FaceEngine]decode.Engine{dlib: all[dlib]}
}

// defaultPCSC is where Debian's pcscd listens.
const defaultPCSC = "/run/pcscd/pcscd.comm"

// devicesProfile allows what the configuration lists and nothing else.
func devicesProfile(settings config.Config, models string) sandbox.Profile {
	profile := sandbox.Profile{Libraries: true, AllowUnixSockets: !settings.Smartcard.Off}
	pcsc := os.Getenv("PCSCLITE_CSOCK_NAME")
	if pcsc == "" {
		pcsc = defaultPCSC
	}
	profile.UnixSockets = []string{pcsc}
	// Whether pcscd is there is seen by looking at its socket. The folder is
	// named, as the socket comes anew with each pcscd.
	for _, path := range []string{filepath.Dir(pcsc), models} {
		if _, err := os.Stat(path); err == nil {
			profile.ReadOnly = append(profile.ReadOnly, path)
		}
	}
	profile.UnixSockets = append(profile.UnixSockets, filepath.Dir(pcsc))
	for _, source := range settings.Cameras {
		if _, err := os.Stat(source.Path); err != nil {
			continue // told by the driver when somebody asks for it
		}
		if source.Kind == config.KindDevice {
			profile.Devices = append(profile.Devices, source.Path)
		} else {
			profile.ReadOnly = append(profile.ReadOnly, source.Path)
		}
	}
	allowFingers(&profile, settings.Fingers)
	return profile
}

// usbNodes is where libusb opens sensors; a folder, as a sensor plugged in
// again has another node.
const usbNodes = "/dev/bus/usb"

// allowFingers lets a virtual sensor listen in its own folder and a real one
// be reached.
func allowFingers(profile *sandbox.Profile, sensors []config.Sensor) {
	for _, s := range sensors {
		if s.Virtual() {
			profile.AllowUnixSockets = true
			profile.ListenIn = append(profile.ListenIn, filepath.Dir(s.Socket))
			continue
		}
		if _, err := os.Stat(usbNodes); err == nil {
			profile.DeviceFolders = append(profile.DeviceFolders, usbNodes)
		}
		for _, path := range []string{"/sys/bus/usb", "/sys/devices", "/run/udev"} {
			if _, err := os.Stat(path); err == nil {
				profile.ReadOnly = append(profile.ReadOnly, path)
			}
		}
	}
}
