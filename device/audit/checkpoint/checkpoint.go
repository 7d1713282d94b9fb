// Package checkpoint is the form of a signed head of the audit log: a signed
// note (golang.org/x/mod/sumdb/note) over a checkpoint, so that witnesses which
// know nothing of this product can check and keep it.
//
//	watchpost/desk-1                        origin: which log this is
//	1284                                    lines that the head covers
//	CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2...=    their tree hash (RFC 6962, 2013, 2.1)
//	watchpost/head/1 37 1795312800000 lines number, time, why it was signed
//
//	— watchpost/desk-1 Az3grlgtzPICa5OS...  Ed25519 by the post's audit key
//
// The first three lines and the signature are those of c2sp.org/tlog-checkpoint
// and c2sp.org/signed-note (both v1.0.0, 2025). The fourth is an extension
// line: numbers run from 0 without gaps, so that a head that was taken away is
// missed, and the time says until when nothing could be changed unseen.
package checkpoint

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/watchpost/watchpost/device/fault"
)

// Limits of what is read.
const (
	MaxBytes = 8 << 10 // of a head with all its signatures; ours take under 400
	maxLines = 1 << 48 // lines of a log; far above what a disk holds
	maxTime  = 1 << 47 // milliseconds since 1970: the year 6429
)

// Why says on what occasion a head was signed. Published words.
type Why string

// Occasions.
const (
	Start    Why = "start"
	Lines    Why = "lines"    // so many lines since the last one
	Interval Why = "interval" // so much time since the last one
	Lock     Why = "lock"     // the keys are about to be locked
	Stop     Why = "stop"
)

var occasions = []Why{Start, Lines, Interval, Lock, Stop}

const extension = "watchpost/head/1"

// NoNumber is the number of a checkpoint that has none: one of another log.
const NoNumber = -1

// Checkpoint is one head. The zero value is no head of any log.
type Checkpoint struct {
	Origin string
	Lines  int64 // that it covers
	Root   tlog.Hash
	Number int64     // of heads of this log, from 0; NoNumber where the log does not number
	Time   time.Time // when it was signed, to the millisecond
	Why    Why
}

// Errors of reading a head.
var (
	// ErrForm says that the bytes are no head.
	ErrForm = &fault.Error{Code: "audit.head_form"}
	// ErrKey says that a head is signed, but by none of the keys expected.
	ErrKey = &fault.Error{Code: "audit.head_key"}
	// ErrForged says that a head is not what the key it names has signed.
	ErrForged = &fault.Error{Code: "audit.head_forged"}
	// ErrOrigin says that a head is one of another log.
	ErrOrigin = &fault.Error{Code: "audit.head_origin"}
)

// Origin names the log of a post.
func Origin(post string) string { return "watchpost/" + post }

// ValidOrigin reports whether s can be an origin and the name of a key:
// c2sp.org/signed-note, section "Format": no space, no plus, no control.
func ValidOrigin(s string) bool {
	if s == "" || len(s) > 128 {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == '+' || r > '~' })
}

// Text is what is signed.
func (c Checkpoint) Text() string {
	t := fmt.Sprintf("%s\n%d\n%s\n", c.Origin, c.Lines, c.Root)
	if c.Number != NoNumber {
		t += fmt.Sprintf("%s %d %d %s\n", extension, c.Number, c.Time.UnixMilli(), c.Why)
	}
	return t
}

// Sign returns c as a note signed by signer, whose name has to be c's origin.
func Sign(c Checkpoint, signer note.Signer) ([]byte, error) {
	if !ValidOrigin(c.Origin) || signer.Name() != c.Origin {
		return nil, fault.New(ErrOrigin.Code, "the key is not the log's")
	}
	if _, err := parseText(c.Text()); err != nil {
		return nil, err
	}
	raw, err := note.Sign(&note.Note{Text: c.Text()}, signer)
	return raw, fault.Wrap("audit.head_sign", err)
}

// Parse reads a head without asking who signed it. ErrForm if it is none.
func Parse(raw []byte) (Checkpoint, error) {
	text, err := body(raw)
	if err != nil {
		return Checkpoint{}, err
	}
	return parseText(text)
}

// body is the text of a note, with its last newline.
func body(raw []byte) (string, error) {
	if len(raw) > MaxBytes {
		return "", fault.New(ErrForm.Code, "%d bytes, at most %d", len(raw), MaxBytes)
	}
	s := string(raw)
	at := strings.LastIndex(s, "\n\n")
	if at < 0 {
		return "", fault.New(ErrForm.Code, "the head has no signatures")
	}
	return s[:at+1], nil
}

// Open reads a head of the log origin that one of keys has signed. ErrForm,
// ErrForged, ErrKey or ErrOrigin otherwise.
func Open(raw []byte, origin string, keys ...note.Verifier) (Checkpoint, error) {
	if len(raw) > MaxBytes {
		return Checkpoint{}, fault.New(ErrForm.Code, "%d bytes, at most %d", len(raw), MaxBytes)
	}
	n, err := note.Open(raw, note.VerifierList(keys...))
	var invalid *note.InvalidSignatureError
	var unverified *note.UnverifiedNoteError
	switch {
	case errors.As(err, &invalid):
		return Checkpoint{}, fault.New(ErrForged.Code, "the signature does not verify")
	case errors.As(err, &unverified):
		if c, err := parseText(unverified.Note.Text); err == nil && c.Origin != origin {
			return Checkpoint{}, fault.New(ErrOrigin.Code, "a head of another log")
		}
		return Checkpoint{}, fault.New(ErrKey.Code, "none of the keys expected has signed")
	case err != nil:
		return Checkpoint{}, fault.New(ErrForm.Code, "the head is not a signed note")
	}
	c, err := parseText(n.Text)
	if err == nil && c.Origin != origin {
		err = fault.New(ErrOrigin.Code, "a head of another log")
	}
	return c, err
}

func parseText(text string) (Checkpoint, error) {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(lines) < 3 || slices.Contains(lines, "") || !strings.HasSuffix(text, "\n") {
		return Checkpoint{}, fault.New(ErrForm.Code, "a head has an origin, a size and a hash")
	}
	c := Checkpoint{Origin: lines[0], Number: NoNumber}
	if !ValidOrigin(c.Origin) {
		return Checkpoint{}, fault.New(ErrForm.Code, "the origin has another form")
	}
	var ok bool
	if c.Lines, ok = number(lines[1], maxLines); !ok {
		return Checkpoint{}, fault.New(ErrForm.Code, "the size is no number")
	}
	root, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return Checkpoint{}, fault.New(ErrForm.Code, "the hash has another form")
	}
	c.Root = tlog.Hash(root)
	for _, line := range lines[3:] {
		if !strings.HasPrefix(line, extension+" ") {
			continue // of another log, or of a later version of ours
		}
		if c.Number != NoNumber {
			return Checkpoint{}, fault.New(ErrForm.Code, "the head has two numbers")
		}
		if err := c.extend(strings.TrimPrefix(line, extension+" ")); err != nil {
			return Checkpoint{}, err
		}
	}
	return c, nil
}

// extend reads our own line.
func (c *Checkpoint) extend(line string) error {
	parts := strings.Split(line, " ")
	if len(parts) != 3 || !slices.Contains(occasions, Why(parts[2])) {
		return fault.New(ErrForm.Code, "the head's fourth line has another form")
	}
	n, ok := number(parts[0], maxLines)
	ms, ok2 := number(parts[1], maxTime)
	if !ok || !ok2 {
		return fault.New(ErrForm.Code, "the head's number or time is no number")
	}
	c.Number, c.Time, c.Why = n, time.UnixMilli(ms).UTC(), Why(parts[2])
	return nil
}

// number reads a decimal without sign and leading zeroes.
func number(s string, limit int64) (int64, bool) {
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil && n >= 0 && n <= limit && strconv.FormatInt(n, 10) == s
}
