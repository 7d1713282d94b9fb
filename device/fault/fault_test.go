package fault

import (
	"errors"
	"fmt"
	"io"
	"testing"
)

func TestCodeSurvivesWrapping(t *testing.T) {
	inner := New("store.locked", "lock held by process %d", 7).WithHint("end the other process").AsRetryable()
	err := fmt.Errorf("open list: %w", Wrap("list.unavailable", inner))
	if got := CodeOf(err); got != "list.unavailable" {
		t.Errorf("outermost code is %q", got)
	}
	if !errors.Is(err, &Error{Code: "store.locked"}) {
		t.Error("the inner code is no longer reachable")
	}
	if HintOf(err) != "end the other process" || !IsRetryable(err) {
		t.Errorf("hint %q, retryable %v: lost under an outer code", HintOf(err), IsRetryable(err))
	}
}

func TestUncodedAndNil(t *testing.T) {
	if CodeOf(io.EOF) != Unknown || CodeOf(nil) != "" || Wrap("a.b", nil) != nil {
		t.Error("an uncoded error must read as unknown, and nil as nothing")
	}
	if errors.Is(New("a.b", "x"), &Error{Code: "a.c"}) {
		t.Error("different codes must not compare equal")
	}
}
