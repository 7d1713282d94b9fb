package vault

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"runtime/debug"

	"golang.org/x/crypto/argon2"

	"github.com/watchpost/watchpost/device/fault"
)

// Unlocker is one way in which the device key opens. Kind names it in the
// vault file; Enrol makes the parameters kept there in clear; Derive turns
// the parameters and whatever else it needs (a passphrase, a TPM, a lease)
// into the 32 bytes that wrap the device key. The vault wipes them.
type Unlocker interface {
	Kind() string
	Enrol(ctx context.Context) (params json.RawMessage, err error)
	Derive(ctx context.Context, params json.RawMessage) ([]byte, error)
}

// Costs of argon2id: the second recommended setting of RFC 9106 (2021),
// section 4, which fits a field box of 4 GB.
const (
	argonTime      = 3
	argonMemoryKiB = 64 << 10
	argonThreads   = 4
)

// Bounds of what a vault file may ask for, so that a changed file cannot make
// the box run out of memory or time.
const (
	maxArgonTime      = 16
	maxArgonMemoryKiB = 1 << 20
	maxArgonThreads   = 16
)

type argonParams struct {
	Time      uint32 `json:"time"`
	MemoryKiB uint32 `json:"memory_kib"`
	Threads   uint8  `json:"threads"`
	Salt      []byte `json:"salt"`
}

// Passphrase unlocks by argon2id of a passphrase. The caller keeps and wipes
// the bytes.
type Passphrase []byte

var _ Unlocker = Passphrase(nil)

// MinPassphrase is the shortest passphrase accepted when a vault is made, in
// bytes.
const MinPassphrase = 8

// PassphraseKind is the name of this way in a vault file.
const PassphraseKind = "passphrase"

// Kind implements Unlocker.
func (Passphrase) Kind() string { return PassphraseKind }

// String keeps passphrases out of formatted text.
func (Passphrase) String() string { return "[passphrase]" }

// GoString keeps passphrases out of formatted text.
func (Passphrase) GoString() string { return "[passphrase]" }

// Enrol implements Unlocker.
func (p Passphrase) Enrol(context.Context) (json.RawMessage, error) {
	if len(p) < MinPassphrase {
		return nil, fault.New("vault.passphrase_short", "a passphrase has at least %d bytes", MinPassphrase)
	}
	params := argonParams{Time: argonTime, MemoryKiB: argonMemoryKiB, Threads: argonThreads, Salt: make([]byte, 16)}
	if _, err := rand.Read(params.Salt); err != nil {
		return nil, fault.Wrap("vault.key", err)
	}
	raw, err := json.Marshal(params)
	return raw, fault.Wrap("vault.key", err)
}

// Derive implements Unlocker. It takes some 50 ms and 64 MiB, which it gives
// back to the kernel.
func (p Passphrase) Derive(ctx context.Context, raw json.RawMessage) ([]byte, error) {
	var q argonParams
	if err := json.Unmarshal(raw, &q); err != nil {
		return nil, fault.New("vault.damaged", "read the passphrase parameters: %w", err)
	}
	if q.Time < 1 || q.Time > maxArgonTime || q.MemoryKiB < 8 || q.MemoryKiB > maxArgonMemoryKiB ||
		q.Threads < 1 || q.Threads > maxArgonThreads || len(q.Salt) < 16 || len(q.Salt) > 64 {
		return nil, fault.New("vault.damaged", "passphrase parameters out of bounds")
	}
	if err := ctx.Err(); err != nil {
		return nil, fault.Wrap("vault.cancelled", err)
	}
	key := argon2.IDKey(p, q.Salt, q.Time, q.MemoryKiB, q.Threads, KeySize)
	// Left as garbage, what it filled stays resident for minutes, holds what was
	// derived on the way, and doubles what the heap may grow to.
	debug.FreeOSMemory()
	return key, nil
}

// OfficerPassphrase is the passphrase of one officer, where a vault without a
// TPM opens for several.
type OfficerPassphrase struct {
	Officer    string
	Passphrase Passphrase
}

var _ Named = OfficerPassphrase{}

// Kind implements Unlocker.
func (OfficerPassphrase) Kind() string { return PassphraseKind }

// SlotName implements Named.
func (p OfficerPassphrase) SlotName() string { return p.Officer }

// String keeps passphrases out of formatted text.
func (OfficerPassphrase) String() string { return "[passphrase]" }

// GoString keeps passphrases out of formatted text.
func (OfficerPassphrase) GoString() string { return "[passphrase]" }

// Enrol implements Unlocker.
func (p OfficerPassphrase) Enrol(ctx context.Context) (json.RawMessage, error) {
	return p.Passphrase.Enrol(ctx)
}

// Derive implements Unlocker.
func (p OfficerPassphrase) Derive(ctx context.Context, raw json.RawMessage) ([]byte, error) {
	return p.Passphrase.Derive(ctx, raw)
}
