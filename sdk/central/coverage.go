package central

import (
	"context"
	"encoding/json"
	"os"
	"time"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/sdk/central/admin"
	"github.com/watchpost/watchpost/sdk/central/shard"
	"github.com/watchpost/watchpost/sdk/central/store"
)

// silentAfter is three of the intervals at which workers say what they hold.
const silentAfter = 30 * time.Second

// coverage returns who holds which part of the lists, for the page: the workers
// of so many shards, or for 0 the one of this process.
func (r *Central) coverage(shards int) func(context.Context) ([]admin.Shard, error) {
	if shards == 0 {
		return func(context.Context) ([]admin.Shard, error) { return r.ownShard(), nil }
	}
	return func(ctx context.Context) ([]admin.Shard, error) {
		all, err := r.Store.Workers(ctx)
		if err != nil {
			return nil, err
		}
		return covered(all, shards, time.Now())
	}
}

// ownShard is what the worker of this process holds, if it holds any.
func (r *Central) ownShard() []admin.Shard {
	if r.Lists == nil {
		return []admin.Shard{}
	}
	name, err := os.Hostname()
	if err != nil {
		name = "central"
	}
	one := admin.Shard{Workers: []string{name}, Silent: []string{}, Lists: []admin.ShardList{}}
	for _, m := range r.Lists.Loaded {
		one.Lists = append(one.Lists, admin.ShardList{List: m.List, Generation: m.Generation, Records: m.Records, Whole: true})
	}
	return []admin.Shard{one}
}

// covered orders workers by the shard that they hold. One that has not spoken
// lately, or holds a part of another split, whose answers do not open, counts
// for none.
func covered(all []store.Worker, shards int, now time.Time) ([]admin.Shard, error) {
	out := make([]admin.Shard, shards)
	for i := range out {
		out[i] = admin.Shard{Number: i, Workers: []string{}, Silent: []string{}, Lists: []admin.ShardList{}}
	}
	for _, w := range all {
		if w.Retired != nil || w.Shard < 0 || w.Shard >= shards {
			continue
		}
		sh := &out[w.Shard]
		var h shard.Holds
		if w.Holds != nil {
			if err := json.Unmarshal(*w.Holds, &h); err != nil {
				return nil, fault.Wrap("central.worker", err)
			}
		}
		if w.Told == nil || now.Sub(*w.Told) >= silentAfter || h.Of != shards {
			sh.Silent = append(sh.Silent, w.ID)
			continue
		}
		hold(sh, h)
		sh.Workers = append(sh.Workers, w.ID)
	}
	return out, nil
}

// hold adds what one more worker holds. A list is whole while every worker of
// the shard holds the same generation of it.
func hold(sh *admin.Shard, h shard.Holds) {
	said := make(map[string]shard.HoldsList, len(h.Lists))
	for _, l := range h.Lists {
		said[l.List] = l
	}
	for i := range sh.Lists {
		l := &sh.Lists[i]
		theirs, ok := said[l.List]
		delete(said, l.List)
		if !ok || theirs.Generation != l.Generation || theirs.Records != l.Records {
			l.Whole = false
		}
		l.Generation = max(l.Generation, theirs.Generation)
	}
	for _, l := range h.Lists {
		if _, left := said[l.List]; left {
			sh.Lists = append(sh.Lists, admin.ShardList{List: l.List, Generation: l.Generation, Records: l.Records, Whole: len(sh.Workers) == 0})
		}
	}
}
