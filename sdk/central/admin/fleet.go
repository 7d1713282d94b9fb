package admin

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/sdk/central/store"
)

// Tone is how a thing stands: go, look (somebody has to look) or stop.
type Tone string

// Tones, the worst last.
const (
	Go   Tone = "go"
	Look Tone = "look"
	Stop Tone = "stop"
)

// weight orders tones, the worst highest.
func (t Tone) weight() int { return slices.Index([]Tone{Go, Look, Stop}, t) }

// Trouble is one thing that is not as it should be.
type Trouble struct {
	Code  string     `json:"code"`
	Tone  Tone       `json:"tone"`
	Since *time.Time `json:"since,omitempty"`
	List  string     `json:"list,omitempty"`
	Count int64      `json:"count,omitempty"`
}

// Codes of troubles that have no error's code.
const (
	troubleNever   = "post.never"     // enrolled, and never heard of
	troubleAway    = "post.away"      // has not spoken for AwayAfter
	troubleRenew   = "post.renew"     // certificate ran out, and is renewed when the post comes
	troubleLocked  = "post.locked"    // an order has locked it
	troubleStale   = "list.stale"     // a list is older than its owner allows
	troubleOutbox  = "outbox.waiting" // outcomes wait at a post that is there
	troubleDiffers = "audit.differs"  // a head is another than the one shown to central
	outboxBusy     = 20               // outcomes that may be on their way
	historyShown   = 200
	proposalsShown = 200
	backupsShown   = 20
)

// Post is a post as the page shows it.
type Post struct {
	ID          string           `json:"id"`
	Tone        Tone             `json:"tone"`
	Troubles    []Trouble        `json:"troubles"`
	Connected   bool             `json:"connected"`
	Workplace   string           `json:"workplace,omitempty"` // desk, gate or field
	Told        *time.Time       `json:"told,omitempty"`      // last word
	Version     string           `json:"version"`
	Lists       []store.HeldList `json:"lists"`
	Head        store.Witnessed  `json:"head"`
	Waiting     int32            `json:"waiting"` // outcomes in its outbox
	Orders      int64            `json:"orders"`  // sent and not receipted
	Added       time.Time        `json:"added"`
	Certificate *time.Time       `json:"certificate_ends,omitempty"`
	Missing     *time.Time       `json:"missing,omitempty"`
}

// Retired is a post that was revoked.
type Retired struct {
	ID      string    `json:"id"`
	Retired time.Time `json:"retired"`
}

// Fleet is what the page shows of all posts, those in trouble first.
func (s *Server) fleet(ctx context.Context) ([]Post, error) {
	all, err := s.o.Store.Fleet(ctx)
	if err != nil {
		return nil, err
	}
	heads, err := s.o.Store.LastHeads(ctx)
	if err != nil {
		return nil, err
	}
	alarms, err := s.o.Store.HeadAlarms(ctx)
	if err != nil {
		return nil, err
	}
	head := make(map[string]store.Witnessed, len(heads))
	for _, h := range heads {
		head[h.Device] = h
	}
	raised := make(map[string][]store.HeadAlarm)
	for _, a := range alarms {
		if a.Ended == nil {
			raised[a.Device] = append(raised[a.Device], a)
		}
	}
	out := make([]Post, 0, len(all))
	for _, f := range all {
		out = append(out, s.post(f, head[f.ID], raised[f.ID]))
	}
	slices.SortStableFunc(out, func(a, b Post) int {
		return cmp.Or(cmp.Compare(b.Tone.weight(), a.Tone.weight()), strings.Compare(a.ID, b.ID))
	})
	return out, nil
}

func (s *Server) post(f store.Standing, head store.Witnessed, alarms []store.HeadAlarm) Post {
	now := s.o.Now()
	p := Post{
		ID: f.ID, Workplace: f.Workplace, Tone: Go, Troubles: []Trouble{}, Told: f.Told, Version: f.Version, Lists: f.Lists, Head: head, Waiting: f.Waiting, Orders: f.Orders,
		Added: f.Added, Certificate: f.Expires, Missing: f.Missing,
	}
	p.Connected = f.Told != nil && now.Sub(*f.Told) < s.o.AwayAfter && f.Missing == nil && f.RolledBack == nil
	find := func(t Trouble) {
		if t.Tone.weight() > p.Tone.weight() {
			p.Tone = t.Tone
		}
		p.Troubles = append(p.Troubles, t)
	}
	switch {
	case f.RolledBack != nil:
		find(Trouble{Code: string(store.ErrRolledBack.Code), Tone: Stop, Since: f.RolledBack})
	case f.Missing != nil:
		find(Trouble{Code: string(store.ErrMissing.Code), Tone: Stop, Since: f.Missing})
	case f.Expires != nil && fault.CodeOf(f.Usable(now)) == store.ErrCertificate.Code:
		find(Trouble{Code: string(store.ErrCertificate.Code), Tone: Stop, Since: f.Expires})
	case f.Told == nil:
		find(Trouble{Code: troubleNever, Tone: Look, Since: &f.Added})
	case !p.Connected:
		find(Trouble{Code: troubleAway, Tone: Look, Since: f.Told})
	}
	if f.Expired(now) && p.Tone != Stop {
		find(Trouble{Code: troubleRenew, Tone: Look, Since: f.Expires})
	}
	if f.Locked != nil {
		find(Trouble{Code: troubleLocked, Tone: Look})
	}
	seen := map[string]bool{}
	for _, a := range alarms {
		if seen[a.Code] {
			continue
		}
		seen[a.Code] = true
		tone := Stop
		if a.Code == store.HeadLate {
			tone = Look
		}
		find(Trouble{Code: a.Code, Tone: tone, Since: &a.Raised})
	}
	if head.Agreement == store.HeadDiffers {
		find(Trouble{Code: troubleDiffers, Tone: Stop})
	}
	for _, l := range f.Lists {
		if l.Stale {
			issued := time.UnixMilli(l.IssuedMS)
			find(Trouble{Code: troubleStale, Tone: Look, List: l.List, Since: &issued})
		}
	}
	if p.Connected && f.Waiting > outboxBusy {
		find(Trouble{Code: troubleOutbox, Tone: Look, Count: int64(f.Waiting)})
	}
	slices.SortStableFunc(p.Troubles, func(a, b Trouble) int { return cmp.Compare(b.Tone.weight(), a.Tone.weight()) })
	return p
}

// List is a list as posts and shards hold it.
type List struct {
	List       string `json:"list"`
	Generation uint64 `json:"generation"` // the newest that any holds
	IssuedMS   int64  `json:"issued_ms"`
	Posts      int    `json:"posts"`  // that hold it
	Behind     int    `json:"behind"` // of them, with an older generation
	Stale      int    `json:"stale"`  // of them, older than its owner allows
	Central    bool   `json:"central"`
	Tone       Tone   `json:"tone"`
}

// lists gathers what posts and shards hold, by name.
func lists(posts []Post, shards []Shard) []List {
	held := map[string]*List{}
	at := func(name string, generation uint64, issued int64) *List {
		l := held[name]
		if l == nil {
			l = &List{List: name, Tone: Go}
			held[name] = l
		}
		if generation > l.Generation {
			l.Generation, l.IssuedMS = generation, issued
		}
		return l
	}
	for _, p := range posts {
		for _, l := range p.Lists {
			at(l.List, l.Generation, l.IssuedMS)
		}
	}
	for _, sh := range shards {
		for _, l := range sh.Lists {
			at(l.List, l.Generation, 0).Central = true
		}
	}
	for _, p := range posts {
		for _, l := range p.Lists {
			k := held[l.List]
			k.Posts++
			if l.Generation < k.Generation {
				k.Behind++
			}
			if l.Stale {
				k.Stale++
			}
		}
	}
	out := make([]List, 0, len(held))
	for _, l := range held {
		if l.Stale > 0 || l.Behind > 0 {
			l.Tone = Look
		}
		out = append(out, *l)
	}
	slices.SortFunc(out, func(a, b List) int { return strings.Compare(a.List, b.List) })
	return out
}
