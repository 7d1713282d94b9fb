package encounter

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"io"
	"log/slog"
	"math"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/biometric/template"
	"github.com/watchpost/watchpost/device/document/inspect"
	"github.com/watchpost/watchpost/device/encounter/policy"
	"github.com/watchpost/watchpost/device/encounter/retention"
	"github.com/watchpost/watchpost/device/encounter/store"
	"github.com/watchpost/watchpost/device/screening"
)

// bench is a post whose devices and sources are played by the test; store,
// policy and state machine are the real ones.
type bench struct {
	t    *testing.T
	dir  string
	post *Post

	mu       sync.Mutex
	now      time.Time
	boot     string        // this run of the machine
	up       time.Duration // since its start
	document DocumentResult
	docErr   error
	shot     FaceCapture
	shotErr  error
	portrait template.Face
	result   screening.Result
	asked    []screening.Question
	late     func(screening.Reply)
	hang     chan struct{} // if set, the camera waits for it
	// hangScreen, if set, keeps the sources from answering until it is closed.
	hangScreen chan struct{}
	policy     *policy.Policy // nil is the default
}

func (b *bench) ReadDocument(_ context.Context, _ DocumentKey, progress func(Progress)) (DocumentResult, error) {
	progress(Progress{Stage: "SOD", Done: 1, Total: 2})
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.document, b.docErr
}

func (b *bench) CaptureFace(ctx context.Context, _ int) (FaceCapture, error) {
	b.mu.Lock()
	hang, shot, err := b.hang, b.shot, b.shotErr
	b.mu.Unlock()
	if hang != nil {
		select {
		case <-hang:
		case <-ctx.Done():
			return FaceCapture{}, ctx.Err()
		}
	}
	shot.Templates = slices.Clone(shot.Templates)
	return shot, err
}

func (b *bench) DecodePortrait(context.Context, []byte) (Portrait, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return Portrait{Face: b.portrait, JPEG: []byte("jpeg of the chip's portrait")}, nil
}

func (b *bench) ScoreAt(float64) float64 { return 0.9 }

func (b *bench) FMRAt(float64) float64 { return 1e-3 }

func (b *bench) Screen(ctx context.Context, q screening.Question, late func(screening.Reply)) screening.Result {
	b.mu.Lock()
	hang := b.hangScreen
	b.mu.Unlock()
	if hang != nil {
		select {
		case <-hang:
		case <-ctx.Done():
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked = append(b.asked, q)
	b.late = late
	return b.result
}

func (b *bench) Now() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

func (b *bench) moment() retention.Moment {
	b.mu.Lock()
	defer b.mu.Unlock()
	return retention.Moment{Wall: b.now, Boot: b.boot, Up: b.up}
}

// pass lets time go by on every clock, and sweeps.
func (b *bench) pass(d time.Duration) {
	b.t.Helper()
	b.mu.Lock()
	b.now, b.up = b.now.Add(d), b.up+d
	b.mu.Unlock()
	if err := b.post.Sweep(); err != nil {
		b.t.Fatal(err)
	}
}

type sealer struct{ cipher.AEAD }

func (s sealer) Seal(id, plain []byte) ([]byte, error) { return s.AEAD.Seal(nil, nil, plain, id), nil }

func (s sealer) Open(id, sealed []byte) ([]byte, error) { return s.AEAD.Open(nil, nil, sealed, id) }

func newSealer(t *testing.T) sealer {
	t.Helper()
	block, err := aes.NewCipher(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		t.Fatal(err)
	}
	return sealer{aead}
}

func person(angle float64) template.Face {
	f := template.Face{Model: "m", Version: "1", Images: 1}
	f.Vector[0], f.Vector[1] = float32(math.Cos(angle)), float32(math.Sin(angle))
	return f
}

func genuine() DocumentResult {
	return DocumentResult{
		Inspection: inspect.Inspection{Checks: []inspect.Check{
			{Code: inspect.SODSignature, Result: inspect.Pass}, {Code: inspect.DSChain, Result: inspect.Pass},
			{Code: inspect.GroupHash(1), Result: inspect.Pass}, {Code: inspect.GroupHash(2), Result: inspect.Pass},
		}},
		Portrait: []byte("picture"), Vouched: true, BirthDate: "1990-05-04",
		Document: screening.DocumentProbe{Type: "P", Issuer: "UTO", Number: "L898902C3"},
	}
}

func candidate() screening.Candidate {
	return screening.Candidate{Source: "local", List: "l", Record: "r1", Name: "LISTED", Scores: []screening.Score{{Modality: screening.Face, Value: 0.97}}}
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, dir: t.TempDir(), now: time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC), boot: "boot-1", up: time.Hour}
	b.document = genuine()
	b.shot = FaceCapture{Templates: []template.Face{person(0), person(0.02), person(0.01)}, Quality: 80, Faces: 1}
	b.portrait = person(0.05)
	b.result = screening.Result{Answer: screening.Clear}
	b.start()
	return b
}

func (b *bench) start() {
	b.t.Helper()
	st, err := store.Open(b.dir, newSealer(b.t))
	if err != nil {
		b.t.Fatal(err)
	}
	rules := b.policy
	if rules == nil {
		rules = policy.Default(policy.Desk)
	}
	b.post, err = NewPost(Dependencies{
		Name: "p1", Policy: rules, Documents: b, Camera: b, Portraits: b, Faces: b, Screener: b,
		Store: st, Events: NewEvents(), Now: b.Now, Clock: b.moment, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Answered: func(time.Duration) {}, Ended: func(Outcome) {},
	})
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(b.stop)
}

func (b *bench) stop() {
	b.post.Stop()
	_ = b.post.Store.Close() // closed twice where a test restarts
}

// until waits for the event that brings the encounter into the wanted state.
func (b *bench) until(id string, want func(Encounter) bool) Encounter {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 20*time.Second)
	defer cancel()
	var after uint64
	for {
		e, err := b.post.Get(id)
		if err != nil {
			b.t.Fatal(err)
		}
		if want(e) {
			return e
		}
		batch, err := b.post.Events.Next(ctx, after)
		if err != nil {
			b.t.Fatalf("waiting: %v; it stands at %s", err, e.State)
		}
		after = batch[len(batch)-1].Seq
	}
}

func inReview(e Encounter) bool { return e.State == Review }

func (b *bench) open(document bool, age AgeClass) Encounter {
	b.t.Helper()
	e, err := b.post.Open(OpenRequest{Officer: "o1", Purpose: "border_check", Document: document, Declared: Declared{Age: age}})
	if err != nil {
		b.t.Fatal(err)
	}
	return e
}

// walk opens an encounter and takes it to review.
func (b *bench) walk(document bool, age AgeClass) Encounter {
	b.t.Helper()
	e := b.open(document, age)
	if document {
		if err := b.post.ReadDocument(e.ID, DocumentKey{MRZ: "x"}); err != nil {
			b.t.Fatal(err)
		}
	}
	if err := b.post.CaptureFace(e.ID); err != nil {
		b.t.Fatal(err)
	}
	return b.until(e.ID, inReview)
}
