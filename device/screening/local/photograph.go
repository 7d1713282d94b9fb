package local

import (
	"errors"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/screening"
	"github.com/watchpost/watchpost/device/watchlist/store"
)

var _ screening.Photographer = (*Source)(nil)

// Photograph implements screening.Photographer over the lists in force.
func (s *Source) Photograph(list, id string, n int) ([]byte, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, l := range s.lists {
		if l.Manifest().List != list {
			continue
		}
		r, err := l.generation.ByID(id)
		if err == nil && r.Expired(s.now()) {
			return nil, screening.ErrNoPhotograph
		}
		var picture []byte
		if err == nil {
			picture, err = l.generation.Photograph(r, n)
		}
		if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrNoPhotograph) {
			return nil, fault.New(screening.ErrNoPhotograph.Code, "%w", err).WithHint(screening.ErrNoPhotograph.Hint)
		}
		return picture, err
	}
	return nil, screening.ErrNoPhotograph
}
