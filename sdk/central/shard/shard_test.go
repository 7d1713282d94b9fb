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
	if !s.ReadyForConnections(eventually) {
		t.Fatal("the broker is not ready")
	}
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	nc, err := nats.Connect("", nats.InProcessServer(s), nats.Timeout(eventually))
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
	ctx, cancel := context.WithTimeout(t.Context(), eventually)
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

	if err := second.Close(); err != nil {
		t.Fatal(err)
	}

	t.Run("without a deadline", func(t *testing.T) {
		if _, err := Ask(context.Background(), nc, 1, testKey, asked()); fault.CodeOf(err) != "call.no_deadline" {
			t.Fatal(err)
		}
	})
	t.Run("no worker at all", func(t *testing.T) {
		t.Parallel()
		refused(t, connect(t), 2, testKey, "source.unavailable")
	})
	t.Run("too many at once", func(t *testing.T) {
		t.Parallel()
		wait, taken := make(chan struct{}), make(chan struct{}, 1)
		busy := connect(t)
		serve(t, busy, 0, 1, part{hold: wait, asked: taken})
		first := make(chan error, 1)
		go func() {
			ctx, cancel := context.WithTimeout(t.Context(), eventually)
			defer cancel()
			_, err := Ask(ctx, busy, 1, testKey, asked())
			first <- err
		}()
		select {
		case <-taken: // the only place
		case err := <-first:
			t.Fatalf("the question did not come: %v", err)
		}
		refused(t, busy, 1, testKey, "source.busy")
		close(wait)
		if err := <-first; err != nil {
			t.Fatal(err)
		}
	})
}

// TestPartial: a worker that is gone, one that fails and one that hangs leave a
// partial coverage, never a whole one.
func TestPartial(t *testing.T) {
	for name, second := range map[string]*part{
		"gone":  nil,
		"fails": {err: errors.New("no")},
		"hangs": {hold: make(chan struct{})},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			nc := connect(t)
			serve(t, nc, 0, 2, part{record: "a"})
			if second != nil {
				serve(t, nc, 1, 2, *second)
			}
			if r := partial(t, nc); len(r.Candidates) != 1 {
				t.Errorf("%v", r)
			}
		})
	}
}

// TestNextAtOnce: whoever has an answer can ask the next question, also where
// a worker takes one at a time.
func TestNextAtOnce(t *testing.T) {
	t.Parallel()
	nc := connect(t)
	serve(t, nc, 0, 1, part{record: "a"})
	for n := range 200 {
		ctx, cancel := context.WithTimeout(t.Context(), eventually)
		_, err := Ask(ctx, nc, 1, testKey, asked())
		cancel()
		if err != nil {
			t.Fatalf("question %d: %v", n, err)
		}
	}
}

// A search that nobody can answer in whole lasts as long as its patience, or
// half of it. So it is tried with little first, and with twice as much where
// the machine was too slow for what must come.
const (
	atFirst    = time.Second
	eventually = 60 * time.Second
)

// patiently asks with growing patience until enough says that what must come
// has come; it fails the test itself where something came that must not.
func patiently(t *testing.T, nc *nats.Conn, of int, key *vault.Key, enough func(*screeningv1.AskResponse, error) bool) {
	t.Helper()
	var r *screeningv1.AskResponse
	var err error
	for patience := atFirst; patience <= eventually; patience *= 2 {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		r, err = Ask(ctx, nc, of, key, asked())
		cancel()
		if enough(r, err) {
			return
		}
	}
	t.Fatalf("%v, %v", r, err)
}

// partial asks two shards of which the first answers and the second must not count.
func partial(t *testing.T, nc *nats.Conn) (out *screeningv1.AskResponse) {
	t.Helper()
	patiently(t, nc, 2, testKey, func(r *screeningv1.AskResponse, err error) bool {
		if err != nil {
			return false // the first was too slow
		}
		if len(r.Coverage) != 1 || r.Coverage[0].Shards != 2 || r.Coverage[0].Answered != 1 {
			t.Fatalf("not one of two: %v", r)
		}
		out = r
		return true
	})
	return out
}

// refused asks shards that must not answer and must say why.
func refused(t *testing.T, nc *nats.Conn, of int, key *vault.Key, code fault.Code) {
	t.Helper()
	patiently(t, nc, of, key, func(r *screeningv1.AskResponse, err error) bool {
		if err == nil {
			t.Fatalf("answered: %v", r)
		}
		return fault.CodeOf(err) == code
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
