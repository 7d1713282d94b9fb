// Package web is how people and programs reach the daemon: one API under /v1,
// described by OpenAPI 3.1 generated from this code, one form of error, events
// and camera preview over websockets, and the page. It renders what the
// encounter says and passes commands on; it knows nothing else.
//
// It is served over HTTPS, where browsers hold their session in a cookie, and
// without TLS on the admin socket to this machine only: the folder of the
// socket belongs to the daemon's user, and a client still has to sign in.
package web

import (
	"context"
	"iter"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/biometric/quality"
	"github.com/watchpost/watchpost/device/capture"
	"github.com/watchpost/watchpost/device/encounter"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/officer"
	"github.com/watchpost/watchpost/device/officer/lockout"
	"github.com/watchpost/watchpost/device/officer/passkey"
	"github.com/watchpost/watchpost/device/officer/session"
	"github.com/watchpost/watchpost/device/web/throttle"
)

// Version of the API.
const Version = "1.1.0"

// Backend is what the API needs of the daemon.
type Backend interface {
	System(ctx context.Context) (System, error)
	Accounts() *officer.Accounts
	AuditLines(from int64, limit int) ([][]byte, error)
	AuditHeads(from int64, limit int) ([][]byte, error)
	// Witnessed writes an audit line for what the API did itself.
	Witnessed(line audit.Line) error
	// Looks yields the measures of live frames, nil where no face is seen.
	Looks(ctx context.Context) iter.Seq2[[]quality.Looking, error]
	// Preview yields frames of the camera for faces as capture.Client does.
	Preview(ctx context.Context, o capture.PreviewOptions) iter.Seq2[capture.Frame, error]
}

// Options of New. None may be left out but Page.
type Options struct {
	Post    *encounter.Post
	Backend Backend
	Log     *slog.Logger
	Now     func() time.Time
	Limits  Limits
	Guard   *lockout.Guard // against guessed passwords
	// Passkeys lets officers sign in with one.
	Passkeys *passkey.Keys
	// Unlocking lets passkeys open the post's own keys; nil where none can.
	Unlocking UnlockKeys
	Page      http.Handler // serves what is not below /v1; nil serves nothing there
}

// Server is the API over one post. It is safe for concurrent use.
type Server struct {
	post      *encounter.Post
	backend   Backend
	sessions  *session.Table[signer]
	guard     *lockout.Guard
	log       *slog.Logger
	now       func() time.Time
	passkeys  *passkey.Keys
	unlocking UnlockKeys
	page      http.Handler
	mux       *http.ServeMux
	api       huma.API
	origin    *http.CrossOriginProtection

	remotes, accounts, tries *throttle.Limiter
	views                    *throttle.Limiter // of encounters that are written down
	hashing                  chan struct{}     // a place for each password being checked
	previews                 chan struct{}     // a place for each preview being sent

	streams    context.Context // ends with Close
	close      context.CancelFunc
	writeLimit time.Duration // how long one message of a stream may take to leave
	checkEvery time.Duration // how often a stream looks whether its session still stands
}

// New returns the API of a post.
func New(o Options) *Server {
	s := &Server{
		post: o.Post, backend: o.Backend, sessions: newSessions(o.Now), guard: o.Guard, log: o.Log, now: o.Now, passkeys: o.Passkeys, unlocking: o.Unlocking, page: o.Page, mux: http.NewServeMux(),
		origin:   http.NewCrossOriginProtection(),
		remotes:  throttle.New(o.Now, o.Limits.Remote, o.Limits.RemoteBurst),
		accounts: throttle.New(o.Now, o.Limits.Account, o.Limits.AccountBurst),
		tries:    throttle.New(o.Now, o.Limits.SignIn, o.Limits.SignInBurst),
		views:    throttle.New(o.Now, 1/viewsEvery.Seconds(), 1),
		hashing:  make(chan struct{}, hashingAtOnce),
		previews: make(chan struct{}, previewsAtOnce),

		writeLimit: writeLimit, checkEvery: sessionCheck,
	}
	s.streams, s.close = context.WithCancel(context.Background())
	useOneErrorForm()
	config := huma.DefaultConfig("Watchpost", Version)
	config.Info.Description = description
	config.OpenAPIPath = "/v1/openapi"
	config.SchemasPath = ""
	config.DocsPath = "" // the documentation page would load scripts from elsewhere
	config.CreateHooks = nil
	config.Components.SecuritySchemes = securitySchemes
	publishWords(config.Components.Schemas)
	s.api = humago.New(s.mux, config)
	s.api.UseMiddleware(s.authenticate, nothingEmpty)
	s.sessionOperations()
	s.passkeyOperations()
	s.encounterOperations()
	s.pictureOperations()
	s.fingerOperations()
	s.systemOperations()
	s.reportOperations()
	s.auditOperations()
	s.mux.HandleFunc("GET /v1/events", s.events)
	s.mux.HandleFunc("GET /v1/preview", s.preview)
	return s
}

// description stands in the published description, for what OpenAPI cannot say.
const description = `One post of Watchpost. Every error has the form of schema ApiError.

GET /v1/events?after=N (websocket): one JSON object a message, schema in device/encounter/events.schema.json. Without after, events from now on.
An officer gets the data of events of their own encounters and of devices; a supervisor of all. Other events come without data.
The stream is closed with status 1008 and a code as its reason: session.expired, events.gone.

GET /v1/preview?width=W (websocket): some twice a second a text message {advice, measures: [{name, value, native, unit, low, high, advice}]} of the face (ISO/IEC 29794-5), and one binary message a frame, newest frame wins. 16 bytes in network order, then JPEG:
uint64 capture time in microseconds since 1970, uint32 sequence of the camera, uint32 state: 1 good, 2 frozen, 3 black, 4 no camera (no JPEG follows, it is tried again).`

// hashingAtOnce bounds the memory that password checks take to 128 MiB.
const hashingAtOnce = 2

// maxBody is the largest request body; the largest real one is a passkey's
// attestation.
const maxBody = 64 << 10

// register adds an operation with the limits that all have.
func register[I, O any](s *Server, op huma.Operation, do func(context.Context, *I) (*O, error)) {
	op.MaxBodyBytes = 2 * maxBody // ServeHTTP's limit comes first, and closes the connection
	huma.Register(s.api, op, do)
}

// Close ends the websockets, which a server's Shutdown leaves alone.
func (s *Server) Close() error {
	s.close()
	return nil
}

// OpenAPI returns the description of the API as YAML.
func (s *Server) OpenAPI() ([]byte, error) {
	raw, err := s.api.OpenAPI().YAML()
	return raw, fault.Wrap("web.openapi", err)
}
