package listfeed

import (
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed/target"
	"github.com/watchpost/watchpost/device/watchlist/record"
)

// Overlay is what urgent changes say of a generation: records that take the
// place of those with the same identifier, or are added, and those withdrawn.
// It never changes; each segment makes another.
type Overlay struct {
	records map[string]*record.Record // nil: withdrawn
	issued  time.Time
}

// Len is how many identifiers the changes touch.
func (o *Overlay) Len() int {
	if o == nil {
		return 0
	}
	return len(o.records)
}

// Get says what the changes say of an identifier: nothing (touched is false),
// that it is withdrawn (nil), or its record, which must not be changed.
func (o *Overlay) Get(id string) (r *record.Record, touched bool) {
	if o == nil {
		return nil, false
	}
	r, touched = o.records[id]
	return r, touched
}

// All yields each identifier with its record, nil for one withdrawn.
func (o *Overlay) All() iter.Seq2[string, *record.Record] {
	if o == nil {
		return func(func(string, *record.Record) bool) {}
	}
	return maps.All(o.records)
}

// with returns the overlay after c.
func (o *Overlay) with(c *target.Changes) *Overlay {
	next := &Overlay{records: map[string]*record.Record{}, issued: c.Created}
	if o != nil {
		maps.Copy(next.records, o.records)
	}
	for _, one := range c.Changes {
		next.records[one.ID] = one.Record
	}
	return next
}

// list is a list in memory.
type list struct {
	listState
	overlay *Overlay // nil: no segment
	behind  bool     // signed metadata names more than is here
}

// judgeLists says of each list whether signed metadata name more than is here,
// as they stand: a post that starts anew knows it as well. While a generation
// is being fetched, the one that it follows is in force. The caller may write h.
func (h *held) judgeLists(trying bool) {
	current := map[string]bool{}
	for _, l := range h.lists {
		if _, ok := current[l.Owner]; !ok {
			current[l.Owner] = h.snapshot == nil || h.current(l.Owner)
		}
	}
	for name, l := range h.lists {
		l.behind = !l.Gone && (!current[l.Owner] || h.missed(name, l, trying))
	}
}

// missed compares a list with its owner's metadata.
func (h *held) missed(name string, l *list, trying bool) bool {
	owner := h.roles[l.Owner].meta
	if owner == nil {
		return false // there are none: no list is fresh
	}
	other := func(k target.Kind, held target.Sum) bool {
		f := owner.Signed.Targets[target.Path{Owner: l.Owner, Kind: k, Name: name}.String()]
		return f != nil && target.Sum(f.Hashes["sha256"]) != held
	}
	return other(target.KindSegment, l.Index) && !(trying && other(target.KindList, l.Sum)) || !trying && other(target.KindList, l.Sum)
}

func segmentState(name string, generation, number uint64) string {
	return name + "/" + strconv.FormatUint(generation, 10) + "/" + strconv.FormatUint(number, 10)
}

// replay opens the segments that were committed with the cursor.
func (l *list) replay(keys Keys, name string, segments map[string][]byte) error {
	if l.Segment == 0 {
		return nil
	}
	key, err := keys.ListKey(l.Key.String())
	if err != nil {
		return err
	}
	var last target.Sum
	for n := uint64(1); n <= l.Segment; n++ {
		raw := segments[segmentState(name, l.Version, n)]
		if raw == nil {
			return damaged(stateSegment + segmentState(name, l.Version, n))
		}
		c, err := target.OpenChanges(raw, key, name, l.Version, n, last)
		if err != nil {
			return err
		}
		last = target.SumOf(raw)
		l.overlay = l.overlay.with(c)
	}
	if last != l.Last {
		return damaged(stateList + name)
	}
	return nil
}

// Overlay returns the urgent changes in force of a list, nil for none. It is
// kept for reading as long as wished.
func (u *Updater) Overlay(name string) *Overlay {
	u.mu.RLock()
	defer u.mu.RUnlock()
	if l := u.held.lists[name]; l != nil && !l.Gone {
		return l.overlay
	}
	return nil
}

// Status returns what is in force, judged by the clock of now.
func (u *Updater) Status() Status {
	u.mu.RLock()
	defer u.mu.RUnlock()
	h := &u.held
	s := Status{Root: h.root.Signed.Version, Stale: h.fresh(u.o.Now()) != nil}
	if h.timestamp != nil {
		s.Timestamp, s.Fresh = h.timestamp.Signed.Version, h.timestamp.Signed.Expires
	}
	for name, l := range h.lists {
		if l.Gone {
			continue
		}
		s.Lists = append(s.Lists, ListStatus{List: name, Owner: l.Owner, Generation: l.Version, Segment: l.Segment, Issued: l.Issued, Expires: l.Expires, Behind: l.behind})
	}
	sortLists(s.Lists)
	for name, c := range h.contents {
		if p, err := target.ParsePath(name); err == nil && !c.Gone {
			s.Contents = append(s.Contents, ContentStatus{p, c.Version, c.Created, c.Expires, c.damaged})
		}
	}
	slices.SortFunc(s.Contents, func(a, b ContentStatus) int { return strings.Compare(a.Path.String(), b.Path.String()) })
	return s
}

// Stale says why no answer from a list may be called clear, and nil where it
// may: the source is silent or frozen (listfeed.expired), its owner's metadata
// have run out, more was signed than is here (listfeed.behind), or the list is
// not held (listfeed.no_list).
func (u *Updater) Stale(name string) error {
	u.mu.RLock()
	defer u.mu.RUnlock()
	now := u.o.Now()
	l := u.held.lists[name]
	switch {
	case l == nil || l.Gone || l.Version == 0:
		return fault.New("listfeed.no_list", "the list is not held")
	case l.behind:
		return fault.New("listfeed.behind", "more of the list was signed than is here")
	case !now.Before(l.Expires):
		return fault.New("listfeed.expired", "the generation has run out")
	}
	if err := u.held.fresh(now); err != nil {
		return err
	}
	if owner := u.held.roles[l.Owner].meta; owner == nil || owner.Signed.IsExpired(now) {
		return fault.New("listfeed.expired", "the owner's metadata have run out")
	}
	return nil
}
