package target

import (
	"encoding/json"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/vault"
)

// Manifest is a target of files: a list's generation, a policy, accounts. The
// hash of its bytes stands in the owner's signed metadata.
type Manifest struct {
	Format  int       `json:"format"`
	Path    string    `json:"path"`    // OWNER/KIND/NAME, as in the metadata
	Version uint64    `json:"version"` // from 1; a list's generation
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`
	Key     KeyName   `json:"key"`       // whose holders can open it
	Sealed  []byte    `json:"chunk_key"` // chunk key, wrapped by that key
	Files   []File    `json:"files"`
}

// File is one file of a target, cut into chunks.
type File struct {
	Path   string  `json:"path"` // slash-separated
	Size   int64   `json:"size"`
	Chunks []Chunk `json:"chunks"`
}

// Chunk is one sealed object: at most ChunkSize bytes of its file.
type Chunk struct {
	Sum  Sum   `json:"sha256"` // of the sealed bytes
	Size int64 `json:"size"`   // sealed
}

// KeyName names a key that devices get from an owner: the NAME of his list of
// devices and its epoch, which rises when a device is struck off.
type KeyName struct {
	Name  string `json:"name"`
	Epoch uint64 `json:"epoch"`
}

// String is the name under which a device keeps the key. The tilde cannot
// stand in a list's name, so it meets no key of a provisioning folder.
func (k KeyName) String() string { return k.Name + "~" + strconv.FormatUint(k.Epoch, 10) }

func (k KeyName) valid() bool { return ValidPart(k.Name) && k.Epoch > 0 }

var fileForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$`)

// ValidFile reports whether p can be a file of a target: relative, clean, of
// plain names, at most eight deep.
func ValidFile(p string) bool {
	parts := strings.Split(p, "/")
	if path.Clean(p) != p || len(parts) > 8 {
		return false
	}
	for _, part := range parts {
		if !fileForm.MatchString(part) {
			return false
		}
	}
	return true
}

// DecodeManifest reads a manifest and checks that it is the one of p. It fails
// with listfeed.format, listfeed.too_large, listfeed.file_path or
// listfeed.wrong_target.
func DecodeManifest(raw []byte, p Path) (*Manifest, error) {
	m := &Manifest{}
	if err := strict(raw, MaxManifest, m); err != nil {
		return nil, err
	}
	switch {
	case m.Format != Format:
		return nil, formatError("manifest of version %d, this program knows %d", m.Format, Format)
	case m.Path != p.String():
		return nil, fault.New("listfeed.wrong_target", "the manifest is of another target")
	case m.Version == 0 || m.Version > 1<<62 || m.Created.IsZero() || !m.Expires.After(m.Created):
		return nil, formatError("a manifest has a version from 1, a date and a later expiry")
	case !m.Key.valid() || len(m.Sealed) != vault.KeySize+vault.Overhead:
		return nil, formatError("a manifest names its key and holds the chunk key under it")
	case len(m.Files) == 0 || len(m.Files) > MaxFiles:
		return nil, formatError("%d files, allowed 1 to %d", len(m.Files), MaxFiles)
	}
	return m, m.checkFiles()
}

func (m *Manifest) checkFiles() error {
	seen := map[string]bool{}
	var total int64
	for i, f := range m.Files {
		if !ValidFile(f.Path) || seen[f.Path] {
			return fault.New("listfeed.file_path", "file %d has a path that is not allowed or was there before", i)
		}
		seen[f.Path] = true
		if f.Size < 0 || f.Size > MaxTotal || int64(len(f.Chunks)) != (f.Size+ChunkSize-1)/ChunkSize {
			return formatError("file %d has another number of chunks than its length asks for", i)
		}
		if total += f.Size; total > MaxTotal {
			return fault.New("listfeed.too_large", "more than %d bytes in one target", int64(MaxTotal))
		}
		for n, c := range f.Chunks {
			if want := f.plainSize(n) + vault.Overhead; c.Size != want {
				return formatError("chunk %d of file %d has %d bytes, not %d", n, i, c.Size, want)
			}
		}
	}
	for p := range seen { // a file where another needs a folder
		for dir := path.Dir(p); dir != "."; dir = path.Dir(dir) {
			if seen[dir] {
				return fault.New("listfeed.file_path", "a path is a file and a folder")
			}
		}
	}
	return nil
}

// plainSize is how many bytes of the file chunk n holds.
func (f *File) plainSize(n int) int64 {
	return min(ChunkSize, f.Size-int64(n)*ChunkSize)
}

// Encode returns the manifest's bytes.
func (m *Manifest) Encode() ([]byte, error) {
	raw, err := json.Marshal(m)
	if err != nil {
		return nil, fault.Wrap("listfeed.format", err)
	}
	if len(raw) > MaxManifest {
		return nil, fault.New("listfeed.too_large", "the manifest has %d bytes, at most %d", len(raw), MaxManifest)
	}
	return raw, nil
}

// ChunkKey opens the chunk key with the key that the manifest names. The
// caller destroys it.
func (m *Manifest) ChunkKey(k *vault.Key) (*vault.Key, error) {
	key, err := k.Unwrap(m.Sealed, vault.ScopeGeneration, m.keyPlace())
	if err != nil {
		return nil, fault.New("listfeed.key", "the chunk key does not open under the key that this device holds: %w", err)
	}
	return key, nil
}

// SealChunkKey makes the chunk key of the manifest, which has Path, Version
// and Key already. The caller destroys it.
func (m *Manifest) SealChunkKey(ring *vault.Ring, k *vault.Key) (*vault.Key, error) {
	key, err := ring.Random()
	if err != nil {
		return nil, err
	}
	if m.Sealed, err = k.Wrap(key, vault.ScopeGeneration, m.keyPlace()); err != nil {
		key.Destroy()
		return nil, err
	}
	return key, nil
}

func (m *Manifest) keyPlace() string {
	return "feed/" + m.Path + "/" + strconv.FormatUint(m.Version, 10)
}

// identity is the additional data of a chunk: it opens at its own place only.
func (m *Manifest) identity(file, chunk int) []byte {
	return vault.Identity("watchpost/chunk/1", m.Path, strconv.FormatUint(m.Version, 10), strconv.Itoa(file), strconv.Itoa(chunk))
}

// SealChunk seals chunk n of file i, appending to dst.
func (m *Manifest) SealChunk(dst []byte, key *vault.Key, plain []byte, i, n int) ([]byte, error) {
	return key.Seal(dst, plain, m.identity(i, n))
}

// OpenChunk checks the sealed bytes of chunk n of file i against the manifest
// and opens them, appending to dst. It fails with listfeed.hash, or with
// listfeed.sealed where a signer has put something else there.
func (m *Manifest) OpenChunk(dst []byte, key *vault.Key, sealed []byte, i, n int) ([]byte, error) {
	c := m.Files[i].Chunks[n]
	if int64(len(sealed)) != c.Size || SumOf(sealed) != c.Sum {
		return nil, fault.New("listfeed.hash", "chunk %d of file %d is not the one that was signed", n, i)
	}
	plain, err := key.Open(dst, sealed, m.identity(i, n))
	if err != nil {
		return nil, fault.New("listfeed.sealed", "chunk %d of file %d does not open: %w", n, i, err)
	}
	return plain, nil
}
