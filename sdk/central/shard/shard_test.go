package shard

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"google.golang.org/protobuf/proto"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/screening"
	"github.com/watchpost/watchpost/device/vault"
	screeningv1 "github.com/watchpost/watchpost/sdk/proto/screening/v1"
)

// part is a worker's share of one list.
type part struct {
	record string
	err    error
	hold   <-chan struct{} // nil answers at once
	asked  chan<- struct{} // nil tells nobody that a question has come
}

func (p part) Ask(ctx context.Context, _ screening.Question) (screening.Reply, error) {
	if p.asked != nil {
		p.asked <- struct{}{}
	}
	if p.hold != nil {
		select {
		case <-p.hold:
		case <-ctx.Done():
			return screening.Reply{}, context.Cause(ctx)
		}
	}
	if p.err != nil {
		return screening.Reply{}, p.err
	}
	return screening.Reply{
		Candidates: []screening.Candidate{{List: "l", Record: p.record, Scores: []screening.Score{{Modality: screening.Document, Value: 1}}}},
		Coverage: []screening.Coverage{{
			List: "l", Owner: "o", Generation: 3, Issued: time.Unix(1000, 0), Records: 10, Asked: []screening.Modality{screening.Document},
			NotAsked: map[screening.Modality]string{screening.Name: "not_performed"}, Shards: 1, Answered: 1,
		}},
	}, nil
}

// testKey seals the searches of these tests.
var testKey = func() *vault.Key {
	key, err := vault.NewRing().Random()
	if err != nil {
		panic(err)
	}
	return key
}()

// connect runs a broker and connects to it.
func connect(t *testing.T) *nats.Conn {
	t.Helper()
	s, err := server.NewServer(&server.Options{DontListen: true, NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	go s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("the broker is not ready")
	}
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	nc, err := nats.Connect("", nats.InProcessServer(s))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

func serve(t *testing.T, nc *nats.Conn, n, of int, p part) *Worker {
	t.Helper()
	w, err := Serve(nc, Place{n, of}, 1, p, testKey, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// soak reports whether the long runs are asked for.
func soak() bool { return os.Getenv("WATCHPOST_SOAK") != "" }

func asked() *screeningv1.AskRequest {
	return &screeningv1.AskRequest{Encounter: "e", Officer: "o", Purpose: "p", Documents: []*screeningv1.DocumentProbe{{Number: "X1"}}}
}

func TestShards(t *testing.T) {
	nc := connect(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	serve(t, nc, 0, 2, part{record: "a"})
	second := serve(t, nc, 1, 2, part{record: "b"})

	whole, err := Ask(ctx, nc, 2, testKey, asked())
	if err != nil || len(whole.Candidates) != 2 || len(whole.Coverage) != 1 {
		t.Fatalf("%v, %v", whole, err)
	}
	if c := whole.Coverage[0]; c.Shards != 2 || c.Answered != 2 || c.Records != 20 || !slices.Equal(c.Asked, []screeningv1.Modality{screeningv1.Modality_MODALITY_DOCUMENT}) {
		t.Errorf("coverage of both: %v", c)
	}

	// A worker that is gone, one that fails and one that hangs leave a partial
	// coverage, never a whole one.
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	hold := make(chan struct{})
	defer close(hold)
	for name, start := range map[string]func() *Worker{
		"gone":  func() *Worker { return nil },
		"fails": func() *Worker { return serve(t, nc, 1, 2, part{err: errors.New("no")}) },
		"hangs": func() *Worker { return serve(t, nc, 1, 2, part{hold: hold}) },
	} {
		sub := start()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		r, err := Ask(ctx, nc, 2, testKey, asked())
		cancel()
		if err != nil || len(r.Candidates) != 1 || r.Coverage[0].Shards != 2 || r.Coverage[0].Answered != 1 {
			t.Errorf("%s: %v, %v", name, r, err)
		}
		if sub != nil {
			if err := sub.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}

	t.Run("no worker at all", func(t *testing.T) {
		if _, err := Ask(ctx, connect(t), 2, testKey, asked()); fault.CodeOf(err) != "source.unavailable" {
			t.Fatal(err)
		}
	})
	t.Run("without a deadline", func(t *testing.T) {
		if _, err := Ask(context.Background(), nc, 1, testKey, asked()); fault.CodeOf(err) != "call.no_deadline" {
			t.Fatal(err)
		}
	})
	t.Run("too many at once", func(t *testing.T) {
		wait, taken := make(chan struct{}), make(chan struct{}, 1)
		defer close(wait)
		busy := connect(t)
		serve(t, busy, 0, 1, part{hold: wait, asked: taken})
		go func() { _, _ = Ask(ctx, busy, 1, testKey, asked()) }()
		select {
		case <-taken: // the only place
		case <-ctx.Done():
			t.Fatal("the question did not come")
		}
		if _, err := Ask(ctx, busy, 1, testKey, asked()); fault.CodeOf(err) != "source.busy" {
			t.Fatalf("not busy: %v", err)
		}
	})
}

func TestQuestionRefuses(t *testing.T) {
	long := string(make([]byte, maxText+1))
	for name, change := range map[string]func(*screeningv1.AskRequest){
		"no encounter":    func(q *screeningv1.AskRequest) { q.Encounter = "" },
		"no officer":      func(q *screeningv1.AskRequest) { q.Officer = "" },
		"no purpose":      func(q *screeningv1.AskRequest) { q.Purpose = "" },
		"long purpose":    func(q *screeningv1.AskRequest) { q.Purpose = long },
		"long number":     func(q *screeningv1.AskRequest) { q.Documents[0].Number = long },
		"many documents":  func(q *screeningv1.AskRequest) { q.Documents = make([]*screeningv1.DocumentProbe, maxDocuments+1) },
		"many fingers":    func(q *screeningv1.AskRequest) { q.Fingers = make([]*screeningv1.FingerProbe, maxFingers+1) },
		"eleventh finger": func(q *screeningv1.AskRequest) { q.Fingers = []*screeningv1.FingerProbe{{Position: 11}} },
		"long finger": func(q *screeningv1.AskRequest) {
			q.Fingers = []*screeningv1.FingerProbe{{Template: make([]byte, maxFinger+1)}}
		},
		"short face": func(q *screeningv1.AskRequest) { q.Face = &screeningv1.FaceProbe{Vector: []float32{1}} },
		"zero face": func(q *screeningv1.AskRequest) {
			q.Face = &screeningv1.FaceProbe{Vector: make([]float32, 128), Frames: 1}
		},
		"withheld of nothing": func(q *screeningv1.AskRequest) { q.Withheld = []*screeningv1.Withheld{{Modality: 99}} },
		"long name":           func(q *screeningv1.AskRequest) { q.Name = &screeningv1.NameProbe{Primary: long} },
	} {
		q := asked()
		change(q)
		if _, err := Question(q); fault.CodeOf(err) != "call.invalid" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Question(asked()); err != nil {
		t.Error(err)
	}
}

// FuzzQuestion feeds a worker what a registered post could send.
func FuzzQuestion(f *testing.F) {
	raw, err := proto.Marshal(asked())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Fuzz(func(t *testing.T, raw []byte) {
		in := new(screeningv1.AskRequest)
		if proto.Unmarshal(raw, in) != nil {
			return
		}
		q, err := Question(in)
		if err != nil {
			return
		}
		if q.Officer == "" || q.Purpose == "" || (q.Face != nil && q.Face.Template.Check() != nil) {
			t.Fatal("a question that cannot be asked was taken")
		}
	})
}
