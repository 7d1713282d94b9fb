package admin

import (
	"net"
	"net/http"
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

// remote is the address a request comes from, without its port.
func remote(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
