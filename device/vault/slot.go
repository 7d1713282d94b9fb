package vault

import (
	"bytes"
	"context"
	"crypto/hpke"
	"encoding/json"
	"slices"

	"github.com/watchpost/watchpost/device/fault"
)

// Named is an Unlocker of which one vault may have several: one an officer.
type Named interface {
	Unlocker
	// SlotName tells which of its kind it is, 1 to 64 bytes.
	SlotName() string
}

// abandoner is an Unlocker whose enrolment leaves something behind, which goes
// when the way in cannot be used after all.
type abandoner interface {
	Abandon(ctx context.Context, params json.RawMessage)
}

// maxSlots bounds the ways into one vault, maxSlotName the bytes of a name.
const (
	maxSlots    = 64
	maxSlotName = 64
)

func nameOf(u Unlocker) string {
	if n, ok := u.(Named); ok {
		return n.SlotName()
	}
	return ""
}

// Way names one way into a vault.
type Way struct {
	Kind string `json:"kind"`
	Name string `json:"name,omitempty"` // whose, where there are several of a kind
}

func (f *file) ways() []Way {
	ways := make([]Way, 0, len(f.Unlock))
	for _, s := range f.Unlock {
		ways = append(ways, Way{s.Kind, s.Name})
	}
	return ways
}

func noSlot(kind, name string) error {
	if name != "" {
		return fault.New("vault.unlocker", "this vault does not open by %s for this name", kind)
	}
	return fault.New("vault.unlocker", "this vault does not open by %s", kind)
}

// Ways returns how the vault at path opens, without opening it.
func Ways(path string) ([]Way, error) {
	f, err := readFile(path)
	if err != nil {
		return nil, err
	}
	return f.ways(), nil
}

// slotInfo is the HPKE context of a slot's device key: one slot's cannot be
// shown as another's.
func slotInfo(kind, name string) []byte { return Identity("watchpost/slot/1", kind, name) }

// slotPair derives the pair to which a slot's device key is sealed. Sealing to
// a public key lets a rotation serve ways whose secrets are not at hand.
func slotPair(kek *Key) (hpke.PrivateKey, error) {
	seed, err := kek.MAC([]byte("watchpost/slot-kem/1"))
	if err != nil {
		return nil, err
	}
	defer wipe(seed[:])
	pair, err := kem().DeriveKeyPair(seed[:])
	return pair, fault.Wrap("vault.key", err)
}

func derivePair(ctx context.Context, ring *Ring, u Unlocker, params []byte) (hpke.PrivateKey, error) {
	raw, err := u.Derive(ctx, params)
	if err != nil {
		return nil, err
	}
	kek, err := ring.Import(raw)
	if err != nil {
		return nil, err
	}
	defer kek.Destroy()
	return slotPair(kek)
}

// enrol makes a slot of the vault's device key.
func (v *Vault) enrol(ctx context.Context, u Unlocker) (slot, error) {
	s := slot{Kind: u.Kind(), Name: nameOf(u)}
	if len(s.Name) > maxSlotName {
		return slot{}, fault.New("vault.slot_name", "a name has at most %d bytes", maxSlotName)
	}
	var err error
	if s.Params, err = u.Enrol(ctx); err != nil {
		return slot{}, err
	}
	pair, err := derivePair(ctx, v.ring, u, s.Params)
	if err != nil {
		if a, ok := u.(abandoner); ok {
			a.Abandon(context.WithoutCancel(ctx), s.Params)
		}
		return slot{}, err
	}
	s.To = bytes.Clone(pair.PublicKey().Bytes())
	wipeDeep(pair)
	return s, s.wrap(v.device)
}

// wrap seals the device key to the slot.
func (s *slot) wrap(device *Key) error {
	to, err := kem().NewPublicKey(s.To)
	if err != nil {
		return damagedFile("read a slot's public key: %w", err)
	}
	return device.use(func() (err error) {
		s.Device, err = hpke.Seal(to, hpke.HKDFSHA256(), hpke.AES256GCM(), slotInfo(s.Kind, s.Name), device.raw)
		return fault.Wrap("vault.key", err)
	})
}

// open derives the slot's key from u and opens the device key.
func (s *slot) open(ctx context.Context, ring *Ring, u Unlocker) (*Key, error) {
	pair, err := derivePair(ctx, ring, u, s.Params)
	if err != nil {
		return nil, err
	}
	defer wipeDeep(pair)
	raw, err := hpke.Open(pair, hpke.HKDFSHA256(), hpke.AES256GCM(), slotInfo(s.Kind, s.Name), s.Device)
	if err != nil {
		if s.Kind == PassphraseKind {
			return nil, fault.New("vault.passphrase", "the device key does not open").
				WithHint("check the passphrase; after repeated failures restore the vault file from its copy")
		}
		return nil, fault.New("vault.open", "the device key does not open by %s", s.Kind).
			WithHint("this is the secret of another vault, or the vault file was changed")
	}
	return ring.Import(raw)
}

// AddUnlock gives the vault one more way in. It fails with vault.slot_exists
// where it has that way already.
func (v *Vault) AddUnlock(ctx context.Context, u Unlocker) error {
	_, err := v.setUnlock(ctx, u, false)
	return err
}

// ReplaceUnlock puts a freshly enrolled u in the place of the way of its kind
// and name, or adds it, and returns the parameters of the way before, nil
// where there was none. What a TPM still holds for them is the caller's to
// forget.
func (v *Vault) ReplaceUnlock(ctx context.Context, u Unlocker) (before json.RawMessage, err error) {
	return v.setUnlock(ctx, u, true)
}

func (v *Vault) setUnlock(ctx context.Context, u Unlocker, replace bool) (json.RawMessage, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.locked {
		return nil, errLocked()
	}
	at := v.file.find(u.Kind(), nameOf(u))
	switch {
	case at >= 0 && !replace:
		return nil, fault.New("vault.slot_exists", "the vault opens in this way already").
			WithHint("change it with: watchpost keys pin, or remove it first")
	case at < 0 && len(v.file.Unlock) >= maxSlots:
		return nil, fault.New("vault.slots", "a vault has at most %d ways in", maxSlots)
	}
	s, err := v.enrol(ctx, u)
	if err != nil {
		return nil, err
	}
	next := *v.file
	next.Unlock = slices.Clone(v.file.Unlock)
	var before json.RawMessage
	if at >= 0 {
		before = next.Unlock[at].Params
		next.Unlock[at] = s
	} else {
		next.Unlock = append(next.Unlock, s)
	}
	return before, v.put(&next)
}

// RemoveUnlock takes a way into the vault away and returns its parameters. The
// last one stays (vault.last_slot).
func (v *Vault) RemoveUnlock(w Way) (json.RawMessage, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.locked {
		return nil, errLocked()
	}
	at := v.file.find(w.Kind, w.Name)
	if at < 0 {
		return nil, noSlot(w.Kind, w.Name)
	}
	if len(v.file.Unlock) == 1 {
		return nil, fault.New("vault.last_slot", "nobody could open the vault any more").
			WithHint("add another way first, or destroy the keys: watchpost keys wipe")
	}
	next := *v.file
	params := v.file.Unlock[at].Params
	next.Unlock = slices.Delete(slices.Clone(v.file.Unlock), at, at+1)
	return params, v.put(&next)
}
