package post

import (
	"context"
	"slices"
	"time"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed"
	"github.com/watchpost/watchpost/device/listfeed/target"
)

// soonLeast is the least time between two refreshes that the link causes:
// anybody at the broker may send what looks like a bundle.
const soonLeast = 5 * time.Second

// followFeed takes urgent changes that central sends, by the same updater that
// the carriers feed, until ctx ends. What a bundle cannot bring is fetched at
// once.
func (p *Post) followFeed(ctx context.Context) {
	err := p.link.Follow(ctx, func(ctx context.Context, raw []byte) error {
		b, err := target.DecodeBundle(raw)
		if err != nil {
			return err
		}
		r, err := p.feed.Apply(ctx, b)
		if err != nil || r.Err() != nil || slices.ContainsFunc(p.feed.Status().Lists, func(l listfeed.ListStatus) bool { return l.Behind }) {
			p.refreshSoon()
		}
		if err == nil {
			err = r.Err()
		}
		return err
	})
	if err != nil && ctx.Err() == nil {
		p.log.Error("urgent changes are not followed", "code", string(fault.CodeOf(err)))
	}
}

// refreshSoon has the carriers asked before their time: the link has come back,
// or a bundle told of more than it brought.
func (p *Post) refreshSoon() {
	select {
	case p.soon <- struct{}{}:
	default:
	}
}

// waitRefresh waits for the next refresh; false where ctx ends first. last is
// when the one before ended.
func (p *Post) waitRefresh(ctx context.Context, tick <-chan time.Time, last time.Time) bool {
	select {
	case <-tick:
		return true
	case <-ctx.Done():
		return false
	case <-p.soon:
	}
	select {
	case <-time.After(soonLeast - time.Since(last)): // at once where it is over
		return true
	case <-ctx.Done():
		return false
	}
}
