package provision

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/watchpost/watchpost/device/fault"
)

// Header is what a publisher says of a new folder.
type Header struct {
	Site    string
	Version uint64
	Created time.Time
	Expires time.Time
}

// Publish writes the manifest of what lies below dir/files, unsigned. kind
// tells the kind of a file by its slash-separated path. A manifest that is
// there is replaced, and its signatures removed: they were for another.
func Publish(dir string, h Header, kind func(path string) (Kind, error)) (*Manifest, error) {
	m := &Manifest{Format: Format, Site: h.Site, Version: h.Version, Created: h.Created.UTC(), Expires: h.Expires.UTC()}
	root := filepath.Join(dir, FilesName)
	err := filepath.WalkDir(root, func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		f := File{Path: filepath.ToSlash(rel)}
		if f.Kind, err = kind(f.Path); err != nil {
			return err
		}
		in, err := openRegular(name)
		if err != nil {
			return err
		}
		defer in.Close()
		sum := sha256.New()
		if f.Size, err = io.Copy(sum, in); err != nil {
			return err
		}
		f.SHA256 = sum.Sum(nil)
		m.Files = append(m.Files, f)
		return nil
	})
	if err != nil {
		return nil, fault.Wrap("provision.publish", err)
	}
	raw, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return nil, fault.Wrap("provision.publish", err)
	}
	if _, err := decodeManifest(raw); err != nil {
		return nil, err
	}
	if err := os.Remove(filepath.Join(dir, SignaturesName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fault.Wrap("provision.publish", err)
	}
	return m, replace(filepath.Join(dir, ManifestName), raw)
}

// KindOf tells the kind of a file by where it lies: lists/, keys/, trust/,
// policy.yaml and accounts.json.
func KindOf(path string) (Kind, error) {
	top, _, _ := strings.Cut(path, "/")
	kind := map[string]Kind{
		"lists": KindListGeneration, "keys": KindListKey, "trust": KindTrustAnchors, "policy.yaml": KindPolicy, "accounts.json": KindAccounts,
	}[top]
	if kind == "" {
		return "", fault.New("provision.kind", "nothing is known of a file at this place")
	}
	return kind, nil
}

// Sign adds one owner's signature to the folder after checking its files, so
// that nobody signs for what is not there. It is meant for the owner's own
// machine. Signing again replaces the owner's earlier signature.
func Sign(dir, owner string, key ed25519.PrivateKey) error {
	if len(key) != ed25519.PrivateKeySize || owner == "" {
		return fault.New("provision.key", "an owner's name and an Ed25519 private key are needed")
	}
	raw, err := readSmall(filepath.Join(dir, ManifestName), maxManifest)
	if err != nil {
		return err
	}
	m, err := decodeManifest(raw)
	if err != nil {
		return err
	}
	if err := checkTree(dir, m); err != nil {
		return err
	}
	for _, f := range m.Files {
		if err := copyChecked(io.Discard, dir, f); err != nil {
			return err
		}
	}
	var held []Signature
	before, err := readSmall(filepath.Join(dir, SignaturesName), maxSignatures)
	if err == nil {
		held, err = decodeSignatures(before)
	} else if fault.CodeOf(err) == "provision.missing" {
		err = nil
	}
	if err != nil {
		return err
	}
	held = slices.DeleteFunc(held, func(s Signature) bool { return s.Owner == owner })
	held = append(held, Signature{Owner: owner, Signature: ed25519.Sign(key, signedBytes(raw))})
	out, err := json.MarshalIndent(signatures{Format: Format, Signatures: held}, "", " ")
	if err != nil {
		return fault.Wrap("provision.publish", err)
	}
	return replace(filepath.Join(dir, SignaturesName), out)
}
