package finger

import (
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// cpu is the processor time that this process has used: on a machine shared
// with other work the wall says little.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func loop(b *testing.B, f func(i int)) {
	b.ReportAllocs()
	start, n := cpu(b), 0
	last, best := start, time.Hour
	for b.Loop() {
		f(n)
		n++
		now := cpu(b)
		last, best = now, min(best, now-last)
	}
	b.ReportMetric(float64((cpu(b)-start).Microseconds())/1000/float64(n), "cpu-ms/op")
	b.ReportMetric(float64(best.Microseconds())/1000, "best-ms")
}

func BenchmarkExtract400(b *testing.B) {
	m := drawn(1, 400, 400)
	e := NewExtractor()
	loop(b, func(int) {
		if _, err := e.Extract(&m); err != nil {
			b.Fatal(err)
		}
	})
}

// fvcImages are the first impressions of a set.
func fvcImages(b *testing.B, set string, dpi float64) (all []Image) {
	root := dataRoot(b)
	for _, name := range []string{"101_1", "102_1", "103_1", "104_1", "105_1", "106_1", "107_1", "108_1", "109_1", "110_1", "101_2", "102_2"} {
		m, err := readGrey(filepath.Join(root, set, name+".tif"), dpi)
		if err != nil {
			b.Fatal(err)
		}
		all = append(all, m)
	}
	return all
}

// BenchmarkExtractFVC takes real prints, set by set.
func BenchmarkExtractFVC(b *testing.B) {
	for _, set := range []struct {
		name string
		dpi  float64
	}{{"fvc2002_db1_b", 500}, {"fvc2002_db2_b", 569}, {"fvc2000_db2_b", 500}} {
		b.Run(set.name, func(b *testing.B) {
			all := fvcImages(b, set.name, set.dpi)
			e := NewExtractor()
			loop(b, func(i int) {
				if _, err := e.Extract(&all[i%len(all)]); err != nil {
					b.Fatal(err)
				}
			})
		})
	}
}

func BenchmarkScoreFVC(b *testing.B) {
	var all []*Template
	for _, m := range fvcImages(b, "fvc2002_db1_b", 500) {
		all = append(all, extracted(b, m))
	}
	m := NewMatcher()
	for name, step := range map[string]int{"mate": 10, "other": 1} {
		b.Run(name, func(b *testing.B) {
			loop(b, func(i int) { m.Score(all[i%2], all[i%2+step]) })
		})
	}
}

func BenchmarkScore(b *testing.B) {
	img := drawn(1, 400, 400)
	p, q, mate := extracted(b, img), extracted(b, drawn(2, 400, 400)), extracted(b, moved(img, 20, -10, 3))
	m := NewMatcher()
	b.Run("mate", func(b *testing.B) { loop(b, func(int) { m.Score(p, mate) }) })
	b.Run("other", func(b *testing.B) { loop(b, func(int) { m.Score(p, q) }) })
}

// BenchmarkPlainFVC compares by minutiae only, as a search does with its
// finalists.
func BenchmarkPlainFVC(b *testing.B) {
	var all []*Template
	for _, m := range fvcImages(b, "fvc2002_db1_b", 500) {
		all = append(all, packedOnly(extracted(b, m)))
	}
	m := NewMatcher()
	for name, step := range map[string]int{"mate": 10, "other": 1} {
		b.Run(name, func(b *testing.B) {
			loop(b, func(i int) { m.Score(all[i%2], all[i%2+step]) })
		})
		b.Run(name+"-relaxed", func(b *testing.B) {
			loop(b, func(i int) { m.Relaxed(all[i%2], all[i%2+step]) })
		})
	}
}

func BenchmarkUnpack(b *testing.B) {
	words := extracted(b, drawn(1, 400, 400)).AppendPacked(nil)
	t := &Template{}
	loop(b, func(int) { t.Unpack(words) })
}

func BenchmarkLikeness(b *testing.B) {
	p, words := extracted(b, drawn(1, 400, 400)).FilterProbe(MaxCylinders), extracted(b, drawn(2, 400, 400)).AppendPacked(nil)
	loop(b, func(int) { Likeness(p, words) })
	b.ReportMetric(float64(p.Len()), "cylinders")
}

func BenchmarkCylindersOfPrint(b *testing.B) {
	t := extracted(b, drawn(1, 400, 400))
	loop(b, func(int) { t.prepare() })
	b.ReportMetric(float64(len(t.Minutiae)), "minutiae")
}
