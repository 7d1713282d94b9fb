package post

import (
	"context"
	"crypto/tls"
	"iter"
	"log/slog"
	"net"
	"path/filepath"

	"github.com/watchpost/watchpost/device/capture"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/officer/passkey"
	"github.com/watchpost/watchpost/device/post/certificate"
	"github.com/watchpost/watchpost/device/web"
	kioskui "github.com/watchpost/watchpost/kiosk-ui"
)

// tlsFolder holds key and certificate of the HTTPS listener, below the state.
const tlsFolder = "tls"

// serveAPI serves /v1 on the admin socket and, with the page, over HTTPS. Both
// are one server, so that limits and sessions count for both.
func (p *Post) serveAPI() error {
	page, err := web.NewPage(kioskui.Files())
	if err != nil {
		return err
	}
	keys, err := passkey.New(p.site(), p.store, p.Accounts, p.now)
	if err != nil {
		return err
	}
	api := web.New(web.Options{Post: p.post, Backend: p, Log: p.log, Now: p.now, Limits: web.DefaultLimits(), Passkeys: keys, Page: page})
	p.closing(api.Close)
	admin, err := listenUnix(p.config.AdminSocket())
	if err != nil {
		return err
	}
	p.serve(admin, api)
	if p.config.HTTP.Listen == "" {
		return nil
	}
	host, _, err := net.SplitHostPort(p.config.HTTP.Listen)
	if err != nil {
		return fault.Wrap("config.listen", err)
	}
	local, err := certificate.Open(filepath.Join(p.config.StateDir(), tlsFolder), p.now, host, p.config.HTTP.Host())
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", p.config.HTTP.Listen)
	if err != nil {
		return fault.New("post.listen", "the page: %w", err).WithHint("another program has the address: change http.listen")
	}
	p.log.Info("page", "address", l.Addr().String(), slog.String("certificate", local.Fingerprint()))
	p.serve(tls.NewListener(l, &tls.Config{GetCertificate: local.Get, MinVersion: tls.VersionTLS13, NextProtos: []string{"http/1.1"}}), api)
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
