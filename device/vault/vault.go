package vault

import (
	"context"
	"crypto/hmac"
	"errors"
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
	// previous is the device key before this one while a rotation is under way,
	// else nil.
	previous *Key
	lists    map[string]*Key
	locked   bool
}

// previousName is the name under which the device key wraps the one before.
const previousName = "previous"

func errLocked() error { return fault.New("vault.locked", "the vault is locked") }

// Create makes a vault file with a fresh device key that u unlocks, and
// returns it unlocked. A file that is there already is never overwritten
// (vault.exists).
func Create(ctx context.Context, path string, u Unlocker) (*Vault, error) {
	ring := NewRing()
	v, err := create(ctx, path, u, ring)
	if err != nil {
		ring.Close()
	}
	return v, err
}

func create(ctx context.Context, path string, u Unlocker, ring *Ring) (*Vault, error) {
	device, err := ring.Random()
	if err != nil {
		return nil, err
	}
	v := &Vault{path: path, ring: ring, device: device, lists: map[string]*Key{}}
	s, err := v.enrol(ctx, u)
	if err != nil {
		return nil, err
	}
	f := &file{Format: Format, Unlock: []slot{s}, Lists: map[string][]byte{}}
	if err := v.seal(f); err != nil {
		return nil, err
	}
	if err := f.create(path); err != nil {
		return nil, err
	}
	v.file = f
	return v, nil
}

// Open unlocks the vault at path with u. It fails with vault.missing,
// vault.damaged, vault.format, vault.unlocker, ErrPassphrase, or what u itself
// ends in.
func Open(ctx context.Context, path string, u Unlocker) (*Vault, error) {
	f, err := readFile(path)
	if err != nil {
		return nil, err
	}
	at := f.find(u.Kind(), nameOf(u))
	if at < 0 {
		return nil, noSlot(u.Kind(), nameOf(u))
	}
	ring := NewRing()
	v := &Vault{path: path, ring: ring, file: f, lists: map[string]*Key{}}
	if err := v.open(ctx, u, f.Unlock[at]); err != nil {
		ring.Close()
		return nil, err
	}
	return v, nil
}

func (v *Vault) open(ctx context.Context, u Unlocker, s slot) error {
	var err error
	if v.device, err = s.open(ctx, v.ring, u); err != nil {
		return err
	}
	want, err := v.sealOf(v.file)
	if err != nil {
		return err
	}
	if !hmac.Equal(want, v.file.Seal) {
		return damagedFile("the vault file is not as this device wrote it")
	}
	if v.file.Previous != nil {
		v.previous, err = v.device.Unwrap(v.file.Previous, ScopeDevice, previousName)
	}
	return err
}

// sealOf is the seal that f has to carry.
func (v *Vault) sealOf(f *file) ([]byte, error) {
	raw, err := f.sealed()
	if err != nil {
		return nil, err
	}
	sum, err := v.device.MAC([]byte("watchpost/vault-file/1"), raw)
	return sum[:], err
}

func (v *Vault) seal(f *file) (err error) {
	f.Seal, err = v.sealOf(f)
	return err
}

// put seals next and puts it in the place of the file. The caller holds mu.
func (v *Vault) put(next *file) error {
	if err := v.seal(next); err != nil {
		return err
	}
	if err := next.replace(v.path); err != nil {
		return err
	}
	v.file = next
	return nil
}

// ListKey returns the key of a list, or vault.no_list_key where the device
// was not given one. The vault owns the key: do not destroy it.
func (v *Vault) ListKey(list string) (*Key, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.locked {
		return nil, errLocked()
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
		return errLocked()
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
	if err := v.put(&next); err != nil {
		return err
	}
	v.lists[list] = key
	return nil
}

// ShredListKey forgets a list's key: what was sealed under it stays shut.
func (v *Vault) ShredListKey(list string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.locked {
		return errLocked()
	}
	next := *v.file
	next.Lists = maps.Clone(v.file.Lists)
	delete(next.Lists, list)
	if err := v.put(&next); err != nil {
		return err
	}
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
		return nil, nil, errLocked()
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
		return nil, errLocked()
	}
	return v.unwrap(wrapped, scope, name)
}

// unwrap opens what this device key wrapped, or the one before it while a
// rotation is under way. The caller holds mu.
func (v *Vault) unwrap(wrapped []byte, scope Scope, name string) (*Key, error) {
	k, err := v.device.Unwrap(wrapped, scope, name)
	if errors.Is(err, ErrOpen) && v.previous != nil {
		return v.previous.Unwrap(wrapped, scope, name)
	}
	return k, err
}

// State is what may be shown of a vault: no keys.
type State struct {
	Format    int      `json:"format"`
	Locked    bool     `json:"locked"`
	UnlockBy  []Way    `json:"unlock_by"`
	Lists     []string `json:"lists"`
	Rotating  bool     `json:"rotating,omitempty"`  // a rotation has not ended: run it again
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
	s := State{Format: v.file.Format, Locked: v.locked, UnlockBy: v.file.ways(),
		Lists: slices.Sorted(maps.Keys(v.file.Lists)), Rotating: v.file.Previous != nil, Recipient: recipient}
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
	v.previous.Destroy()
	v.device.Destroy()
	v.ring.Close()
}

// LogValue keeps the vault's inside out of logs.
func (v *Vault) LogValue() slog.Value { return slog.StringValue("[vault]") }
