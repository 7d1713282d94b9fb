package web

import (
	"net"
	"net/http"

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

// remote is the address a request comes from, without its port; all who come
// by the admin socket are one.
func remote(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return "local"
	}
	return host
}
