package vault

import (
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"slices"

	"github.com/watchpost/watchpost/device/durable"
	"github.com/watchpost/watchpost/device/fault"
)

// WrappedFile is a file that holds one key wrapped by the device key.
type WrappedFile struct {
	Path  string
	Scope Scope
	Name  string
}

// Rotate gives the vault a fresh device key and wraps by it what the old one
// wrapped: the list keys, and the keys in files that are there. The device's
// public key becomes another, so that owners of lists have to be told.
//
// A power cut leaves a vault that opens, with both keys; Rotate, called again,
// first ends what was begun. Copies of the files made before open by the old
// key only, which the vault no longer has. starts is the file of CountStart.
func (v *Vault) Rotate(starts string, files ...WrappedFile) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.locked {
		return errLocked()
	}
	if v.previous == nil {
		if err := v.begin(); err != nil {
			return err
		}
	}
	for _, f := range files {
		if err := v.rewrapFile(f); err != nil {
			return err
		}
	}
	if err := v.rewriteStarts(starts); err != nil {
		return err
	}
	next := *v.file
	next.Previous = nil
	if err := v.put(&next); err != nil {
		return err
	}
	v.previous.Destroy()
	v.previous = nil
	return nil
}

// begin makes the new device key and wraps list keys and every way in by it.
func (v *Vault) begin() error {
	device, err := v.ring.Random()
	if err != nil {
		return err
	}
	next := *v.file
	next.Lists, next.Unlock = maps.Clone(v.file.Lists), slices.Clone(v.file.Unlock)
	if next.Previous, err = device.Wrap(v.device, ScopeDevice, previousName); err == nil {
		err = v.rewrapLists(device, next.Lists)
	}
	for i := range next.Unlock {
		if err == nil {
			err = next.Unlock[i].wrap(device)
		}
	}
	if err != nil {
		device.Destroy()
		return err
	}
	old := v.device
	v.device, v.previous = device, old
	if err := v.put(&next); err != nil {
		v.device, v.previous = old, nil
		device.Destroy()
		return err
	}
	return nil
}

func (v *Vault) rewrapLists(device *Key, lists map[string][]byte) error {
	for name, wrapped := range lists {
		key, err := v.device.Unwrap(wrapped, ScopeList, name)
		if err != nil {
			return err
		}
		lists[name], err = device.Wrap(key, ScopeList, name)
		key.Destroy()
		if err != nil {
			return err
		}
	}
	return nil
}

// rewrapFile wraps the key in a file by the device key of now; one that is
// already stays as it is, and a file that is not there is no error.
func (v *Vault) rewrapFile(f WrappedFile) error {
	wrapped, err := os.ReadFile(f.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fault.Wrap("vault.read", err)
	}
	if key, err := v.device.Unwrap(wrapped, f.Scope, f.Name); err == nil {
		key.Destroy()
		return nil
	}
	key, err := v.unwrap(wrapped, f.Scope, f.Name)
	if err != nil {
		return fault.New("vault.open", "a key file of scope %d does not open: %w", f.Scope, err).
			WithHint("put the file back from its copy, then rotate again")
	}
	defer key.Destroy()
	if wrapped, err = v.device.Wrap(key, f.Scope, f.Name); err != nil {
		return err
	}
	return fault.Wrap("vault.write", durable.Replace(f.Path, wrapped))
}

// slotParams returns the parameters of a way in.
func (v *Vault) slotParams(w Way) (json.RawMessage, error) {
	at := v.file.find(w.Kind, w.Name)
	if at < 0 {
		return nil, noSlot(w.Kind, w.Name)
	}
	return v.file.Unlock[at].Params, nil
}

// WayParams returns what the vault keeps in clear for a way in.
func (v *Vault) WayParams(w Way) (json.RawMessage, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.slotParams(w)
}
