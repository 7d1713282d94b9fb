package vault

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/watchpost/watchpost/device/durable"
	"github.com/watchpost/watchpost/device/fault"
)

// Params returns what the vault file at path keeps for one way of unlocking,
// in clear, without unlocking it. It fails with vault.missing, vault.damaged,
// vault.format or vault.unlocker.
func Params(path string, w Way) (json.RawMessage, error) {
	f, err := readFile(path)
	if err != nil {
		return nil, err
	}
	at := f.find(w.Kind, w.Name)
	if at < 0 {
		return nil, noSlot(w.Kind, w.Name)
	}
	return f.Unlock[at].Params, nil
}

// Shred overwrites the vault file at path and removes it: what was sealed
// under its keys stays shut. It needs no key and no sound file, since it is
// for the worst hour. A file that is not there is vault.missing.
//
// Flash may keep the old bytes where nobody but its controller reads them;
// only a TPM that has forgotten its half as well closes that.
func Shred(path string) error {
	h, err := os.OpenFile(path, os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return fault.New("vault.missing", "there is no vault file")
	}
	if err != nil {
		return fault.Wrap("vault.write", err)
	}
	info, err := h.Stat()
	if err == nil {
		_, err = io.CopyN(h, zeros{}, min(info.Size(), maxFile))
	}
	if err == nil {
		err = h.Sync()
	}
	// Removed even where it could not be overwritten.
	if err := errors.Join(err, h.Close(), os.Remove(path)); err != nil {
		return fault.Wrap("vault.write", err)
	}
	return fault.Wrap("vault.write", durable.SyncDir(filepath.Dir(path)))
}

// zeros reads as zero bytes without end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
