package encounter

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/biometric/finger"
	"github.com/watchpost/watchpost/device/biometric/tenprint"
	"github.com/watchpost/watchpost/device/encounter/policy"
	"github.com/watchpost/watchpost/device/encounter/retention"
	"github.com/watchpost/watchpost/device/encounter/store"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/officer/limit"
)

// Dependencies are the parts that a post works with. None but Clock, Room,
// Sensor, Watcher, Prints and Photographs may be nil.
type Dependencies struct {
	Name      string // of the post
	Policy    *policy.Policy
	Documents DocumentReader
	Camera    FaceCamera
	Sensor    FingerSensor                                     // nil: the post takes no fingers
	Prints    func(list, record string) ([]finger.View, error) // of a record that the post holds; nil: none can be drawn
	Portraits PortraitDecoder
	Faces     Calibration
	Screener  Screener
	// Photographs asks the sources for photographs of records; nil: none has any.
	Photographs Photographer
	Store       *store.Store
	Events      *Events
	Now         func() time.Time
	Clock       func() retention.Moment // what the machine's clocks show; nil reads them
	Room        func() error            // store.full as long as no encounter may begin; nil: there always is
	Log         *slog.Logger
	Answered    func(time.Duration) // told of each answer: last capture to answer
	Ended       func(Outcome)       // told of each outcome

	Watcher          FaceWatcher // nil: no challenge can be given
	TravellerDisplay bool        // the screen of the page faces the traveller
}

// Post runs the encounters of one appliance. It is safe for concurrent use.
type Post struct {
	Dependencies

	kept      *retention.Clock
	keptSaved atomic.Int64 // when it was last written, in its own seconds

	work   sync.WaitGroup // steps and questions under way
	ctx    context.Context
	cancel context.CancelFunc

	searches *limit.Ledger // of officers

	mu      sync.Mutex // protects what follows
	open    map[string]*active
	closing bool
}

// active is an encounter that is not closed, with what lives in memory only.
type active struct {
	id       string // of view, readable without the lock
	view     Encounter
	probe    *FaceCapture      // live face
	fingers  *tenprint.Session // nil: none are to be taken
	document *DocumentResult   // with the portrait
	portrait []byte            // JPEG of the portrait, made anew by a decode process
	captured time.Time         // end of the last step
	running  map[StepName]context.CancelFunc
	touched  time.Time // last command or event, for the idle clock
}

// Errors of commands.
var (
	ErrNotFound   = &fault.Error{Code: "encounter.not_found", Hint: "the encounter is closed or was never opened here"}
	ErrState      = &fault.Error{Code: "encounter.state"}
	ErrBusy       = &fault.Error{Code: "encounter.busy", Hint: "finish or abandon the open encounter first"}
	ErrStopping   = &fault.Error{Code: "post.stopping", Retryable: true}
	ErrPurpose    = &fault.Error{Code: "encounter.purpose", Hint: "choose a purpose that the policy names"}
	ErrUndecided  = &fault.Error{Code: "encounter.candidates_open", Hint: "look at every candidate first and record a finding"}
	ErrReason     = &fault.Error{Code: "encounter.reason_needed", Hint: "say why"}
	ErrSecond     = &fault.Error{Code: "encounter.second_needed", Hint: "another officer has to confirm"}
	ErrNoSuchStep = &fault.Error{Code: "encounter.no_such_step"}
	ErrNoPicture  = &fault.Error{Code: "encounter.no_picture", Hint: "there is no such picture yet, or no longer"}
)

// NewPost returns a post and takes up the encounters that were open when it
// last stopped: their biometrics are gone, so captures are pending again.
func NewPost(d Dependencies) (*Post, error) {
	ctx, cancel := context.WithCancel(context.Background())
	p := &Post{Dependencies: d, ctx: ctx, cancel: cancel, open: make(map[string]*active)}
	err := p.resumeRetention()
	if err == nil {
		p.searches, err = p.ledger()
	}
	if err == nil {
		err = p.resume()
	}
	if err != nil {
		cancel()
		return nil, err
	}
	return p, nil
}

// Stop refuses new commands, ends running steps, waits for them and returns.
// Open encounters stay in the store and are taken up at the next start.
func (p *Post) Stop() {
	p.mu.Lock()
	p.closing = true
	p.mu.Unlock()
	p.cancel()
	p.work.Wait()
	if err := p.saveRetention(p.retentionNow(), 1); err != nil {
		p.Log.Warn("retention time not saved", "code", string(fault.CodeOf(err)))
	}
}

// OpenRequest starts an encounter.
type OpenRequest struct {
	Officer  string
	Purpose  string
	Document bool // a document is there
	Fingers  bool // fingers are to be taken
	Declared Declared
}

// Open starts an encounter. At a post one person stands at a time: ErrBusy if
// another encounter of the same officer is open.
func (p *Post) Open(req OpenRequest) (Encounter, error) {
	if !slices.Contains(p.Policy.Search.Purposes, req.Purpose) {
		return Encounter{}, ErrPurpose
	}
	slaps := req.Fingers && p.slaps() // a question to another process
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closing {
		return Encounter{}, ErrStopping
	}
	if p.Room != nil {
		if err := p.Room(); err != nil {
			return Encounter{}, err
		}
	}
	for _, a := range p.open {
		if a.view.Officer == req.Officer {
			return Encounter{}, ErrBusy
		}
	}
	if err := p.allowSearch(req); err != nil {
		return Encounter{}, err
	}
	now := p.Now()
	id := uuid.NewString()
	a := &active{
		id: id,
		view: Encounter{
			Version: formVersion, ID: id, Post: p.Name, Workplace: p.Policy.Workplace,
			Officer: req.Officer, Purpose: req.Purpose, Opened: now.UTC(), State: Collecting,
			Declared: req.Declared, Age: req.Declared.Age,
		},
		running: make(map[StepName]context.CancelFunc),
		touched: now,
	}
	if req.Document {
		a.view.Steps = append(a.view.Steps, Step{Name: StepDocument, State: Pending})
	}
	a.view.Steps = append(a.view.Steps, Step{Name: StepFace, State: Pending})
	p.addPresentation(&a.view)
	if req.Fingers {
		if p.Sensor == nil {
			p.searches.Undo(req.Officer)
			return Encounter{}, ErrNoSuchStep
		}
		a.view.Steps = append(a.view.Steps, Step{Name: StepFingers, State: Pending})
		a.view.Fingers = newFingers(slaps, req.Declared.FingerExceptions)
		if err := a.beginFingers(); err != nil {
			p.searches.Undo(req.Officer)
			return Encounter{}, err
		}
	}
	if err := p.save(a, audit.Line{Actor: req.Officer, Action: audit.EncounterOpened, Purpose: req.Purpose}); err != nil {
		p.searches.Undo(req.Officer)
		return Encounter{}, err
	}
	p.open[a.id] = a
	p.emit(a, EventOpened, a.view)
	return a.view.clone(), nil
}

// Get returns an encounter, open or kept.
func (p *Post) Get(id string) (Encounter, error) {
	p.mu.Lock()
	a := p.open[id]
	if a != nil {
		defer p.mu.Unlock()
		return a.view.clone(), nil
	}
	p.mu.Unlock()
	raw, err := p.Store.Encounter(id)
	if errors.Is(err, store.ErrNotFound) {
		return Encounter{}, ErrNotFound
	} else if err != nil {
		return Encounter{}, err
	}
	var e Encounter
	if err := json.Unmarshal(raw, &e); err != nil {
		return Encounter{}, fault.Wrap("encounter.damaged", err)
	}
	return e, nil
}

// OpenEncounters returns the encounters that are not closed, oldest first.
func (p *Post) OpenEncounters() []Encounter {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]Encounter, 0, len(p.open))
	for _, a := range p.open {
		out = append(out, a.view.clone())
	}
	slices.SortFunc(out, func(a, b Encounter) int { return a.Opened.Compare(b.Opened) })
	return out
}

// save writes the encounter and line in one transaction. p.mu is held.
func (p *Post) save(a *active, lines ...audit.Line) error {
	raw, err := json.Marshal(a.view)
	if err != nil {
		return fault.Wrap("encounter.encode", err)
	}
	return p.Store.Commit(store.Change{Encounter: a.id, State: raw, Audit: p.stamp(a, lines)})
}

// stamp fills in what every audit line of an encounter has.
func (p *Post) stamp(a *active, lines []audit.Line) []audit.Line {
	for i := range lines {
		lines[i].Time = p.Now()
		lines[i].Encounter = a.id
		if lines[i].Actor == "" {
			lines[i].Actor = "post"
		}
	}
	return lines
}

// emit tells clients. An event that cannot be encoded is a defect of ours; the
// encounter goes on without it.
func (p *Post) emit(a *active, kind EventKind, data any) {
	if err := p.Events.Add(p.Now(), a.id, kind, data); err != nil {
		p.Log.Error("event not sent", "kind", string(kind), "code", string(fault.CodeOf(err)))
	}
}

// find returns an open encounter. p.mu is held.
func (p *Post) find(id string) (*active, error) {
	if p.closing {
		return nil, ErrStopping
	}
	a := p.open[id]
	if a == nil {
		return nil, ErrNotFound
	}
	a.touched = p.Now()
	return a, nil
}
