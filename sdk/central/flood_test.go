package central

import (
	"log/slog"
	"math"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	linkv1 "github.com/watchpost/watchpost/sdk/proto/link/v1"
)

// TestAttackFlood is one post, or whoever stole it, that wants all of central.
func TestAttackFlood(t *testing.T) {
	t.Run("one post takes every place", func(t *testing.T) {
		p := places{taken: map[string]int{}}
		n := 0
		for range 10 * parallel {
			if p.take("thief") {
				n++
			}
		}
		if n != parallelEach || n > parallel/2 {
			t.Errorf("%d of %d places", n, parallel)
		}
		if !p.take("desk-1") {
			t.Error("nothing is left for another post")
		}
		for range n {
			p.leave("thief")
		}
		p.leave("desk-1")
		if len(p.taken) != 0 {
			t.Errorf("%v is kept", p.taken)
		}
	})
	t.Run("a question that waits for weeks", func(t *testing.T) {
		if w := waitOf(math.MaxUint32); w > 10*time.Second {
			t.Errorf("central works at it for %v", w)
		}
		if w := waitOf(700); w != 680*time.Millisecond {
			t.Errorf("an ordinary one: %v", w)
		}
		if w := waitOf(0); w != leastWait {
			t.Errorf("none: %v", w)
		}
	})
	t.Run("a subject of no post", func(t *testing.T) {
		s := &Service{o: Options{Log: slog.New(slog.DiscardHandler)}, slots: make(chan struct{}, parallel), each: places{taken: map[string]int{}}}
		for _, subject := range []string{"", "edge", "edge..ask", "search.0", linkv1.AskSubject("a b")} {
			s.take(&nats.Msg{Subject: subject})
		}
		s.work.Wait()
		if len(s.slots) != 0 || len(s.each.taken) != 0 {
			t.Errorf("%d places, %v", len(s.slots), s.each.taken)
		}
	})
}
