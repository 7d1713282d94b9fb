package screeningv1

import (
	"testing"

	"google.golang.org/protobuf/proto"
)

// Numbers on the wire are published: a change here breaks every integrator.
func TestPublishedNumbers(t *testing.T) {
	for name, c := range map[string]struct{ got, want int32 }{
		"clear":            {int32(Answer_ANSWER_CLEAR), 1},
		"candidates":       {int32(Answer_ANSWER_CANDIDATES), 2},
		"not-verified":     {int32(Answer_ANSWER_NOT_VERIFIED), 3},
		"face":             {int32(Modality_MODALITY_FACE), 1},
		"finger":           {int32(Modality_MODALITY_FINGER), 2},
		"name":             {int32(Modality_MODALITY_NAME), 3},
		"document":         {int32(Modality_MODALITY_DOCUMENT), 4},
		"admitted":         {int32(OutcomeKind_OUTCOME_KIND_ADMITTED), 1},
		"referred":         {int32(OutcomeKind_OUTCOME_KIND_REFERRED), 2},
		"refused":          {int32(OutcomeKind_OUTCOME_KIND_REFUSED), 3},
		"abandoned":        {int32(OutcomeKind_OUTCOME_KIND_ABANDONED), 4},
		"evacuated":        {int32(OutcomeKind_OUTCOME_KIND_EVACUATED), 5},
		"same person":      {int32(Finding_FINDING_SAME_PERSON), 1},
		"different person": {int32(Finding_FINDING_DIFFERENT_PERSON), 2},
		"adult":            {int32(AgeClass_AGE_CLASS_ADULT), 1},
		"minor":            {int32(AgeClass_AGE_CLASS_MINOR), 2},
	} {
		if c.got != c.want {
			t.Errorf("%s is %d, published was %d", name, c.got, c.want)
		}
	}
}

// The zero value of what lets somebody through must not.
func TestZeroIsUnknown(t *testing.T) {
	if new(DeliverRequest).GetAnswer() != Answer_ANSWER_UNKNOWN || new(DeliverRequest).GetOutcome() != OutcomeKind_OUTCOME_KIND_UNKNOWN ||
		new(AskRequest).GetAge() != AgeClass_AGE_CLASS_UNKNOWN || new(Adjudication).GetFinding() != Finding_FINDING_UNKNOWN {
		t.Error("a zero value says something")
	}
}

func TestQuestionRoundTrip(t *testing.T) {
	q := &AskRequest{
		Encounter: "e", Purpose: "border_check",
		Face:      &FaceProbe{Model: &FaceModel{Model: "m", Version: "1"}, Vector: []float32{0.6, 0.8}, Frames: 3},
		Documents: []*DocumentProbe{{Type: "P", Issuer: "UTO", Number: "X1"}},
		Withheld:  []*Withheld{{Modality: Modality_MODALITY_FINGER, Reason: "skipped"}},
	}
	raw, err := proto.Marshal(q)
	if err != nil {
		t.Fatal(err)
	}
	var back AskRequest
	if err := proto.Unmarshal(raw, &back); err != nil || !proto.Equal(q, &back) {
		t.Errorf("%v, %v", &back, err)
	}
	if proto.Unmarshal(raw[:len(raw)-1], &back) == nil {
		t.Error("a cut message was read")
	}
}
