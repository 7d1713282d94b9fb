package kernel

import (
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"
)

func randomCode(r *rand.Rand) CylinderCode {
	c := CylinderCode{Base: r.IntN(200), Direction: uint8(r.Uint32())}
	for k := range c.Bits {
		c.Bits[k] = r.Uint64() & r.Uint64()
	}
	return c
}

// near is c with some bits turned.
func near(r *rand.Rand, c CylinderCode) CylinderCode {
	for range r.IntN(40) {
		c.Bits[r.IntN(CodeWords)] ^= 1 << r.IntN(64)
	}
	c.Direction += uint8(r.IntN(160))
	return c
}

func byDirection(a, b CylinderCode) int { return int(a.Direction) - int(b.Direction) }

// lay puts codes into whole groups, each in order of directions; what no
// kernel reads is noise.
func lay(r *rand.Rand, codes []CylinderCode) []uint64 {
	codes = slices.Clone(codes)
	for some := range slices.Chunk(codes, CylinderLanes) {
		slices.SortFunc(some, byDirection)
	}
	last := uint8(0)
	groups := make([]uint64, (len(codes)+CylinderLanes-1)/CylinderLanes*CylinderGroup)
	for i := range len(groups) / CylinderGroup * CylinderLanes {
		g, lane := groups[i/CylinderLanes*CylinderGroup:], i%CylinderLanes
		g[CodeWords*CylinderLanes+lane] = r.Uint64()
		c := CylinderCode{Base: NoBase, Direction: last}
		if i < len(codes) {
			c = codes[i]
		}
		last = c.Direction
		for k, w := range c.Bits {
			g[k*CylinderLanes+lane] = w
		}
		g[MetaRow*CylinderLanes+lane] = Meta(c.Base, c.Direction) | r.Uint64()<<32
	}
	return groups
}

// wantSum is Cylinders by its definition.
func wantSum(probe, codes []CylinderCode) (sum uint32) {
	for _, c := range codes {
		best := 0
		for _, p := range probe {
			turn := int(int8(c.Direction - p.Direction))
			if turn < -64 || turn > 63 {
				continue
			}
			d := 0
			for k := range c.Bits {
				d += bits.OnesCount64(c.Bits[k] ^ p.Bits[k])
			}
			best = max(best, c.Base+p.Base-d)
		}
		sum += uint32(best)
	}
	return sum
}

func checkCylinders(t *testing.T, r *rand.Rand, probe, codes []CylinderCode) {
	t.Helper()
	var p CylinderProbe
	p.Fill(probe)
	groups := append(lay(r, codes), make([]uint64, r.IntN(CylinderGroup))...)
	want := wantSum(probe[:min(len(probe), MaxProbe)], codes)
	for name, f := range cylinderKernels() {
		if got := f(&p, groups); got != want {
			t.Fatalf("%s: %d codes against %d: got %d, want %d", name, len(probe), len(codes), got, want)
		}
	}
	if got := Cylinders(&p, groups); got != want {
		t.Fatalf("%s: got %d, want %d", CylinderKernel(), got, want)
	}
}

func TestCylindersRandom(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 22))
	for range 400 {
		var probe, codes []CylinderCode
		for range r.IntN(MaxProbe + 3) {
			probe = append(probe, randomCode(r))
		}
		for range r.IntN(70) {
			c := randomCode(r)
			if len(probe) > 0 && r.IntN(2) == 0 {
				c = near(r, probe[r.IntN(len(probe))])
			}
			codes = append(codes, c)
		}
		checkCylinders(t, r, probe, codes)
	}
}

// Equal and opposite codes, the largest bases and every difference of
// directions.
func TestCylindersExtremes(t *testing.T) {
	r := rand.New(rand.NewPCG(23, 24))
	full := [CodeWords]uint64{^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)}
	for _, base := range []int{0, 1, 192, maxBase} {
		for _, bits := range [][CodeWords]uint64{{}, full, {1}, {5: 1 << 63}} {
			for turn := range 256 {
				checkCylinders(t, r, []CylinderCode{{full, base, 200}}, []CylinderCode{{bits, base, uint8(turn)}})
			}
		}
	}
	checkCylinders(t, r, nil, []CylinderCode{{Base: maxBase}})
	checkCylinders(t, r, []CylinderCode{{Base: maxBase}}, nil)
}

func TestProbeIsBounded(t *testing.T) {
	var p CylinderProbe
	for _, n := range []int{MaxProbe + 5, 3, MaxProbe, 0} {
		p.Fill(make([]CylinderCode, n))
		if p.Len() != min(n, MaxProbe) {
			t.Errorf("%d codes of %d", p.Len(), n)
		}
	}
}

// BenchmarkCylinders compares templates of 48 codes with one of 48: the figure
// of the issue is templates a second on one core.
func BenchmarkCylinders(b *testing.B) {
	r := rand.New(rand.NewPCG(25, 26))
	var p CylinderProbe
	// A template's codes lie in order of their directions.
	template := func() []CylinderCode {
		all := make([]CylinderCode, 48)
		for i := range all {
			all[i] = randomCode(r)
		}
		slices.SortFunc(all, byDirection)
		return all
	}
	p.Fill(template())
	const templates = 512
	var codes []CylinderCode
	for range templates {
		codes = append(codes, template()...)
	}
	groups := lay(r, codes)
	const size = 48 / CylinderLanes * CylinderGroup
	for name, f := range cylinderKernels() {
		b.Run(name, func(b *testing.B) {
			sum := uint32(0)
			i := 0
			for b.Loop() {
				sum += f(&p, groups[i*size:][:size])
				i = (i + 1) % templates
			}
			if sum == 0 {
				b.Fatal("nothing alike")
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "templates/s")
		})
	}
}
