package main

import (
	"os"
	"path/filepath"

	"github.com/watchpost/watchpost/device/fault"
)

// dumpFiles writes files as EF_NAME.bin into dir. Each appears whole or not at
// all; folder and files are the owner's alone.
func dumpFiles(dir string, files map[string][]byte) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fault.Wrap("dump.folder", err)
	}
	for name, data := range files {
		if err := writePrivate(filepath.Join(dir, "EF_"+name+".bin"), data); err != nil {
			return fault.Wrap("dump.write", err)
		}
	}
	return nil
}

// writePrivate writes a file beside its place and moves it there.
func writePrivate(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".dump-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone already where all went well
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
