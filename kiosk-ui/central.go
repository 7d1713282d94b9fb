package kioskui

import (
	"embed"
	"io/fs"
)

// central is the page of central's administration, built from the folder
// central; the officer's page loads nothing of it.
//
//go:embed all:dist-central
var central embed.FS

// CentralFiles returns the files of central's page, with index.html at the root
// if it was built.
func CentralFiles() fs.FS {
	sub, err := fs.Sub(central, "dist-central")
	if err != nil {
		panic("kioskui: " + err.Error()) // the folder is embedded above
	}
	return sub
}
