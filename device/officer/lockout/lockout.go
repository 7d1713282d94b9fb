// Package lockout slows down whoever guesses passwords, also across restarts.
//
// An account may have Free wrong tries in a row; then it is shut for First,
// and after each further wrong try for twice as long as before, up to Longest
// (NIST SP 800-63B-4, 2025, section 3.2.2: waiting times that grow with every
// failed attempt). The right password ends the count. Ids that are no account
// are treated alike, so that nobody learns which are, but kept in memory only:
// people type passwords there.
package lockout

import (
	"encoding/json"
	"sync"
	"time"

	"github.com/watchpost/watchpost/device/fault"
)

// Limits of guessing. At the longest wait, a guesser has 24 tries a day.
const (
	Free    = 5
	First   = 5 * time.Minute
	Longest = time.Hour
	// forget is after how long without a wrong try the count ends.
	forget = 24 * time.Hour
	// strangersHeld bounds the ids that are no account.
	strangersHeld = 4096
)

// ErrLocked says that an account is shut for now.
var ErrLocked = &fault.Error{Code: "officer.too_many_tries", Hint: "wait, then try again", Retryable: true}

// Keeper keeps the counts of accounts on disk. Load returns nil where there are
// none yet.
type Keeper interface {
	Load() ([]byte, error)
	Save([]byte) error
}

// Options of New.
type Options struct {
	Keeper Keeper            // nil keeps nothing
	Known  func(string) bool // whether an id is an account
	Now    func() time.Time
	Locked func(id string) // told when an account is shut, may be nil
}

// tries are the wrong ones of one id, in a row.
type tries struct {
	Wrong int       `json:"wrong"`
	Last  time.Time `json:"last"`
}

// Guard counts wrong tries. It is safe for concurrent use.
type Guard struct {
	o Options

	mu        sync.Mutex // protects what follows
	accounts  map[string]*tries
	strangers map[string]*tries
}

// New returns a guard that knows what was counted before. Counts that cannot be
// read are an error: to forget them would be a way in.
func New(o Options) (*Guard, error) {
	g := &Guard{o: o, accounts: map[string]*tries{}, strangers: map[string]*tries{}}
	if o.Keeper == nil {
		return g, nil
	}
	raw, err := o.Keeper.Load()
	if err != nil || raw == nil {
		return g, err
	}
	if err := json.Unmarshal(raw, &g.accounts); err != nil {
		return nil, fault.New("officer.tries_damaged", "the counts of wrong passwords cannot be read")
	}
	if g.accounts == nil { // null
		g.accounts = map[string]*tries{}
	}
	for id, t := range g.accounts {
		if t == nil || t.Wrong < 0 {
			return nil, fault.New("officer.tries_damaged", "the counts of wrong passwords cannot be read")
		}
		if !o.Known(id) {
			delete(g.accounts, id) // an account of an earlier edition
		}
	}
	return g, nil
}

// wait is how long an id is shut after so many wrong tries.
func wait(wrong int) time.Duration {
	if wrong < Free {
		return 0
	}
	return min(Longest, First<<min(wrong-Free, 10))
}

// until is when the next try is allowed. A clock that was put back does not
// shorten it, and lengthens it by no more than the wait itself.
func (t *tries) until(now time.Time) time.Time {
	return t.from(now).Add(wait(t.Wrong))
}

// from is when the last wrong try was, in the clock of now.
func (t *tries) from(now time.Time) time.Time {
	if t.Last.After(now) {
		return now
	}
	return t.Last
}

// May returns nil if id may be tried now, ErrLocked with the time if not.
func (g *Guard) May(id string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	t := g.of(id)[id]
	now := g.o.Now()
	if t == nil || !now.Before(t.until(now)) {
		return nil
	}
	at := t.until(now).UTC()
	return fault.New(ErrLocked.Code, "%d wrong passwords in a row; the next try is allowed at %s", t.Wrong, at.Format(time.RFC3339)).
		WithHint("wait until " + at.Format("15:04:05") + " UTC, then try again").AsRetryable()
}

// of is where an id is counted. g.mu is held.
func (g *Guard) of(id string) map[string]*tries {
	if g.o.Known(id) {
		return g.accounts
	}
	return g.strangers
}

// Failed counts a wrong try. An error says that it could not be kept: whoever
// asked must not be let in either.
func (g *Guard) Failed(id string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.o.Now()
	held := g.of(id)
	t := held[id]
	if t == nil || now.Sub(t.Last) >= forget {
		t = &tries{}
	}
	t.Wrong, t.Last = t.Wrong+1, now.UTC().Round(0)
	if !g.o.Known(id) {
		g.stranger(id, t, now)
		return nil
	}
	held[id] = t
	if t.Wrong >= Free && g.o.Locked != nil {
		g.o.Locked(id)
	}
	return g.save()
}

// stranger counts an id that is no account. When there are too many, those go
// that are not shut, or all: the limit on their address holds whoever sends
// thousands of names.
func (g *Guard) stranger(id string, t *tries, now time.Time) {
	if len(g.strangers) >= strangersHeld {
		for other, o := range g.strangers {
			if !now.Before(o.until(now)) {
				delete(g.strangers, other)
			}
		}
		if len(g.strangers) >= strangersHeld {
			clear(g.strangers)
		}
	}
	g.strangers[id] = t
}

// Succeeded ends the count of an account.
func (g *Guard) Succeeded(id string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.accounts[id] == nil {
		return nil
	}
	delete(g.accounts, id)
	return g.save()
}

func (g *Guard) save() error {
	if g.o.Keeper == nil {
		return nil
	}
	raw, err := json.Marshal(g.accounts)
	if err != nil {
		return fault.Wrap("officer.tries", err)
	}
	return g.o.Keeper.Save(raw)
}
