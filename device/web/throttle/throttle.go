// Package throttle bounds how often each of many callers may call: the post's
// HTTP and central's page.
package throttle

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// held bounds the memory that strangers can take.
const held = 4096

// Limiter is a token bucket for each of many keys. It is safe for concurrent
// use.
type Limiter struct {
	now   func() time.Time
	limit rate.Limit
	burst int

	mu      sync.Mutex // protects buckets
	buckets map[string]*rate.Limiter
}

// New returns limits of limit calls a second and burst at once, by the time that
// now tells.
func New(now func() time.Time, limit, burst float64) *Limiter {
	return &Limiter{now: now, limit: rate.Limit(limit), burst: int(burst), buckets: make(map[string]*rate.Limiter)}
}

// Allow takes one call of key from its bucket. Where all buckets are taken, those
// that are full again are given up; a key that finds none has to wait.
func (l *Limiter) Allow(key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	b := l.buckets[key]
	if b == nil {
		if len(l.buckets) >= held {
			for k, old := range l.buckets {
				if old.TokensAt(now) >= float64(l.burst) {
					delete(l.buckets, k) // full again: as if it had never been
				}
			}
		}
		if len(l.buckets) >= held {
			return false
		}
		b = rate.NewLimiter(l.limit, l.burst)
		l.buckets[key] = b
	}
	return b.AllowN(now, 1)
}
