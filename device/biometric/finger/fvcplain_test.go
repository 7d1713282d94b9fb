package finger

import (
	"os"
	"slices"
	"testing"
)

// packedOnly is what a gallery keeps of a print.
func packedOnly(t *Template) *Template {
	out := &Template{}
	out.Unpack(t.AppendPacked(nil))
	return out
}

func shippedPlain(v vector) float64 { return v.llr(true) }

// TestFVCPlain measures comparisons by minutiae only, as TestFVCRotation does
// those with ridges, and prints the weights and rates to ship.
func TestFVCPlain(t *testing.T) {
	root := dataRoot(t)
	if os.Getenv("WATCHPOST_SOAK") == "" {
		t.Skip("WATCHPOST_SOAK is not set: comparisons by minutiae only are not measured")
	}
	sets, poor := fvcSets(10, 8, false), fvcSets(10, 8, true)
	for i := range sets {
		sets[i].packed, poor[i].packed = true, true
		sets[i].measure(t, root)
		poor[i].measure(t, root)
		r, _, _ := ratesOf(sets[i:i+1], shippedPlain)
		t.Logf("%-26s %v", sets[i].name, r)
	}
	easy, _, _ := ratesOf(sets[:2], shippedPlain)
	t.Logf("%-26s %v", "2002 DB1+DB2 pooled", easy)
	pooled, _, impostor := ratesOf(sets, shippedPlain)
	t.Logf("%-26s %v", "three pooled", pooled)
	hard, _, more := ratesOf(poor, shippedPlain)
	t.Logf("%-26s %v", "three degraded, pooled", hard)
	turned := make([]func(vector) float64, len(sets))
	for k := range sets {
		w := fit(append(slices.Delete(slices.Clone(sets), k, k+1), slices.Delete(slices.Clone(poor), k, k+1)...), 8)
		turned[k] = func(v vector) float64 { return v.weigh(w) }
	}
	r, _, _ := ratesOf(sets[:2], turned[:2]...)
	t.Logf("rotation, 2002 DB1+DB2 pooled: %v", r)
	r, _, _ = ratesOf(sets, turned...)
	t.Logf("rotation, three pooled: %v", r)
	t.Logf("weights of all: %.4f", fit(append(slices.Clone(sets), poor...), 8))
	impostor = append(impostor, more...)
	slices.Sort(impostor)
	for _, q := range []float64{0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4} {
		t.Logf("score at FMR %v: %.2f", q, impostor[len(impostor)-1-int(q*float64(len(impostor)))])
	}
	if easy.eer > 0.03 {
		t.Errorf("2002 DB1+DB2 by minutiae only: %v", easy)
	}
}
