// Package fault is the one form in which the product reports that something
// could not be done: a stable code for programs, a cause for engineers and a
// text key for people.
//
// The three layers stay apart (design section 11): the Go error chain carries
// the cause, Code is what travels on the wire, in CSV and JSON rows and in
// exit messages, and the text is looked up by key where people read it.
package fault

import (
	"errors"
	"fmt"
)

// Code names one way of failing, in the form "part.reason", lower case with
// underscores inside each half ("store.locked"). A published code keeps its
// meaning for ever; a retired one is never given another.
type Code string

// Unknown is the code of an error that nobody coded. It reaching an operator
// is a defect of ours, not of the operator.
const Unknown Code = "internal.unknown"

// Error is a coded error. The zero value is not useful; use New or Wrap.
type Error struct {
	Code      Code   // stable code
	Hint      string // what the operator can do, one sentence, no personal data
	Retryable bool   // the same call may succeed later with nothing changed
	Cause     error  // what happened, may be nil
}

// New returns a coded error with a cause given as a format string.
func New(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Cause: fmt.Errorf(format, args...)}
}

// Wrap gives err a code. It returns nil when err is nil, so that the result
// of a call can be passed through; an error that already carries a code keeps
// the inner code reachable by errors.As, and code becomes the outer one.
func Wrap(code Code, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Code: code, Cause: err}
}

// WithHint returns a copy of e that tells the operator what to do.
func (e *Error) WithHint(hint string) *Error {
	c := *e
	c.Hint = hint
	return &c
}

// AsRetryable returns a copy of e marked as worth trying again unchanged.
func (e *Error) AsRetryable() *Error {
	c := *e
	c.Retryable = true
	return &c
}

func (e *Error) Error() string {
	if e.Cause == nil {
		return string(e.Code)
	}
	return string(e.Code) + ": " + e.Cause.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Is reports whether target is a coded error of the same code, so that a
// package can publish sentinels: errors.Is(err, store.ErrLocked).
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code && t.Cause == nil
}

// TextKey is the key under which the page finds the text for people.
func (c Code) TextKey() string { return "error." + string(c) }

// CodeOf returns the outermost code in err's chain, Unknown where there is
// none, and "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return Unknown
}

// HintOf returns the outermost hint in err's chain, "" where there is none.
func HintOf(err error) string {
	for err != nil {
		var e *Error
		if !errors.As(err, &e) {
			return ""
		}
		if e.Hint != "" {
			return e.Hint
		}
		err = e.Cause
	}
	return ""
}

// IsRetryable reports whether any coded error in err's chain is retryable.
func IsRetryable(err error) bool {
	for err != nil {
		var e *Error
		if !errors.As(err, &e) {
			return false
		}
		if e.Retryable {
			return true
		}
		err = e.Cause
	}
	return false
}
