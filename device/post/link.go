package post

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"time"

	"github.com/watchpost/watchpost/device/audit/checkpoint"
	"github.com/watchpost/watchpost/device/encounter"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/uplink"
	"github.com/watchpost/watchpost/device/uplink/command"
	"github.com/watchpost/watchpost/device/vault"
	linkv1 "github.com/watchpost/watchpost/sdk/proto/link/v1"
)

// States of the link for the page.
const (
	linkNone = "none" // the post stands alone
	linkUp   = "up"
	linkDown = "down"
)

// openLink starts the link to central where the configuration names one. It
// connects in the background: a post starts without central.
func (p *Post) openLink(state string, keys *vault.Vault) error {
	c := p.config.Central
	if c == nil {
		return nil
	}
	sign, seal, err := c.Keys()
	if err != nil {
		return err
	}
	key, err := uplink.OpenKey(state, keys)
	if err != nil {
		return err
	}
	p.link, err = uplink.Open(uplink.Options{
		Post: p.config.Post, URL: c.URL, CA: c.CA, Key: key, SignKey: sign, SealKey: seal,
		Budget: centralsShare(p.applied.policy.Deadlines.Answer.Of()), Changed: p.linkChanged, Log: p.log,
	})
	if err != nil {
		return err
	}
	p.closing(p.link.Close)
	p.sender = uplink.NewSender(p.link, p.store, p.now, p.log)
	return p.openOrders(keys, sign)
}

// centralsShare returns how long a question waits for central where the policy
// gives the whole answer that long: what is left beside the local search and
// the comparison, for which the second of design section 10 leaves 0.3 s. A
// policy for a slow link gives both more.
func centralsShare(answer time.Duration) time.Duration {
	const beside = time.Second - uplink.DefaultBudget
	return max(answer-beside, answer/2)
}

// unlockLimit is how long a post that is locked waits for central's word at each
// opening without an officer.
const unlockLimit = 10 * time.Second

// contact makes what keeps the post in touch with central.
func (p *Post) contact(starts uint64, run []byte) {
	p.touch = &uplink.Contact{
		Link: p.link, Starts: starts, Run: run, Orders: p.orders, Renewed: p.renewed, Log: p.log,
		Ends: func(err error) bool { return errors.Is(err, command.ErrLocked) || errors.Is(err, command.ErrWiped) },
	}
}

// mayOpen refuses a post that an order has locked and nobody unlocks: a lease
// says that the box is where it belongs, not that the lock was lifted. An order
// that lifts it is asked for first. The error may be command.ErrWiped.
func (p *Post) mayOpen(ctx context.Context) error {
	if p.orders == nil || p.orders.Locked() == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, unlockLimit)
	defer cancel()
	if err := p.touch.Once(ctx); errors.Is(err, command.ErrWiped) || uplink.Shuts(err) {
		return err
	}
	if p.orders.Locked() == 0 {
		return nil
	}
	return command.ErrLocked
}

// Lift ends the lock of an order, since an officer has unlocked the post.
func (p *Post) Lift(officer string) error {
	if p.orders == nil {
		return nil
	}
	return p.orders.Lift(officer)
}

// KeepContact tells central of this post and takes orders, until ctx ends. An
// error is the word that the post has to lock (or, command.ErrWiped, to lose its
// keys); nil comes when ctx ends, at once where there is no link.
func (p *Post) KeepContact(ctx context.Context) error {
	if p.link == nil {
		return nil
	}
	p.touch.Tell = p.presence
	return p.touch.Keep(ctx)
}

// openOrders opens the ledger of orders from a distance.
func (p *Post) openOrders(keys *vault.Vault, central ed25519.PublicKey) (err error) {
	o := command.Options{
		Post: p.config.Post, Central: central, Owners: map[string]ed25519.PublicKey{}, Store: p.store, Sealer: p.sealer, Now: p.now, Log: p.log,
		Rekey: func(_ context.Context, list string, wrapped map[string][]byte) error {
			us, err := keys.Recipient()
			if err != nil {
				return err
			}
			w, ok := wrapped[us.ID()]
			if !ok {
				return command.ErrNoKey
			}
			return keys.AcceptListKey(list, w)
		},
	}
	for _, w := range p.config.Owners {
		if o.Owners[w.ID], err = w.Key(); err != nil {
			return err
		}
	}
	p.orders, err = command.Open(o)
	return err
}

// certificateCursor is where post.db keeps the certificate in force: its serial
// number in eight bytes, then the certificate, which is no secret.
const certificateCursor = "link.certificate"

// renewed keeps a certificate. One that could not be kept comes again with the
// next hello.
func (p *Post) renewed(certificate string, serial uint64) {
	if err := p.store.Note(certificateCursor, append(binary.BigEndian.AppendUint64(nil, serial), certificate...)); err != nil {
		p.log.Error("certificate not kept", "code", string(fault.CodeOf(err)))
	}
}

// presence is what the post tells central of itself. What cannot be read is
// left out: it shows there as missing.
func (p *Post) presence() uplink.Presence {
	out := uplink.Presence{Version: Version, Workplace: string(p.config.Workplace), AuditNumber: checkpoint.NoNumber}
	if head, held, err := p.store.LastHead(); err == nil && held {
		out.AuditNumber, out.AuditLines = head.Number, head.Lines
		if raw, err := p.store.Heads(head.Number, 1); err == nil && len(raw) == 1 {
			sum := sha256.Sum256(raw[0])
			out.AuditSHA256 = sum[:]
		}
	}
	if waiting, err := p.store.Outbox(maxOutboxCount); err == nil {
		out.Waiting = len(waiting)
	}
	if kept, err := p.store.Cursor(certificateCursor); err == nil && len(kept) > 8 {
		out.Certificate = binary.BigEndian.Uint64(kept)
	}
	for _, s := range p.listStates() {
		out.Lists = append(out.Lists, &linkv1.HeldList{List: s.List, Generation: s.Generation, IssuedMs: s.Issued.UnixMilli(), Stale: s.Stale})
	}
	return out
}

// patient lets central answer late where there is a link.
func (p *Post) patient(asker encounter.Screener) encounter.Screener {
	if p.link == nil {
		return asker
	}
	late := &uplink.Patient{Screener: asker, Link: p.link, LateBy: p.applied.policy.Deadlines.LateHitBy.Of(), Without: p.orders.Without}
	p.closing(func() error {
		// Closing the link ends what is still being asked.
		err := p.link.Close()
		late.Wait()
		return err
	})
	return late
}

// linkChanged tells whoever follows the post.
func (p *Post) linkChanged(up bool) {
	if up {
		p.refreshSoon() // what was sent while it was down
	}
	err := p.events.Add(p.now(), "", encounter.EventDevice, encounter.DeviceData{ID: uplink.Name, Kind: "link", State: linkWord(up)})
	if err != nil {
		p.log.Error("event of the link", "cause", err)
	}
}

// linkState is the state of the link for the page.
func (p *Post) linkState() string {
	if p.link == nil {
		return linkNone
	}
	return linkWord(p.link.Up())
}

func linkWord(up bool) string {
	if up {
		return linkUp
	}
	return linkDown
}

// wake tells the sender that an outcome was recorded.
func (p *Post) wake() {
	if p.sender != nil {
		p.sender.Wake()
	}
}
