// Package evidence keeps one reading of a chip as a folder: every file as the
// chip gave it (EF_DG1.bin) and evidence.json with what only the session
// showed: how the chip was opened, which files could not be read, what it
// proved. Whoever holds the folder can judge the document again, with another
// trust store or on another day.
//
// The folder vouches for nothing by itself. Signatures in the files are judged
// again, and so is Active Authentication, whose challenge and signature are
// kept; that Chip Authentication or PACE-CAM succeeded is the word of whoever
// made the folder, because nobody else can check a shared secret. It holds
// personal data.
package evidence

import (
	"log/slog"
	"time"

	"github.com/watchpost/watchpost/device/document/emrtd"
	"github.com/watchpost/watchpost/device/document/emrtd/activeauth"
	"github.com/watchpost/watchpost/device/document/examine"
	"github.com/watchpost/watchpost/device/document/inspect"
	"github.com/watchpost/watchpost/device/document/lds"
	"github.com/watchpost/watchpost/device/fault"
)

// Version is the form of evidence.json that this edition writes and reads.
const Version = 1

// Errors of evidence.
var (
	// ErrForm: evidence.json is not what this edition reads.
	ErrForm = &fault.Error{Code: "evidence.form"}
	// ErrFile: a file cannot be read.
	ErrFile = &fault.Error{Code: "document.file"}
	// ErrWrite: the folder or a file cannot be written.
	ErrWrite = &fault.Error{Code: "evidence.write"}
	// ErrDuplicate: a file is there twice, under different names and not alike.
	ErrDuplicate = &fault.Error{Code: "document.duplicate_file"}
	// ErrEmpty: the folder holds no file of a chip.
	ErrEmpty = &fault.Error{Code: "document.no_files"}
)

// Session is what only the session with the chip showed.
type Session struct {
	Version int               `json:"version"`
	At      time.Time         `json:"at"`              // when it was read
	Lines   []string          `json:"lines,omitempty"` // optically read zone
	Access  inspect.Access    `json:"access"`
	Unread  map[string]string `json:"unread,omitempty"` // file to code
	Proofs  []Proof           `json:"proofs,omitempty"`
}

// Proof is how one protocol between chip and reader ended.
type Proof struct {
	Code      inspect.Code   `json:"code"`
	Result    inspect.Result `json:"result"`
	Reason    string         `json:"reason,omitempty"`
	KeyFile   lds.File       `json:"key_file,omitempty"`
	Challenge []byte         `json:"challenge,omitempty"` // Active Authentication
	Signature []byte         `json:"signature,omitempty"`
}

// LogValue keeps personal data out of logs.
func (Session) LogValue() slog.Value { return slog.StringValue("session (redacted)") }

// String keeps personal data out of the fmt verbs.
func (Session) String() string { return "session (redacted)" }

// Of takes from a reading what only the session showed. lines is the optically
// read zone, nil where none was read.
func Of(r *emrtd.Reading, lines []string, at time.Time) Session {
	in := examine.Input(r, lines, examine.Rules{})
	s := Session{Version: Version, At: at.UTC(), Lines: lines, Access: *in.Access, Unread: map[string]string{}}
	for f, code := range in.Unread {
		s.Unread[string(f)] = code
	}
	for i, p := range in.Proofs {
		s.Proofs = append(s.Proofs, Proof{
			Code: p.Code, Result: p.Result, Reason: p.Reason, KeyFile: p.KeyFile,
			Challenge: r.Proofs[i].Challenge, Signature: r.Proofs[i].Signature,
		})
	}
	return s
}

// Input is the inspection's input for a session and the files beside it.
func (s Session) Input(files map[lds.File][]byte) inspect.Input {
	in := inspect.Input{Files: files, Unread: map[lds.File]string{}, Lines: s.Lines, Access: &s.Access}
	for name, code := range s.Unread {
		if f, ok := lds.NamedFile(name); ok && files[f] == nil {
			in.Unread[f] = code
		}
	}
	for _, p := range s.Proofs {
		if p.Code == inspect.ActiveAuthentication && p.Result == inspect.Pass {
			p.Result, p.Reason = reverify(files, p)
		}
		in.Proofs = append(in.Proofs, inspect.Proof{Code: p.Code, Result: p.Result, Reason: p.Reason, KeyFile: p.KeyFile})
	}
	return in
}

// reverify judges Active Authentication from its transcript.
func reverify(files map[lds.File][]byte, p Proof) (inspect.Result, string) {
	err := emrtd.VerifyActive(files[lds.Group(15)], files[lds.Group(14)], p.Challenge, p.Signature)
	switch fault.CodeOf(err) {
	case "":
		return inspect.Pass, ""
	case activeauth.ErrKey.Code:
		return inspect.NotAssessable, string(activeauth.ErrKey.Code)
	}
	return inspect.Fail, string(fault.CodeOf(err))
}
