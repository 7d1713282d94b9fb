// Package encounter is one person at the post, from the first word to the one
// recorded outcome: a state machine over steps (document, face), the question
// to the lists, the officer's adjudication of each candidate and the decision.
//
// It proposes and never decides: policy turns results into advice with
// reasons, a named officer records the outcome. What was not checked is said.
// Everything biometric lives in memory until the outcome and is then dropped;
// what is kept goes through device/encounter/store in one transaction with its
// audit line.
package encounter

import (
	"log/slog"
	"time"

	"github.com/watchpost/watchpost/device/document/inspect"
	"github.com/watchpost/watchpost/device/encounter/policy"
	"github.com/watchpost/watchpost/device/screening"
)

// formVersion is the version of the kept form of an encounter.
const formVersion = 1

// Declared is what the person says, unverified.
type Declared struct {
	Age              AgeClass          `json:"age"`
	Language         string            `json:"language,omitempty"` // BCP 47
	Names            []string          `json:"names,omitempty"`
	BirthDate        string            `json:"birth_date,omitempty"`        // YYYY-MM-DD, unknown parts as "XX"
	FingerExceptions map[string]string `json:"finger_exceptions,omitempty"` // ISO/IEC 19794-4 position → missing, bandaged, refused
}

// LogValue keeps what a person says out of logs.
func (Declared) LogValue() slog.Value { return slog.StringValue("declared (redacted)") }

// String keeps what a person says out of the fmt verbs.
func (Declared) String() string { return "declared (redacted)" }

// Step is one step of an encounter.
type Step struct {
	Name   StepName  `json:"name"`
	State  StepState `json:"state"`
	Tries  int       `json:"tries"`
	Code   string    `json:"code,omitempty"`   // why it failed, why it was skipped, or why it is pending again
	Hint   string    `json:"hint,omitempty"`   // what the officer can do
	Millis int64     `json:"millis,omitempty"` // of the last try
}

// FaceFacts are what is known of the live face, without the face.
type FaceFacts struct {
	Frames  int    `json:"frames"`  // frames whose templates were averaged
	Quality int    `json:"quality"` // 0-100, best frame
	Faces   int    `json:"faces"`   // most faces seen in one frame
	Model   string `json:"model"`
}

// Comparison is the 1:1 comparison of the live face with the chip's portrait.
type Comparison struct {
	Score     float64 `json:"score"`     // cosine, -1 to 1
	FMR       float64 `json:"fmr"`       // false match rate at this score
	Threshold float64 `json:"threshold"` // cosine of the policy's FMR
	Match     bool    `json:"match"`
	Vouched   bool    `json:"vouched"` // the portrait's hash is vouched for by the signed SOD
}

// Candidate is a record that the person may be, with the officer's finding.
type Candidate struct {
	screening.Candidate
	Late    bool    `json:"late,omitempty"` // came after the answer
	Finding Finding `json:"finding"`
	Officer string  `json:"officer,omitempty"` // who found
	Second  string  `json:"second,omitempty"`  // who confirmed
	Reason  string  `json:"reason,omitempty"`
}

// Reason is one line of an advice.
type Reason struct {
	Source   string          `json:"source"` // "check", "answer", "candidate", "step"
	Code     string          `json:"code"`   // check code, answer or step
	Result   string          `json:"result,omitempty"`
	Reason   string          `json:"reason,omitempty"`
	Clause   string          `json:"clause,omitempty"`
	Severity policy.Severity `json:"severity"`
}

// Advice is what policy makes of all results. The zero value does not admit.
type Advice struct {
	Clear   bool     `json:"clear"`   // nothing speaks against admitting
	Reasons []Reason `json:"reasons"` // heaviest first
}

// Decision is the one outcome of an encounter.
type Decision struct {
	Outcome  Outcome   `json:"outcome"`
	Officer  string    `json:"officer"`
	Second   string    `json:"second,omitempty"`
	Reason   string    `json:"reason,omitempty"`
	Override bool      `json:"override,omitempty"` // admitted against the advice
	Time     time.Time `json:"time"`
}

// Encounter is the view of one encounter. While it is open it holds personal
// data; Kept strips it. A value is a copy and may be used freely.
type Encounter struct {
	Version    int                  `json:"version"`
	ID         string               `json:"id"`
	Post       string               `json:"post"`
	Workplace  policy.Workplace     `json:"workplace"`
	Officer    string               `json:"officer"`
	Purpose    string               `json:"purpose"`
	Opened     time.Time            `json:"opened"`
	State      State                `json:"state"`
	Declared   Declared             `json:"declared"`
	Age        AgeClass             `json:"age"` // after the document, if one vouches for it
	Steps      []Step               `json:"steps"`
	Inspection *inspect.Inspection  `json:"inspection,omitempty"`
	Face       *FaceFacts           `json:"face,omitempty"`
	Fingers    []FingerFacts        `json:"fingers,omitempty"` // in the order of asking, where the encounter takes them
	Comparison *Comparison          `json:"comparison,omitempty"`
	Answer     screening.Answer     `json:"answer"`
	Coverage   []screening.Coverage `json:"coverage,omitempty"`
	Missing    []string             `json:"missing,omitempty"`   // what keeps the answer from being clear
	AnswerMS   int64                `json:"answer_ms,omitempty"` // last capture to answer
	Candidates []Candidate          `json:"candidates,omitempty"`
	Advice     *Advice              `json:"advice,omitempty"`
	Decision   *Decision            `json:"decision,omitempty"`
	KeepUntil  time.Time            `json:"keep_until,omitzero"`

	// Presentation is there where policy asks for a challenge.
	Presentation *PresentationFacts `json:"presentation,omitempty"`
}

// LogValue keeps personal data out of logs.
func (e Encounter) LogValue() slog.Value {
	return slog.GroupValue(slog.String("id", e.ID), slog.String("state", e.State.String()))
}

// String keeps personal data out of the fmt verbs.
func (e Encounter) String() string { return "encounter " + e.ID }

// Step returns the step of that name, nil if the encounter has none.
func (e *Encounter) Step(name StepName) *Step {
	for i := range e.Steps {
		if e.Steps[i].Name == name {
			return &e.Steps[i]
		}
	}
	return nil
}

// settled reports whether every step has ended, one way or another.
func (e *Encounter) settled() bool {
	for _, s := range e.Steps {
		if s.State != Done && s.State != Skipped {
			return false
		}
	}
	return true
}

// clone copies what the caller could otherwise change through the copy.
func (e *Encounter) clone() Encounter {
	c := *e
	c.Steps = append([]Step(nil), e.Steps...)
	c.Candidates = append([]Candidate(nil), e.Candidates...)
	c.Fingers = append([]FingerFacts(nil), e.Fingers...)
	c.Coverage = append([]screening.Coverage(nil), e.Coverage...)
	c.Missing = append([]string(nil), e.Missing...)
	if e.Inspection != nil {
		i := *e.Inspection
		i.Checks = append([]inspect.Check(nil), e.Inspection.Checks...)
		c.Inspection = &i
	}
	return c
}
