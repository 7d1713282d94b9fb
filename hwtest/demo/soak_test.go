package demo

import (
	"math"
	"os"
	"path/filepath"
	"testing"
)

// TestLine holds the judge of growth: a steady rise is seen with a narrow
// interval, noise around a level with one that holds zero.
func TestLine(t *testing.T) {
	var x, rising, level []float64
	for i := range 40 {
		x = append(x, float64(20+5*i))
		noise := float64(i*7919%13) - 6
		rising = append(rising, 100+0.5*x[i]+noise)
		level = append(level, 100+noise)
	}
	if slope, half := line(x, rising); math.Abs(slope-0.5) > half || slope-half < 0.4 || half <= 0 {
		t.Errorf("a rise of 0.5 is seen as %.3f ± %.3f", slope, half)
	}
	if slope, half := line(x, level); slope-half > 0 || slope+half < 0 {
		t.Errorf("noise is seen as a rise of %.3f ± %.3f", slope, half)
	}
}

// soakOptions are those of a run with the programs that make build has built.
func soakOptions(t *testing.T) Options {
	t.Helper()
	if os.Getenv("WATCHPOST_SOAK") == "" {
		t.Skip("SKIPPED: runs of many encounters need WATCHPOST_SOAK=1")
	}
	bin := os.Getenv("WATCHPOST_BIN")
	if bin == "" {
		bin = filepath.Join("..", "..", "bin")
	}
	bin, err := filepath.Abs(bin)
	if err != nil {
		t.Fatal(err)
	}
	return Options{Bin: bin, Quiet: true, Out: t.Output(), Helper: []string{filepath.Join(bin, "hwtest"), "passport", "serve", "--inside"}}
}

// TestSoak200Encounters is hwtest measure growth --encounters 200.
func TestSoak200Encounters(t *testing.T) {
	if err := Growth(t.Context(), soakOptions(t), 200); err != nil {
		t.Fatal(err)
	}
}

// TestSoakAnswers is hwtest measure answer --answers 60. Its budget holds on a
// machine that does nothing else.
func TestSoakAnswers(t *testing.T) {
	if err := Answers(t.Context(), soakOptions(t), 60); err != nil {
		t.Fatal(err)
	}
}
