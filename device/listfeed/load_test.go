package listfeed_test

import (
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/listfeed/feedtest"
	"github.com/watchpost/watchpost/device/listfeed/repo"
	"github.com/watchpost/watchpost/device/listfeed/target"
	"github.com/watchpost/watchpost/device/screening/local"
	"github.com/watchpost/watchpost/device/watchlist/record"
	"github.com/watchpost/watchpost/device/watchlist/store"
)

// BenchmarkLoad prints how long a list takes from a folder to being searched:
// metadata, chunks fetched, checked, opened, written and synced, the
// generation checked whole, put in force and loaded. WATCHPOST_RECORDS is how
// many records of 1.5 KB it has, else 20,000; the figure is of 200,000.
// Run it with -benchtime 1x.
func BenchmarkLoad(b *testing.B) {
	n := 20_000
	if s := os.Getenv("WATCHPOST_RECORDS"); s != "" {
		if _, err := fmt.Sscan(s, &n); err != nil {
			b.Fatal(err)
		}
	}
	w := feedtest.New(b, filepath.Join(b.TempDir(), "feed"))
	dir := filepath.Join(b.TempDir(), "generation")
	builder, err := store.Create(dir, w.Ring, w.Key(unList), store.Spec{
		List: "un-sc", Generation: 1, Owner: "o", LegalBasis: "b", Purpose: "p", Handling: record.Handling{Action: record.Refer}, Created: w.Now, Expires: w.Now.Add(feedtest.OwnerLife),
	})
	w.Must(err)
	w.Must(builder.AddAll(ctx, longRecords(n)))
	m, err := builder.Finish(ctx)
	w.Must(err)
	var size int64
	for _, f := range m.Files {
		size += f.Size
	}
	entries := w.FromFolder("un", unList, 1, dir)
	w.Must(os.RemoveAll(dir))
	var devices []*feedtest.Device
	for range b.N {
		d := w.Device()
		d.Dir = b.TempDir() // on the disk
		w.Must(d.Restart(w.Root))
		devices = append(devices, d)
	}
	w.Commit("un", append([]repo.Entry{w.Devices("un", unList, devices...)}, entries...)...)
	f := folder(b, w.Repo.Dir())
	runtime.GC()
	b.ResetTimer()
	for i := range b.N {
		begun := time.Now()
		if r, err := devices[i].Refresh(ctx, f); err != nil || r.Err() != nil {
			b.Fatal(r, err)
		}
		verified := time.Since(begun)
		g, err := devices[i].OpenList(ctx, "un-sc")
		w.Must(err)
		l, err := local.Load(ctx, g)
		w.Must(err)
		b.ReportMetric(verified.Seconds(), "verified-s")
		b.ReportMetric(time.Since(begun).Seconds(), "loaded-s")
		b.ReportMetric(float64(size)/1e6, "MB")
		if l.Manifest().Records != n {
			b.Fatal(l.Manifest().Records)
		}
		w.Must(l.Close())
	}
}

// longRecords are of 1.5 KB each in JSON.
func longRecords(n int) iter.Seq2[*record.Record, error] {
	return func(yield func(*record.Record, error) bool) {
		long := strings.Repeat("x", 280)
		for i := range n {
			r := feedtest.Record("un-sc", fmt.Sprintf("p%06d", i), fmt.Sprintf("N%06d", i))
			for range 4 {
				r.Names = append(r.Names, record.Name{Full: long, Script: "Latn", Kind: record.NamePrimary, Quality: record.NameGood})
			}
			if !yield(r, nil) {
				return
			}
		}
	}
}

// BenchmarkApply is one urgent change on one device: five signatures, its
// segment and the commit to a state in memory.
func BenchmarkApply(b *testing.B) {
	w, d := begin(b)
	b.StopTimer()
	b.ResetTimer()
	for i := range b.N {
		w.Commit("un", w.Segment("un", unList, target.Change{Op: target.OpWithdraw, ID: fmt.Sprint("p", i%100)}))
		if i%200 == 199 { // an index of a day
			w.Commit("un", w.Generation("un", unList, uint64(2+i/200), feedtest.Record("un-sc", "p1", "N1"))...)
			if r, err := d.Refresh(ctx, folder(b, w.Repo.Dir())); err != nil || r.Err() != nil {
				b.Fatal(r, err)
			}
			continue
		}
		bundle := w.Bundle("un")
		b.StartTimer()
		r, err := d.Apply(ctx, bundle)
		b.StopTimer()
		if err != nil || r.Err() != nil || len(r.Changed) != 1 {
			b.Fatal(r, err)
		}
	}
}
