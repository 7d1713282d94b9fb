package encounter

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/watchpost/watchpost/device/document/inspect"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/screening"
)

// EventKind names what happened. The kinds and what each carries are published
// in events.schema.json; a page renders events and knows nothing else.
type EventKind string

// Kinds of events.
const (
	EventOpened      EventKind = "encounter.opened"
	EventResumed     EventKind = "encounter.resumed"
	EventStep        EventKind = "step.changed"
	EventProgress    EventKind = "step.progress"
	EventFinger      EventKind = "finger.changed"
	EventInspection  EventKind = "inspection.ready"
	EventComparison  EventKind = "comparison.done"
	EventScreening   EventKind = "screening.started"
	EventAnswer      EventKind = "answer.ready"
	EventLateHit     EventKind = "candidate.late"
	EventAdjudicated EventKind = "candidate.adjudicated"
	EventOutcome     EventKind = "encounter.outcome"
	EventDevice      EventKind = "device.changed"

	EventChallenge    EventKind = "challenge.drawn"     // what the page has to show the person
	EventPresentation EventKind = "presentation.judged" // what came of it
)

// EventKinds returns every kind there is.
func EventKinds() []EventKind {
	return []EventKind{
		EventOpened, EventResumed, EventStep, EventProgress, EventFinger, EventInspection, EventComparison,
		EventScreening, EventAnswer, EventLateHit, EventAdjudicated, EventOutcome, EventDevice,
		EventChallenge, EventPresentation,
	}
}

// Event is one thing that happened at the post. Data depends on Kind and may
// hold personal data: events go to signed-in officers only and are never
// logged or kept.
type Event struct {
	Seq       uint64          `json:"seq"` // from 1, without gaps
	Time      time.Time       `json:"time"`
	Encounter string          `json:"encounter,omitempty"`
	Kind      EventKind       `json:"kind"`
	Data      json.RawMessage `json:"data,omitempty"`
}

// LateHitData is the data of EventLateHit.
type LateHitData struct {
	Closed    bool                `json:"closed"` // the outcome was already recorded
	Opened    time.Time           `json:"opened"` // when the encounter was: after the outcome, what tells the person by
	Candidate screening.Candidate `json:"candidate"`
}

// ComparisonData is the data of EventComparison.
type ComparisonData struct {
	Checks     []inspect.Check `json:"checks"` // portrait.decode, portrait.match, portrait.morph
	Comparison *Comparison     `json:"comparison,omitempty"`
}

// DeviceData is the data of EventDevice.
type DeviceData struct {
	ID    string `json:"id"`
	Kind  string `json:"kind"`  // camera, reader, finger, page; link (to central)
	State string `json:"state"` // ready, lost; of a link up, down
	Code  string `json:"code,omitempty"`
}

// Nothing is the data of an event that says all by its kind.
type Nothing struct{}

// eventsKept is how many events a client may fall behind, those of some 150
// encounters: one makes about 20, with ten fingers 60. A client further behind
// reads the encounter itself.
const eventsKept = 4096

// ErrEventsGone tells a client that it has fallen too far behind, or follows
// the events of an earlier run, which were numbered from one, too.
var ErrEventsGone = &fault.Error{Code: "events.gone", Hint: "read the encounter itself, then follow the events from now on"}

// Events is the log of events of this run of the daemon, in memory. It is safe
// for concurrent use.
type Events struct {
	mu    sync.Mutex
	first uint64 // sequence of kept[0]
	kept  []Event
	wake  chan struct{} // closed when an event comes
}

// NewEvents returns an empty log.
func NewEvents() *Events { return &Events{first: 1, wake: make(chan struct{})} }

// Add numbers an event and hands it to whoever waits.
func (l *Events) Add(now time.Time, encounter string, kind EventKind, data any) error {
	raw, err := json.Marshal(data)
	if err != nil {
		return fault.Wrap("events.encode", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kept = append(l.kept, Event{Seq: l.first + uint64(len(l.kept)), Time: now.UTC(), Encounter: encounter, Kind: kind, Data: raw})
	if over := len(l.kept) - eventsKept; over > 0 {
		clear(l.kept[:over]) // personal data must not stay in the spare part of the slice
		l.kept = l.kept[over:]
		l.first += uint64(over)
	}
	close(l.wake)
	l.wake = make(chan struct{})
	return nil
}

// Forget removes the data of an encounter's events once it is closed.
func (l *Events) Forget(encounter string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.kept {
		if l.kept[i].Encounter == encounter && l.kept[i].Kind != EventOutcome {
			l.kept[i].Data = nil
		}
	}
}

// Next returns the events after sequence number after, waiting for one if
// there is none yet. ErrEventsGone if they are no longer kept, and if after is
// a number that this run has not come to.
func (l *Events) Next(ctx context.Context, after uint64) ([]Event, error) {
	for {
		l.mu.Lock()
		if after+1 < l.first || after >= l.first+uint64(len(l.kept)) {
			l.mu.Unlock()
			return nil, ErrEventsGone
		}
		if skip := after + 1 - l.first; skip < uint64(len(l.kept)) {
			out := append([]Event(nil), l.kept[skip:]...)
			l.mu.Unlock()
			return out, nil
		}
		wake := l.wake
		l.mu.Unlock()
		select {
		case <-wake:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// Last returns the sequence number of the newest event, 0 before the first.
func (l *Events) Last() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.first + uint64(len(l.kept)) - 1
}
