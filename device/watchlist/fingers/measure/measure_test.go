package measure

import (
	"testing"
)

// A small crowd: the mates are found, and nobody else.
func TestRun(t *testing.T) {
	r, err := Run(t.Context(), Setup{Persons: 350, Searches: 4, Others: 3})
	if err != nil {
		t.Fatal(err)
	}
	if r.Prints != 3500 || r.BytesPerPerson <= 0 || r.Filter48 <= 0 || len(r.Searches) != len(kinds) {
		t.Errorf("%+v", r)
	}
	for _, row := range r.Searches {
		t.Logf("%+v", row)
		if row.Loss > 0 || row.FNIR > 0.25 {
			t.Errorf("%d fingers, known %v: FNIR %v, loss %v", row.Fingers, row.Known, row.FNIR, row.Loss)
		}
		if row.False > 1 {
			t.Errorf("%d fingers, known %v: %d of %d strangers found", row.Fingers, row.Known, row.False, row.Others)
		}
	}
}

func TestCrowd(t *testing.T) {
	c := Typical()
	a, b, other := c.Finger(1, 7), c.Finger(1, 7), c.Finger(1, 8)
	if len(a.Minutiae) != len(b.Minutiae) || a.Minutiae[3] != b.Minutiae[3] {
		t.Error("the same numbers give two fingers")
	}
	if a.Minutiae[3] == other.Minutiae[3] {
		t.Error("two numbers give one finger")
	}
	n := 0.0
	for i := range uint64(200) {
		n += float64(len(c.Finger(2, i).Minutiae)) / 200
	}
	if n < c.Count-4 || n > c.Count+4 {
		t.Errorf("%v minutiae on average, want %v", n, c.Count)
	}
}

func TestSetupIsRefused(t *testing.T) {
	for _, s := range []Setup{{}, {Persons: 1}, {Persons: 2_000_000, Searches: 1}, {Persons: 1, Searches: 1, Others: -1}} {
		if _, err := Run(t.Context(), s); err == nil {
			t.Errorf("%+v was taken", s)
		}
	}
}
