package post

import (
	"context"
	"errors"
	"iter"
	"net"

	"github.com/watchpost/watchpost/device/capture"
	"github.com/watchpost/watchpost/device/officer/lockout"
	"github.com/watchpost/watchpost/device/officer/passkey"
	"github.com/watchpost/watchpost/device/web"
	kioskui "github.com/watchpost/watchpost/kiosk-ui"
)

// leadAPI puts /v1, with the page, behind the doors of the daemon. It is one
// handler for all of them, so that limits and sessions count for all.
func (p *Post) leadAPI(o Options) error {
	page, err := web.NewPage(kioskui.Files())
	if err != nil {
		return err
	}
	keys, err := passkey.New(p.site(), p.store, p.Accounts, p.now)
	if err != nil {
		return err
	}
	guard, err := lockout.New(lockout.Options{Keeper: tries{p.store}, Known: p.isAccount, Now: p.now, Locked: p.accountShut})
	if err != nil {
		return err
	}
	api := web.New(web.Options{Post: p.post, Backend: p, Log: p.log, Now: p.now, Limits: web.DefaultLimits(), Guard: guard, Passkeys: keys, Unlocking: o.Unlocking, Page: page})
	leave, err := o.Lead(api, p.feeds.Handler())
	if err != nil {
		return err
	}
	p.closing(func() error {
		wait := leave()
		return errors.Join(api.Close(), wait()) // closing ends the streams, which calls are in
	})
	return nil
}

// site is the page's place as browsers know it.
func (p *Post) site() passkey.Site {
	host := p.config.HTTP.Host()
	_, port, err := net.SplitHostPort(p.config.HTTP.Listen)
	if err != nil || port == "443" {
		return passkey.Site{Host: host, Origin: "https://" + host}
	}
	return passkey.Site{Host: host, Origin: "https://" + net.JoinHostPort(host, port)}
}

// Preview implements web.Backend: frames of the camera for faces.
func (p *Post) Preview(ctx context.Context, o capture.PreviewOptions) iter.Seq2[capture.Frame, error] {
	o.Camera = p.config.Capture.Camera
	return func(yield func(capture.Frame, error) bool) {
		more := true // the page wants frames
		err := p.pulse.during(ctx, func(ctx context.Context) error {
			if err := mayUse(ctx, p.devices, capture.KindCamera, o.Camera, p.config.Capture.Virtual); err != nil {
				return err
			}
			for frame, err := range p.devices.CameraPreview(ctx, o) {
				if err != nil {
					return err
				}
				if more = yield(frame, nil); !more {
					return nil
				}
			}
			return nil
		})
		if err != nil && more {
			yield(capture.Frame{}, err)
		}
	}
}
