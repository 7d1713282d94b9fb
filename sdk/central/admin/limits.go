package admin

import (
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Limits bound how often one remote address may call. Rates are calls a second.
type Limits struct {
	Remote, RemoteBurst float64
	SignIn, SignInBurst float64 // tries to sign in
}

// DefaultLimits are far above what a page needs: it asks every ten seconds.
func DefaultLimits() Limits {
	return Limits{Remote: 20, RemoteBurst: 100, SignIn: 0.5, SignInBurst: 10}
}

// bucketsHeld bounds the memory that strangers can take.
const bucketsHeld = 1024

// limiter is a token bucket for each of many keys. It is safe for concurrent
// use.
type limiter struct {
	now   func() time.Time
	limit rate.Limit
	burst int

	mu      sync.Mutex // protects buckets
	buckets map[string]*rate.Limiter
}

func newLimiter(now func() time.Time, limit, burst float64) *limiter {
	return &limiter{now: now, limit: rate.Limit(limit), burst: int(burst), buckets: make(map[string]*rate.Limiter)}
}

// allow takes one call of key from its bucket. Where all buckets are taken,
// those that are full again are given up; a key that finds none has to wait.
func (l *limiter) allow(key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	b := l.buckets[key]
	if b == nil {
		if len(l.buckets) >= bucketsHeld {
			for k, old := range l.buckets {
				if old.TokensAt(now) >= float64(l.burst) {
					delete(l.buckets, k)
				}
			}
		}
		if len(l.buckets) >= bucketsHeld {
			return false
		}
		b = rate.NewLimiter(l.limit, l.burst)
		l.buckets[key] = b
	}
	return b.AllowN(now, 1)
}

// remote is the address a request comes from, without its port.
func remote(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
