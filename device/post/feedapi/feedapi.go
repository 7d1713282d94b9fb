// Package feedapi is the form of the commands on a running daemon's feed, over
// its admin socket: GET Path tells the State, POST Path/refresh asks every
// carrier now, POST Path/apply takes what lies in a Folder. Both answer with a
// Result. Errors come in the form of the API.
package feedapi

import (
	"time"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed"
)

// Path is where the feed is shown, refreshed and applied.
const Path = "/v1/feed"

// Folder is what POST Path/apply is told.
type Folder struct {
	Dir string `json:"dir"` // absolute; of a feed, on the post's machine
}

// State is what a daemon tells of its feed.
type State struct {
	Root      int64     `json:"root"`
	Timestamp int64     `json:"timestamp"`
	Fresh     time.Time `json:"fresh"`
	Stale     bool      `json:"stale"`
	Pin       string    `json:"pin"` // by which other boxes know this one
	Lists     []List    `json:"lists"`
	Targets   []Target  `json:"targets"`
}

// List is a list in force.
type List struct {
	List       string    `json:"list"`
	Owner      string    `json:"owner"`
	Generation uint64    `json:"generation"`
	Segment    uint64    `json:"segment"`
	Issued     time.Time `json:"issued"`
	Expires    time.Time `json:"expires"`
	Behind     bool      `json:"behind"`
}

// Target is what else is in force.
type Target struct {
	Target  string    `json:"target"`
	Version uint64    `json:"version"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`
	Damaged bool      `json:"damaged,omitempty"`
}

// Result is what became of an update.
type Result struct {
	Rows []Row `json:"rows"`
}

// Row is one target that changed, or was refused.
type Row struct {
	Target    string `json:"target"`
	Version   uint64 `json:"version,omitempty"`
	Segment   uint64 `json:"segment,omitempty"`
	Withdrawn bool   `json:"withdrawn,omitempty"`
	Error     *Error `json:"error,omitempty"`
}

// Error says why a target was not taken.
type Error struct {
	Code fault.Code `json:"code"`
}

// ResultOf is the form of a result.
func ResultOf(r listfeed.Result) Result {
	out := Result{Rows: []Row{}}
	for _, c := range r.Changed {
		out.Rows = append(out.Rows, Row{Target: c.Path.String(), Version: c.Version, Segment: c.Segment, Withdrawn: c.Withdrawn})
	}
	for _, f := range r.Refused {
		out.Rows = append(out.Rows, Row{Target: f.Path.String(), Error: &Error{fault.CodeOf(f.Err)}})
	}
	return out
}

// StateOf is the form of a status.
func StateOf(s listfeed.Status, pin string) State {
	out := State{Root: s.Root, Timestamp: s.Timestamp, Fresh: s.Fresh, Stale: s.Stale, Pin: pin, Lists: []List{}, Targets: []Target{}}
	for _, l := range s.Lists {
		out.Lists = append(out.Lists, List{l.List, l.Owner, l.Generation, l.Segment, l.Issued, l.Expires, l.Behind})
	}
	for _, c := range s.Contents {
		out.Targets = append(out.Targets, Target{c.Path.String(), c.Version, c.Created, c.Expires, c.Damaged})
	}
	return out
}
