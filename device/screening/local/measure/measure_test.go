package measure

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/watchpost/watchpost/device/watchlist/budget"
)

func TestStart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "list")
	if _, err := Build(t.Context(), dir, Size{Faces: 300, Documents: 200, Fingers: 20}); err != nil {
		t.Fatal(err)
	}
	s, err := Run(t.Context(), dir, budget.Reserve+1<<30)
	if err != nil {
		t.Fatal(err)
	}
	if s.Size != (Size{300, 200, 20}) || s.Records != 520 || s.Budget.Templates != 300*512 || s.Ready <= 0 || s.Peak == 0 {
		t.Errorf("%+v", s)
	}
	if _, err := Run(t.Context(), dir, budget.Reserve); !errors.Is(err, budget.ErrOver) {
		t.Errorf("over the budget: %v", err)
	}
}
