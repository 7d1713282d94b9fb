package camera

import (
	"github.com/watchpost/watchpost/device/capture/driver/config"
	driverv1 "github.com/watchpost/watchpost/sdk/proto/driver/v1"
)

// maxBurst is the frames of one capture: at 4K 400 MB of raw pixels.
const maxBurst = 16

// describe is the device that a source appears as.
func describe(s config.Source) *driverv1.Device {
	fps := s.FPS
	if fps == 0 {
		fps = config.DefaultFPS
	}
	return &driverv1.Device{
		Id: s.ID, Kind: driverv1.DeviceKind_DEVICE_KIND_CAMERA, Model: string(s.Kind) + " through OpenCV",
		Virtual: s.Kind != config.KindDevice,
		Camera: &driverv1.CameraAbility{
			Width: uint32(s.Width), Height: uint32(s.Height), FramesPerSecond: fps, MaxBurst: maxBurst,
		},
	}
}
