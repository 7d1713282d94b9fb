// Package kioskui holds the built page of a post. `make build` puts it into
// dist before the daemon is built; a bare `go build` finds only dist/.keep
// there, and the daemon then serves a page that says so.
package kioskui

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var dist embed.FS

// Files returns the page's files, with index.html at the root if it was built.
func Files() fs.FS {
	sub, err := fs.Sub(dist, "dist")
	if err != nil {
		panic("kioskui: " + err.Error()) // the folder is embedded above
	}
	return sub
}
