package clock

import (
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// machine is a machine whose clock is set at will; what has elapsed it knows
// for certain.
type machine struct {
	mu      sync.Mutex
	wall    time.Time
	elapsed time.Duration
}

func (m *machine) now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.wall
}

func (m *machine) since() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.elapsed
}

// pass lets time go by and moves the clock by jump beside it.
func (m *machine) pass(d, jump time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.wall, m.elapsed = m.wall.Add(d+jump), m.elapsed+d
}

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func newMachine() (*machine, *Clock) {
	m := &machine{wall: noon, elapsed: time.Hour}
	return m, newClock(m.now, m.since)
}

func (m *machine) tells(t *testing.T, c *Clock, want time.Time, back bool) {
	t.Helper()
	if got := c.Now(); !got.Equal(want) {
		t.Errorf("the time is %s, must be %s", got, want)
	}
	if err := c.Back(); (err != nil) != back || back && !errors.Is(err, ErrBack) {
		t.Errorf("back: %v, must be %t", err, back)
	}
}

func TestAClockThatIsRight(t *testing.T) {
	m, c := newMachine()
	m.tells(t, c, noon, false)
	m.pass(time.Minute, 0)
	m.tells(t, c, noon.Add(time.Minute), false)
	m.pass(time.Minute, time.Hour) // forward is believed
	m.tells(t, c, noon.Add(time.Hour+2*time.Minute), false)
}

func TestAClockThatGoesBack(t *testing.T) {
	m, c := newMachine()
	c.Now()
	m.pass(time.Minute, -24*time.Hour)
	m.tells(t, c, noon.Add(time.Minute), true) // goes on as if nothing had happened
	m.pass(time.Hour, 0)
	m.tells(t, c, noon.Add(61*time.Minute), true)
	m.pass(0, 24*time.Hour) // set right
	m.tells(t, c, noon.Add(61*time.Minute), false)
}

func TestASmallStepBack(t *testing.T) {
	m, c := newMachine()
	c.Now()
	m.pass(time.Second, -2*time.Second)
	m.tells(t, c, noon, false) // stands still rather than goes back
	m.pass(5*time.Second, 0)
	m.tells(t, c, noon.Add(4*time.Second), false)
}

// TestSmallStepsAddUp: a clock that is put back by little again and again does
// not walk away.
func TestSmallStepsAddUp(t *testing.T) {
	m, c := newMachine()
	c.Now()
	for range 60 {
		m.pass(0, -time.Second)
		c.Now()
	}
	m.tells(t, c, noon, true)
}

func TestAFloorFromBefore(t *testing.T) {
	m, c := newMachine()
	c.Raise(noon.Add(48 * time.Hour)) // kept by the last run: the battery is empty
	m.tells(t, c, noon.Add(48*time.Hour), true)
	m.pass(time.Minute, 0)
	m.tells(t, c, noon.Add(48*time.Hour+time.Minute), true)
	m.pass(0, 72*time.Hour)
	m.tells(t, c, noon.Add(72*time.Hour+time.Minute), false)
	c.Raise(noon) // lower than what is known: nothing
	m.tells(t, c, noon.Add(72*time.Hour+time.Minute), false)
}

func TestNoFloor(t *testing.T) {
	c := newClock(func() time.Time { return time.Time{} }, func() time.Duration { return 0 })
	if !c.Now().IsZero() || c.Back() != nil {
		t.Error("a clock that knows nothing calls itself wrong")
	}
}

// TestTheMonotonicReadingStays: durations within a run do not see jumps.
func TestTheMonotonicReadingStays(t *testing.T) {
	c := New(time.Now)
	if now := c.Now(); now == now.Round(0) {
		t.Error("the time has lost its monotonic reading")
	}
}

// TestNeverBackwards sets the clock at random.
func TestNeverBackwards(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	m, c := newMachine()
	last := c.Now()
	highest := noon
	for range 10_000 {
		jump := time.Duration(0)
		if rnd.IntN(10) == 0 {
			jump = time.Duration(rnd.Int64N(int64(4*time.Hour))) - 2*time.Hour
		}
		m.pass(time.Duration(rnd.Int64N(int64(time.Minute))), jump)
		now := c.Now()
		if now.Before(last) {
			t.Fatalf("%s after %s", now, last)
		}
		if w := m.now(); w.After(highest) {
			highest = w
		}
		if now.Before(m.now()) || now.After(highest.Add(10_000*time.Minute)) {
			t.Fatalf("the time is %s, the machine's %s", now, m.now())
		}
		last = now
	}
}

// TestManyAsk at once: nobody sees time go back.
func TestManyAsk(t *testing.T) {
	m, c := newMachine()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			last := c.Now()
			for i := range 1000 {
				if i%100 == 0 {
					m.pass(time.Second, -time.Minute)
				}
				now := c.Now()
				if now.Before(last) {
					t.Errorf("%s after %s", now, last)
					return
				}
				last = now
			}
		})
	}
	all.Wait()
}
