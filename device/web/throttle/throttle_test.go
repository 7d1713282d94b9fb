package throttle

import (
	"strconv"
	"testing"
	"time"
)

func TestLimiter(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	l := New(func() time.Time { return now }, 1, 2)
	for i, want := range []bool{true, true, false} {
		if l.Allow("a") != want {
			t.Errorf("call %d: allowed %v", i, !want)
		}
	}
	if !l.Allow("b") {
		t.Error("one caller takes from another")
	}
	for i := range held { // strangers take every bucket
		l.Allow(strconv.Itoa(i))
	}
	if l.Allow("late") {
		t.Error("more callers are held than there is room for")
	}
	now = now.Add(2 * time.Second)
	if !l.Allow("late") {
		t.Error("full buckets are not given up")
	}
	for i, want := range []bool{true, true, false} { // 2 s at 1 a second
		if l.Allow("a") != want {
			t.Errorf("call %d after the pause: allowed %v", i, !want)
		}
	}
	now = now.Add(time.Hour)
	for i, want := range []bool{true, true, false} { // never above the burst
		if l.Allow("a") != want {
			t.Errorf("call %d after an hour: allowed %v", i, !want)
		}
	}
}
