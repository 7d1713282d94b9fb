// Package lists holds the watchlists of a post in force: those of its
// provisioning folder, and those of its feed, which go before them. It takes
// what the feed brings while the post works: a generation is loaded beside the
// one being searched and exchanged with it, an urgent change is searched as
// soon as it is committed.
package lists

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed"
	"github.com/watchpost/watchpost/device/screening"
	"github.com/watchpost/watchpost/device/screening/local"
	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/device/watchlist/budget"
	"github.com/watchpost/watchpost/device/watchlist/store"
)

// Options of Open.
type Options struct {
	Dir    string            // for what is made of urgent changes
	Feed   *listfeed.Updater // nil: the folder's lists alone
	Folder []*local.List     // of the provisioning folder; they stay the caller's
	Limits local.Limits
	Now    func() time.Time
	Log    *slog.Logger
}

// Held is what is searched. It is safe for concurrent use.
type Held struct {
	o      Options
	whole  *local.Source // generations
	urgent *local.Source // what urgent changes add

	turn sync.Mutex // held while lists are brought up

	mu   sync.RWMutex // protects what follows; held for reading while a list is used
	feed map[string]*fed
}

// fed is a list of the feed as it is loaded.
type fed struct {
	list       *local.List
	generation uint64
	overlay    *listfeed.Overlay
	extra      *local.List // of the overlay; nil for none
	ring       *vault.Ring // of extra
}

// Open loads the feed's lists. The caller closes Held before its folder's
// lists.
func Open(ctx context.Context, o Options) (*Held, error) {
	h := &Held{o: o, feed: map[string]*fed{}}
	var err error
	if h.whole, err = local.New(o.Limits, o.Now, o.Folder...); err != nil {
		return nil, err
	}
	if h.urgent, err = local.New(o.Limits, o.Now); err != nil {
		return nil, err
	}
	if o.Feed == nil {
		return h, nil
	}
	if err := h.Take(ctx); err != nil {
		return nil, errors.Join(err, h.Close())
	}
	return h, nil
}

// Close releases the feed's lists. Nobody searches any more.
func (h *Held) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.whole.Replace()
	h.urgent.Replace()
	var errs []error
	for _, f := range h.feed {
		errs = append(errs, f.close(), f.list.Close())
	}
	clear(h.feed)
	return errors.Join(errs...)
}

// close releases the overlay's list.
func (f *fed) close() error {
	if f.extra == nil {
		return nil
	}
	err := f.extra.Close()
	f.ring.Close()
	f.extra, f.ring = nil, nil
	return err
}

// Take brings what is searched up to what the feed has in force. A list that
// cannot be loaded stays as it was, and its answers are not clear.
func (h *Held) Take(ctx context.Context) error {
	h.turn.Lock()
	defer h.turn.Unlock()
	h.mu.RLock()
	next := maps.Clone(h.feed)
	h.mu.RUnlock()
	var errs []error
	var old []func() error
	held := map[string]bool{}
	for _, s := range h.o.Feed.Status().Lists {
		if s.Generation == 0 {
			continue
		}
		held[s.List] = true
		now, err := h.bring(ctx, s, next[s.List])
		if err != nil {
			errs = append(errs, err)
			h.o.Log.Error("list not loaded", "list", s.List, "code", string(fault.CodeOf(err)))
			continue
		}
		if before := next[s.List]; before != nil && before != now {
			if before.list != now.list {
				old = append(old, before.list.Close)
			}
			if before.extra != now.extra {
				old = append(old, before.close)
			}
		}
		next[s.List] = now
	}
	for name, f := range next {
		if !held[name] {
			delete(next, name)
			old = append(old, f.list.Close, f.close)
		}
	}
	h.show(next)
	for _, f := range old {
		errs = append(errs, f())
	}
	return errors.Join(errs...)
}

// bring returns the list as it is in force now, reusing what is loaded.
func (h *Held) bring(ctx context.Context, s listfeed.ListStatus, before *fed) (*fed, error) {
	overlay := h.o.Feed.Overlay(s.List)
	if before != nil && before.generation == s.Generation && before.overlay == overlay {
		return before, nil
	}
	now := &fed{generation: s.Generation, overlay: overlay}
	if before != nil && before.generation == s.Generation {
		now.list = before.list
	} else {
		g, err := h.o.Feed.OpenList(ctx, s.List)
		if err != nil {
			return nil, err
		}
		available, err := budget.Available()
		if err == nil {
			err = budget.Check([]*store.Manifest{g.Manifest()}, available)
		}
		if err != nil {
			return nil, errors.Join(err, g.Close())
		}
		if now.list, err = local.Load(ctx, g); err != nil {
			return nil, err
		}
	}
	if err := h.overlay(ctx, now); err != nil {
		if before == nil || before.list != now.list {
			err = errors.Join(err, now.list.Close())
		}
		return nil, err
	}
	return now, nil
}

// overlay makes a list of the records that urgent changes bring: the same
// search, over a generation of its own under a key that nobody keeps.
func (h *Held) overlay(ctx context.Context, f *fed) error {
	m := f.list.Manifest()
	dir := filepath.Join(h.o.Dir, "urgent-"+m.List)
	if err := os.RemoveAll(dir); err != nil {
		return fault.Wrap("store.write", err)
	}
	ring := vault.NewRing()
	fail := func(err error) error {
		ring.Close()
		return errors.Join(err, os.RemoveAll(dir))
	}
	key, err := ring.Random()
	if err != nil {
		return fail(err)
	}
	b, err := store.Create(dir, ring, key, store.Spec{
		List: m.List, Generation: m.Generation, Owner: m.Owner, LegalBasis: m.LegalBasis, Purpose: m.Purpose, Handling: m.Handling, Created: m.Created, Expires: m.Expires,
	})
	if err != nil {
		return fail(err)
	}
	n := 0
	for _, r := range f.overlay.All() {
		if r == nil {
			continue
		}
		if err := b.Add(r); err != nil {
			b.Abort()
			return fail(err)
		}
		n++
	}
	if n == 0 {
		b.Abort()
		return fail(nil)
	}
	if _, err := b.Finish(ctx); err != nil {
		return fail(err)
	}
	g, err := store.OpenFolder(dir, key)
	if err != nil {
		return fail(err)
	}
	if f.extra, err = local.Load(ctx, g); err != nil {
		return fail(err)
	}
	f.ring = ring
	return fault.Wrap("store.write", os.RemoveAll(dir)) // the open file goes on
}

// show exchanges what is searched.
func (h *Held) show(next map[string]*fed) {
	var whole, urgent []*local.List
	for _, l := range h.o.Folder {
		if next[l.Manifest().List] == nil {
			whole = append(whole, l)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(next)) {
		whole = append(whole, next[name].list)
		if next[name].extra != nil {
			urgent = append(urgent, next[name].extra)
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.feed = next
	h.whole.Replace(whole...)
	h.urgent.Replace(urgent...)
}

// Use calls f with the lists in force, which stay open meanwhile. f must not
// call Held.
func (h *Held) Use(f func([]*local.List)) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	var all []*local.List
	for _, l := range h.o.Folder {
		if h.feed[l.Manifest().List] == nil {
			all = append(all, l)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(h.feed)) {
		if all = append(all, h.feed[name].list); h.feed[name].extra != nil {
			all = append(all, h.feed[name].extra)
		}
	}
	f(all)
}

// StaleFeed reports whether no answer from a list of the feed may be clear: its
// feed is silent, or what is in force there is not what is searched. It may be
// called within Use.
func (h *Held) StaleFeed(list string) bool {
	f := h.feed[list]
	return f != nil && h.stale(list, f)
}

// stale judges a list that is loaded. The caller holds mu.
func (h *Held) stale(list string, f *fed) bool {
	if h.o.Feed.Stale(list) != nil || h.o.Feed.Overlay(list) != f.overlay {
		return true
	}
	return !slices.ContainsFunc(h.o.Feed.Status().Lists, func(s listfeed.ListStatus) bool { return s.List == list && s.Generation == f.generation })
}

var (
	_ screening.Source       = (*Held)(nil)
	_ screening.Photographer = (*Held)(nil)
)

// Photograph implements screening.Photographer: what urgent changes touch has
// the photographs that they bring.
func (h *Held) Photograph(list, id string, n int) ([]byte, error) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if f := h.feed[list]; f != nil {
		if _, touched := f.overlay.Get(id); touched {
			return h.urgent.Photograph(list, id, n)
		}
	}
	return h.whole.Photograph(list, id, n)
}

// Name implements screening.Source.
func (h *Held) Name() string { return local.Name }

// Ask implements screening.Source: whole lists and what urgent changes add are
// searched, records that the changes touch count from the changes alone, and
// each list says whether its feed is silent.
func (h *Held) Ask(ctx context.Context, q screening.Question) (screening.Reply, error) {
	// Read before the search: a change that comes during it is for the next.
	h.mu.RLock()
	defer h.mu.RUnlock()
	reply, err := h.whole.Ask(ctx, q)
	if err != nil {
		return reply, err
	}
	reply.Candidates = slices.DeleteFunc(reply.Candidates, func(c screening.Candidate) bool {
		f := h.feed[c.List]
		if f == nil {
			return false
		}
		_, touched := f.overlay.Get(c.Record)
		return touched
	})
	more, err := h.urgent.Ask(ctx, q)
	if err != nil {
		return more, err
	}
	reply.Candidates = append(reply.Candidates, more.Candidates...)
	reply.Coverage = append(reply.Coverage, more.Coverage...)
	for i := range reply.Coverage {
		if f := h.feed[reply.Coverage[i].List]; f != nil {
			reply.Coverage[i].Stale = reply.Coverage[i].Stale || h.stale(reply.Coverage[i].List, f)
		}
	}
	return reply, nil
}
