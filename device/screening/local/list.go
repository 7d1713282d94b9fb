// Package local is the Source over the lists that the post holds itself:
// exact face scan, fingers and exact document numbers over sealed generations.
//
// What it cannot search by yet (names) it says in the coverage of
// every reply; it never leaves a modality out in silence.
package local

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"

	"github.com/watchpost/watchpost/device/watchlist/docnumber"
	"github.com/watchpost/watchpost/device/watchlist/store"
)

// List is one generation loaded for searching. It is safe for concurrent use.
type List struct {
	generation *store.Generation
	faces      []model
	fingers    *store.Fingers
	documents  *docnumber.Table
}

// Load authenticates every block of a generation's records and reads its tables
// into memory: 512 bytes a face template and 16 bytes a document number. The List owns the generation, also after an
// error.
func Load(ctx context.Context, g *store.Generation) (*List, error) {
	l := &List{generation: g}
	// Each waits for the disk or for one core at times.
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return g.Authenticate(ctx) })
	group.Go(func() (err error) { l.faces, err = loadFaces(ctx, g); return err })
	group.Go(func() (err error) { l.fingers, err = g.LoadFingers(ctx); return err })
	group.Go(func() (err error) { l.documents, err = g.LoadDocuments(ctx); return err })
	if err := group.Wait(); err != nil {
		return nil, errors.Join(err, g.Close())
	}
	return l, nil
}

// Manifest returns what the list says of itself. It must not be changed.
func (l *List) Manifest() *store.Manifest { return l.generation.Manifest() }

// Close releases the list.
func (l *List) Close() error { return l.generation.Close() }

// Verify reads the whole generation; see store.Generation.
func (l *List) Verify(ctx context.Context) error { return l.generation.Verify(ctx) }
