// Package screening asks one question of every source of watchlist knowledge
// together and makes one set of candidates and one answer of the replies.
//
// An answer is clear only if every source that policy requires has answered
// from a fresh and whole list; whatever is missing is named (design sections
// 1.5 and 4).
package screening

import (
	"context"
	"log/slog"
	"time"

	"github.com/watchpost/watchpost/device/biometric/template"
	"github.com/watchpost/watchpost/device/fault"
)

// Answer is what the sources say together. Zero is unknown. The numbers are
// published (design section 5).
type Answer uint8

// Answers.
const (
	Unknown     Answer = 0
	Clear       Answer = 1 // every required source asked, nothing found
	Candidates  Answer = 2 // at least one candidate, for an officer to look at
	NotVerified Answer = 3 // nothing found, but something required is missing
)

var answerWords = [...]string{Unknown: "unknown", Clear: "clear", Candidates: "candidates", NotVerified: "not-verified"}

func (a Answer) String() string {
	if int(a) < len(answerWords) {
		return answerWords[a]
	}
	return answerWords[Unknown]
}

// MarshalText writes the published word.
func (a Answer) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads a published word and refuses any other.
func (a *Answer) UnmarshalText(text []byte) error {
	for i, w := range answerWords {
		if w == string(text) {
			*a = Answer(i)
			return nil
		}
	}
	return fault.New("screening.word", "%q is no answer", text)
}

// Modality is by what a question is asked.
type Modality string

// Modalities.
const (
	Face     Modality = "face"
	Finger   Modality = "finger"
	Name     Modality = "name"
	Document Modality = "document"
)

// FaceProbe is the live face: the mean of the templates of Frames frames.
type FaceProbe struct {
	Template template.Face
	// Others are the same frames by other models: while an engine is changed,
	// each list is searched with the model that it was made with.
	Others  []template.Face
	Frames  int
	Quality int // 0-100
}

// FingerProbe is one captured finger.
type FingerProbe struct {
	Position int    // ISO/IEC 19794-2 finger position, 0 unknown
	Template []byte // ISO/IEC 19794-2 record
	Quality  int    // 0-100
}

// NameProbe is the name and what goes with it.
type NameProbe struct {
	Primary       string
	Secondary     string
	Truncated     bool   // the machine readable zone may have cut the name
	BirthDate     string // YYYY-MM-DD, unknown parts as "XX"
	Sex           string // M, F, X
	Nationalities []string
	Vouched       bool // from a DG1 whose signature is trusted
}

// DocumentProbe is a document as it was presented.
type DocumentProbe struct {
	Type   string
	Issuer string
	Number string
}

// Question is asked once an encounter has captured what it can. It is personal
// data and logs as nothing.
type Question struct {
	Encounter string
	Officer   string
	Purpose   string
	Face      *FaceProbe
	Fingers   []FingerProbe
	Name      *NameProbe
	Documents []DocumentProbe
	// Withheld modalities must not be searched although they were or could
	// have been captured, with the reason ("age_unknown", "minor", "skipped").
	// A withheld modality keeps the answer from being clear.
	Withheld map[Modality]string
}

// LogValue keeps questions out of logs.
func (Question) LogValue() slog.Value { return slog.StringValue("question (redacted)") }

// String keeps questions out of the fmt verbs.
func (Question) String() string { return "question (redacted)" }

// Score is how well one modality of a record fits.
type Score struct {
	Modality Modality `json:"modality"`
	Value    float64  `json:"value"`          // on the engine's own scale
	FMR      float64  `json:"fmr"`            // false match rate per comparison at this value, 0 where not a rate
	FPIR     float64  `json:"fpir,omitempty"` // chance that a list of this size gives such a score by accident
	LLR      float64  `json:"llr,omitempty"`  // calibrated log-likelihood ratio (natural), 0 where there is none
	Explain  string   `json:"explain"`        // one line without personal data: "cosine 0.957, list of 100,003"
}

// Fused is what all scores of a candidate say together (biometric/fusion).
type Fused struct {
	LLR     float64 `json:"llr"`  // sum of the parts, each calibrated and capped
	FMR     float64 `json:"fmr"`  // at most so many comparisons of two people reach it
	FPIR    float64 `json:"fpir"` // at most so many searches of lists of this size give it by accident
	Explain string  `json:"explain"`
}

// Candidate is a record that a probe may match. It is nothing until an officer
// has adjudicated it.
type Candidate struct {
	Source     string    `json:"source"`
	List       string    `json:"list"`
	Record     string    `json:"record"`
	Edition    uint64    `json:"edition"`
	Owner      string    `json:"owner"`
	LegalBasis string    `json:"legal_basis"`
	Purpose    string    `json:"purpose"`
	Handling   string    `json:"handling"` // what the owner asks for once confirmed
	Confirm    bool      `json:"confirm"`  // the owner must confirm before anything is done
	Contact    string    `json:"contact,omitempty"`
	Name       string    `json:"name,omitempty"` // personal data of the subject, for the officer
	Expires    time.Time `json:"expires,omitzero"`
	Scores     []Score   `json:"scores"`          // strongest first
	Fused      *Fused    `json:"fused,omitempty"` // where more than one kind of score speaks
	// Photographs is how many the source can show of the record.
	Photographs int  `json:"photographs,omitempty"`
	Alarm       bool `json:"alarm"` // the evidence carries an alarm by policy; otherwise it is for a look
}

// LogValue keeps the subject out of logs.
func (c Candidate) LogValue() slog.Value {
	return slog.GroupValue(slog.String("list", c.List), slog.String("record", c.Record))
}

// Coverage says what one source looked at for one list, and what it did not.
type Coverage struct {
	Source     string              `json:"source"`
	List       string              `json:"list"`
	Owner      string              `json:"owner"`
	Generation uint64              `json:"generation"`
	Issued     time.Time           `json:"issued"`               // of the generation
	Stale      bool                `json:"stale"`                // older than policy allows
	Records    int                 `json:"records"`              // searched
	Asked      []Modality          `json:"asked"`                // searched by
	FaceModel  string              `json:"face_model,omitempty"` // model and version of the faces searched
	NotAsked   map[Modality]string `json:"not_asked,omitempty"`  // with the reason
	Shards     int                 `json:"shards"`               // of the list, at least 1
	Answered   int                 `json:"answered"`             // shards that answered
}

// Reply is what one source says to one question.
type Reply struct {
	Source     string
	Candidates []Candidate
	Coverage   []Coverage
	Err        error // coded; a source that failed covers nothing
}

// Source is one holder of lists: the local store, central, a national system.
type Source interface {
	// Name is unique among the sources of a post ("local", "central").
	Name() string
	// Ask answers before ctx ends or returns ctx's cause. It must not keep
	// the question.
	Ask(ctx context.Context, q Question) (Reply, error)
}

// Result is the answer of all sources together.
type Result struct {
	Answer     Answer
	Candidates []Candidate // strongest first, at most the policy's number
	Coverage   []Coverage
	Missing    []string // why a clear is not to be had, as stable words: "central: source.deadline", "local: list stale", "face: age_unknown"
}
