package encounter

import (
	"context"
	"log/slog"

	"github.com/watchpost/watchpost/device/biometric/template"
	"github.com/watchpost/watchpost/device/document/inspect"
	"github.com/watchpost/watchpost/device/screening"
)

// DocumentKey opens a chip: what is printed on the data page, typed or read by
// a page reader. It is personal data.
type DocumentKey struct {
	MRZ string // the zone's lines, or "number,YYMMDD,YYMMDD" (number, birth, expiry)
	CAN string // card access number
}

// LogValue keeps the key out of logs.
func (DocumentKey) LogValue() slog.Value { return slog.StringValue("document key (redacted)") }

// String keeps the key out of the fmt verbs.
func (DocumentKey) String() string { return "document key (redacted)" }

// Progress is how far a step is.
type Progress struct {
	Step  StepName `json:"step"`
	Stage string   `json:"stage"` // "access", "EF.SOD", "DG2"...
	Done  int      `json:"done"`  // bytes
	Total int      `json:"total"` // bytes, 0 unknown
}

// DocumentResult is what reading and judging a document gives.
type DocumentResult struct {
	Inspection inspect.Inspection
	Portrait   []byte // the picture of DG2 as it lies on the chip, nil if none
	Vouched    bool   // DG2's hash is vouched for by the signed SOD
	BirthDate  string // YYYY-MM-DD of a vouched DG1, else ""
	Document   screening.DocumentProbe
	Name       screening.NameProbe
}

// DocumentReader reads the document that lies on the reader and judges it. An
// error means that nothing can be said of it; a chip that answers oddly is a
// result, not an error.
type DocumentReader interface {
	ReadDocument(ctx context.Context, key DocumentKey, progress func(Progress)) (DocumentResult, error)
}

// ChipSeeker is a DocumentReader that can judge a document whose chip was
// looked for and did not answer. ok is false where cause is anything but that,
// or where key holds no whole zone to judge by.
type ChipSeeker interface {
	WithoutChip(key DocumentKey, cause error) (res DocumentResult, ok bool)
}

// FaceCapture is a burst of one person's face.
type FaceCapture struct {
	Templates []template.Face // one a usable frame, unit length
	Quality   int             // 0-100, of the best frame
	Faces     int             // most faces seen in one frame
	Advice    string          // what would help most (quality.Coach), "" nothing
	Picture   []byte          // JPEG of the best frame, for the officer's eye; nil if none
}

// FaceCamera takes frames of the person in front of it.
type FaceCamera interface {
	CaptureFace(ctx context.Context, frames int) (FaceCapture, error)
}

// Portrait is what decoding the picture of a chip gives. It is personal data.
type Portrait struct {
	Face template.Face
	JPEG []byte // the picture encoded anew, nil where it could not be
}

// LogValue keeps portraits out of logs.
func (Portrait) LogValue() slog.Value { return slog.StringValue("portrait (redacted)") }

// String keeps portraits out of the fmt verbs.
func (Portrait) String() string { return "portrait (redacted)" }

// PortraitDecoder turns the picture of a chip into a template and into a
// picture that may be shown, in a process that holds no keys and nobody else's
// data. A picture without a face is an error beside which JPEG may be given.
type PortraitDecoder interface {
	DecodePortrait(ctx context.Context, picture []byte) (Portrait, error)
}

// Calibration turns face scores into error rates and back.
type Calibration interface {
	ScoreAt(fmr float64) float64 // cosine at which the false match rate is fmr
	FMRAt(score float64) float64
}

// Screener asks all sources together and answers at the deadline. Answers that
// come later are handed to late.
type Screener interface {
	Screen(ctx context.Context, q screening.Question, late func(screening.Reply)) screening.Result
}
