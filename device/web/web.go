// Package web is how people and programs reach the daemon: one API under /v1,
// described by OpenAPI 3.1 generated from this code, one form of error, and
// events over a websocket. It renders what the encounter says and passes
// commands on; it knows nothing else.
//
// The admin socket serves it without TLS to this machine only: the folder of
// the socket belongs to the daemon's user, and a client still has to sign in.
package web

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/encounter"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/officer"
)

// Version of the API.
const Version = "1.0.0"

// System is what the post says of itself.
type System struct {
	Post      string       `json:"post"`
	Workplace string       `json:"workplace"`
	Version   string       `json:"version" doc:"version of the program"`
	Started   time.Time    `json:"started"`
	ReadyMS   int64        `json:"ready_ms" doc:"from start to ready"`
	Policy    string       `json:"policy" doc:"owner and edition of the policy in force"`
	Lists     []ListState  `json:"lists"`
	Devices   []DeviceInfo `json:"devices"`
	Link      string       `json:"link" doc:"state of the link to central" enum:"none,up,down"`
	Outbox    int          `json:"outbox" doc:"outcomes waiting for central's receipt"`
	AuditHead audit.Head   `json:"audit_head"`
}

// ListState is the state of one list held.
type ListState struct {
	List       string    `json:"list"`
	Owner      string    `json:"owner"`
	Generation uint64    `json:"generation"`
	Issued     time.Time `json:"issued"`
	Stale      bool      `json:"stale"`
	Records    int       `json:"records"`
	Faces      int       `json:"faces"`
	Documents  int       `json:"documents"`
}

// DeviceInfo is the state of one device.
type DeviceInfo struct {
	ID    string `json:"id"`
	Kind  string `json:"kind" enum:"camera,reader,finger,page"`
	Name  string `json:"name"`
	State string `json:"state" enum:"ready,lost,unknown"`
}

// Backend is what the API needs of the daemon.
type Backend interface {
	System(ctx context.Context) (System, error)
	Accounts() *officer.Accounts
	AuditLines(from int64, limit int) ([][]byte, error)
	// Witnessed writes an audit line for what the API did itself.
	Witnessed(line audit.Line) error
}

// Server is the API over one post. It is safe for concurrent use.
type Server struct {
	post     *encounter.Post
	backend  Backend
	sessions *sessions
	log      *slog.Logger
	now      func() time.Time
	mux      *http.ServeMux
	api      huma.API
}

// New returns the API of a post.
func New(post *encounter.Post, backend Backend, log *slog.Logger, now func() time.Time) *Server {
	s := &Server{post: post, backend: backend, sessions: newSessions(now), log: log, now: now, mux: http.NewServeMux()}
	useOneErrorForm()
	config := huma.DefaultConfig("Watchpost", Version)
	config.DocsPath = "" // the documentation page would load scripts from elsewhere
	config.CreateHooks = nil
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"session": {Type: "http", Scheme: "bearer", Description: "token of POST /v1/session"},
	}
	s.api = humago.New(s.mux, config)
	s.api.UseMiddleware(s.authenticate)
	s.sessionOperations()
	s.encounterOperations()
	s.systemOperations()
	s.mux.HandleFunc("GET /v1/events", s.events)
	return s
}

// maxBody is the largest request body; the largest real one is an MRZ.
const maxBody = 64 << 10

// ServeHTTP serves the API.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	s.mux.ServeHTTP(w, r)
}

// OpenAPI returns the description of the API as YAML.
func (s *Server) OpenAPI() ([]byte, error) {
	raw, err := s.api.OpenAPI().YAML()
	return raw, fault.Wrap("web.openapi", err)
}
