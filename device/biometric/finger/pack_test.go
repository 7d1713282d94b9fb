package finger

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/watchpost/watchpost/device/biometric/kernel"
	"github.com/watchpost/watchpost/device/fault"
)

// scattered is a template of n minutiae without any order.
func scattered(seed uint64, n int) *Template {
	r := rand.New(rand.NewPCG(seed, 17))
	all := make([]Minutia, n)
	for i := range all {
		all[i] = Minutia{X: 400 * r.Float32(), Y: 500 * r.Float32(), Angle: 2 * math.Pi * r.Float32(), Kind: Kind(r.IntN(3)), Quality: uint8(1 + r.IntN(100))}
	}
	return NewTemplate(420, 520, all)
}

func TestPackedKeepsAPrint(t *testing.T) {
	for _, n := range []int{0, 1, 5, 12, 40, 48, 49, 90, 200, 255} {
		p := scattered(uint64(n), n)
		p.Quality = n % 101
		words := p.AppendPacked(nil)
		size, err := PackedSize(append(words, 1, 2, 3))
		if err != nil || size != len(words) || size > MaxPacked {
			t.Fatalf("%d minutiae: %d words of %d, %v", n, size, len(words), err)
		}
		got := packedOnly(p)
		if len(got.Minutiae) != min(n, packMinutiae) || got.Quality != p.Quality || got.Width != 420 || got.Height != 520 ||
			len(got.cylinders) != min(len(p.cylinders), MaxCylinders) {
			t.Fatalf("%d minutiae: %d and %d cylinders are left, quality %d", n, len(got.Minutiae), len(got.cylinders), got.Quality)
		}
		for i := range got.cylinders {
			c := &got.cylinders[i]
			m := &got.Minutiae[c.minutia]
			found := false
			for k := range p.cylinders {
				o := &p.cylinders[k]
				w := &p.Minutiae[o.minutia]
				if c.bits == o.bits && c.mask == o.mask && math.Abs(float64(m.X-w.X)) <= 0.5 && math.Abs(float64(m.Y-w.Y)) <= 0.5 &&
					math.Abs(float64(wrap(m.Angle-w.Angle))) <= 2*math.Pi/512+1e-4 && m.Kind == w.Kind {
					found = true
				}
			}
			if !found {
				t.Fatalf("%d minutiae: cylinder %d is of no minutia of the print", n, i)
			}
		}
		if again := got.AppendPacked(nil); n <= MaxCylinders && len(again) != len(words) {
			t.Errorf("%d minutiae: packed again %d words, %d before", n, len(again), len(words))
		}
	}
}

// A print is most like itself, and a comparison of packed prints scores like
// one of the prints as they were.
func TestPackedCompares(t *testing.T) {
	p, other := scattered(1, 40), scattered(2, 40)
	probe := p.FilterProbe(MaxCylinders)
	if same, far := Likeness(probe, p.AppendPacked(nil)), Likeness(probe, other.AppendPacked(nil)); same < 10 || far > same/4 {
		t.Errorf("like itself %v, like another %v", same, far)
	}
	m := NewMatcher()
	if before, after := m.Score(p, p), m.Score(packedOnly(p), packedOnly(p)); math.Abs(before-after) > 1 {
		t.Errorf("score %v, packed %v", before, after)
	}
	if s := m.Score(packedOnly(p), packedOnly(other)); s > 0 {
		t.Errorf("two prints score %v", s)
	}
	if r := m.Relaxed(p, p); r < 4*m.Relaxed(p, other) {
		t.Errorf("relaxed %v against itself, %v against another", r, m.Relaxed(p, other))
	}
}

func TestAttackPacked(t *testing.T) {
	good := scattered(3, 60).AppendPacked(nil)
	change := func(f func(w []uint64)) []uint64 {
		w := append([]uint64(nil), good...)
		f(w)
		return w
	}
	for name, words := range map[string][]uint64{
		"nothing":         nil,
		"half a row":      good[:4],
		"cut":             good[:len(good)-1],
		"too many groups": change(func(w []uint64) { w[0] = w[0]&^255 | 7 }),
		"too many codes":  change(func(w []uint64) { w[0] |= 255 << packCodesAt }),
		"too many loose":  change(func(w []uint64) { w[0] |= 255 << packLooseAt }),
		"disorder":        change(func(w []uint64) { w[len(w)-8] |= 255 << 24; w[len(w)-1] &^= 255 << 24 }),
		"base":            change(func(w []uint64) { w[len(w)-8] = w[len(w)-8]&^0xffff | 0x7000 }),
		"base below zero": change(func(w []uint64) { w[len(w)-8] |= 0x8000 }),
		"noise between":   change(func(w []uint64) { w[len(w)-8] |= 1 << 16 }),
	} {
		t.Run(name, func(t *testing.T) {
			if n, err := PackedSize(words); fault.CodeOf(err) != ErrPacked.Code || n != 0 {
				t.Errorf("%d, %v", n, err)
			}
		})
	}
}

// Whatever PackedSize accepts can be compared.
func FuzzPacked(f *testing.F) {
	probe := scattered(4, 40)
	for _, n := range []int{0, 7, 40, 90} {
		var b []byte
		for _, w := range scattered(uint64(n), n).AppendPacked(nil) {
			b = binary.LittleEndian.AppendUint64(b, w)
		}
		f.Add(b)
	}
	filter, m := probe.FilterProbe(MaxCylinders), NewMatcher()
	f.Fuzz(func(t *testing.T, b []byte) {
		words := make([]uint64, len(b)/8)
		for i := range words {
			words[i] = binary.LittleEndian.Uint64(b[8*i:])
		}
		n, err := PackedSize(words)
		if err != nil {
			return
		}
		if v := Likeness(filter, words); v < 0 || v > kernel.MaxProbe*400 || math.IsNaN(float64(v)) {
			t.Errorf("likeness %v", v)
		}
		var p Template
		p.Unpack(words[:n])
		if s := m.Score(probe, &p); math.IsNaN(s) {
			t.Error("a score that is no number")
		}
	})
}

func TestSumFMR(t *testing.T) {
	for n := 1; n <= MaxFingers; n++ {
		last := 1.0
		for s := FingerFloor * float64(n); s < 60; s += 0.25 {
			v := SumFMR(s, n)
			if v > last || v < 0 || s < FingerFloor*float64(n)+0.01 && v < 0.999 {
				t.Fatalf("%d fingers, sum %v: %v after %v", n, s, v, last)
			}
			last = v
		}
	}
	// More fingers that together say no more than one say less.
	if SumFMR(6, 4) <= 0 || SumFMR(6, 1) > SumFMR(5.9, 1) || SumFMR(5, 1) < 5e-5 || SumFMR(5, 1) > 1.2e-4 {
		t.Error(SumFMR(6, 4), SumFMR(6, 1), SumFMR(3, 1))
	}
	for _, v := range []float64{SumFMR(math.NaN(), 1), SumFMR(10, 0), SumFMR(math.Inf(-1), 3)} {
		if v != 1 {
			t.Errorf("%v where nothing can be said", v)
		}
	}
	if v := SumFMR(math.Inf(1), 2); v < 0 || v > 1e-8 {
		t.Errorf("at infinity %v", v)
	}
	// Two fingers that one in a thousand reaches each are rarer than either.
	if v := SumFMR(2*2.67, 2); v > 1e-4 {
		t.Errorf("%v", v)
	}
}
