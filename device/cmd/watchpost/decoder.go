package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/watchpost/watchpost/device/capture"
	"github.com/watchpost/watchpost/device/fault"
	decodev1 "github.com/watchpost/watchpost/sdk/proto/decode/v1"
)

// decoder is a private decode process that is started anew when an image has
// ended it. It is safe for concurrent use.
type decoder struct {
	options capture.Options
	engine  decodev1.FaceEngine
	errOut  io.Writer

	// alone is held for writing by a call that may have ended the process
	// once already, so that it cannot take another's with it.
	alone sync.RWMutex

	mu     sync.Mutex // protects client
	client *capture.Client
}

func newDecoder(errOut io.Writer) *decoder {
	return &decoder{options: capture.Options{Role: capture.Decode}, errOut: errOut}
}

// compareSuffix ends the name of a capture program that was built with go-face
// in it, beside the one that ships without.
const compareSuffix = "-goface"

// use chooses the face engine, and for go-face the program built to compare
// where there is one.
func (d *decoder) use(engine decodev1.FaceEngine) {
	d.engine = engine
	if engine != decodev1.FaceEngine_FACE_ENGINE_GO_FACE {
		return
	}
	own, err := os.Executable()
	if err != nil {
		return // the usual program will say that it has no such engine
	}
	path := filepath.Join(filepath.Dir(own), capture.Program+compareSuffix)
	if _, err := os.Stat(path); err == nil {
		d.options.Binary = path
	}
}

// get returns the process, started if there is none.
func (d *decoder) get(ctx context.Context) (*capture.Client, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.client != nil {
		select {
		case <-d.client.Lost():
			d.client.Close()
			d.client = nil
		default:
			return d.client, nil
		}
	}
	c, err := capture.Start(ctx, d.options)
	if err != nil {
		return nil, err
	}
	d.client = c
	return c, nil
}

// drop ends the process used, unless another has taken its place already.
func (d *decoder) drop(c *capture.Client) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.client == c {
		c.Close()
		d.client = nil
	}
}

// Close ends the process.
func (d *decoder) Close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.client != nil {
		d.client.Close()
		d.client = nil
	}
}

// do calls f with the process. If the process is lost during the call, f is
// called once more, alone and with a new one: then either another image had
// ended it, or this one does so again and gets the error.
func (d *decoder) do(ctx context.Context, f func(*capture.DecodeClient) error) error {
	once := func() error {
		c, err := d.get(ctx)
		if err != nil {
			return err
		}
		err = f(c.Decode())
		if errors.Is(err, capture.ErrLost) {
			d.drop(c)
		}
		return err
	}
	d.alone.RLock()
	err := once()
	d.alone.RUnlock()
	if !errors.Is(err, capture.ErrLost) || ctx.Err() != nil {
		return err
	}
	d.alone.Lock()
	defer d.alone.Unlock()
	return once()
}

// imageLimit is how long one image may take: a large one without a face goes
// through every detector, on a machine that has other work. What measures
// files waits for the answer; nobody stands before it.
const imageLimit = 10 * time.Minute

// face returns the template of an image file.
func (d *decoder) face(ctx context.Context, path string) (capture.Face, error) {
	ctx, cancel := context.WithTimeout(ctx, imageLimit)
	defer cancel()
	img, err := readImage(path)
	if err != nil {
		return capture.Face{}, err
	}
	var out capture.Face
	err = d.do(ctx, func(c *capture.DecodeClient) error {
		var err error
		out, err = c.FaceTemplate(ctx, img, d.engine)
		return err
	})
	return out, err
}

// ready starts the process and loads the models, so that a missing model is
// said once and not for every image.
func (d *decoder) ready(ctx context.Context) (capture.DecodeInfo, error) {
	var info capture.DecodeInfo
	err := d.do(ctx, func(c *capture.DecodeClient) error {
		var err error
		info, err = c.Describe(ctx, d.engine)
		return err
	})
	return info, err
}

// faces computes the templates of many image files on all cores and calls
// each with every index, from one goroutine at a time and in the order of
// paths. The first error that each returns ends the work. A face whose file
// failed comes with an error.
func (d *decoder) faces(ctx context.Context, paths []string, each func(i int, f capture.Face, err error) error) error {
	info, err := d.ready(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type result struct {
		face capture.Face
		err  error
	}
	workers := min(info.Parallel, runtime.NumCPU(), max(len(paths), 1))
	results := make([]chan result, len(paths))
	for i := range results {
		results[i] = make(chan result, 1)
	}
	next := make(chan int)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := range next {
				f, err := d.face(ctx, paths[i])
				results[i] <- result{f, err}
			}
		})
	}
	wg.Go(func() {
		defer close(next)
		for i := range paths {
			select {
			case next <- i:
			case <-ctx.Done():
				return
			}
		}
	})
	defer wg.Wait()
	defer cancel()
	progress := newProgress(d.errOut, "face", len(paths))
	for i := range paths {
		select {
		case r := <-results[i]:
			if r.err == nil {
				progress.took(r.face.Took)
			}
			progress.step()
			if err := each(i, r.face, r.err); err != nil {
				return err
			}
		case <-ctx.Done():
			return fault.Wrap("call.canceled", ctx.Err())
		}
	}
	progress.end()
	return nil
}

// readImage reads an image file, never more of it than can be decoded.
func readImage(path string) ([]byte, error) {
	// Asked before it is opened: opening a pipe waits for whoever writes to it.
	info, err := os.Stat(path)
	if err != nil {
		return nil, fault.Wrap("file.open", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fault.New("file.not_regular", "%s is no regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fault.Wrap("file.open", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, capture.MaxImageBytes+1))
	if err != nil {
		return nil, fault.Wrap("file.read", err)
	}
	if len(b) > capture.MaxImageBytes {
		return nil, fault.New(capture.ErrImageTooLarge.Code, "%s is larger than %d bytes", path, capture.MaxImageBytes)
	}
	return b, nil
}

// progress tells people how far long work has come, on standard error and
// only when it takes long. It is for one goroutine.
type progress struct {
	out          io.Writer
	what         string
	total, done  int
	start, spoke time.Time
	sum          time.Duration
	timed        int
}

const progressEvery = 2 * time.Second

func newProgress(out io.Writer, what string, total int) *progress {
	now := time.Now()
	return &progress{out: out, what: what, total: total, start: now, spoke: now}
}

func (p *progress) took(d time.Duration) { p.sum += d; p.timed++ }

func (p *progress) step() {
	p.done++
	if time.Since(p.spoke) < progressEvery {
		return
	}
	p.spoke = time.Now()
	fmt.Fprintf(p.out, "%s: %d of %d, %.1f a second\n", p.what, p.done, p.total, float64(p.done)/time.Since(p.start).Seconds())
}

// tell says how far a stage of the work has come.
func (p *progress) tell(what string, done, of int) {
	if time.Since(p.spoke) >= progressEvery {
		p.spoke = time.Now()
		fmt.Fprintf(p.out, "%s: %s, %d of %d\n", p.what, what, done, of)
	}
}

// end tells what the work cost, where there was enough of it to tell.
func (p *progress) end() {
	if p.timed < 10 {
		return
	}
	fmt.Fprintf(p.out, "%s: %d of %d done, %.1f ms each on one core\n", p.what, p.timed, p.total,
		float64(p.sum.Microseconds())/1000/float64(p.timed))
}
