package web

import (
	"net/http"
	"path"
	"strings"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/officer/lockout"
)

// headers are sent with every answer (OWASP secure headers project). The page
// loads nothing from elsewhere, and nobody may frame it; pictures may come
// from memory (blob:), as the preview's do.
var headers = map[string]string{
	"Content-Security-Policy":      "default-src 'self'; img-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
	"X-Content-Type-Options":       "nosniff",
	"X-Frame-Options":              "DENY",
	"Referrer-Policy":              "no-referrer",
	"Cross-Origin-Opener-Policy":   "same-origin",
	"Cross-Origin-Resource-Policy": "same-origin",
	"Permissions-Policy":           "camera=(), microphone=(), geolocation=(), usb=(), publickey-credentials-get=(self), publickey-credentials-create=(self)",
}

// apiPrefix is where the API lies; all else is the page's.
const apiPrefix = "/v1/"

// ServeHTTP serves the API and the page.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for name, value := range headers {
		w.Header().Set(name, value)
	}
	if !s.remotes.Allow(remote(r)) {
		answer(w, coded(errRate))
		return
	}
	if !strings.HasPrefix(r.URL.Path, apiPrefix) {
		s.servePage(w, r)
		return
	}
	w.Header().Set("Cache-Control", "no-store") // answers hold personal data
	if err := s.origin.Check(r); err != nil {
		answer(w, coded(fault.New("request.cross_origin", "the request comes from another site")))
		return
	}
	if r.Method == http.MethodPost && strings.HasPrefix(r.URL.Path, "/v1/session") && !s.tries.Allow(remote(r)) {
		answer(w, coded(lockout.ErrLocked))
		return
	}
	handler, pattern := s.mux.Handler(r)
	if pattern == "" || path.Clean(r.URL.Path) != r.URL.Path {
		answer(w, s.nowhere(handler, pattern, r))
		return
	}
	if r.ContentLength > maxBody {
		w.Header().Set("Connection", "close") // what was not read must not be taken for the next request
		answer(w, coded(errTooLarge))
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	s.mux.ServeHTTP(w, r)
}

// errTooLarge refuses a body; one without a length is refused as it is read.
var errTooLarge = fault.New("request.too_large", "more than %d bytes", maxBody)

// nowhere says why no operation takes a request. The mux knows whether the
// path has other methods; only its answer tells.
func (s *Server) nowhere(handler http.Handler, pattern string, r *http.Request) *apiError {
	if pattern == "" {
		said := &deaf{header: make(http.Header)}
		handler.ServeHTTP(said, r)
		if said.status == http.StatusMethodNotAllowed {
			e := coded(fault.New("request.method", "%s is not a method of this path", r.Method))
			e.allow = said.header.Get("Allow")
			return e
		}
	}
	return coded(fault.New("request.not_found", "there is no such path"))
}

// deaf takes an answer's status and headers and drops its body.
type deaf struct {
	header http.Header
	status int
}

func (d *deaf) Header() http.Header         { return d.header }
func (d *deaf) Write(b []byte) (int, error) { return len(b), nil }
func (d *deaf) WriteHeader(status int)      { d.status = status }

// servePage serves what is not the API's.
func (s *Server) servePage(w http.ResponseWriter, r *http.Request) {
	switch {
	case s.page == nil:
		answer(w, coded(fault.New("request.not_found", "there is no such path")))
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		e := coded(fault.New("request.method", "%s is not a method of this path", r.Method))
		e.allow = "GET, HEAD"
		answer(w, e)
	default:
		s.page.ServeHTTP(w, r)
	}
}
