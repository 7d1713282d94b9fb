package encounter

import (
	"errors"
	"testing"

	"github.com/watchpost/watchpost/device/fault"
)

func TestEveryFailedStepHasAHint(t *testing.T) {
	own := fault.New("card.none", "none").WithHint("of its own")
	for _, k := range []struct {
		err  error
		want string
	}{
		{own, "of its own"},
		{fault.Wrap("step.failed", own), "of its own"},
		{fault.New("card.odd", "odd"), hints["card"]},
		{fault.New("access.wrong_password", "no"), hints["access.wrong_password"]},
		{fault.New("vendor.secret_reason", "?"), lastHint},
		{errors.New("no code"), lastHint},
	} {
		if got := hintOf(k.err); got != k.want {
			t.Errorf("%v: %q, want %q", k.err, got, k.want)
		}
	}
}
