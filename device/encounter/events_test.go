package encounter

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"
)

// add puts n events of no encounter into a log.
func add(t *testing.T, l *Events, n int) {
	t.Helper()
	for range n {
		if err := l.Add(time.Now(), "", EventDevice, DeviceData{}); err != nil {
			t.Fatal(err)
		}
	}
}

// A follower that is behind is told so as soon as one event is missing, and not
// before; one that names an event that was never sent follows another run.
func TestEventsTellWhoIsBehind(t *testing.T) {
	l := NewEvents()
	add(t, l, eventsKept+100)
	last := l.Last()
	for after, want := range map[uint64]error{
		0: ErrEventsGone, 1: ErrEventsGone, 99: ErrEventsGone, 100: nil, 101: nil, last - 1: nil,
		last + 1: ErrEventsGone, last + eventsKept: ErrEventsGone, math.MaxInt64: ErrEventsGone, math.MaxUint64: ErrEventsGone,
	} {
		got, err := l.Next(t.Context(), after)
		if !errors.Is(err, want) {
			t.Errorf("after %d: %v, want %v", after, err, want)
		}
		if want == nil && (len(got) == 0 || got[0].Seq != after+1 || got[len(got)-1].Seq != last) {
			t.Errorf("after %d: %d events, the first %d", after, len(got), got[0].Seq)
		}
	}
}

// A new run has no events yet: who follows from its beginning waits, who goes on
// where an earlier run ended is told.
func TestEventsOfANewRun(t *testing.T) {
	l := NewEvents()
	if _, err := l.Next(t.Context(), 1); !errors.Is(err, ErrEventsGone) {
		t.Errorf("after an event of an earlier run: %v", err)
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := l.Next(ended, 0); !errors.Is(err, context.Canceled) {
		t.Errorf("from the beginning: %v", err)
	}
}

// Every follower gets every event once and in order while it stays within what
// is kept, whatever others do.
func TestEventsReachEveryFollower(t *testing.T) {
	const total = 3 * eventsKept
	l := NewEvents()
	type end struct {
		seen uint64
		err  error
	}
	ends := make(chan end, 2)
	caught := make(chan uint64, 2*total) // what a follower has seen
	for range 2 {
		go func() {
			var e end
			for e.seen < total && e.err == nil {
				var batch []Event
				batch, e.err = l.Next(t.Context(), e.seen)
				for _, ev := range batch {
					if ev.Seq != e.seen+1 {
						e.err = errors.New("an event is missing or comes twice")
					}
					e.seen = ev.Seq
				}
				caught <- e.seen
			}
			ends <- e
		}()
	}
	for made := uint64(0); made < total; {
		add(t, l, eventsKept/2)
		made += eventsKept / 2
		for behind := 2; behind > 0 && made < total; {
			select {
			case seen := <-caught:
				if seen == made {
					behind--
				}
			case e := <-ends:
				t.Fatalf("a follower ended at %d: %v", e.seen, e.err)
			}
		}
	}
	for range 2 {
		if e := <-ends; e.err != nil || e.seen != total {
			t.Errorf("a follower ended at %d: %v", e.seen, e.err)
		}
	}
}
