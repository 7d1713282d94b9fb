package vault

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"

	"github.com/watchpost/watchpost/device/fault"
)

// ErrPassphrase says that the device key did not open: wrong passphrase, or
// the wrong of whatever else unlocks.
var ErrPassphrase = &fault.Error{Code: "vault.passphrase"}

// Vault is an unlocked vault. It is safe for concurrent use. Its owner calls
// Lock when the work ends.
type Vault struct {
	path string
	ring *Ring

	mu     sync.Mutex // protects what follows, and the file
	file   *file
	device *Key
	lists  map[string]*Key
	locked bool
}

// deviceName is the name under which the device key is wrapped.
const deviceName = "device"

// Create makes a vault file with a fresh device key that u unlocks, and
// returns it unlocked. A file that is there already is never overwritten
// (vault.exists).
func Create(ctx context.Context, path string, u Unlocker) (*Vault, error) {
	params, err := u.Enrol(ctx)
	if err != nil {
		return nil, err
	}
	ring := NewRing()
	device, err := ring.Random()
	if err != nil {
		return nil, err
	}
	kek, err := deriveKEK(ctx, ring, u, params)
	if err != nil {
		ring.Close()
		return nil, err
	}
	defer kek.Destroy()
	wrapped, err := kek.Wrap(device, ScopeDevice, deviceName)
	if err != nil {
		ring.Close()
		return nil, err
	}
	f := &file{Format: fileFormat, Unlock: []slot{{Kind: u.Kind(), Params: params, Device: wrapped}}, Lists: map[string][]byte{}}
	if err := f.create(path); err != nil {
		ring.Close()
		return nil, err
	}
	return &Vault{path: path, ring: ring, file: f, device: device, lists: map[string]*Key{}}, nil
}

// Open unlocks the vault at path with u. It fails with vault.missing,
// vault.damaged, vault.format or ErrPassphrase.
func Open(ctx context.Context, path string, u Unlocker) (*Vault, error) {
	f, err := readFile(path)
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(f.Unlock, func(s slot) bool { return s.Kind == u.Kind() })
	if at < 0 {
		return nil, fault.New("vault.unlocker", "this vault does not open by %s", u.Kind())
	}
	ring := NewRing()
	kek, err := deriveKEK(ctx, ring, u, f.Unlock[at].Params)
	if err != nil {
		ring.Close()
		return nil, err
	}
	defer kek.Destroy()
	device, err := kek.Unwrap(f.Unlock[at].Device, ScopeDevice, deviceName)
	if err != nil {
		ring.Close()
		return nil, fault.New("vault.passphrase", "the device key does not open").
			WithHint("check the passphrase; after repeated failures restore the vault file from its copy")
	}
	return &Vault{path: path, ring: ring, file: f, device: device, lists: map[string]*Key{}}, nil
}

func deriveKEK(ctx context.Context, ring *Ring, u Unlocker, params []byte) (*Key, error) {
	raw, err := u.Derive(ctx, params)
	if err != nil {
		return nil, err
	}
	return ring.Import(raw)
}

// ListKey returns the key of a list, or vault.no_list_key where the device
// was not given one. The vault owns the key: do not destroy it.
func (v *Vault) ListKey(list string) (*Key, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.locked {
		return nil, fault.New("vault.locked", "the vault is locked")
	}
	if k, ok := v.lists[list]; ok {
		return k, nil
	}
	wrapped, ok := v.file.Lists[list]
	if !ok {
		return nil, fault.New("vault.no_list_key", "this device holds no key of the list").
			WithHint("apply a provisioning folder that carries the list's key for this device")
	}
	k, err := v.device.Unwrap(wrapped, ScopeList, list)
	if err != nil {
		return nil, err
	}
	v.lists[list] = k
	return k, nil
}

// AcceptListKey takes a list's key that WrapTo made for this device, and
// keeps it wrapped in the vault file. An earlier key of the list is replaced
// in the file; whoever still holds it can go on until the vault locks.
func (v *Vault) AcceptListKey(list string, wrapped []byte) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.locked {
		return fault.New("vault.locked", "the vault is locked")
	}
	key, err := v.receive(wrapped, ScopeList, list)
	if err != nil {
		return err
	}
	own, err := v.device.Wrap(key, ScopeList, list)
	if err != nil {
		return err
	}
	next := *v.file
	next.Lists = maps.Clone(v.file.Lists)
	next.Lists[list] = own
	if err := next.replace(v.path); err != nil {
		return err
	}
	v.file, v.lists[list] = &next, key
	return nil
}

// ShredListKey forgets a list's key: what was sealed under it stays shut.
func (v *Vault) ShredListKey(list string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.locked {
		return fault.New("vault.locked", "the vault is locked")
	}
	next := *v.file
	next.Lists = maps.Clone(v.file.Lists)
	delete(next.Lists, list)
	if err := next.replace(v.path); err != nil {
		return err
	}
	v.file = &next
	v.lists[list].Destroy()
	delete(v.lists, list)
	return nil
}

// NewKey returns a fresh key of the given scope and name and its wrapped form
// for keeping beside what it seals. The caller destroys the key.
func (v *Vault) NewKey(scope Scope, name string) (*Key, []byte, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.locked {
		return nil, nil, fault.New("vault.locked", "the vault is locked")
	}
	key, err := v.ring.Random()
	if err != nil {
		return nil, nil, err
	}
	wrapped, err := v.device.Wrap(key, scope, name)
	if err != nil {
		key.Destroy()
		return nil, nil, err
	}
	return key, wrapped, nil
}

// OpenKey opens what NewKey wrapped. The caller destroys the key.
func (v *Vault) OpenKey(wrapped []byte, scope Scope, name string) (*Key, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.locked {
		return nil, fault.New("vault.locked", "the vault is locked")
	}
	return v.device.Unwrap(wrapped, scope, name)
}

// State is what may be shown of a vault: no keys.
type State struct {
	Format    int      `json:"format"`
	Locked    bool     `json:"locked"`
	UnlockBy  []string `json:"unlock_by"`
	Lists     []string `json:"lists"`
	Recipient []byte   `json:"recipient,omitempty"` // the device's public key, while unlocked
}

// State tells how the vault unlocks and of which lists it holds keys.
func (v *Vault) State() State {
	recipient, err := v.Recipient()
	if err != nil {
		recipient = nil // locked: said by Locked
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	s := State{Format: v.file.Format, Locked: v.locked, Lists: slices.Sorted(maps.Keys(v.file.Lists)), Recipient: recipient}
	for _, u := range v.file.Unlock {
		s.UnlockBy = append(s.UnlockBy, u.Kind)
	}
	return s
}

// Lock wipes every key that came out of the vault. Keys still held by others
// fail from then on. Calling it again does nothing.
func (v *Vault) Lock() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.locked {
		return
	}
	v.locked = true
	for _, k := range v.lists {
		k.Destroy()
	}
	v.device.Destroy()
	v.ring.Close()
}

// LogValue keeps the vault's inside out of logs.
func (v *Vault) LogValue() slog.Value { return slog.StringValue("[vault]") }
