package measure

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/watchpost/watchpost/device/biometric/kernel"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/watchlist/gallery"
)

func TestRun(t *testing.T) {
	c := Synthetic(3)
	r, err := Run(context.Background(), c.Rows(9000, 4), Probes(c)[:2], 1)
	if err != nil {
		t.Fatal(err)
	}
	if !r.Identical || r.Faces != 9000 || r.MS.TopScan <= 0 || r.MS.Top <= 0 || r.MemoryBound <= 0 || r.Memory.Templates < 9000*4*kernel.Dims || r.Memory.Codes == 0 {
		t.Errorf("%+v", r)
	}
}

// A crowd drawn like another has its mean and its spread.
func TestLike(t *testing.T) {
	rows := Synthetic(5).Rows(4000, 6)
	templates := make([]gallery.Template, 4000)
	for i := range templates {
		templates[i] = gallery.Template(rows[i*kernel.Dims:])
	}
	c, err := Like(templates)
	if err != nil {
		t.Fatal(err)
	}
	again := c.Rows(4000, 7)
	if a, b := between(rows), between(again); math.Abs(a-b) > 0.01 {
		t.Errorf("mean cosine %v, then %v", a, b)
	}
	if !slices.Equal(again, c.Rows(4000, 7)) {
		t.Error("another crowd for the same seed")
	}
}

// between is the mean cosine of neighbours.
func between(rows []float32) (mean float64) {
	n := len(rows)/kernel.Dims - 1
	for i := range n {
		a, b := (*gallery.Template)(rows[i*kernel.Dims:]), (*gallery.Template)(rows[(i+1)*kernel.Dims:])
		mean += float64(kernel.Dot(a, b)) / float64(n)
	}
	return mean
}

func TestRefusals(t *testing.T) {
	c := Synthetic(1)
	one := Probes(c)[:1]
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	_, few := Like(make([]gallery.Template, leastLike-1))
	_, none := Run(context.Background(), nil, one, 1)
	_, probes := Run(context.Background(), one[0][:], nil, 1)
	_, repeats := Run(context.Background(), one[0][:], one, 0)
	_, zero := Run(context.Background(), make([]float32, kernel.Dims), one, 1)
	_, stopped := Run(cancelled, one[0][:], one, 1)
	for name, e := range map[string]struct {
		err  error
		code fault.Code
	}{
		"few": {few, "bench.like"}, "no rows": {none, "bench.empty"}, "no probes": {probes, "bench.empty"},
		"no repeats": {repeats, "bench.empty"}, "zero row": {zero, "gallery.template"}, "cancelled": {stopped, "gallery.cancelled"},
	} {
		if !errors.Is(e.err, &fault.Error{Code: e.code}) {
			t.Errorf("%s: %v", name, e.err)
		}
	}
}
