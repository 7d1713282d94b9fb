package encounter

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/biometric/template"
	"github.com/watchpost/watchpost/device/document/inspect"
	"github.com/watchpost/watchpost/device/encounter/policy"
	"github.com/watchpost/watchpost/device/encounter/store"
	"github.com/watchpost/watchpost/device/fault"
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
func (b *bench) FMRAt(float64) float64   { return 1e-3 }

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

type sealer struct{ cipher.AEAD }

func (s sealer) Seal(id, plain []byte) ([]byte, error)  { return s.AEAD.Seal(nil, nil, plain, id), nil }
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
	b := &bench{t: t, dir: t.TempDir(), now: time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)}
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
	b.post, err = NewPost(Dependencies{
		Name: "p1", Policy: policy.Default(policy.Desk), Documents: b, Camera: b, Portraits: b, Faces: b, Screener: b,
		Store: st, Events: NewEvents(), Now: b.Now, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
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

func TestGenuineHolderIsAdmitted(t *testing.T) {
	b := newBench(t)
	e := b.walk(true, AgeUnknown)
	if !e.Advice.Clear || e.Answer != screening.Clear || e.Age != Adult || e.Inspection.Result(inspect.PortraitMatch) != inspect.Pass {
		t.Fatalf("advice %+v, answer %s, age %s", e.Advice, e.Answer, e.Age)
	}
	if q := b.asked[0]; q.Face == nil || q.Face.Frames != 3 || len(q.Documents) != 1 || len(q.Withheld) != 0 {
		t.Error("the question is not about face and document")
	}
	done, err := b.post.Decide(e.ID, DecideRequest{Officer: "o1", Outcome: Admitted})
	if err != nil || done.Decision.Override {
		t.Fatal(err)
	}
	kept, err := b.post.Get(e.ID)
	if err != nil || kept.State != Closed || kept.Face != nil || kept.Comparison != nil || kept.Inspection.Document.Number != "" {
		t.Errorf("kept more than an admitted encounter may: %v", err)
	}
	if _, err := b.post.Decide(e.ID, DecideRequest{Officer: "o1", Outcome: Refused, Reason: "x"}); !errors.Is(err, ErrNotFound) {
		t.Errorf("a second outcome: %v", err)
	}
	if w, err := b.post.Store.Outbox(10); err != nil || len(w) != 1 {
		t.Errorf("%d messages for central, %v", len(w), err)
	}
}

func TestWhatSpeaksAgainstAdmitting(t *testing.T) {
	check := func(code inspect.Code, r inspect.Result) func(*bench) {
		return func(b *bench) {
			for i := range b.document.Inspection.Checks {
				if b.document.Inspection.Checks[i].Code == code {
					b.document.Inspection.Checks[i].Result = r
				}
			}
		}
	}
	for _, c := range []struct {
		name   string
		change func(*bench)
		code   string // first reason of the advice
	}{
		{"forged portrait although the faces match", func(b *bench) { check(inspect.GroupHash(2), inspect.Fail)(b); b.document.Vouched = false }, "dg2.hash"},
		{"imitated issuer", check(inspect.DSChain, inspect.Fail), "ds.chain"},
		{"unknown issuer", check(inspect.DSChain, inspect.NotAssessable), "ds.chain"},
		{"a check nobody judged", check(inspect.SODSignature, inspect.Unknown), "sod.signature"},
		{"another person", func(b *bench) { b.portrait = person(1.2) }, "portrait.match"},
		{"no portrait", func(b *bench) { b.document.Portrait = nil }, "portrait.match"},
		{"no checks at all", func(b *bench) { b.document.Inspection.Checks = nil }, "portrait.match"},
		{"a candidate", func(b *bench) {
			b.result = screening.Result{Answer: screening.Candidates, Candidates: []screening.Candidate{candidate()}}
		}, "l/r1"},
		{"a stale list", func(b *bench) {
			b.result = screening.Result{Answer: screening.NotVerified, Missing: []string{"local: list stale"}}
		}, "not-verified"},
		{"an answer nobody gave", func(b *bench) { b.result = screening.Result{} }, "not-verified"},
		{"two models", func(b *bench) { b.portrait.Version = "2" }, "portrait.match"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			if c.name == "no checks at all" {
				b.document.Portrait = nil
			}
			c.change(b)
			e := b.walk(true, Adult)
			if e.Advice.Clear || len(e.Advice.Reasons) == 0 || !slices.ContainsFunc(e.Advice.Reasons, func(r Reason) bool { return r.Code == c.code && r.Severity == policy.Refer }) {
				t.Fatalf("advice %+v", e.Advice)
			}
			if c.code == "dg2.hash" && e.Inspection.Result(inspect.PortraitMatch) != inspect.Pass {
				t.Error("the presenter's own portrait must match, so that the hash alone speaks against it")
			}
			_, err := b.post.Decide(e.ID, DecideRequest{Officer: "o1", Outcome: Admitted})
			if !errors.Is(err, ErrReason) && !errors.Is(err, ErrUndecided) {
				t.Errorf("admitted without a word: %v", err)
			}
		})
	}
}

func TestWithheldSearches(t *testing.T) {
	for _, c := range []struct {
		age  AgeClass
		born string
		want string
	}{
		{AgeUnknown, "", "age_unknown"},
		{Minor, "", "minor"},
		{Adult, "2010-01-01", "minor"},      // the document knows better than the word
		{Adult, "2008-XX-XX", "minor"},      // may still be seventeen
		{Minor, "1990-XX-XX", ""},           // the document knows better than the word
		{AgeUnknown, "2008-11-21", ""},      // eighteen today
		{AgeUnknown, "2008-11-22", "minor"}, // eighteen tomorrow
		{AgeUnknown, "garbage", "age_unknown"},
	} {
		b := newBench(t)
		b.document.BirthDate = c.born
		e := b.walk(true, c.age)
		q := b.asked[0]
		if q.Withheld[screening.Face] != c.want || (q.Face == nil) != (c.want != "") {
			t.Errorf("declared %s, born %q: withheld %q", c.age, c.born, q.Withheld[screening.Face])
		}
		_ = e
	}
}

func TestCandidateNeedsAFinding(t *testing.T) {
	b := newBench(t)
	b.result = screening.Result{Answer: screening.Candidates, Candidates: []screening.Candidate{candidate()}}
	e := b.walk(true, Adult)
	for _, o := range []Outcome{Admitted, Referred, Refused} {
		if _, err := b.post.Decide(e.ID, DecideRequest{Officer: "o1", Outcome: o, Reason: "x"}); !errors.Is(err, ErrUndecided) {
			t.Errorf("%s without a finding: %v", o, err)
		}
	}
	for name, bad := range map[string]AdjudicateRequest{
		"unknown finding": {Officer: "o1", List: "l", Record: "r1", Reason: "x"},
		"no reason":       {Officer: "o1", List: "l", Record: "r1", Finding: SamePerson},
		"no such record":  {Officer: "o1", List: "l", Record: "r2", Finding: SamePerson, Reason: "x"},
	} {
		if _, err := b.post.Adjudicate(e.ID, bad); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	got, err := b.post.Adjudicate(e.ID, AdjudicateRequest{Officer: "o1", List: "l", Record: "r1", Finding: DifferentPerson, Reason: "other ears"})
	if err != nil || !got.Advice.Clear {
		t.Fatalf("%v %+v", err, got.Advice)
	}
	got, err = b.post.Adjudicate(e.ID, AdjudicateRequest{Officer: "o1", List: "l", Record: "r1", Finding: SamePerson, Reason: "scar"})
	if err != nil || got.Advice.Clear {
		t.Fatalf("%v %+v", err, got.Advice)
	}
	done, err := b.post.Decide(e.ID, DecideRequest{Officer: "o1", Outcome: Referred})
	if err != nil || done.Candidates[0].Finding != SamePerson {
		t.Fatal(err)
	}
}

func TestOverrideNeedsReasonAndSecond(t *testing.T) {
	b := newBench(t)
	rules := *policy.Default(policy.Desk)
	rules.Officers.SecondOfficer = []policy.Act{policy.ActOverride}
	b.post.Policy = &rules
	b.result.Answer = screening.NotVerified
	e := b.walk(true, Adult)
	for _, c := range []struct {
		req  DecideRequest
		want error
	}{
		{DecideRequest{Officer: "o1", Outcome: Admitted}, ErrReason},
		{DecideRequest{Officer: "o1", Outcome: Admitted, Reason: "known to me"}, ErrSecond},
		{DecideRequest{Officer: "o1", Second: "o1", Outcome: Admitted, Reason: "known to me"}, ErrSecond},
	} {
		if _, err := b.post.Decide(e.ID, c.req); !errors.Is(err, c.want) {
			t.Errorf("%+v: %v, want %v", c.req, err, c.want)
		}
	}
	done, err := b.post.Decide(e.ID, DecideRequest{Officer: "o1", Second: "s2", Outcome: Admitted, Reason: "known to me"})
	if err != nil || !done.Decision.Override || done.Decision.Second != "s2" {
		t.Fatalf("%v %+v", err, done.Decision)
	}
}

func TestFailedStepIsTriedAgainOrSkipped(t *testing.T) {
	b := newBench(t)
	b.shotErr = fault.New("device.lost", "unplugged").WithHint("plug the camera in")
	e := b.open(false, Adult)
	if err := b.post.CaptureFace(e.ID); err != nil {
		t.Fatal(err)
	}
	e = b.until(e.ID, func(e Encounter) bool { return e.Step(StepFace).State == Failed })
	if s := e.Step(StepFace); s.Code != "device.lost" || s.Hint == "" {
		t.Errorf("step %+v", s)
	}
	b.mu.Lock()
	b.shotErr = nil
	b.shot.Faces = 2
	b.mu.Unlock()
	if err := b.post.CaptureFace(e.ID); err != nil {
		t.Fatal(err)
	}
	e = b.until(e.ID, func(e Encounter) bool { return e.Step(StepFace).Code == "face.several" })
	b.mu.Lock()
	b.shot.Faces = 1
	b.shot.Templates = []template.Face{person(0), person(1.2), person(0.01)}
	b.mu.Unlock()
	if err := b.post.CaptureFace(e.ID); err != nil {
		t.Fatal(err)
	}
	e = b.until(e.ID, func(e Encounter) bool { return e.Step(StepFace).Code == "face.changed" })
	if err := b.post.Skip(e.ID, StepFace, "o1", ""); !errors.Is(err, ErrReason) {
		t.Errorf("skipped without a reason: %v", err)
	}
	if err := b.post.Skip(e.ID, StepFace, "o1", "refused_by_person"); err != nil {
		t.Fatal(err)
	}
	e = b.until(e.ID, inReview)
	if e.Advice.Clear {
		t.Error("a skipped face must not be clear")
	}
}

func TestRestartTakesUpOpenEncounters(t *testing.T) {
	b := newBench(t)
	e := b.open(true, Adult)
	b.mu.Lock()
	b.hang = make(chan struct{})
	b.mu.Unlock()
	if err := b.post.ReadDocument(e.ID, DocumentKey{}); err != nil {
		t.Fatal(err)
	}
	if err := b.post.CaptureFace(e.ID); err != nil {
		t.Fatal(err)
	}
	b.until(e.ID, func(e Encounter) bool { return e.Step(StepDocument).State == Done })
	b.stop()
	b.hang = nil
	b.start()
	again, err := b.post.Get(e.ID)
	if err != nil || again.State != Collecting || again.Step(StepDocument).State != Pending {
		t.Fatalf("%v %+v", err, again.Steps)
	}
	if err := b.post.ReadDocument(e.ID, DocumentKey{}); err != nil {
		t.Fatal(err)
	}
	if err := b.post.CaptureFace(e.ID); err != nil {
		t.Fatal(err)
	}
	b.until(e.ID, inReview)
}

func TestLateHit(t *testing.T) {
	b := newBench(t)
	e := b.walk(true, Adult)
	reply := screening.Reply{Source: "central", Candidates: []screening.Candidate{candidate()}}
	b.late(reply)
	e = b.until(e.ID, func(e Encounter) bool { return len(e.Candidates) == 1 })
	if e.Advice.Clear || !e.Candidates[0].Late || e.Answer != screening.Candidates {
		t.Errorf("a late hit does not change the advice: %+v", e.Advice)
	}
	if _, err := b.post.Decide(e.ID, DecideRequest{Officer: "o1", Outcome: Admitted, Reason: "x"}); !errors.Is(err, ErrUndecided) {
		t.Errorf("admitted over a late hit: %v", err)
	}
	b.late(reply) // the same again is no second candidate
	if e, _ := b.post.Get(e.ID); len(e.Candidates) != 1 {
		t.Error("doubled")
	}
}

func TestLateHitAfterTheOutcomeAlarms(t *testing.T) {
	b := newBench(t)
	e := b.walk(true, Adult)
	if _, err := b.post.Decide(e.ID, DecideRequest{Officer: "o1", Outcome: Admitted}); err != nil {
		t.Fatal(err)
	}
	before := b.post.Events.Last()
	b.late(screening.Reply{Source: "central", Candidates: []screening.Candidate{candidate()}})
	batch, err := b.post.Events.Next(t.Context(), before)
	if err != nil || batch[0].Kind != EventLateHit || !bytes.Contains(batch[0].Data, []byte(`"closed":true`)) {
		t.Errorf("%v %v", batch, err)
	}
}

func TestCommandsOutOfOrder(t *testing.T) {
	b := newBench(t)
	if _, err := b.post.Open(OpenRequest{Officer: "o1", Purpose: "curiosity"}); !errors.Is(err, ErrPurpose) {
		t.Errorf("purpose: %v", err)
	}
	e := b.open(false, Adult)
	if _, err := b.post.Open(OpenRequest{Officer: "o1", Purpose: "border_check"}); !errors.Is(err, ErrBusy) {
		t.Errorf("two at a time: %v", err)
	}
	if err := b.post.ReadDocument(e.ID, DocumentKey{}); !errors.Is(err, ErrNoSuchStep) {
		t.Errorf("document of a person without one: %v", err)
	}
	if _, err := b.post.Decide(e.ID, DecideRequest{Officer: "o1", Outcome: Admitted, Reason: "x"}); fault.CodeOf(err) != ErrState.Code {
		t.Errorf("decided before anything was looked at: %v", err)
	}
	if _, err := b.post.Decide(e.ID, DecideRequest{Officer: "o1", Outcome: OutcomeUnknown}); fault.CodeOf(err) != "encounter.word" {
		t.Errorf("outcome unknown: %v", err)
	}
	if _, err := b.post.Decide(e.ID, DecideRequest{Officer: "o1", Outcome: Abandoned, Reason: "left"}); err != nil {
		t.Fatal(err)
	}
	if err := b.post.CaptureFace("nobody"); !errors.Is(err, ErrNotFound) {
		t.Errorf("unknown encounter: %v", err)
	}
}

func TestSearchLimit(t *testing.T) {
	b := newBench(t)
	rules := *policy.Default(policy.Desk)
	rules.Officers.SearchesPerHour = 2
	b.post.Policy = &rules
	for range 2 {
		e := b.open(false, Adult)
		if _, err := b.post.Decide(e.ID, DecideRequest{Officer: "o1", Outcome: Abandoned, Reason: "x"}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.post.Open(OpenRequest{Officer: "o1", Purpose: "border_check"}); !errors.Is(err, ErrLimit) {
		t.Errorf("third search: %v", err)
	}
	b.mu.Lock()
	b.now = b.now.Add(time.Hour)
	b.mu.Unlock()
	b.open(false, Adult)
}

// TestNoMatchLeavesNoBiometrics looks for planted templates and the picture in
// every file that an admitted encounter left behind, opened and sealed.
func TestNoMatchLeavesNoBiometrics(t *testing.T) {
	b := newBench(t)
	picture := bytes.Repeat([]byte("planted portrait "), 8)
	b.document.Portrait = bytes.Clone(picture)
	e := b.walk(true, Adult)
	if _, err := b.post.Decide(e.ID, DecideRequest{Officer: "o1", Outcome: Admitted}); err != nil {
		t.Fatal(err)
	}
	opened, err := b.post.Store.Encounter(e.ID)
	if err != nil {
		t.Fatal(err)
	}
	vector, err := json.Marshal(person(0.01).Vector)
	if err != nil {
		t.Fatal(err)
	}
	b.stop()
	files := map[string][]byte{"the encounter, opened": opened}
	if err := filepath.WalkDir(b.dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files[path], err = os.ReadFile(path)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for name, raw := range files {
		for what, needle := range map[string][]byte{
			"picture": picture[:17], "picture in base64": []byte(base64.StdEncoding.EncodeToString(picture)[:20]), "template": vector[1:40],
		} {
			if bytes.Contains(raw, needle) {
				t.Errorf("%s holds the %s", name, what)
			}
		}
	}
}

// TestAnyOrderOfCommandsIsSafe sends random commands and holds the invariant
// that nobody is admitted without a clear advice or a reasoned override.
func TestAnyOrderOfCommandsIsSafe(t *testing.T) {
	b := newBench(t)
	rules := *policy.Default(policy.Desk)
	rules.Officers.SearchesPerHour = 0
	b.post.Policy = &rules
	rng := rand.New(rand.NewPCG(1, 2))
	answers := []screening.Result{{}, {Answer: screening.Clear}, {Answer: screening.NotVerified}, {Answer: screening.Candidates, Candidates: []screening.Candidate{candidate()}}}
	closed := 0
	for range 60 {
		b.mu.Lock()
		b.result = answers[rng.IntN(len(answers))]
		b.mu.Unlock()
		e := b.open(rng.IntN(2) == 0, AgeClass(rng.IntN(3)))
		for range 200 {
			var done Encounter
			var err error
			switch rng.IntN(6) {
			case 0:
				_ = b.post.ReadDocument(e.ID, DocumentKey{}) // may be refused: that is the point
			case 1:
				_ = b.post.CaptureFace(e.ID)
			case 2:
				_ = b.post.Skip(e.ID, []StepName{StepDocument, StepFace}[rng.IntN(2)], "o1", "x")
			case 3:
				_, _ = b.post.Adjudicate(e.ID, AdjudicateRequest{Officer: "o1", List: "l", Record: "r1", Finding: Finding(rng.IntN(4)), Reason: "x"})
			case 4:
				done, err = b.post.Decide(e.ID, DecideRequest{Officer: "o1", Outcome: Outcome(rng.IntN(4))})
			case 5:
				done, err = b.post.Decide(e.ID, DecideRequest{Officer: "o1", Outcome: Admitted, Reason: strings.Repeat("x", rng.IntN(2))})
			}
			// Steps and the question run beside the commands; let them end.
			b.until(e.ID, func(e Encounter) bool {
				return e.State != Screening && !slices.ContainsFunc(e.Steps, func(s Step) bool { return s.State == Running })
			})
			if err == nil && done.State == Closed {
				closed++
				if done.Decision.Outcome == Admitted && !done.Advice.Clear && (!done.Decision.Override || done.Decision.Reason == "") {
					t.Fatalf("admitted against %+v without a reasoned override", done.Advice)
				}
				break
			}
		}
		if _, err := b.post.Get(e.ID); err == nil && len(b.post.OpenEncounters()) > 0 {
			if _, err := b.post.Decide(e.ID, DecideRequest{Officer: "o1", Outcome: Abandoned, Reason: "end of test"}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if closed < 30 {
		t.Errorf("only %d encounters came to an end: the test does not test", closed)
	}
	if _, err := b.post.Store.VerifyAudit(); err != nil {
		t.Error(err)
	}
}

func TestPersonalDataStaysOutOfLogs(t *testing.T) {
	var out bytes.Buffer
	e := Encounter{ID: "e1", Declared: Declared{Names: []string{"ERIKA"}}, Candidates: []Candidate{{Candidate: candidate()}}}
	log := slog.New(slog.NewJSONHandler(&out, nil))
	log.Info("x", "encounter", e, "declared", e.Declared, "key", DocumentKey{MRZ: "ERIKA"}, "candidate", e.Candidates[0].Candidate)
	if s := out.String(); strings.Contains(s, "ERIKA") || strings.Contains(s, "LISTED") {
		t.Errorf("the log holds a name: %s", s)
	}
}

func TestSweep(t *testing.T) {
	b := newBench(t)
	e := b.walk(true, Adult)
	if _, err := b.post.Decide(e.ID, DecideRequest{Officer: "o1", Outcome: Admitted}); err != nil {
		t.Fatal(err)
	}
	idle := b.open(false, Adult)
	forward := func(d time.Duration) {
		b.mu.Lock()
		b.now = b.now.Add(d)
		b.mu.Unlock()
		if err := b.post.Sweep(); err != nil {
			t.Fatal(err)
		}
	}
	forward(14 * time.Minute)
	if got, _ := b.post.Get(idle.ID); got.State != Collecting {
		t.Error("abandoned too early")
	}
	forward(time.Minute)
	if got, _ := b.post.Get(idle.ID); got.State != Closed || got.Decision.Outcome != Abandoned {
		t.Error("an idle encounter stays open")
	}
	if _, err := b.post.Get(e.ID); err != nil {
		t.Errorf("removed too early: %v", err)
	}
	forward(31 * 24 * time.Hour)
	if _, err := b.post.Get(e.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("kept too long: %v", err)
	}
}
