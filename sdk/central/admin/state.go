package admin

import (
	"context"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/watchpost/watchpost/device/listfeed/repo"
	"github.com/watchpost/watchpost/sdk/central/store"
)

// State is everything that the page shows at once.
type State struct {
	Server  time.Time        `json:"server_time"`
	Posts   []Post           `json:"posts"` // those in trouble first
	Retired []Retired        `json:"retired"`
	Lists   []List           `json:"lists"`
	Feeds   []Feed           `json:"feeds"` // what was decided about owners' feeds, newest first
	Queue   []Waiting        `json:"queue"`
	Orders  []Order          `json:"orders"` // decided, newest first
	Shards  []Shard          `json:"shards"`
	Backup  BackupState      `json:"backup"`
	Alarms  []store.Incident `json:"alarms"`
}

// Waiting is something that waits for a signature.
type Waiting struct {
	ID      string     `json:"id"`
	Kind    string     `json:"kind"` // order, enrolment, list
	What    string     `json:"what"` // of an order: lock, unlock, wipe, recall, rekey
	Subject string     `json:"subject"`
	Reason  string     `json:"reason"`
	MadeBy  string     `json:"made_by"`
	Made    *time.Time `json:"made,omitempty"`
	Expires *time.Time `json:"expires,omitempty"`
	// NeedsCode: who hands in types the code that the box shows. The page does
	// not show it, or nobody would look at the box.
	NeedsCode bool     `json:"needs_code,omitempty"`
	Approved  []string `json:"approved"`
	Needed    int      `json:"needed"`
	Posts     []string `json:"posts,omitempty"`   // that an order is for
	Set       []string `json:"set,omitempty"`     // targets of a feed that are new or another
	Removed   []string `json:"removed,omitempty"` // targets of a feed that go
	File      string   `json:"file"`              // name under which it is signed
	Command   string   `json:"command"`           // by which the person signed in signs it
	// Another way for a feed: its metadata, signed as they lie in the folder.
	Copy        string `json:"copy,omitempty"`
	CopyCommand string `json:"copy_command,omitempty"`
}

// Order is a decided order and what became of it.
type Order struct {
	ID      string           `json:"id"`
	What    string           `json:"what"`
	Subject string           `json:"subject"`
	Reason  string           `json:"reason"`
	MadeBy  string           `json:"made_by"`
	By      []string         `json:"by"`
	State   string           `json:"state"` // approved, withdrawn
	Decided *time.Time       `json:"decided,omitempty"`
	Posts   store.OrderTally `json:"posts"`
	Tone    Tone             `json:"tone"`
}

// Feed is a decided edition of an owner's feed.
type Feed struct {
	ID        string     `json:"id"`
	Role      string     `json:"role"`
	Reason    string     `json:"reason"`
	MadeBy    string     `json:"made_by"`
	By        []string   `json:"by"`
	State     string     `json:"state"` // approved, withdrawn
	Decided   *time.Time `json:"decided,omitempty"`
	Published *time.Time `json:"published,omitempty"`
	Refused   *string    `json:"refused,omitempty"` // code: why it cannot go out
	Tone      Tone       `json:"tone"`
}

// BackupState is how the backups stand.
type BackupState struct {
	Tone Tone           `json:"tone"`
	Last []store.Backup `json:"last"`
}

func (s *Server) state(c *call) (any, error) {
	ctx := c.Context()
	out := State{Server: s.o.Now().UTC(), Retired: []Retired{}, Shards: []Shard{}}
	var err error
	if out.Posts, err = s.fleet(ctx); err != nil {
		return nil, err
	}
	devices, err := s.o.Store.Devices(ctx)
	if err != nil {
		return nil, err
	}
	for _, d := range devices {
		if d.Retired != nil {
			out.Retired = append(out.Retired, Retired{d.ID, *d.Retired})
		}
	}
	if s.o.Shards != nil {
		if out.Shards, err = s.o.Shards(ctx); err != nil {
			return nil, err
		}
	}
	out.Lists = lists(out.Posts, out.Shards)
	if out.Queue, err = s.queue(ctx, c.who.ID); err != nil {
		return nil, err
	}
	if out.Orders, out.Feeds, err = s.decided(ctx); err != nil {
		return nil, err
	}
	if out.Backup.Last, err = s.o.Store.Backups(ctx, backupsShown); err != nil {
		return nil, err
	}
	out.Backup.Tone = Look
	if len(out.Backup.Last) > 0 && s.o.Now().Sub(out.Backup.Last[0].At) < s.o.BackupAfter {
		out.Backup.Tone = Go
	}
	out.Alarms, err = s.o.Store.Incidents(ctx, historyShown)
	return out, err
}

// queue is what waits, of proposals and of feeds. by is who asks.
func (s *Server) queue(ctx context.Context, by string) ([]Waiting, error) {
	found, err := s.o.Store.Proposals(ctx, "waiting", proposalsShown)
	if err != nil {
		return nil, err
	}
	inForce, err := s.inForce(ctx)
	if err != nil {
		return nil, err
	}
	out := []Waiting{}
	for _, p := range found {
		if !s.o.Now().Before(p.Expires) {
			continue // void: nobody can sign it any more
		}
		w := waitingOf(p, by)
		if p.Kind == store.KindList {
			if w.Set, w.Removed, err = changes(p, inForce[p.Subject]); err != nil {
				return nil, err
			}
		}
		out = append(out, w)
	}
	return out, nil
}

// changes says what a feed's metadata change against those that went out last,
// in the words of repo.TargetsOf; last may be nil.
func changes(p store.Proposal, last []byte) (set, removed []string, err error) {
	now, err := repo.TargetsOf(p.Content)
	if err != nil {
		return nil, nil, err
	}
	var before []string
	if last != nil {
		if before, err = repo.TargetsOf(last); err != nil {
			return nil, nil, err
		}
	}
	for _, t := range now {
		if !slices.Contains(before, t) {
			set = append(set, t)
		}
	}
	named := func(all []string, t string) bool {
		name, _, _ := strings.Cut(t, " ")
		return slices.ContainsFunc(all, func(o string) bool { return strings.HasPrefix(o, name+" ") })
	}
	for _, t := range before {
		if !named(now, t) {
			removed = append(removed, t)
		}
	}
	return set, removed, nil
}

// inForce returns the content that went out last, by role of the feed.
func (s *Server) inForce(ctx context.Context) (map[string][]byte, error) {
	found, err := s.o.Store.Proposals(ctx, "approved", proposalsShown)
	out := map[string][]byte{}
	for _, p := range found { // newest first
		if p.Kind == store.KindList && p.Published != nil && out[p.Subject] == nil {
			out[p.Subject] = p.Content
		}
	}
	return out, err
}

func waitingOf(p store.Proposal, by string) Waiting {
	id := hex.EncodeToString(p.ID)
	file := "proposal-" + id[:8] + ".json"
	w := Waiting{
		ID: id, Kind: string(p.Kind), Subject: p.Subject, Reason: p.Reason, MadeBy: p.MadeBy, Made: &p.Made, Expires: &p.Expires, Approved: p.Approved,
		Needed: p.Needed, File: file, Command: "watchpost-central proposal sign " + file + " --by " + by + " --key " + by + ".pem > signature-" + id[:8] + ".json",
	}
	w.What, w.Posts = said(p)
	w.NeedsCode = p.Kind == store.KindEnrolment
	if p.Kind == store.KindList {
		w.Copy, w.CopyCommand = p.Subject+".json", "watchpost list sign --key "+by+".pem "+p.Subject+".json"
	}
	return w
}

// decided are the orders and feeds that were decided, with what became of them.
func (s *Server) decided(ctx context.Context) ([]Order, []Feed, error) {
	found, err := s.o.Store.Proposals(ctx, "", proposalsShown)
	if err != nil {
		return nil, nil, err
	}
	found = slices.DeleteFunc(found, func(p store.Proposal) bool { return p.State == "waiting" })
	ids := make([][]byte, 0, len(found))
	for _, p := range found {
		ids = append(ids, p.ID)
	}
	tallies, err := s.o.Store.OrderTallies(ctx, ids)
	if err != nil {
		return nil, nil, err
	}
	orders, feeds := []Order{}, []Feed{}
	for _, p := range found {
		id := hex.EncodeToString(p.ID)
		switch p.Kind {
		case store.KindOrder:
			what, _ := said(p)
			o := Order{id, what, p.Subject, p.Reason, p.MadeBy, p.Approved, p.State, p.Decided, tallies[string(p.ID)], Go}
			if o.Posts["sent"] > 0 || o.Posts["refused"] > 0 {
				o.Tone = Look
			}
			orders = append(orders, o)
		case store.KindList:
			f := Feed{id, p.Subject, p.Reason, p.MadeBy, p.Approved, p.State, p.Decided, p.Published, p.Refused, Go}
			if p.Refused != nil || p.State == "approved" && p.Published == nil {
				f.Tone = Look
			}
			feeds = append(feeds, f)
		}
	}
	return orders, feeds, nil
}

// history answers the newest lines; ?subject= those of a post, list or record.
func (s *Server) history(c *call) (any, error) {
	out, err := s.o.Store.HistoryOf(c.Context(), c.URL.Query().Get("subject"), historyShown)
	return struct {
		History []store.Event `json:"history"`
	}{out}, err
}
