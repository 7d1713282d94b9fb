package knocks_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/watchpost/watchpost/hwtest/bench"
	"github.com/watchpost/watchpost/hwtest/demo"
	"github.com/watchpost/watchpost/hwtest/knocks"
	"github.com/watchpost/watchpost/hwtest/passport"
	"github.com/watchpost/watchpost/sdk/client"
)

// Limits: what is not answered within them hangs.
const (
	stepLimit  = time.Minute            // a step: the longest deadline within is 10 s
	stageLimit = 5 * time.Minute        // bench, list and both processes, on a loaded machine
	tryEvery   = 200 * time.Millisecond // no officer is faster, and the API limits calls
)

// Sizes of the list: enough to be a list, small enough to be made at once.
const (
	fewFaces     = 100
	fewDocuments = 1000
)

// stage is one bench and one post that all tests share. Tests on it do not run
// in parallel: one person stands at a post at a time.
type stage struct {
	dir     string
	bin     string
	bench   *bench.Bench
	world   *demo.World
	options demo.Options
	post    *demo.Post
	client  *client.Client
	central *demo.Central
	log     *recorder
	still   string // folder of a state that has been used and that no process holds
	scenes  map[string]string
	seq     uint64 // last event seen
}

// shared is the one stage of this test program.
var shared struct {
	once  sync.Once
	stage *stage
	err   error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if shared.stage != nil {
		if err := shared.stage.strike(); err != nil {
			fmt.Fprintln(os.Stderr, "strike the stage:", err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

// onStage returns the shared stage, set at the first call.
func onStage(t *testing.T) *stage {
	t.Helper()
	shared.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), stageLimit)
		defer cancel()
		shared.stage = &stage{log: &recorder{}}
		shared.err = shared.stage.set(ctx)
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.stage
}

// binaries is where make build puts the programs.
func binaries() (string, error) {
	dir := os.Getenv("WATCHPOST_BIN")
	if dir == "" {
		dir = filepath.Join("..", "..", "bin")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("find the programs: %w", err)
	}
	for _, name := range []string{"watchpost", "watchpostd", "watchpost-capture", "watchpost-central", "hwtest"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			return "", fmt.Errorf("%w: run `make build`, or name the programs' folder in WATCHPOST_BIN", err)
		}
	}
	return dir, nil
}

func (s *stage) set(ctx context.Context) error {
	var err error
	if s.bin, err = binaries(); err != nil {
		return err
	}
	if s.dir, err = os.MkdirTemp("", "wpknocks-"); err != nil {
		return fmt.Errorf("make a folder: %w", err)
	}
	// The bench's helper ends with the thread that started it; the bench takes
	// care of that.
	helper := []string{filepath.Join(s.bin, "hwtest"), "passport", "serve", "--inside"}
	if s.bench, err = bench.Start(ctx, bench.Options{Helper: helper}); err != nil {
		return err
	}
	s.options = demo.Options{
		Bin: s.bin, Reader: s.bench.ReaderName(0), Faces: fewFaces, Documents: fewDocuments, LogLevel: "debug", Log: s.log,
		AnswerWithin: 5 * time.Second, // who stops and kills processes asks for an answer, not for its time
	}
	// Central holds a document that no test lays down.
	elsewhere := passport.Profile{Seed: 8, Issuer: demo.HomeIssuer()}
	if s.central, err = demo.StartCentral(ctx, s.options, elsewhere.Person().DocumentNumber); err != nil {
		return err
	}
	s.options.Central = s.central
	if s.world, err = demo.NewWorld(ctx, filepath.Join(s.dir, "post"), s.options); err != nil {
		return err
	}
	if err := s.makeScenes(); err != nil {
		return err
	}
	// A first run leaves a state with everything in it, for the tests that
	// damage files.
	if err := s.start(ctx); err != nil {
		return err
	}
	first := s.post
	s.post = nil
	if err := first.Stop(); err != nil {
		return err
	}
	// The confined process cannot remove its socket; a supervisor's next
	// start does.
	if err := os.Remove(filepath.Join(s.world.State, "capture.sock")); err != nil {
		return fmt.Errorf("remove the socket: %w", err)
	}
	s.still = filepath.Join(s.dir, "still")
	if err := os.CopyFS(s.still, os.DirFS(s.world.State)); err != nil {
		return fmt.Errorf("copy the state: %w", err)
	}
	return s.start(ctx)
}

func (s *stage) start(ctx context.Context) (err error) {
	if s.post, s.client, err = demo.StartPost(ctx, s.world, s.options, s.bench.PCSCDSocket()); err != nil {
		return err
	}
	return s.central.Connected(ctx, s.client)
}

// makeScenes makes what the camera will see.
func (s *stage) makeScenes() error {
	s.scenes = map[string]string{}
	pictures := demo.Portraits{Dir: demo.PortraitsDir()}
	var both [2]image.Image
	for i, sitter := range []demo.Sitter{demo.Man, demo.Astronaut} {
		var err error
		if s.scenes[sitter.Name], err = pictures.Scene(s.dir, sitter); err != nil {
			return err
		}
		raw, err := pictures.OnChip(sitter)
		if err != nil {
			return err
		}
		if both[i], _, err = image.Decode(bytes.NewReader(raw)); err != nil {
			return fmt.Errorf("decode a portrait: %w", err)
		}
	}
	two, err := knocks.Beside(both[0], both[1])
	if err != nil {
		return err
	}
	for name, picture := range map[string]image.Image{"two": two, "black": knocks.Plain(0), "wall": knocks.Plain(170)} {
		s.scenes[name] = filepath.Join(s.dir, "scene-"+name)
		noise := 3.0
		if name == "black" {
			noise = 0
		}
		if err := knocks.Scene(s.scenes[name], picture, noise); err != nil {
			return err
		}
	}
	return nil
}

// strike ends everything.
func (s *stage) strike() error {
	var errs []error
	if s.post != nil {
		errs = append(errs, s.post.Stop())
	}
	if s.central != nil {
		errs = append(errs, s.central.Stop())
	}
	if s.bench != nil {
		errs = append(errs, s.bench.Close())
	}
	return errors.Join(append(errs, os.RemoveAll(s.dir))...)
}

// passport is the genuine passport of a sitter; faults are its chip's.
func (s *stage) passport(t *testing.T, sitter demo.Sitter, faults ...passport.Fault) passport.Profile {
	t.Helper()
	chip, err := demo.Portraits{Dir: demo.PortraitsDir()}.OnChip(sitter)
	if err != nil {
		t.Fatal(err)
	}
	return passport.Profile{Seed: 7, Issuer: demo.HomeIssuer(), PortraitData: chip, Faults: faults}
}

// lay puts a passport on the reader until the test ends or lift is called.
func (s *stage) lay(t *testing.T, p passport.Profile) (lift func()) {
	t.Helper()
	if err := s.bench.Insert(t.Context(), 0, p); err != nil {
		t.Fatal(err)
	}
	lift = sync.OnceFunc(func() {
		// A card that tore itself off is gone already.
		_ = s.bench.Remove(context.WithoutCancel(t.Context()), 0)
	})
	t.Cleanup(lift)
	return lift
}

// show puts a scene before the camera.
func (s *stage) show(t *testing.T, scene string) {
	t.Helper()
	if err := s.world.Show(s.scenes[scene]); err != nil {
		t.Fatal(err)
	}
}

// capture starts the process of the devices anew, as a supervisor would, with
// another configuration or environment, and puts things right afterwards.
func (s *stage) capture(t *testing.T, config string, env ...string) {
	t.Helper()
	if err := s.post.StopCapture(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.post.StopCapture(); err != nil {
			t.Error(err)
		}
		s.supervise(t)
	})
	if err := s.post.StartCapture(t.Context(), config, env...); err != nil {
		t.Fatal(err)
	}
	s.reached(t)
}

// reached waits until the daemon has found the process of the devices again,
// which it looks for at least once a second.
func (s *stage) reached(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), stepLimit)
	defer cancel()
	tick := time.NewTicker(tryEvery)
	defer tick.Stop()
	for {
		sys, err := s.client.System(ctx)
		if err != nil {
			t.Fatal(err)
		}
		// While it is not there, it stands for its devices itself.
		if len(sys.Devices) != 1 || sys.Devices[0].ID != "capture" {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("the daemon does not find the process of the devices again")
		}
	}
}

// supervise starts the process of the devices as it has to be.
func (s *stage) supervise(t *testing.T) {
	t.Helper()
	if err := s.post.StartCapture(context.WithoutCancel(t.Context()), s.world.Capture, "PCSCLITE_CSOCK_NAME="+s.bench.PCSCDSocket()); err != nil {
		t.Fatal(err)
	}
	s.reached(t)
}

// recorder keeps all that the programs say. It is safe for concurrent use.
type recorder struct {
	mu  sync.Mutex
	buf bytes.Buffer // guarded by mu
}

func (r *recorder) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buf.Write(p)
}

func (r *recorder) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buf.String()
}
