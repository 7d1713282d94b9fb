package imports

import (
	"errors"
	"strings"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/watchlist/record"
)

// Broken returns a row that is lost for one reason.
func Broken(line int, field string, code fault.Code, reason string) Row {
	return Row{Line: line, Problems: []Problem{{field, code, reason}}}
}

// Problems says an error of package record or of a table as problems, nil for
// nil.
func Problems(err error) []Problem {
	if err == nil {
		return nil
	}
	var rules record.Problems
	if !errors.As(err, &rules) {
		code := fault.CodeOf(err)
		return []Problem{{"", code, strings.TrimPrefix(err.Error(), string(code)+": ")}}
	}
	out := make([]Problem, len(rules))
	for i, p := range rules {
		out[i] = Problem{p.Field, p.Code, "breaks a rule of the record's form"}
	}
	return out
}
