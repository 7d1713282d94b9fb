package main

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/watchpost/watchpost/device/fault"
)

// imageExtensions are those of files taken for images in a folder.
var imageExtensions = map[string]bool{
	".jpg": true, ".jpeg": true, ".jpe": true, ".jfif": true, ".png": true, ".pgm": true, ".ppm": true, ".pnm": true,
	".tif": true, ".tiff": true, ".wsq": true, ".jp2": true, ".j2k": true, ".j2c": true, ".jpc": true, ".bmp": true,
}

// imagesBelow lists the image files of a folder and all below it, in order of
// their names.
func imagesBelow(dir string) ([]string, error) {
	files, err := filesBelow(dir)
	return slices.DeleteFunc(files, func(path string) bool { return !imageExtensions[strings.ToLower(filepath.Ext(path))] }), err
}

// filesBelow lists the files of a folder and all below it, in order of their
// names. Links are followed, as a set of pictures is often made of them; a
// folder is read once, however many lead to it. A link to nothing is a file,
// of which whoever reads it will say so. It fails with file.open.
func filesBelow(dir string) ([]string, error) {
	var files []string
	been := make(map[string]bool)
	var walk func(string) error
	walk = func(dir string) error {
		real, err := filepath.EvalSymlinks(dir)
		if err != nil || been[real] {
			return err
		}
		been[real] = true
		entries, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		for _, e := range entries {
			path := filepath.Join(dir, e.Name())
			info, err := os.Stat(path)
			switch {
			case err != nil || info.Mode().IsRegular():
				files = append(files, path)
			case info.IsDir():
				if err := walk(path); err != nil {
					return err
				}
			}
		}
		return nil
	}
	if err := walk(dir); err != nil {
		return nil, fault.Wrap("file.open", err)
	}
	slices.SortFunc(files, cmp.Compare[string])
	return files, nil
}
