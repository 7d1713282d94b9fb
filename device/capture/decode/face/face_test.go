package face

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/watchpost/watchpost/device/fault"
)

func TestLoadModelsRefuses(t *testing.T) {
	dir := t.TempDir()
	if _, err := LoadModels(dir); !errors.Is(err, ErrModelMissing) || fault.HintOf(err) == "" {
		t.Errorf("empty folder: %v, hint %q", err, fault.HintOf(err))
	}
	if _, err := LoadModels(filepath.Join(dir, "none")); !errors.Is(err, ErrModelMissing) {
		t.Errorf("no folder: %v", err)
	}
	for name, content := range map[string][]byte{"empty": nil, "short": []byte("dlib"), "long": make([]byte, LandmarksFile.Size+10), "zeros": make([]byte, LandmarksFile.Size)} {
		if err := os.WriteFile(filepath.Join(dir, LandmarksFile.Name), content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadModels(dir); !errors.Is(err, ErrModelCorrupt) || fault.HintOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := os.Remove(filepath.Join(dir, LandmarksFile.Name)); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, LandmarksFile.Name), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadModels(dir); !errors.Is(err, ErrModelCorrupt) {
		t.Errorf("a folder in place of the file: %v", err)
	}
}

func TestModelDir(t *testing.T) {
	t.Setenv("WATCHPOST_MODELS", "/somewhere")
	if ModelDir() != "/somewhere" {
		t.Error(ModelDir())
	}
	t.Setenv("WATCHPOST_MODELS", "")
	t.Setenv("XDG_CACHE_HOME", "")
	t.Setenv("HOME", "/home/h")
	if ModelDir() != "/home/h/.cache/watchpost/models" {
		t.Error(ModelDir())
	}
}

func TestRasterCheck(t *testing.T) {
	good := Raster{Pix: make([]byte, 7*2+6), Width: 2, Height: 3, Stride: 7}
	if err := good.Check(); err != nil {
		t.Error(err)
	}
	for name, r := range map[string]Raster{
		"zero": {}, "short": {Pix: make([]byte, 19), Width: 2, Height: 3, Stride: 7}, "narrow stride": {Pix: make([]byte, 99), Width: 2, Height: 3, Stride: 5},
		"negative": {Pix: make([]byte, 99), Width: 2, Height: -3, Stride: 6}, "overflow": {Pix: make([]byte, 99), Width: 1 << 40, Height: 1 << 40, Stride: 3 << 40},
	} {
		if r.Check() == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func TestHalfAndDouble(t *testing.T) {
	r := Raster{Width: 5, Height: 3, Stride: 16, Pix: make([]byte, 48)}
	for y := range 3 {
		for x := range 5 {
			copy(r.Pix[y*16+3*x:], []byte{byte(10 * x), byte(20 * y), 200})
		}
	}
	h := r.Half()
	if h.Width != 2 || h.Height != 1 || h.Check() != nil || h.Pix[0] != 5 || h.Pix[1] != 10 || h.Pix[2] != 200 || h.Pix[3] != 25 {
		t.Errorf("half: %+v", h)
	}
	d := r.Double()
	if d.Width != 10 || d.Height != 6 || d.Check() != nil {
		t.Fatalf("double: %dx%d", d.Width, d.Height)
	}
	// New pixels lie at quarters between the old ones, and no further out.
	for x, want := range []byte{0, 3, 8, 13, 18, 23, 28, 33, 38, 40} {
		if got := d.Pix[2*d.Stride+3*x]; math.Abs(float64(got)-float64(want)) > 1 {
			t.Errorf("column %d: %d, want %d", x, got, want)
		}
	}
	for y, want := range []byte{0, 5, 15, 25, 35, 40} {
		if got := d.Pix[y*d.Stride+1]; got != want {
			t.Errorf("row %d: %d, want %d", y, got, want)
		}
	}
}

func TestUnitRefuses(t *testing.T) {
	for name, v := range map[string]float32{"zero": 0, "nan": float32(math.NaN()), "inf": float32(math.Inf(1))} {
		var x [Dimensions]float32
		x[3] = v
		if Unit(&x) == nil {
			t.Errorf("%s has a direction", name)
		}
	}
	x := [Dimensions]float32{3, 4}
	if err := Unit(&x); err != nil || x[0] != 0.6 || x[1] != 0.8 {
		t.Error(x[:2], err)
	}
}

// counted is an engine that notices being shared.
type counted struct {
	mu     sync.Mutex
	closed bool
	t      *testing.T
}

func (c *counted) Template(context.Context, Raster, Effort) (Template, error) {
	if !c.mu.TryLock() {
		c.t.Error("an engine is used by two")
		return Template{}, nil
	}
	defer c.mu.Unlock()
	return Template{}, ErrNone
}
func (c *counted) Model() Model { return Model{"m", "1"} }
func (c *counted) Close() error { c.closed = true; return nil }

func TestPool(t *testing.T) {
	var opened []*counted
	var mu sync.Mutex
	fail := errors.New("cannot open")
	tries := 0
	p := NewPool(2, func() (Engine, error) {
		mu.Lock()
		defer mu.Unlock()
		if tries++; tries == 1 {
			return nil, fail
		}
		e := &counted{t: t}
		opened = append(opened, e)
		return e, nil
	})
	ctx := context.Background()
	if err := p.Use(ctx, func(Engine) error { return nil }); !errors.Is(err, fail) {
		t.Fatalf("a failed opening: %v", err)
	}
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			err := p.Use(ctx, func(e Engine) error { _, err := e.Template(ctx, Raster{}, Still); return err })
			if !errors.Is(err, ErrNone) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := len(opened); n < 1 || n > 2 {
		t.Errorf("%d engines for a pool of 2", n)
	}
	// With all engines lent out, a caller waits no longer than its context.
	hold := make(chan struct{})
	var held, ready sync.WaitGroup
	for range 2 {
		ready.Add(1)
		held.Go(func() {
			if err := p.Use(ctx, func(Engine) error { ready.Done(); <-hold; return nil }); err != nil {
				t.Error(err)
			}
		})
	}
	ready.Wait()
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if err := p.Use(ended, func(Engine) error { return nil }); fault.CodeOf(err) != "face.busy" {
		t.Errorf("waiting after the end: %v", err)
	}
	close(hold)
	held.Wait()
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	for i, e := range opened {
		if !e.closed {
			t.Errorf("engine %d is left open", i)
		}
	}
	if err := p.Use(ctx, func(Engine) error { return nil }); fault.CodeOf(err) != "face.closed" {
		t.Errorf("used after closing: %v", err)
	}
}
