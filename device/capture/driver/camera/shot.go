package camera

import (
	"hash/maphash"
	"sync"
	"time"

	"gocv.io/x/gocv"

	"github.com/watchpost/watchpost/device/capture/driver/config"
	"github.com/watchpost/watchpost/sdk/driver"
	driverv1 "github.com/watchpost/watchpost/sdk/proto/driver/v1"
)

// shot is one frame: three bytes a pixel, blue first, rows without gaps. Its
// pixels are never changed once it is made, so that several streams and a kept
// capture may share it; the memory is Go's.
type shot struct {
	sequence  uint64
	begun     int64 // monotonic nanoseconds when its reading began
	time      *driverv1.Timestamp
	pix       []byte
	width     int
	height    int
	luminance float64 // mean, 0 to 255
	state     driverv1.FrameState

	mu   sync.Mutex
	jpeg map[encoding][]byte // guarded by mu: encodings made so far
}

type encoding struct{ width, quality int }

func newShot(mat gocv.Mat) (*shot, error) {
	s := &shot{width: mat.Cols(), height: mat.Rows()}
	if mat.Type() != gocv.MatTypeCV8UC3 || s.width < 1 || s.height < 1 || s.width > config.MaxSide || s.height > config.MaxSide {
		return nil, driver.Errorf(driver.DeviceFault, "a frame of %dx%d, type %d", s.width, s.height, mat.Type())
	}
	s.pix = mat.ToBytes()
	if len(s.pix) != 3*s.width*s.height {
		return nil, driver.Errorf(driver.DeviceFault, "a frame of %d bytes for %dx%d", len(s.pix), s.width, s.height)
	}
	return s, nil
}

// again returns the same picture as a frame of its own.
func (s *shot) again() *shot {
	return &shot{pix: s.pix, width: s.width, height: s.height}
}

// mat returns the pixels as OpenCV's; the caller closes it.
func (s *shot) mat() (gocv.Mat, error) {
	m, err := gocv.NewMatFromBytes(s.height, s.width, gocv.MatTypeCV8UC3, s.pix)
	if err != nil {
		return m, driver.Errorf(driver.DeviceFault, "OpenCV: %v", err)
	}
	return m, nil
}

// asJPEG encodes the frame, scaled down to maxWidth where that is not 0.
func (s *shot) asJPEG(maxWidth, quality int) ([]byte, int, int, error) {
	width, height := s.width, s.height
	if maxWidth > 0 && width > maxWidth {
		width, height = maxWidth, max(1, (s.height*maxWidth+s.width/2)/s.width)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	key := encoding{width, quality}
	if data, ok := s.jpeg[key]; ok {
		return data, width, height, nil
	}
	m, err := s.mat()
	if err != nil {
		return nil, 0, 0, err
	}
	defer m.Close()
	if width != s.width {
		gocv.Resize(m, &m, imagePoint(width, height), 0, 0, gocv.InterpolationArea)
	}
	buffer, err := gocv.IMEncodeWithParams(gocv.JPEGFileExt, m, []int{gocv.IMWriteJpegQuality, quality})
	if err != nil {
		return nil, 0, 0, driver.Errorf(driver.DeviceFault, "OpenCV cannot encode the frame")
	}
	defer buffer.Close()
	data := append([]byte(nil), buffer.GetBytes()...)
	if s.jpeg == nil {
		s.jpeg = map[encoding][]byte{}
	}
	s.jpeg[key] = data
	return data, width, height, nil
}

// sharpness is the variance of the Laplacian of the luminance.
func (s *shot) sharpness() (float64, error) {
	m, err := s.mat()
	if err != nil {
		return 0, err
	}
	defer m.Close()
	grey, lap, mean, dev := gocv.NewMat(), gocv.NewMat(), gocv.NewMat(), gocv.NewMat()
	defer grey.Close()
	defer lap.Close()
	defer mean.Close()
	defer dev.Close()
	gocv.CvtColor(m, &grey, gocv.ColorBGRToGray)
	gocv.Laplacian(grey, &lap, gocv.MatTypeCV64F, 1, 1, 0, gocv.BorderDefault)
	gocv.MeanStdDev(lap, &mean, &dev)
	d := dev.GetDoubleAt(0, 0)
	return d * d, nil
}

// judge finds frozen and black frames. It is used by one goroutine.
type judge struct {
	frozenAfter time.Duration // 0 = never
	seed        maphash.Seed
	seeded      bool
	last        uint64
	since       int64 // monotonic nanoseconds of the first of the identical frames
}

const (
	// A covered lens or a light that is off: nothing above blackMax in all but a
	// thousandth of the pixels, which hot pixels of a sensor may be.
	blackMax   = 24
	blackShare = 0.001
	step       = 4 // every fourth pixel of every fourth row tells enough
)

// judge fills in luminance and state. Identical frames are found by a hash of
// all pixels: a sensor's noise never repeats.
func (j *judge) judge(s *shot) {
	var histogram [256]int
	total, sum := 0, 0
	for y := 0; y < s.height; y += step {
		row := s.pix[3*y*s.width : 3*(y+1)*s.width]
		for x := 0; x+2 < len(row); x += 3 * step {
			// ITU-R BT.601 weights in 1/256.
			l := (29*int(row[x]) + 150*int(row[x+1]) + 77*int(row[x+2])) >> 8
			histogram[l]++
			sum += l
			total++
		}
	}
	s.luminance = float64(sum) / float64(total)
	bright := 0
	for _, n := range histogram[blackMax:] {
		bright += n
	}
	s.state = driverv1.FrameState_FRAME_STATE_GOOD
	if float64(bright) <= blackShare*float64(total) {
		s.state = driverv1.FrameState_FRAME_STATE_BLACK
	}
	if j.frozenAfter == 0 {
		return
	}
	if !j.seeded {
		j.seed, j.seeded = maphash.MakeSeed(), true
	}
	sum64 := maphash.Bytes(j.seed, s.pix)
	if sum64 != j.last || j.since == 0 {
		j.last, j.since = sum64, s.time.GetMonotonicNs()
		return
	}
	if s.time.GetMonotonicNs()-j.since >= j.frozenAfter.Nanoseconds() {
		s.state = driverv1.FrameState_FRAME_STATE_FROZEN
	}
}
