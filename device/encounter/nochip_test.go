package encounter

import (
	"context"
	"testing"

	"github.com/watchpost/watchpost/device/document/inspect"
	"github.com/watchpost/watchpost/device/fault"
)

// silent is a reader on which nothing answers, that can judge a document by
// its zone.
type silent struct{ cause error }

func (s silent) ReadDocument(context.Context, DocumentKey, func(Progress)) (DocumentResult, error) {
	return DocumentResult{}, s.cause
}

func (s silent) WithoutChip(key DocumentKey, cause error) (DocumentResult, bool) {
	i := inspect.Judge(inspect.Input{NoChip: true})
	return DocumentResult{Inspection: i}, key.MRZ != "" && fault.CodeOf(cause) == "card.none"
}

// TestNoChipAnswers: the first reading that finds nothing is a failed step, the
// second is what is known of the document. Other failures stay failures.
func TestNoChipAnswers(t *testing.T) {
	for name, tc := range map[string]struct {
		cause error
		key   DocumentKey
		want  StepState
	}{
		"nothing answers":    {fault.New("card.none", "none"), DocumentKey{MRZ: "zone"}, Done},
		"no zone":            {fault.New("card.none", "none"), DocumentKey{CAN: "123456"}, Failed},
		"the reader's fault": {fault.New("reader.lost", "lost"), DocumentKey{MRZ: "zone"}, Failed},
	} {
		b := newBench(t)
		b.post.Documents = silent{tc.cause}
		e := b.open(true, Adult)
		for try := 1; try <= 2; try++ {
			if err := b.post.ReadDocument(e.ID, tc.key); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			e = b.until(e.ID, func(e Encounter) bool { s := e.Step(StepDocument); return s.State != Running && s.Tries == try })
			want := Failed
			if try == 2 {
				want = tc.want
			}
			if s := e.Step(StepDocument); s.State != want || want == Failed && s.Code != string(fault.CodeOf(tc.cause)) {
				t.Errorf("%s, try %d: %+v", name, try, s)
			}
		}
		if e.Inspection != nil != (tc.want == Done) || e.Inspection != nil && e.Inspection.Result(inspect.ChipPresent) != inspect.Fail {
			t.Errorf("%s: %+v", name, e.Inspection)
		}
	}
}
