package vault

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/watchpost/watchpost/device/durable"
	"github.com/watchpost/watchpost/device/fault"
)

// Format is the version of the vault file. Files of other versions are
// refused, never guessed at.
const Format = 2

// maxFile bounds a vault file in bytes: a list key takes about 120.
const maxFile = 1 << 20

// file is the vault file: JSON, all keys wrapped.
type file struct {
	Format   int               `json:"format"`
	Unlock   []slot            `json:"unlock"`
	Lists    map[string][]byte `json:"lists"`
	Previous []byte            `json:"previous,omitempty"` // device key before this one, wrapped by it; while a rotation is under way
	Seal     []byte            `json:"seal"`               // HMAC-SHA-256 under the device key of all above: slots and lists are as this device wrote them
	Checksum []byte            `json:"checksum"`           // SHA-256 of the file with this field empty: tells damage from a wrong passphrase
}

// slot is one way to the device key.
type slot struct {
	Kind   string          `json:"kind"`
	Name   string          `json:"name,omitempty"` // whose, where there are several of a kind
	Params json.RawMessage `json:"params"`
	To     []byte          `json:"to"`     // X25519 public key whose private half the way derives
	Device []byte          `json:"device"` // device key, sealed to it
}

// find returns where the slot of a kind and name is, -1 if there is none.
func (f *file) find(kind, name string) int {
	return slices.IndexFunc(f.Unlock, func(s slot) bool { return s.Kind == kind && s.Name == name })
}

// sealed returns what the seal is made over.
func (f *file) sealed() ([]byte, error) {
	c := *f
	c.Seal, c.Checksum = nil, nil
	raw, err := json.Marshal(c)
	return raw, fault.Wrap("vault.damaged", err)
}

func (f *file) sum() ([]byte, error) {
	c := *f
	c.Checksum = nil
	raw, err := json.Marshal(c)
	if err != nil {
		return nil, fault.Wrap("vault.damaged", err)
	}
	sum := sha256.Sum256(raw)
	return sum[:], nil
}

func (f *file) encode() ([]byte, error) {
	sum, err := f.sum()
	if err != nil {
		return nil, err
	}
	f.Checksum = sum
	raw, err := json.Marshal(f)
	return raw, fault.Wrap("vault.write", err)
}

// damagedFile is a vault file that is not as it was written.
func damagedFile(format string, args ...any) error {
	return fault.New("vault.damaged", format, args...).
		WithHint("put the vault file back from its copy; without it nothing of this post can be opened")
}

// decodeFile reads a vault file's bytes.
func decodeFile(raw []byte) (*file, error) {
	var version struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(raw, &version); err != nil {
		return nil, damagedFile("read the vault file: %w", err)
	}
	if version.Format != Format {
		return nil, fault.New("vault.format", "vault file of version %d, this program knows %d", version.Format, Format)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	f := &file{}
	if err := dec.Decode(f); err != nil {
		return nil, damagedFile("read the vault file: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, damagedFile("the vault file goes on after its end")
	}
	sum, err := f.sum()
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(sum, f.Checksum) {
		return nil, damagedFile("the vault file does not match its checksum")
	}
	if f.Lists == nil {
		f.Lists = map[string][]byte{}
	}
	return f, nil
}

func readFile(path string) (*file, error) {
	h, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New("vault.missing", "there is no vault file").WithHint("make one with: watchpost keys init")
	}
	if err != nil {
		return nil, fault.Wrap("vault.read", err)
	}
	defer h.Close()
	raw, err := io.ReadAll(io.LimitReader(h, maxFile+1))
	if err != nil {
		return nil, fault.Wrap("vault.read", err)
	}
	if len(raw) > maxFile {
		return nil, damagedFile("the vault file is larger than %d bytes", maxFile)
	}
	return decodeFile(raw)
}

// create writes the file where none is; a file there is left as it was.
func (f *file) create(path string) error {
	raw, err := f.encode()
	if err != nil {
		return err
	}
	temp, err := durable.Temp(path, raw, 0o600)
	if err != nil {
		return fault.Wrap("vault.write", err)
	}
	defer os.Remove(temp)
	// A hard link fails where the name is taken, which a rename would not.
	if err := os.Link(temp, path); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return fault.New("vault.exists", "a vault file is there already")
		}
		return fault.Wrap("vault.write", err)
	}
	return fault.Wrap("vault.write", durable.SyncDir(filepath.Dir(path)))
}

// replace puts the file in the place of the one before, whole or not at all.
func (f *file) replace(path string) error {
	raw, err := f.encode()
	if err != nil {
		return err
	}
	return fault.Wrap("vault.write", durable.Replace(path, raw))
}
