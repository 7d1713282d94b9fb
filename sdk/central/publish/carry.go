package publish

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed/repo"
	"github.com/watchpost/watchpost/device/listfeed/target"
	"github.com/watchpost/watchpost/sdk/central/store"
)

// Timing of Carry.
const (
	lookAgain  = 30 * time.Second // for what was approved while nobody listened
	retry      = time.Second      // after a failure of disk or database
	renewParts = 4                // a timestamp is made anew so often in its life
)

// Queue is the part of central's store that holds what two have signed.
type Queue interface {
	ApprovedLists(ctx context.Context) ([]store.Approved, error)
	Published(ctx context.Context, id []byte, code string) error
	WaitLists(ctx context.Context, f func()) error
}

var _ Queue = (*store.Store)(nil)

// Carry publishes what the queue has approved, as soon as it is approved, hands
// each bundle to announce, and keeps the timestamp fresh, until ctx ends. What
// cannot be published is noted in the queue with its code. It returns after
// what is under way.
func (p *Publisher) Carry(ctx context.Context, q Queue, announce func(*target.Bundle) error, log *slog.Logger) {
	approved := make(chan struct{}, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		listen(ctx, q, approved, log)
	}()
	defer func() { <-done }()
	look, renew := time.NewTicker(lookAgain), time.NewTicker(p.o.TimestampLife/renewParts)
	defer look.Stop()
	defer renew.Stop()
	p.keepFresh(announce, log)
	for {
		var again <-chan time.Time
		if err := p.publishApproved(ctx, q, announce, log); err != nil && ctx.Err() == nil {
			log.Warn("approved lists not published", "code", string(fault.CodeOf(err)))
			again = time.After(retry)
		}
		select {
		case <-approved:
		case <-look.C:
		case <-again:
		case <-renew.C:
			p.keepFresh(announce, log)
		case <-ctx.Done():
			return
		}
	}
}

// listen wakes who waits for approvals, and listens again when the database was
// away.
func listen(ctx context.Context, q Queue, approved chan<- struct{}, log *slog.Logger) {
	for ctx.Err() == nil {
		err := q.WaitLists(ctx, func() {
			select {
			case approved <- struct{}{}:
			default:
			}
		})
		if ctx.Err() != nil {
			return
		}
		log.Warn("approvals are not listened for", "code", string(fault.CodeOf(err)))
		select {
		case <-time.After(retry):
		case <-ctx.Done():
		}
	}
}

// keepFresh renews the timestamp. What waits in the folder itself with all its
// signatures goes out with it.
func (p *Publisher) keepFresh(announce func(*target.Bundle) error, log *slog.Logger) {
	p.mu.Lock()
	defer p.mu.Unlock()
	published, err := p.repo.Publish(p.o.Now(), p.o.Keys, p.o.SnapshotLife, p.o.TimestampLife)
	if err != nil {
		log.Error("timestamp not renewed", "code", string(fault.CodeOf(err)))
	}
	for _, role := range published {
		p.tell(role, announce, log)
	}
}

// publishApproved publishes all that is approved. The error is of disk or
// database: what is left comes again.
func (p *Publisher) publishApproved(ctx context.Context, q Queue, announce func(*target.Bundle) error, log *slog.Logger) error {
	all, err := q.ApprovedLists(ctx)
	if err != nil {
		return err
	}
	for _, a := range all {
		err := p.publish(a, announce, log)
		var code fault.Code
		switch {
		case err != nil && transient(err):
			return err
		case err != nil:
			code = fault.CodeOf(err)
			log.Error("approved list cannot be published", "role", a.Role, "code", string(code), "cause", err)
		default:
			log.Info("list published", "role", a.Role)
		}
		if err := q.Published(ctx, a.ID, string(code)); err != nil && !errors.Is(err, store.ErrNotWaiting) {
			return err
		}
	}
	return nil
}

// transient reports whether an error is the disk's, not the metadata's.
func transient(err error) bool {
	switch fault.CodeOf(err) {
	case "listfeed.write", "listfeed.read":
		return true
	}
	return false
}

// publish puts approved metadata in place, if they are still what is staged.
func (p *Publisher) publish(a store.Approved, announce func(*target.Bundle) error, log *slog.Logger) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !target.ValidPart(a.Role) { // it becomes a file's name
		return fault.New("listfeed.not_staged", "no role has this name")
	}
	// Central may have ended between publishing and noting it.
	there, err := p.repo.IsPublished(a.Role, a.Metadata)
	if err != nil {
		return err
	}
	if !there {
		signed := a.Metadata
		for _, by := range a.By {
			if signed, err = repo.AddSignature(signed, by.Key, by.Signature); err != nil {
				return err
			}
		}
		if err := p.repo.Accept(a.Role, signed); err != nil {
			return err
		}
		if _, err := p.repo.Publish(p.o.Now(), p.o.Keys, p.o.SnapshotLife, p.o.TimestampLife, a.Role); err != nil {
			return err
		}
	}
	p.tell(a.Role, announce, log)
	return nil
}

// tell sends a role's bundle to the posts. What is not told is fetched. The
// caller holds mu.
func (p *Publisher) tell(role string, announce func(*target.Bundle) error, log *slog.Logger) {
	if role == "root" || role == "targets" {
		return // they come with the next of an owner, and with the posts' next look
	}
	b, err := p.repo.Bundle(role)
	if err == nil {
		err = announce(b)
	}
	if err != nil {
		log.Warn("posts not told of a list", "role", role, "code", string(fault.CodeOf(err)))
	}
}
