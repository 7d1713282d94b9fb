// Package limit bounds how often an officer may search, for each purpose and
// over a sliding window, so that a post is no oracle for whoever signed in
// (design section 6).
//
// What was searched is in the audit log, and the ledger is filled from there at
// a start: a restart gives nobody new searches, and whoever takes lines out to
// get some is found by the log's heads.
package limit

import (
	"slices"
	"sync"
	"time"

	"github.com/watchpost/watchpost/device/fault"
)

// ErrLimit says that an officer has searched as often as policy allows.
var ErrLimit = &fault.Error{Code: "officer.limit", Hint: "as many persons were searched as policy allows: wait, or let another officer work", Retryable: true}

// Rule allows Searches within any time of length Window.
type Rule struct {
	Purpose  string // that it counts; "" counts all
	Searches int    // 1 or more
	Window   time.Duration
}

// Ledger knows when officers searched. It is safe for concurrent use.
type Ledger struct {
	rules  []Rule
	window time.Duration // the longest

	mu   sync.Mutex // protects what follows
	done map[string][]search
}

type search struct {
	at      time.Time
	purpose string
}

// New returns an empty ledger under rules.
func New(rules ...Rule) *Ledger {
	l := &Ledger{rules: rules, done: make(map[string][]search)}
	for _, r := range rules {
		l.window = max(l.window, r.Window)
	}
	return l
}

// Window is how far back Noted has to be told of.
func (l *Ledger) Window() time.Duration { return l.window }

// Noted takes in a search that was allowed earlier.
func (l *Ledger) Noted(officer, purpose string, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.add(officer, search{at, purpose})
}

func (l *Ledger) add(officer string, s search) {
	if l.window > 0 {
		l.done[officer] = append(l.done[officer], s)
	}
}

// Allow counts a search, or refuses it with ErrLimit, which says when the next
// is allowed. A clock that was put back allows nothing: what then lies in the
// future counts as just done.
func (l *Ledger) Allow(officer, purpose string, now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	mine := slices.DeleteFunc(l.done[officer], func(s search) bool { return now.Sub(s.at) >= l.window })
	if len(mine) == 0 {
		delete(l.done, officer)
	} else {
		l.done[officer] = mine
	}
	for _, r := range l.rules {
		if r.Purpose != "" && r.Purpose != purpose {
			continue
		}
		var counted []time.Time
		for _, s := range mine {
			if (r.Purpose == "" || r.Purpose == s.purpose) && now.Sub(s.at) < r.Window {
				counted = append(counted, s.at)
			}
		}
		if len(counted) < r.Searches {
			continue
		}
		slices.SortFunc(counted, time.Time.Compare)
		lifts := counted[len(counted)-r.Searches].Add(r.Window).UTC()
		of := "searches"
		if r.Purpose != "" {
			of += " for " + r.Purpose
		}
		return fault.New(ErrLimit.Code, "%d %s within %s; the next is allowed at %s", r.Searches, of, r.Window, lifts.Format(time.RFC3339)).
			WithHint("wait until " + lifts.Format("15:04:05") + " UTC, or let another officer work").AsRetryable()
	}
	l.add(officer, search{now, purpose})
	return nil
}

// Undo takes back the last search of officer: it was allowed, and not begun.
func (l *Ledger) Undo(officer string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.done[officer]); n > 0 {
		l.done[officer] = l.done[officer][:n-1]
	}
}
