package encounter

import (
	"testing"

	"github.com/watchpost/watchpost/device/biometric/quality"
)

// Whatever package quality may advise at a post has a sentence of its own.
func TestCoachHints(t *testing.T) {
	for _, r := range quality.Rules() {
		for _, advice := range []string{r.Advice, r.AdviceHi} {
			switch advice {
			case "", quality.AdviceColour, quality.AdviceBackground, quality.AdvicePicture: // nobody at the post can help it
				continue
			}
			if coachHint(advice) == coachHint("") {
				t.Errorf("%s: no sentence for %s", r.Name, advice)
			}
		}
	}
	if coachHint("no such advice") == "" {
		t.Error("nothing to do")
	}
}
