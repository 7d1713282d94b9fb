// Package provision is how what decides enters a post: a folder with a
// manifest of hashes and two signatures by two persons named in the post's
// configuration. Nothing else is accepted.
//
//	manifest.json     version, dates, and path, kind, size and SHA-256 of each file
//	signatures.json   two Ed25519 signatures (RFC 8032, 2017) over manifest.json's bytes
//	files/...         what the manifest names, and nothing more
//
// The pipe is not trusted: the folder may come by stick, copy or network.
// Versions only rise, a manifest runs out, and every byte is checked on the
// post's own copy before anything counts.
package provision

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"path"
	"regexp"
	"strings"
	"time"

	"github.com/watchpost/watchpost/device/fault"
)

// Format is the version of the folder's form.
const Format = 1

// Names of a folder's parts.
const (
	ManifestName   = "manifest.json"
	SignaturesName = "signatures.json"
	FilesName      = "files"
)

// Limits of what is read.
const (
	maxManifest   = 1 << 20 // bytes, design section 9
	maxSignatures = 16 << 10
	maxFiles      = 4096
	maxSignedBy   = 8
)

// Kind says what a file decides. Published words; an unknown one is refused,
// since what a post does not understand it cannot enforce.
type Kind string

// Kinds.
const (
	KindListGeneration Kind = "list-generation" // a file of a generation folder: files/lists/LIST/...
	KindListKey        Kind = "list-key"        // a list's key wrapped for one device: files/keys/LIST/RECIPIENT
	KindTrustAnchors   Kind = "trust-anchors"
	KindPolicy         Kind = "policy"
	KindAccounts       Kind = "accounts"
)

func (k Kind) known() bool {
	switch k {
	case KindListGeneration, KindListKey, KindTrustAnchors, KindPolicy, KindAccounts:
		return true
	}
	return false
}

// Manifest is what two persons sign.
type Manifest struct {
	Format  int       `json:"format"`
	Site    string    `json:"site"`    // whom the folder is for; must be the post's own
	Version uint64    `json:"version"` // rises with each folder for the site, from 1
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"` // after this the folder is not accepted any more
	Files   []File    `json:"files"`
}

// File is one file below files/.
type File struct {
	Path   string `json:"path"` // slash-separated, below files/
	Kind   Kind   `json:"kind"`
	Size   int64  `json:"size"`
	SHA256 []byte `json:"sha256"`
}

// Signature is one person's.
type Signature struct {
	Owner     string `json:"owner"` // as named in the configuration
	Signature []byte `json:"signature"`
}

// signatures is signatures.json.
type signatures struct {
	Format     int         `json:"format"`
	Signatures []Signature `json:"signatures"`
}

// signedPrefix keeps a signature over a manifest from being one over anything
// else.
const signedPrefix = "watchpost/provision/1\n"

func signedBytes(manifest []byte) []byte { return append([]byte(signedPrefix), manifest...) }

// ErrFormat says that a folder is not of this form.
var ErrFormat = &fault.Error{Code: "provision.format"}

func strict(raw []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return fault.New("provision.format", "unknown key or malformed JSON near byte %d", dec.InputOffset())
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return fault.New("provision.format", "bytes after the end")
	}
	return nil
}

var segmentForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$`)

// checkPath refuses paths that could leave files/ or hide in it.
func checkPath(p string) bool {
	parts := strings.Split(p, "/")
	if path.Clean(p) != p || len(parts) > 8 {
		return false
	}
	for _, part := range parts {
		if !segmentForm.MatchString(part) {
			return false
		}
	}
	return true
}

// decodeManifest reads a manifest's bytes and checks its form, not its
// signatures.
func decodeManifest(raw []byte) (*Manifest, error) {
	m := &Manifest{}
	if err := strict(raw, m); err != nil {
		return nil, err
	}
	if m.Format != Format {
		return nil, fault.New("provision.format", "folder of version %d, this program knows %d", m.Format, Format)
	}
	if m.Site == "" || m.Version == 0 || m.Created.IsZero() || !m.Expires.After(m.Created) {
		return nil, fault.New("provision.format", "a manifest names a site, a version from 1, a date and a later expiry")
	}
	if len(m.Files) == 0 || len(m.Files) > maxFiles {
		return nil, fault.New("provision.format", "%d files, allowed 1 to %d", len(m.Files), maxFiles)
	}
	seen := map[string]bool{}
	for i, f := range m.Files {
		if !checkPath(f.Path) || seen[f.Path] {
			return nil, fault.New("provision.path", "file %d has a path that is not allowed or was there before", i)
		}
		if !f.Kind.known() {
			return nil, fault.New("provision.kind", "file %d is of a kind that this program does not know", i)
		}
		if f.Size < 0 || len(f.SHA256) != 32 {
			return nil, fault.New("provision.format", "file %d has no length or hash", i)
		}
		seen[f.Path] = true
	}
	for p := range seen { // a file where another needs a folder
		for dir := path.Dir(p); dir != "."; dir = path.Dir(dir) {
			if seen[dir] {
				return nil, fault.New("provision.path", "a path is a file and a folder")
			}
		}
	}
	return m, nil
}

func decodeSignatures(raw []byte) ([]Signature, error) {
	s := &signatures{}
	if err := strict(raw, s); err != nil {
		return nil, err
	}
	if s.Format != Format || len(s.Signatures) > maxSignedBy {
		return nil, fault.New("provision.format", "signatures of another version or too many")
	}
	return s.Signatures, nil
}
