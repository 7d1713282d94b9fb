package gallery

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/watchpost/watchpost/device/biometric/kernel"
)

// Templates of chunks that are gone make room for others; until then they are
// left alone.
func TestRoomsServeAgain(t *testing.T) {
	f := newFaces(10)
	g, _ := filled(t, 1<<30, 8*chunkRows, f.next)
	for p := range Person(6 * chunkRows) {
		g.Delete(p)
	}
	spare := func() int {
		g.rooms.mu.Lock()
		defer g.rooms.mu.Unlock()
		return len(g.rooms.spare)
	}
	for end := time.Now().Add(time.Minute); spare() < 5; runtime.GC() {
		if time.Now().After(end) {
			t.Fatalf("%d rooms given back", spare())
		}
	}
	// More may be given back at any time: that rooms were taken, and none of them
	// from the slab, says where they came from.
	before, slab, left := len(g.load().chunks), unsafe.SliceData(g.rooms.slab), len(g.rooms.slab)
	for i := range 3 * chunkRows {
		if err := g.Insert(Person(1<<20+i), f.next()); err != nil {
			t.Fatal(err)
		}
	}
	if now := len(g.load().chunks); now < before+2 {
		t.Errorf("%d chunks, %d before: no room was wanted", now, before)
	}
	if unsafe.SliceData(g.rooms.slab) != slab || len(g.rooms.slab) != left {
		t.Error("memory was taken although there was some to spare")
	}
	runtime.KeepAlive(g)
}

// Searches that run while chunks go and their memory serves others find those
// who stay, at their scores.
func TestSearchWhileRoomsServeAgain(t *testing.T) {
	f := newFaces(11)
	g, all := filled(t, 1<<12, 4*chunkRows, f.next)
	const stay = chunkRows
	probe := f.next()
	var want []Hit
	for i := range stay {
		want = append(want, Hit{Person(i), kernel.Dot(&all[i], &probe)})
	}
	slices.SortFunc(want, better)
	want = want[:20]
	others := f.next()
	for i := range others {
		others[i] = -probe[i] // never among the best
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := stay; i < len(all); i++ {
			g.Delete(Person(i))
		}
		batch := slices.Repeat([]Template{others}, 3*chunkRows)
		for {
			select {
			case <-stop:
				return
			default:
			}
			if err := g.Insert(1<<30, batch...); err != nil {
				t.Error(err)
			}
			g.Delete(1 << 30)
			runtime.GC()
		}
	})
	for round := range 10 {
		q := Query{Probes: []Template{probe}, Top: 200, Least: -2, NoFilter: round%2 == 0}
		hits, err := g.Search(context.Background(), q)
		if err != nil {
			t.Fatal(err)
		}
		hits = slices.DeleteFunc(hits, func(h Hit) bool { return h.Person >= stay })
		for i, h := range hits[:min(len(hits), len(want))] {
			if h != want[i] {
				t.Fatalf("round %d: %v, want %v", round, h, want[i])
			}
		}
	}
	close(stop)
	wg.Wait()
}

// A slab that fills large pages begins on one, and rooms do not overlap.
func TestRoomsLieApart(t *testing.T) {
	r := &rooms[int32]{size: 300_000}
	var taken []*room[int32]
	for i := range 20 {
		next := r.take(3)
		if len(next.values) != 300_000 || cap(next.values) != 300_000 {
			t.Fatalf("room of %d, capacity %d", len(next.values), cap(next.values))
		}
		for j := range next.values {
			next.values[j] = int32(i)
		}
		taken = append(taken, next)
	}
	for i, room := range taken {
		if room.values[0] != int32(i) || room.values[len(room.values)-1] != int32(i) {
			t.Errorf("room %d was written by another", i)
		}
	}
}
