package camera

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gocv.io/x/gocv"

	"github.com/watchpost/watchpost/device/capture/driver/config"
	"github.com/watchpost/watchpost/sdk/driver"
)

// source gives frames one after the other. It is used by one goroutine.
type source interface {
	// read returns the next frame; device.lost when there is none any more.
	read() (*shot, error)
	close()
}

func open(s config.Source) (source, error) {
	switch s.Kind {
	case config.KindDevice:
		return openVideo(s, gocv.VideoCaptureV4L2)
	case config.KindVideo:
		return openVideo(s, gocv.VideoCaptureFFmpeg)
	}
	return openImages(s)
}

// video is a V4L2 device or a file. OpenCV's back end is named, so that none
// that loads plug-ins or opens network addresses gets a try.
type video struct {
	config  config.Source
	api     gocv.VideoCaptureAPI
	capture *gocv.VideoCapture
	mat     gocv.Mat
}

func openVideo(s config.Source, api gocv.VideoCaptureAPI) (*video, error) {
	if _, err := os.Stat(s.Path); err != nil {
		return nil, driver.Errorf(driver.DeviceLost, "the source has gone")
	}
	v := &video{config: s, api: api}
	if err := v.start(); err != nil {
		return nil, err
	}
	v.mat = gocv.NewMat()
	return v, nil
}

func (v *video) start() error {
	capture, err := gocv.OpenVideoCaptureWithAPI(v.config.Path, v.api)
	if err != nil {
		return driver.Errorf(driver.DeviceFault, "OpenCV cannot open the source").
			WithHint("another program may hold the camera, or the file is no video")
	}
	if v.config.Kind == config.KindDevice {
		// One buffered frame: a preview that lags is worse than one that skips.
		capture.Set(gocv.VideoCaptureBufferSize, 1)
		if v.config.Width > 0 {
			capture.Set(gocv.VideoCaptureFrameWidth, float64(v.config.Width))
		}
		if v.config.Height > 0 {
			capture.Set(gocv.VideoCaptureFrameHeight, float64(v.config.Height))
		}
		if v.config.FPS > 0 {
			capture.Set(gocv.VideoCaptureFPS, v.config.FPS)
		}
	}
	v.capture = capture
	return nil
}

func (v *video) read() (*shot, error) {
	if v.capture.Read(&v.mat) && !v.mat.Empty() {
		return newShot(v.mat)
	}
	if v.config.Kind != config.KindVideo || !v.config.Loop {
		return nil, driver.Errorf(driver.DeviceLost, "no more frames")
	}
	// Seeking to the start is not exact in every container: open it again.
	v.capture.Close()
	if err := v.start(); err != nil {
		return nil, err
	}
	if !v.capture.Read(&v.mat) || v.mat.Empty() {
		return nil, driver.Errorf(driver.DeviceFault, "the file holds no frame")
	}
	return newShot(v.mat)
}

func (v *video) close() {
	v.capture.Close()
	v.mat.Close()
}

// images shows pictures. Each is decoded once and kept when there are few.
type images struct {
	config config.Source
	folder bool
	files  []string
	next   int
	cache  map[string]*shot
}

// cached is how many decoded pictures are kept.
const cached = 32

var pictureTypes = []string{".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".pgm"}

func openImages(s config.Source) (*images, error) {
	info, err := os.Stat(s.Path)
	if err != nil {
		return nil, driver.Errorf(driver.DeviceLost, "the source has gone")
	}
	in := &images{config: s, folder: info.IsDir(), files: []string{s.Path}, cache: map[string]*shot{}}
	if err := in.list(); err != nil {
		return nil, err
	}
	return in, nil
}

// list reads the folder's names anew: a bench puts another person before the
// camera by changing its pictures.
func (in *images) list() error {
	if !in.folder {
		return nil
	}
	entries, err := os.ReadDir(in.config.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return driver.Errorf(driver.DeviceLost, "the source has gone")
	} else if err != nil {
		return driver.Errorf(driver.DeviceFault, "the folder cannot be read")
	}
	var files []string
	for _, e := range entries { // in order of names
		if e.Type().IsRegular() && slices.Contains(pictureTypes, strings.ToLower(filepath.Ext(e.Name()))) {
			files = append(files, filepath.Join(in.config.Path, e.Name()))
		}
	}
	if len(files) == 0 {
		return driver.Errorf(driver.DeviceFault, "the folder holds no picture").WithHint("JPEG, PNG, BMP, PPM or PGM")
	}
	if !slices.Equal(files, in.files) {
		clear(in.cache)
	}
	in.files, in.next = files, 0
	return nil
}

func (in *images) read() (*shot, error) {
	if in.next == len(in.files) {
		if !in.config.Loop {
			return nil, driver.Errorf(driver.DeviceLost, "no more pictures")
		}
		in.next = 0
	}
	file := in.files[in.next]
	// A picture taken away means that the folder has changed; a folder taken
	// away is a camera unplugged.
	if _, err := os.Stat(file); err != nil {
		if !in.folder {
			return nil, driver.Errorf(driver.DeviceLost, "the source has gone")
		}
		if err := in.list(); err != nil {
			return nil, err
		}
		file = in.files[0]
	}
	in.next++
	if s, ok := in.cache[file]; ok {
		return s.again(), nil
	}
	mat := gocv.IMRead(file, gocv.IMReadColor)
	defer mat.Close()
	if _, err := os.Stat(file); mat.Empty() && err != nil && in.folder {
		if err := in.list(); err != nil { // taken away this very moment
			return nil, err
		}
		in.next = 1
		again := gocv.IMRead(in.files[0], gocv.IMReadColor)
		defer again.Close()
		again.CopyTo(&mat)
		file = in.files[0]
	}
	if mat.Empty() {
		return nil, driver.Errorf(driver.DeviceFault, "a picture cannot be read")
	}
	s, err := newShot(mat)
	if err == nil && len(in.cache) < cached {
		in.cache[file] = s
		s = s.again()
	}
	return s, err
}

func (in *images) close() {}

// pace holds frames back to a rate.
type pace struct {
	every time.Duration
	due   time.Time
}

func newPace(fps float64) *pace {
	if fps == 0 {
		fps = config.DefaultFPS
	}
	return &pace{every: time.Duration(float64(time.Second) / fps), due: time.Now()}
}

func (p *pace) wait(ctx context.Context) error {
	now := time.Now()
	delay := p.due.Sub(now)
	p.due = p.due.Add(p.every)
	if p.due.Before(now) { // fell behind: no burst to catch up
		p.due = now.Add(p.every)
	}
	if delay <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
