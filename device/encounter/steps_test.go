package encounter

import (
	"errors"
	"testing"

	"github.com/watchpost/watchpost/device/biometric/template"
	"github.com/watchpost/watchpost/device/fault"
)

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
