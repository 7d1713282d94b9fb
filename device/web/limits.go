package web

import (
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/watchpost/watchpost/device/fault"
)

// Limits bound how often one remote address and one account may call. Rates
// are calls a second. The zero value is not usable; DefaultLimits is.
type Limits struct {
	Remote, RemoteBurst   float64
	Account, AccountBurst float64
	SignIn, SignInBurst   float64 // tries to sign in, a remote address
}

// DefaultLimits are far above what a page needs: a busy one makes about five
// calls a second when an encounter ends, and events need none.
func DefaultLimits() Limits {
	return Limits{Remote: 50, RemoteBurst: 200, Account: 50, AccountBurst: 200, SignIn: 1, SignInBurst: 20}
}

var errRate = &fault.Error{Code: "request.rate", Hint: "too many calls: wait a second, then try again", Retryable: true}

// bucketsHeld bounds the memory that strangers can take.
const bucketsHeld = 4096

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

// allow takes one call of key from its bucket.
func (l *limiter) allow(key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	b := l.buckets[key]
	if b == nil {
		if len(l.buckets) >= bucketsHeld {
			for k, old := range l.buckets {
				if old.TokensAt(now) >= float64(l.burst) {
					delete(l.buckets, k) // full again: as if it had never been
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

// remote is the address a request comes from, without its port; all who come
// by the admin socket are one.
func remote(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return "local"
	}
	return host
}
