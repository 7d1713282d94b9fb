package demo

import (
	"errors"
	"testing"

	"github.com/watchpost/watchpost/sdk/client"
)

// TestLate: a person stands at the post once more only where a source was not
// there that had to be.
func TestLate(t *testing.T) {
	clear, cut := expect{answer: "clear"}, expect{answer: "not-verified", withhel: notAsked}
	for _, c := range []struct {
		name   string
		expect expect
		answer string
		lacks  string
		late   bool
	}{
		{"late", clear, "not-verified", "central: source.deadline", true},
		{"given up", clear, "not-verified", notAsked, true},
		{"a list is too old", clear, "not-verified", "list.stale", false},
		{"another answer", clear, "candidates", "", false},
		{"cut, as it must be", cut, "candidates", notAsked, false},
	} {
		e := &client.Encounter{Answer: c.answer}
		if c.lacks != "" {
			e.Missing = []string{c.lacks}
		}
		if err := c.expect.differs(e); err == nil || errors.Is(err, errLate) != c.late {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
