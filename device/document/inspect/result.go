// Package inspect judges an electronic travel document from the bytes of its
// files: one result per check, each with its reason and the clause that it
// rests on, in the shape of BSI TR-03135 (performed, result, reason). It
// decides nothing about the traveller; policy weighs the checks elsewhere.
//
// It also owns the words of an inspection (results, check codes), which are a
// contract with whoever stores or shows one (design section 5).
package inspect

import (
	"github.com/watchpost/watchpost/device/fault"
)

// Result is the outcome of one check. The zero value is Unknown, which lets
// nobody through. The numbers are published and never reused.
type Result uint8

// Results of a check.
const (
	Unknown       Result = 0 // nobody has judged
	Pass          Result = 1 // checked, and as it must be
	Fail          Result = 2 // checked, and not as it must be
	NotAssessable Result = 3 // tried, but what is needed to judge is not there (no anchor for the country)
	NotPerformed  Result = 4 // not tried: not asked for, not supported or nothing to try it on
)

var resultNames = [...]string{
	Unknown:       "unknown",
	Pass:          "pass",
	Fail:          "fail",
	NotAssessable: "not-assessable",
	NotPerformed:  "not-performed",
}

// String returns the published word; a number outside the published ones
// reads as "unknown".
func (r Result) String() string {
	if int(r) < len(resultNames) {
		return resultNames[r]
	}
	return resultNames[Unknown]
}

// MarshalText writes the published word, so that JSON holds words.
func (r Result) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads a published word and refuses any other.
func (r *Result) UnmarshalText(text []byte) error {
	for i, name := range resultNames {
		if name == string(text) {
			*r = Result(i)
			return nil
		}
	}
	return fault.New("inspect.result", "not a check result")
}
