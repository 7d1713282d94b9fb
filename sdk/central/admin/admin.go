// Package admin is central's administration page and the calls behind it: the
// fleet, the lists, what waits for a second signature, orders, shards and
// backups. It holds no key that decides anything: what counts by two is
// prepared here, signed on the operators' own machines and handed in as a file.
package admin

import (
	"context"
	"log/slog"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/officer/lockout"
	"github.com/watchpost/watchpost/device/officer/session"
	"github.com/watchpost/watchpost/device/web/throttle"
	"github.com/watchpost/watchpost/sdk/central/store"
)

// Shard is one part of the lists that are searched at central.
type Shard struct {
	Number  int         `json:"number"`
	Workers []string    `json:"workers"` // who hold it; more than one are replicas
	Silent  []string    `json:"silent"`  // registered, and not heard of or of no use
	Lists   []ShardList `json:"lists"`
}

// ShardList is a list, or a part of one, that a shard holds.
type ShardList struct {
	List       string `json:"list"`
	Generation uint64 `json:"generation"`
	Records    int    `json:"records"`
	Whole      bool   `json:"whole"` // every worker of the shard holds this generation
}

// Options of New. Shards and Page may be left out.
type Options struct {
	Store  *store.Store
	Guard  *lockout.Guard // against guessed passwords
	Shards func(context.Context) ([]Shard, error)
	Page   http.Handler // what is not below /v1
	Limits Limits
	// CertificateLife of a post that is enrolled.
	CertificateLife time.Duration
	// AwayAfter is how long after its last word a post counts as away, 0 is
	// DefaultAwayAfter. BackupAfter is how old the last backup may be.
	AwayAfter, BackupAfter time.Duration
	Now                    func() time.Time
	Log                    *slog.Logger
}

const (
	// DefaultAwayAfter is three of the intervals at which posts say that they
	// are there (device/uplink): one may be lost to a bad link.
	DefaultAwayAfter = 90 * time.Second
	// DefaultBackupAfter is a daily backup and some hours to make it.
	DefaultBackupAfter = 26 * time.Hour
)

// Server is the page and its calls. It is safe for concurrent use.
type Server struct {
	o        Options
	sessions *session.Table[signer]
	mux      *http.ServeMux
	origin   *http.CrossOriginProtection
	remotes  *throttle.Limiter
	tries    *throttle.Limiter
	hashing  chan struct{} // a place for each password being checked
}

// New returns the page of a central.
func New(o Options) *Server {
	if o.AwayAfter == 0 {
		o.AwayAfter = DefaultAwayAfter
	}
	if o.BackupAfter == 0 {
		o.BackupAfter = DefaultBackupAfter
	}
	if o.CertificateLife == 0 {
		o.CertificateLife = store.DefaultCertificateLife
	}
	s := &Server{
		o: o, sessions: newSessions(o.Now), mux: http.NewServeMux(), origin: http.NewCrossOriginProtection(),
		remotes: throttle.New(o.Now, o.Limits.Remote, o.Limits.RemoteBurst), tries: throttle.New(o.Now, o.Limits.SignIn, o.Limits.SignInBurst),
		hashing: make(chan struct{}, hashingAtOnce),
	}
	s.mux.HandleFunc("POST /v1/session", s.signIn)
	s.handle("GET /v1/session", everybody, s.whoAmI)
	s.handle("DELETE /v1/session", everybody, s.signOut)
	s.handle("GET /v1/state", everybody, s.state)
	s.handle("GET /v1/history", everybody, s.history)
	s.handle("GET /v1/proposals", everybody, s.proposals)
	s.handle("GET /v1/proposals/{id}", everybody, s.proposal)
	s.handle("POST /v1/proposals/{id}/signatures", operators, s.approve)
	s.handle("POST /v1/proposals/{id}/withdraw", operators, s.withdraw)
	s.handle("POST /v1/orders", operators, s.order)
	s.handle("POST /v1/enrolments", operators, s.enrol)
	s.handle("GET /v1/proposals/{id}/metadata", everybody, s.metadata)
	s.handle("PUT /v1/posts/{id}/missing", keepers, s.missing)
	s.handle("DELETE /v1/posts/{id}/missing", keepers, s.found)
	s.handle("POST /v1/posts/{id}/retire", administrators, s.retire)
	return s
}

// hashingAtOnce bounds the memory that password checks take: 64 MiB each
// (device/officer).
const hashingAtOnce = 2

// Who may call an operation.
var (
	everybody      = []store.Role{store.RoleOperator, store.RoleAdministrator, store.RoleAuditor}
	operators      = []store.Role{store.RoleOperator}
	administrators = []store.Role{store.RoleAdministrator}
	keepers        = []store.Role{store.RoleOperator, store.RoleAdministrator}
)

// headers are sent with every answer (OWASP secure headers project). The page
// loads nothing from elsewhere, and nobody may frame it.
var headers = map[string]string{
	"Content-Security-Policy":      "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
	"X-Content-Type-Options":       "nosniff",
	"X-Frame-Options":              "DENY",
	"Referrer-Policy":              "no-referrer",
	"Cross-Origin-Opener-Policy":   "same-origin",
	"Cross-Origin-Resource-Policy": "same-origin",
	"Permissions-Policy":           "camera=(), microphone=(), geolocation=(), usb=()",
}

// maxBody is the largest body in bytes: signed metadata of a feed, or the keys
// of a list wrapped for every post.
const maxBody = 4 << 20

// ServeHTTP serves the calls and the page.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for name, value := range headers {
		w.Header().Set(name, value)
	}
	if !s.remotes.Allow(remote(r)) {
		refuse(w, errRate)
		return
	}
	if !strings.HasPrefix(r.URL.Path, "/v1/") {
		s.page(w, r)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	if s.origin.Check(r) != nil {
		refuse(w, fault.New("request.cross_origin", "the request comes from another site"))
		return
	}
	handler, pattern := s.mux.Handler(r)
	if pattern == "" || path.Clean(r.URL.Path) != r.URL.Path {
		s.nowhere(w, r, handler, pattern)
		return
	}
	if r.ContentLength > maxBody {
		w.Header().Set("Connection", "close") // what was not read must not be taken for the next request
		refuse(w, errTooLarge)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	s.mux.ServeHTTP(w, r)
}

// nowhere says why no operation takes a request: only the mux's own answer
// tells whether the path has other methods.
func (s *Server) nowhere(w http.ResponseWriter, r *http.Request, handler http.Handler, pattern string) {
	if pattern == "" {
		said := &deaf{header: make(http.Header)}
		handler.ServeHTTP(said, r)
		if said.status == http.StatusMethodNotAllowed {
			w.Header().Set("Allow", said.header.Get("Allow")) // RFC 9110, section 15.5.6
			refuse(w, fault.New("request.method", "%s is not a method of this path", r.Method))
			return
		}
	}
	refuse(w, errNowhere)
}

// deaf takes an answer's status and headers and drops its body.
type deaf struct {
	header http.Header
	status int
}

func (d *deaf) Header() http.Header         { return d.header }
func (d *deaf) Write(b []byte) (int, error) { return len(b), nil }
func (d *deaf) WriteHeader(status int)      { d.status = status }

func (s *Server) page(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		refuse(w, fault.New("request.method", "%s is not a method of this path", r.Method))
	case s.o.Page == nil:
		refuse(w, errNowhere)
	default:
		s.o.Page.ServeHTTP(w, r)
	}
}
