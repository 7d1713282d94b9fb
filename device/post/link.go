package post

import (
	"context"

	"github.com/watchpost/watchpost/device/encounter"
	"github.com/watchpost/watchpost/device/uplink"
	"github.com/watchpost/watchpost/device/vault"
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
		Post: p.config.Post, URL: c.URL, CA: c.CA, Key: key, SignKey: sign, SealKey: seal, Changed: p.linkChanged, Log: p.log,
	})
	if err != nil {
		return err
	}
	p.closing(p.link.Close)
	p.sender = uplink.NewSender(p.link, p.store, p.now, p.log)
	return nil
}

// KeepContact tells central how often the post has started, until ctx ends. An
// error is central's word that the post has to lock; nil comes when ctx ends,
// at once where there is no link.
func (p *Post) KeepContact(ctx context.Context, starts uint64, run []byte) error {
	if p.link == nil {
		return nil
	}
	return p.link.KeepContact(ctx, starts, run)
}

// patient lets central answer late where there is a link.
func (p *Post) patient(asker encounter.Screener) encounter.Screener {
	if p.link == nil {
		return asker
	}
	late := &uplink.Patient{Screener: asker, Link: p.link, LateBy: p.applied.policy.Deadlines.LateHitBy.Of()}
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
