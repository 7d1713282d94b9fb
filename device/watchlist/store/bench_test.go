package store

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/device/watchlist/record"
)

// recordSize is the length in bytes for which the issue states its figure.
const recordSize = 1500

// benchSealer returns a sealer, a key and text of recordSize bytes.
func benchSealer(b *testing.B) (*sealer, RecordKey, []byte) {
	k := newBench(b)
	s, err := newSealer(k.key, "bench", 1)
	if err != nil {
		b.Fatal(err)
	}
	return s, RecordKey{1, 2, 3}, make([]byte, recordSize)
}

// processor reports what one thread spent on each turn, which other work on
// the machine changes less than the time on the clock.
func processor(b *testing.B, turns func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, after unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &before); err != nil {
		b.Fatal(err)
	}
	turns()
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &after); err != nil {
		b.Fatal(err)
	}
	spent := after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano()
	b.ReportMetric(float64(spent)/float64(b.N), "cpu-ns/op")
}

// BenchmarkSealRecord seals a record of 1.5 KB as Builder.Add does.
func BenchmarkSealRecord(b *testing.B) {
	s, k, text := benchSealer(b)
	b.SetBytes(recordSize)
	dst := make([]byte, 0, recordSize+vault.Overhead)
	processor(b, func() {
		for b.Loop() {
			if _, err := s.key.Seal(dst, text, s.identity(k)); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkOpenRecord opens it as Generation.Get does.
func BenchmarkOpenRecord(b *testing.B) {
	s, k, text := benchSealer(b)
	sealed, err := s.key.Seal(nil, text, s.identity(k))
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(recordSize)
	dst := make([]byte, 0, recordSize)
	processor(b, func() {
		for b.Loop() {
			if _, err := s.key.Open(dst, sealed, s.identity(k)); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkBuild100kFaces1MDocuments builds what the walls' demonstration
// holds: run it with -benchtime 1x.
func BenchmarkBuild100kFaces1MDocuments(b *testing.B) {
	k := newBench(b)
	const faces, documents = 100_000, 1_000_000
	r := rand.New(rand.NewPCG(1, 1))
	vectors := make([]record.Vector, 1000)
	for i := range vectors {
		vectors[i] = vector(r)
	}
	make := func(i int) *record.Record {
		if i < faces {
			return &record.Record{
				Schema: 1, ID: fmt.Sprintf("P-%06d", i), Edition: 1,
				Names: []record.Name{{Primary: "Name", Secondary: "Given", Script: "Latn", Kind: record.NamePrimary, Quality: record.NameGood}},
				Faces: []record.Face{{Model: "m", Version: "1", Vector: vectors[i%len(vectors)], Images: 1}},
			}
		}
		return &record.Record{
			Schema: 1, ID: fmt.Sprintf("D-%07d", i), Edition: 1,
			Documents: []record.Document{{Type: "P", Issuer: "UTO", Number: fmt.Sprintf("L%08d", i), Status: record.DocumentLost}},
		}
	}
	dir := b.TempDir()
	n := 0
	for b.Loop() {
		n++
		builder, err := Create(filepath.Join(dir, fmt.Sprint(n)), k.ring, k.key, spec("bench", uint64(n)))
		if err != nil {
			b.Fatal(err)
		}
		if err := builder.AddAll(ctx, sequence(faces+documents, make)); err != nil {
			b.Fatal(err)
		}
		m, err := builder.Finish(ctx)
		if err != nil {
			b.Fatal(err)
		}
		var size int64
		for _, f := range m.Files {
			size += f.Size
		}
		b.ReportMetric(float64(size)/(1<<20), "MiB")
	}
	b.StopTimer()
	g, err := OpenFolder(filepath.Join(dir, "1"), k.key)
	if err != nil {
		b.Fatal(err)
	}
	defer g.Close()
	if _, err := g.LoadFaces(ctx); err != nil {
		b.Fatal(err)
	}
	if table, err := g.LoadDocuments(ctx); err != nil || table.Len() != documents {
		b.Fatal(table.Len(), err)
	}
}
