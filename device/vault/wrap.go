package vault

import (
	"encoding/binary"

	"github.com/watchpost/watchpost/device/fault"
)

// Scope says what a wrapped key is for. It is part of the identity under
// which the key is wrapped. Published numbers: never reused.
type Scope uint8

// Scopes of keys. Zero is unknown and wraps nothing.
const (
	ScopeUnknown    Scope = 0
	ScopeDevice     Scope = 1
	ScopeList       Scope = 2
	ScopeGeneration Scope = 3
	ScopeEncounter  Scope = 4
	ScopeStore      Scope = 5
)

func (s Scope) valid() bool { return s >= ScopeDevice && s <= ScopeStore }

// Identity joins what makes sealed bytes belong to one place into additional
// data. Each part is preceded by its length.
func Identity(what string, parts ...string) []byte {
	n := 4 + len(what)
	for _, p := range parts {
		n += 4 + len(p)
	}
	out := appendPart(make([]byte, 0, n), what)
	for _, p := range parts {
		out = appendPart(out, p)
	}
	return out
}

func appendPart(dst []byte, part string) []byte {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(part)))
	return append(dst, part...)
}

func wrapIdentity(scope Scope, name string) []byte {
	return append(Identity("watchpost/wrap/1", name), byte(scope))
}

// Wrap seals key under k as the key of the given scope and name.
func (k *Key) Wrap(key *Key, scope Scope, name string) ([]byte, error) {
	if !scope.valid() || name == "" {
		return nil, fault.New("vault.scope", "a wrapped key needs a scope and a name")
	}
	var wrapped []byte
	err := key.use(func() (err error) {
		wrapped, err = k.Seal(nil, key.raw, wrapIdentity(scope, name))
		return err
	})
	return wrapped, err
}

// Unwrap opens a key that Wrap made for the same scope and name, into the
// ring of k. It fails with ErrOpen where key, scope or name differ.
func (k *Key) Unwrap(wrapped []byte, scope Scope, name string) (*Key, error) {
	if !scope.valid() || name == "" {
		return nil, fault.New("vault.scope", "a wrapped key needs a scope and a name")
	}
	raw, err := k.Open(nil, wrapped, wrapIdentity(scope, name))
	if err != nil {
		return nil, err
	}
	return (&Ring{arena: k.arena}).Import(raw)
}
