package post

import (
	"context"
	"errors"

	"github.com/watchpost/watchpost/device/capture"
	"github.com/watchpost/watchpost/device/encounter"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/watchlist/photograph"
)

var _ encounter.PhotographDecoder = (*portraits)(nil)

// DecodePhotograph implements encounter.PhotographDecoder: raw pixels come out
// of a process of their own, and the JPEG is written here, so that not even an
// overtaken process chooses a byte that a browser reads. A process that was lost
// or hangs is replaced once, as for a portrait.
func (p *portraits) DecodePhotograph(ctx context.Context, picture []byte) ([]byte, error) {
	out, err := p.tryPhotograph(ctx, picture)
	if errors.Is(err, capture.ErrLost) || errors.Is(err, capture.ErrHangs) {
		p.log.Warn("photograph decoded again in another process", "code", string(fault.CodeOf(err)))
		out, err = p.tryPhotograph(ctx, picture)
	}
	return out, err
}

func (p *portraits) tryPhotograph(ctx context.Context, picture []byte) (out []byte, err error) {
	process, err := p.pool.Take(ctx)
	if err != nil {
		return nil, err
	}
	defer p.pool.End(process)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watch := newPulse(process.Ping)
	watch.every, watch.limit = decodePulseEvery, decodePulseLimit
	go watch.run(ctx)
	err = watch.during(ctx, func(ctx context.Context) error {
		pixels, err := process.Decode().DecodeRGBWithin(ctx, picture, photograph.MaxSide*photograph.MaxSide)
		if err != nil {
			return err
		}
		out, err = photograph.Encode(pixels.Pix, pixels.Width, pixels.Height)
		return err
	})
	return out, err
}
