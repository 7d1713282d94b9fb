package encounter

import (
	"github.com/watchpost/watchpost/device/fault"
)

// Outcome is how an encounter ended. Zero is unknown and admits nobody. The
// numbers are published (design section 5).
type Outcome uint8

// Outcomes.
const (
	OutcomeUnknown Outcome = 0
	Admitted       Outcome = 1
	Referred       Outcome = 2
	Refused        Outcome = 3
	Abandoned      Outcome = 4
	Evacuated      Outcome = 5
)

var outcomeWords = words{"unknown", "admitted", "referred", "refused", "abandoned", "evacuated"}

func (o Outcome) String() string                { return outcomeWords.of(uint8(o)) }
func (o Outcome) MarshalText() ([]byte, error)  { return []byte(o.String()), nil }
func (o *Outcome) UnmarshalText(t []byte) error { return outcomeWords.parse("outcome", t, (*uint8)(o)) }

// AgeClass is what is known of a person's age before any document vouches for
// a date of birth.
type AgeClass uint8

// Age classes.
const (
	AgeUnknown AgeClass = 0
	Adult      AgeClass = 1
	Minor      AgeClass = 2
)

var ageWords = words{"unknown", "adult", "minor"}

func (a AgeClass) String() string                { return ageWords.of(uint8(a)) }
func (a AgeClass) MarshalText() ([]byte, error)  { return []byte(a.String()), nil }
func (a *AgeClass) UnmarshalText(t []byte) error { return ageWords.parse("age class", t, (*uint8)(a)) }

// Finding is what an officer found on a candidate.
type Finding uint8

// Findings.
const (
	FindingUnknown  Finding = 0
	SamePerson      Finding = 1
	DifferentPerson Finding = 2
	Undecided       Finding = 3
)

var findingWords = words{"unknown", "same_person", "different_person", "undecided"}

func (f Finding) String() string                { return findingWords.of(uint8(f)) }
func (f Finding) MarshalText() ([]byte, error)  { return []byte(f.String()), nil }
func (f *Finding) UnmarshalText(t []byte) error { return findingWords.parse("finding", t, (*uint8)(f)) }

// State is where an encounter stands.
type State uint8

// States. An encounter only moves forward, but for a step that is tried again
// while it is collecting or in review.
const (
	StateUnknown State = 0
	Collecting   State = 1 // steps are pending or running
	Screening    State = 2 // the question is with the sources
	Review       State = 3 // the officer has the answer
	Closed       State = 4 // one outcome is recorded
)

var stateWords = words{"unknown", "collecting", "screening", "review", "closed"}

func (s State) String() string                { return stateWords.of(uint8(s)) }
func (s State) MarshalText() ([]byte, error)  { return []byte(s.String()), nil }
func (s *State) UnmarshalText(t []byte) error { return stateWords.parse("state", t, (*uint8)(s)) }

// StepState is where one step of an encounter stands.
type StepState uint8

// Step states.
const (
	StepUnknown StepState = 0
	Pending     StepState = 1
	Running     StepState = 2
	Done        StepState = 3
	Failed      StepState = 4 // may be tried again or skipped
	Skipped     StepState = 5 // with a reason
)

var stepWords = words{"unknown", "pending", "running", "done", "failed", "skipped"}

func (s StepState) String() string               { return stepWords.of(uint8(s)) }
func (s StepState) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
func (s *StepState) UnmarshalText(t []byte) error {
	return stepWords.parse("step state", t, (*uint8)(s))
}

// StepName names a step.
type StepName string

// Steps.
const (
	StepDocument StepName = "document"
	StepFace     StepName = "face"
	StepFingers  StepName = "fingers"
	// StepPresentation is the challenge against presentation attacks.
	StepPresentation StepName = "presentation"
)

// words are the published words of an enumeration by number.
type words []string

func (w words) of(n uint8) string {
	if int(n) < len(w) {
		return w[n]
	}
	return w[0]
}

func (w words) parse(what string, text []byte, n *uint8) error {
	for i, word := range w {
		if word == string(text) {
			*n = uint8(i)
			return nil
		}
	}
	return fault.New("encounter.word", "%q is no %s", text, what)
}
