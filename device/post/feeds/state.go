package feeds

import (
	"context"
	"strings"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/encounter/store"
)

// state keeps an updater's state among the cursors of post.db.
type state struct{ store *store.Store }

const prefix = "feed/"

// Load implements listfeed.State.
func (s state) Load(context.Context) (map[string][]byte, error) {
	all, err := s.store.Cursors(prefix)
	out := make(map[string][]byte, len(all))
	for name, raw := range all {
		out[strings.TrimPrefix(name, prefix)] = raw
	}
	return out, err
}

// Commit implements listfeed.State.
func (s state) Commit(_ context.Context, changes map[string][]byte, lines ...audit.Line) error {
	named := make(map[string][]byte, len(changes))
	for name, raw := range changes {
		named[prefix+name] = raw
	}
	return s.store.SetCursors(named, lines...)
}
