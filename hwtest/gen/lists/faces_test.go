package lists

import (
	"math"
	"testing"

	"github.com/watchpost/watchpost/device/biometric/template"
)

func TestFacesLieAsFarApartAsStated(t *testing.T) {
	centre := template.Face{Model: "m", Version: "1", Images: 1}
	centre.Vector[3] = 1
	g, err := NewFaces([]template.Face{centre}, 1)
	if err != nil {
		t.Fatal(err)
	}
	all := make([]template.Face, 300)
	for i := range all {
		all[i] = g.Next()
		if err := all[i].Check(); err != nil {
			t.Fatal(err)
		}
	}
	sum, n := 0.0, 0
	for i := range all {
		for k := range i {
			c, err := template.Cosine(&all[i], &all[k])
			if err != nil {
				t.Fatal(err)
			}
			sum += c
			n++
		}
	}
	if mean := sum / float64(n); math.Abs(mean-between) > 0.01 {
		t.Errorf("mean cosine %.3f, stated %.3f", mean, between)
	}
	if _, err := NewFaces(nil, 1); err == nil {
		t.Error("no middle is accepted")
	}
}

func TestDocumentNumbersHaveTheirForm(t *testing.T) {
	seen := make(map[string]bool)
	for n := range uint64(10_000) {
		s := DocumentNumber(5, n)
		if len(s) != 9 || s != DocumentNumber(5, n) {
			t.Fatalf("number %q", s)
		}
		seen[s] = true
	}
	if len(seen) < 9_990 {
		t.Errorf("only %d different of 10,000", len(seen))
	}
}
