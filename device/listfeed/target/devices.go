package target

import (
	"encoding/json"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/vault"
)

// Devices is an owner's list of the devices that get one of his keys, and the
// key wrapped for each (RFC 9180, 2022). A device that is not on it gets none.
type Devices struct {
	Format  int      `json:"format"`
	Path    string   `json:"path"`
	Epoch   uint64   `json:"epoch"` // rises whenever the key is another
	Devices []Device `json:"devices"`
}

// Device is one line of it.
type Device struct {
	ID  string `json:"id"`  // vault.Recipient.ID
	Key []byte `json:"key"` // wrapped by vault.WrapTo as ScopeList under KeyName.String()
}

// wrappedSize is the length of a key wrapped by HPKE: 32 bytes of X25519
// before the key and its tag.
const wrappedSize = 32 + vault.KeySize + 16

// DecodeDevices reads the list of devices of p.
func DecodeDevices(raw []byte, p Path) (*Devices, error) {
	d := &Devices{}
	if err := strict(raw, MaxManifest, d); err != nil {
		return nil, err
	}
	if d.Format != Format || d.Epoch == 0 {
		return nil, formatError("a list of devices has an epoch from 1 and format %d", Format)
	}
	if d.Path != p.String() {
		return nil, fault.New("listfeed.wrong_target", "the list of devices is of another target")
	}
	seen := make(map[string]bool, len(d.Devices))
	for i, one := range d.Devices {
		if len(one.ID) != 16 || seen[one.ID] || len(one.Key) != wrappedSize {
			return nil, formatError("device %d has no id of its own or no key", i)
		}
		seen[one.ID] = true
	}
	return d, nil
}

// Of returns the key wrapped for the device of an id, nil for none.
func (d *Devices) Of(id string) []byte {
	for i := range d.Devices {
		if d.Devices[i].ID == id {
			return d.Devices[i].Key
		}
	}
	return nil
}

// WrapFor returns the list of the devices that shall have key.
func WrapFor(p Path, epoch uint64, key *vault.Key, to ...vault.Recipient) (*Devices, error) {
	d := &Devices{Format: Format, Path: p.String(), Epoch: epoch, Devices: []Device{}}
	name := KeyName{p.Name, epoch}.String()
	for _, r := range to {
		wrapped, err := vault.WrapTo(r, key, vault.ScopeList, name)
		if err != nil {
			return nil, err
		}
		d.Devices = append(d.Devices, Device{r.ID(), wrapped})
	}
	return d, nil
}

// Encode returns the list's bytes.
func (d *Devices) Encode() ([]byte, error) {
	raw, err := json.Marshal(d)
	if err != nil {
		return nil, fault.Wrap("listfeed.format", err)
	}
	if len(raw) > MaxManifest {
		return nil, fault.New("listfeed.too_large", "the list of devices has %d bytes, at most %d", len(raw), MaxManifest)
	}
	return raw, nil
}
