// Package post joins the parts of one appliance: it unlocks the vault, takes
// what decides from a folder signed by two, opens the stores and lists, reaches
// the capture processes and runs the encounters behind the API.
//
// It is the daemon without its command line: cmd/watchpostd only reads flags.
package post

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/capture"
	"github.com/watchpost/watchpost/device/clock"
	"github.com/watchpost/watchpost/device/config"
	"github.com/watchpost/watchpost/device/document/examine"
	"github.com/watchpost/watchpost/device/document/trust"
	"github.com/watchpost/watchpost/device/encounter"
	"github.com/watchpost/watchpost/device/encounter/store"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed"
	"github.com/watchpost/watchpost/device/officer"
	"github.com/watchpost/watchpost/device/post/dbkey"
	"github.com/watchpost/watchpost/device/post/feeds"
	"github.com/watchpost/watchpost/device/post/lists"
	"github.com/watchpost/watchpost/device/post/room"
	"github.com/watchpost/watchpost/device/provision/install"
	"github.com/watchpost/watchpost/device/uplink"
	"github.com/watchpost/watchpost/device/uplink/command"
	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/device/web"
)

// Version of the program, set by the build.
var Version = "development"

// Options of Start.
type Options struct {
	Config    *config.Config
	Keys      *vault.Vault // open; Start takes it over and locks it in the end, also after an error
	Provision string       // folder to take in first, "" takes nothing in
	// Counter is the chip's count of what lists must not come back, nil for none.
	Counter listfeed.Counter
	// Lead puts the API, and the commands of feedapi, behind the doors of the daemon; what it returns takes
	// it away from there, and then waits for calls under way.
	Lead func(api, feed http.Handler) (leave func() (wait func() error), err error)
	Log  *slog.Logger
	Now  func() time.Time
	// Unlocking lets officers' hardware keys open Keys from now on; nil does not.
	Unlocking web.UnlockKeys
	// Unattended says that a lease opens the post, and nobody who works there:
	// an order's lock then keeps it shut (command.ErrLocked).
	Unattended bool
	Starts     uint64 // of the post, which only grow
	Run        []byte // 16 random bytes of this run
}

// Post is a running appliance.
type Post struct {
	config    *config.Config
	log       *slog.Logger
	now       func() time.Time
	machine   func() time.Time // the machine's clock
	clock     *clock.Clock     // the post's; now reads it
	started   time.Time
	ready     time.Duration
	closers   []func() error // in the order of opening
	store     *store.Store
	applied   *applied
	accounts  atomic.Pointer[officer.Accounts] // in force
	trust     atomic.Pointer[trust.Store]      // in force
	feed      *listfeed.Updater                // nil: from provisioning folders alone
	feeds     *feeds.Feed                      // of feed
	trustBase string                           // trust store of the provisioning folder
	soon      chan struct{}                    // the feed is to be refreshed before its time
	lists     *lists.Held
	devices   *capture.Client
	pulse     *pulse // of devices
	metrics   *metrics
	post      *encounter.Post
	events    *encounter.Events
	holder    encounter.Photographer
	link      *uplink.Link    // nil: the post stands alone
	sender    *uplink.Sender  // of outcomes over link
	orders    *command.Ledger // that came over link
	touch     *uplink.Contact // with central
	sealer    dbkey.Sealer    // of post.db
	room      *room.Room      // on the disk
	heads     heads           // of the audit log
	failures  chan error      // of servers
}

// Start brings a post up and returns when it takes commands. After an error
// nothing is left running. The caller ends it with Close.
func Start(ctx context.Context, o Options) (p *Post, err error) {
	p = &Post{config: o.Config, log: o.Log, machine: o.Now, clock: clock.New(o.Now), started: o.Now(), metrics: newMetrics(),
		events: encounter.NewEvents(), failures: make(chan error, serversAtMost), soon: make(chan struct{}, 1)}
	p.now = p.clock.Now
	defer func() {
		if err != nil {
			err = errors.Join(err, p.Close())
			p = nil
		}
	}()
	state, keys := o.Config.StateDir(), o.Keys
	p.closing(func() error { keys.Lock(); return nil })
	if err := p.openStore(state, keys); err != nil {
		return p, err
	}
	if err := p.openFeed(ctx, state, keys, o.Counter); err != nil {
		return p, err
	}
	if err := p.provision(ctx, state, o.Provision, keys); err != nil {
		return p, err
	}
	p.closing(p.applied.lists.Close)
	if err := p.openLists(ctx, state); err != nil {
		return p, err
	}
	if p.applied.policy.Workplace != o.Config.Workplace {
		return p, fault.New("post.workplace", "the signed policy is for a %s, the configuration says %s", p.applied.policy.Workplace, o.Config.Workplace)
	}
	if err := p.openLink(state, keys); err != nil {
		return p, err
	}
	p.contact(o.Starts, o.Run)
	if o.Unattended {
		if err := p.mayOpen(ctx); err != nil {
			return p, err
		}
	}
	asker, err := screener(p.applied.policy, p.now, p.link, p.orders, p.lists)
	if err != nil {
		return p, err
	}
	p.closing(func() error { asker.Wait(); return nil })
	p.holder = asker
	patient := timely{p.patient(asker), p.clock}
	if p.devices, err = capture.Dial(ctx, o.Config.CaptureSocket()); err != nil {
		var coded *fault.Error
		if errors.As(err, &coded) && coded.Hint == "" {
			err = coded.WithHint("start it first: watchpost-capture devices --socket " + o.Config.CaptureSocket())
		}
		return p, err
	}
	p.closing(p.devices.Close)
	p.pulse = newPulse(p.devices.Ping)
	p.background(p.pulse.run)
	models, err := p.models()
	if err != nil {
		return p, err
	}
	pool := capture.NewPool(capture.Options{Role: capture.Decode, Models: models, Logger: o.Log, Stderr: os.Stderr}, warm)
	p.closing(pool.Close)
	if err := p.openAudit(state, keys); err != nil {
		return p, err
	}
	if err := p.run(pool, patient, o); err != nil {
		return p, err
	}
	p.ready = o.Now().Sub(p.started)
	p.metrics.ready.Set(p.ready.Seconds())
	o.Log.Info("ready", "post", o.Config.Post, "ms", p.ready.Milliseconds(), "lists", len(p.listStates()))
	return p, nil
}

// warm loads the face models of a spare decode process, so that the first
// comparison does not wait for them.
func warm(ctx context.Context, c *capture.Client) error {
	_, err := c.Decode().Describe(ctx, 0)
	return err
}

// openStore opens post.db under a key of its own.
func (p *Post) openStore(state string, keys *vault.Vault) error {
	key, err := dbkey.Open(state, keys)
	if err != nil {
		return err
	}
	p.closing(func() error { key.Destroy(); return nil })
	// A post that has taken a provisioning folder in has a post.db: starting a
	// fresh one in its place would lose encounters without a word.
	_, provisioned := os.Stat(filepath.Join(state, install.ProvisionFolder))
	if _, err := os.Stat(filepath.Join(state, "post.db")); errors.Is(err, fs.ErrNotExist) && provisioned == nil {
		return fault.New("store.missing", "post.db is not there, although this post has worked before").
			WithHint("put post.db back from the backup; to begin anew, move the whole state folder away")
	}
	p.sealer = dbkey.Sealer{Key: key}
	if p.store, err = store.Open(state, p.sealer); err != nil {
		return err
	}
	p.closing(p.store.Close)
	p.room = room.Open(state)
	p.store.Relieve(p.room.Release)
	if err := p.raiseClock(); err != nil {
		return err
	}
	return p.Witnessed(audit.Line{Time: p.now(), Actor: "post", Action: audit.PostStarted, Facts: map[string]string{"version": Version}})
}

// run starts the encounters and the servers.
func (p *Post) run(pool *capture.Pool, asker encounter.Screener, o Options) error {
	rules := func() examine.Rules {
		return examine.Rules{Trust: p.trust.Load(), At: p.now(), Policy: p.applied.policy.Document.Inspection()}
	}
	person := &camera{devices: p.devices, pulse: p.pulse, id: p.config.Capture.Camera, virtual: p.config.Capture.Virtual, turn: make(chan struct{}, 1)}
	var err error
	p.post, err = encounter.NewPost(encounter.Dependencies{
		Name: p.config.Post, Policy: p.applied.policy,
		Documents: &documents{devices: p.devices, pulse: p.pulse, reader: p.config.Capture.Reader, isKey: p.config.Capture.TerminalKey, virtual: p.config.Capture.Virtual, rules: rules, now: p.now, log: p.log, took: p.metrics.inspected},
		Camera:    person,
		Watcher:   person, TravellerDisplay: p.config.Capture.Display == "traveller",
		Sensor:    newSensor(p.devices, p.pulse, p.config.Capture.Virtual),
		Prints:    p.prints,
		Portraits: &portraits{pool, p.log}, Faces: p.applied.policy.Biometric.FaceCurve(), Screener: asker, Photographs: p.holder,
		Store: p.store, Events: p.events, Now: p.now, Room: p.room.Check, Log: p.log,
		Answered: p.metrics.answered, Ended: func(o encounter.Outcome) { p.metrics.ended(o); p.wake() },
	})
	if err != nil {
		return err
	}
	p.closing(func() error { p.post.Stop(); return nil })
	p.background(p.sweep)
	p.background(p.room.Watch)
	p.background(p.keepTime)
	p.background(p.watchDevices)
	if p.feed != nil {
		if err := p.serveFeed(); err != nil {
			return err
		}
	}
	if p.feed != nil && p.link != nil {
		p.background(p.followFeed)
	}
	if p.link != nil {
		p.background(p.sender.Run)
	}
	if err := p.leadAPI(o); err != nil {
		return err
	}
	if p.config.Metrics.Listen != "" {
		l, err := net.Listen("tcp", p.config.Metrics.Listen)
		if err != nil {
			return fault.New("post.listen", "metrics: %w", err).WithHint("another program has the address: change metrics.listen")
		}
		mux := http.NewServeMux()
		mux.Handle("GET /metrics", promhttp.HandlerFor(p.metrics.registry, promhttp.HandlerOpts{}))
		p.serve(l, mux)
	}
	return nil
}

// background runs work beside the encounters until the post closes.
func (p *Post) background(work func(context.Context)) {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); work(ctx) }()
	p.closing(func() error { stop(); <-done; return nil })
}

// sweepEvery is how often kept data is looked through for what has run out.
const sweepEvery = time.Minute

func (p *Post) sweep(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := p.post.Sweep(); err != nil {
				p.log.Error("sweep", "code", string(fault.CodeOf(err)))
			}
			if err := p.cutAudit(); err != nil {
				p.log.Error("audit lines of old", "code", string(fault.CodeOf(err)))
			}
		}
	}
}

// serversAtMost: metrics.
const serversAtMost = 1

// Timeouts of the servers. Steps run in the background, so that no call is
// slow; websockets leave the server's hands.
const (
	headerTimeout   = 5 * time.Second
	shutdownTimeout = 3 * time.Second
)

// serve runs h on l until the post closes.
func (p *Post) serve(l net.Listener, h http.Handler) {
	s := &http.Server{Handler: h, ReadHeaderTimeout: headerTimeout, ErrorLog: slog.NewLogLogger(p.log.Handler(), slog.LevelDebug)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			p.failures <- fault.Wrap("post.serve", err)
		}
	}()
	p.closing(func() error {
		ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
		defer cancel()
		err := s.Shutdown(ctx)
		if errors.Is(err, context.DeadlineExceeded) {
			err = s.Close()
		}
		<-done
		return err
	})
}

// Failed delivers the error of a server that has ended by itself.
func (p *Post) Failed() <-chan error { return p.failures }

// closing notes what ends a part; Close calls them in reverse.
func (p *Post) closing(f func() error) { p.closers = append(p.closers, f) }

// Close refuses new work, ends what runs, and closes stores and keys.
func (p *Post) Close() error {
	var errs []error
	for len(p.closers) > 0 {
		last := len(p.closers) - 1
		errs = append(errs, p.closers[last]())
		p.closers = p.closers[:last]
	}
	return errors.Join(errs...)
}

// Accounts implements web.Backend.
func (p *Post) Accounts() *officer.Accounts { return p.accounts.Load() }

// AuditLines implements web.Backend.
func (p *Post) AuditLines(from int64, limit int) ([][]byte, error) {
	return p.store.AuditLines(from, limit)
}

// Witnessed implements web.Backend. The line's time is the post's, whatever
// clock its writer has read: the log never runs backwards.
func (p *Post) Witnessed(line audit.Line) error {
	line.Time = p.now()
	return p.store.Commit(store.Change{Audit: []audit.Line{line}})
}

// System implements web.Backend.
func (p *Post) System(ctx context.Context) (web.System, error) {
	head, err := p.store.AuditHead()
	if err != nil {
		return web.System{}, err
	}
	signed, err := p.auditState()
	if err != nil {
		return web.System{}, err
	}
	waiting, err := p.store.Outbox(maxOutboxCount)
	if err != nil {
		return web.System{}, err
	}
	s := web.System{
		Post: p.config.Post, Workplace: string(p.config.Workplace), Version: Version, Time: p.now(), Started: p.started, ReadyMS: p.ready.Milliseconds(),
		Lists: p.listStates(), Devices: []web.DeviceInfo{}, Policy: p.applied.policy.String(), Link: p.linkState(), Outbox: len(waiting), AuditHead: head, Audit: signed,
	}
	s.Devices = append(append(s.Devices, p.clockInfo()...), lostWitnesses(signed)...)
	ctx, cancel := context.WithTimeout(ctx, devicesLimit)
	defer cancel()
	var devices []capture.Device
	err = p.pulse.during(ctx, func(ctx context.Context) (err error) {
		devices, err = p.devices.Devices(ctx)
		return err
	})
	if err != nil {
		s.Devices = append(s.Devices, web.DeviceInfo{ID: "capture", Kind: "camera", Name: "capture process", State: "lost"})
		return s, nil
	}
	for _, d := range devices {
		s.Devices = append(s.Devices, deviceInfo(d))
	}
	return s, nil
}

// devicesLimit is how long the state of the post waits for that of its devices.
const devicesLimit = 2 * time.Second

// maxOutboxCount bounds how many waiting outcomes are counted for the page.
const maxOutboxCount = 1000
