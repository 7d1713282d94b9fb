package shard

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/screening"
	screeningv1 "github.com/watchpost/watchpost/sdk/proto/screening/v1"
)

const shards = 64

// cluster is a broker on loopback, and a connection of its own for each worker,
// as on other machines.
func cluster(t testing.TB) (connect func() *nats.Conn) {
	t.Helper()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	go s.Start()
	if !s.ReadyForConnections(eventually) {
		t.Fatal("the broker is not ready")
	}
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	return func() *nats.Conn {
		nc, err := nats.Connect(s.ClientURL(), nats.Timeout(eventually))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(nc.Close)
		return nc
	}
}

// run serves shard n on a connection of its own, which is killed by closing it.
func run(t testing.TB, nc *nats.Conn, n, of int, lists Searcher) *nats.Conn {
	t.Helper()
	_, err := Serve(nc, Place{n, of}, 64, lists, testKey, slog.New(slog.DiscardHandler))
	if err == nil {
		err = nc.Flush()
	}
	if err != nil {
		t.Fatal(err)
	}
	return nc
}

// TestFiguresScatterGather prints what scatter and gather over 64 shards of
// workers with nothing to search cost. The bound is the issue's; it holds on a
// machine that does nothing else, so that only a soak run asserts it.
func TestFiguresScatterGather(t *testing.T) { scatterGather(t, 20, 0) }

// TestSoakScatterGather holds the transport's 99th percentile to 25 ms.
func TestSoakScatterGather(t *testing.T) {
	if !soak() {
		t.Skip("SKIPPED: figures run with WATCHPOST_SOAK=1")
	}
	scatterGather(t, 2000, 25*time.Millisecond)
}

func scatterGather(t *testing.T, rounds int, most time.Duration) {
	connect := cluster(t)
	for n := range shards {
		run(t, connect(), n, shards, part{record: fmt.Sprint(n)})
	}
	gatherer := connect()
	took := make([]time.Duration, 0, rounds)
	for range rounds {
		ctx, cancel := context.WithTimeout(t.Context(), eventually)
		begun := time.Now()
		r, err := Ask(ctx, gatherer, shards, testKey, asked())
		took = append(took, time.Since(begun))
		cancel()
		if err != nil || r.Coverage[0].Answered != shards || r.Coverage[0].Records != 10*shards {
			t.Fatalf("%v, %v", r, err)
		}
	}
	slices.SortFunc(took, cmp.Compare[time.Duration])
	p50, p99 := took[rounds/2], took[rounds*99/100]
	t.Logf("scatter and gather over %d shards, %d times: p50 %.1f ms, p99 %.1f ms", shards, rounds, p50.Seconds()*1e3, p99.Seconds()*1e3)
	if most == 0 {
		return
	}
	own := pauses(p50, rounds)
	t.Logf("the machine itself: plain arithmetic of %.1f ms on every core: p99 %.1f ms", own[0].Seconds()*1e3, own[1].Seconds()*1e3)
	if p99 > most {
		t.Errorf("p99 is %s, must be at most %s", p99, most)
	}
}

// pauses runs arithmetic that takes about as long as asked on every core at
// once, and gives the median and the 99th percentile of what it took: how much
// of a tail is the machine's, whatever runs on it.
func pauses(long time.Duration, rounds int) [2]time.Duration {
	work := func(steps int) time.Duration {
		begun, x := time.Now(), uint64(steps)
		for range steps {
			x ^= x<<13 ^ x>>7
		}
		sink.Store(x)
		return time.Since(begun)
	}
	const probe = 1 << 20
	least := work(probe)
	for range 50 {
		least = min(least, work(probe))
	}
	steps := int(float64(probe) * float64(long) / float64(least))
	var mu sync.Mutex
	var took []time.Duration
	var all sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			own := make([]time.Duration, rounds)
			for i := range own {
				own[i] = work(steps)
			}
			mu.Lock()
			defer mu.Unlock()
			took = append(took, own...)
		})
	}
	all.Wait()
	slices.Sort(took)
	return [2]time.Duration{took[len(took)/2], took[len(took)*99/100]}
}

var sink atomic.Uint64 // keeps the arithmetic from being left out

// TestReplicas: a worker that is killed, hangs or fails is covered by its
// replica; without one the answer says that it is partial, and a post never
// makes a clear of it.
func TestReplicas(t *testing.T) {
	hold := make(chan struct{})
	t.Cleanup(func() { close(hold) })
	for name, c := range map[string]struct {
		first    Searcher
		kill     bool
		replica  bool
		answered uint32
	}{
		"killed, with a replica":  {part{record: "b"}, true, true, 2},
		"killed, without":         {part{record: "b"}, true, false, 1},
		"hangs, with a replica":   {part{hold: hold}, false, true, 2},
		"hangs, without":          {part{hold: hold}, false, false, 1},
		"fails, with a replica":   {part{err: errors.New("no")}, false, true, 2},
		"fails, without":          {part{err: errors.New("no")}, false, false, 1},
		"well, and the only one":  {part{record: "b"}, false, false, 2},
		"well, and one of two":    {part{record: "b"}, false, true, 2},
		"boasts of other shards":  {boast{}, false, false, 2},
		"says that it is partial": {boast{less: true}, false, false, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			connect := cluster(t)
			run(t, connect(), 0, 2, part{record: "a"})
			first := run(t, connect(), 1, 2, c.first)
			if c.replica {
				run(t, connect(), 1, 2, part{record: "b"})
			}
			if c.kill {
				first.Close()
			}
			gatherer := connect()
			if c.answered == 1 {
				if answerOf(t, partial(t, gatherer)) == screening.Clear {
					t.Fatal("a partial answer became clear")
				}
				return
			}
			for range 5 { // the queue group chooses at random
				ctx, cancel := context.WithTimeout(t.Context(), eventually)
				r, err := Ask(ctx, gatherer, 2, testKey, asked())
				cancel()
				if err != nil || len(r.Coverage) != 1 || r.Coverage[0].Shards != 2 || r.Coverage[0].Answered != c.answered {
					t.Fatalf("%v, %v", r, err)
				}
				if got := answerOf(t, r); got != screening.Clear {
					t.Fatalf("a whole answer became %v", got)
				}
			}
		})
	}
}

// boast is a worker that speaks for more shards, or fewer, than it is.
type boast struct{ less bool }

func (b boast) Ask(ctx context.Context, q screening.Question) (screening.Reply, error) {
	r, err := part{record: "b"}.Ask(ctx, q)
	r.Coverage[0].Shards, r.Coverage[0].Answered = 64, 64
	if b.less {
		r.Coverage[0].Answered = 63
	}
	return r, err
}

// central is a source that gives one answer, as a post reads it.
type central struct{ r screening.Reply }

func (central) Name() string                                                       { return "central" }
func (c central) Ask(context.Context, screening.Question) (screening.Reply, error) { return c.r, nil }

// answerOf is what a post makes of a response without its candidates.
func answerOf(t *testing.T, r *screeningv1.AskResponse) screening.Answer {
	t.Helper()
	out := screening.Reply{}
	for _, c := range r.Coverage {
		out.Coverage = append(out.Coverage, screening.Coverage{
			List: c.List, Issued: time.Now(), Shards: int(c.Shards), Answered: int(c.Answered), Asked: []screening.Modality{screening.Document},
		})
	}
	s, err := screening.New(screening.Rules{Required: []string{"central"}, MaxListAge: time.Hour, MaxCandidates: 5}, time.Now, central{out})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), eventually)
	defer cancel()
	return s.Screen(ctx, screening.Question{Encounter: "e", Officer: "o", Purpose: "p", Documents: []screening.DocumentProbe{{Number: "X"}}}, nil).Answer
}

// TestSearchOnce: a worker that is asked twice for one search begins it once.
func TestSearchOnce(t *testing.T) {
	connect := cluster(t)
	hold, taken := make(chan struct{}), make(chan struct{}, 4)
	run(t, connect(), 0, 1, part{record: "a", hold: hold, asked: taken})
	watch := connect()
	again, err := watch.SubscribeSync(subjectAll(0))
	if err == nil {
		err = watch.Flush()
	}
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(t.Context(), eventually)
		defer cancel()
		_, err := Ask(ctx, connect(), 1, testKey, asked())
		done <- err
	}()
	<-taken
	if _, err := again.NextMsg(eventually); err != nil { // all are asked
		t.Fatal(err)
	}
	close(hold)
	if err := <-done; err != nil {
		t.Fatal(fault.CodeOf(err))
	}
	if len(taken) != 0 {
		t.Error("the search was begun twice")
	}
}
