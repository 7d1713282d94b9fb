package main

import (
	"context"
	"sync"

	"github.com/watchpost/watchpost/device/capture/decode"
	"github.com/watchpost/watchpost/device/capture/decode/face"
	decodev1 "github.com/watchpost/watchpost/sdk/proto/decode/v1"
)

// lazyEngine opens the face engine when it is first needed; one that could not
// be opened is tried again at the next call. It is safe for concurrent use.
type lazyEngine struct {
	open func() (*decode.Server, error)

	mu     sync.Mutex
	engine *decode.Server // guarded by mu, nil = not open
}

// TemplateRaster implements cameraface.Engine.
func (l *lazyEngine) TemplateRaster(ctx context.Context, pixels face.Raster, effort face.Effort) (*decodev1.TemplateFaceResponse, error) {
	engine, err := l.get()
	if err != nil {
		return nil, err
	}
	return engine.TemplateRaster(ctx, pixels, effort)
}

// LiveRaster implements cameraface.Engine.
func (l *lazyEngine) LiveRaster(ctx context.Context, pixels face.Raster, withTemplate bool) (*decodev1.TemplateFaceResponse, error) {
	engine, err := l.get()
	if err != nil {
		return nil, err
	}
	return engine.LiveRaster(ctx, pixels, withTemplate)
}

func (l *lazyEngine) get() (*decode.Server, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.engine == nil {
		engine, err := l.open()
		if err != nil {
			return nil, err
		}
		l.engine = engine
	}
	return l.engine, nil
}

func (l *lazyEngine) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.engine == nil {
		return nil
	}
	return l.engine.Close()
}
