package provision

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/watchpost/watchpost/device/durable"
	"github.com/watchpost/watchpost/device/fault"
)

const (
	currentName   = "CURRENT"
	partialFolder = "incoming.partial"
)

var versionForm = regexp.MustCompile(`^v-[0-9]{20}$`)

func versionName(v uint64) string { return fmt.Sprintf("v-%020d", v) }

// Applied is a folder in force on the post.
type Applied struct {
	Dir      string // the post's own copy
	Manifest *Manifest
}

// Path returns where a file of the folder lies. p is slash-separated.
func (a *Applied) Path(p string) string {
	return filepath.Join(a.Dir, FilesName, filepath.FromSlash(p))
}

// OfKind returns the files of one kind.
func (a *Applied) OfKind(k Kind) []File {
	var out []File
	for _, f := range a.Manifest.Files {
		if f.Kind == k {
			out = append(out, f)
		}
	}
	return out
}

// Apply verifies the folder src, copies it below state and puts the copy in
// force, whole or not at all: every byte is checked as it is copied. t's
// LastVersion may be 0; what state itself has applied counts too. The version
// in force given again changes nothing if it is the same folder, and is
// provision.conflict otherwise. The folder before is removed last, so that
// what still reads it on the same start finishes.
func Apply(state, src string, t Trust) (*Applied, error) {
	if err := os.MkdirAll(state, 0o700); err != nil {
		return nil, fault.Wrap("provision.write", err)
	}
	now, err := current(state)
	if err != nil {
		return nil, err
	}
	t.LastVersion = max(t.LastVersion, now)
	m, raw, err := verifyManifest(src, t)
	if err != nil {
		return nil, err
	}
	if err := checkTree(src, m); err != nil {
		return nil, err
	}
	final := filepath.Join(state, versionName(m.Version))
	if m.Version == now {
		ours, err := readSmall(filepath.Join(final, ManifestName), maxManifest)
		if err != nil {
			return nil, err
		}
		if !bytes.Equal(ours, raw) {
			return nil, fault.New("provision.conflict", "another folder of version %d is in force", now)
		}
		return &Applied{final, m}, nil
	}
	partial := filepath.Join(state, partialFolder)
	err = copyFolder(partial, src, m, raw)
	if err == nil {
		_, _, err = verifyManifest(partial, t) // the signatures were read again while copying
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(partial))
	}
	if err := errors.Join(os.RemoveAll(final), os.Rename(partial, final), durable.SyncDir(state)); err != nil {
		return nil, fault.Wrap("provision.write", err)
	}
	if err := replace(filepath.Join(state, currentName), []byte(versionName(m.Version)+"\n")); err != nil {
		return nil, err
	}
	return &Applied{final, m}, removeOthers(state, m.Version)
}

// Current verifies the folder in force, as Verify does but without its expiry:
// what was applied in time stays in force, and each part has a clock of its
// own. It fails with provision.none where nothing was applied.
func Current(state string, t Trust) (*Applied, error) {
	v, err := current(state)
	if err != nil {
		return nil, err
	}
	if v == 0 {
		return nil, fault.New("provision.none", "nothing has been applied").WithHint("apply a provisioning folder: watchpost list apply")
	}
	dir := filepath.Join(state, versionName(v))
	raw, err := readSmall(filepath.Join(dir, ManifestName), maxManifest)
	if err != nil {
		return nil, err
	}
	m, err := decodeManifest(raw)
	if err != nil {
		return nil, err
	}
	t.Now = m.Created
	if m, err = Verify(dir, t); err != nil {
		return nil, err
	}
	if m.Version != v {
		return nil, fault.New("provision.rollback", "version %d lies in the place of %d", m.Version, v)
	}
	return &Applied{dir, m}, nil
}

// current returns the version in force, 0 for none.
func current(state string) (uint64, error) {
	raw, err := os.ReadFile(filepath.Join(state, currentName))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fault.Wrap("provision.read", err)
	}
	name, ok := strings.CutSuffix(string(raw), "\n")
	if !ok || !versionForm.MatchString(name) {
		return 0, fault.New("provision.damaged", "%s names no version", currentName)
	}
	v, err := strconv.ParseUint(name[len("v-"):], 10, 64)
	if err != nil || v == 0 {
		return 0, fault.New("provision.damaged", "%s names no version", currentName)
	}
	return v, nil
}

// copyFolder copies what was signed, checking it on the way.
func copyFolder(dst, src string, m *Manifest, manifest []byte) error {
	if err := errors.Join(os.RemoveAll(dst), os.MkdirAll(filepath.Join(dst, FilesName), 0o700)); err != nil {
		return fault.Wrap("provision.write", err)
	}
	folders := map[string]bool{dst: true, filepath.Join(dst, FilesName): true}
	for _, f := range m.Files {
		name := filepath.Join(dst, FilesName, filepath.FromSlash(f.Path))
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			return fault.Wrap("provision.write", err)
		}
		folders[filepath.Dir(name)] = true
		if err := copyFile(name, src, f); err != nil {
			return err
		}
	}
	raw, err := readSmall(filepath.Join(src, SignaturesName), maxSignatures)
	if err != nil {
		return err
	}
	if err := replace(filepath.Join(dst, SignaturesName), raw); err != nil {
		return err
	}
	if err := replace(filepath.Join(dst, ManifestName), manifest); err != nil {
		return err
	}
	for d := range folders {
		if err := durable.SyncDir(d); err != nil {
			return fault.Wrap("provision.write", err)
		}
	}
	return nil
}

func copyFile(dst, src string, f File) error {
	out, err := os.OpenFile(dst, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fault.Wrap("provision.write", err)
	}
	if err := copyChecked(out, src, f); err != nil {
		return errors.Join(err, out.Close())
	}
	return fault.Wrap("provision.write", errors.Join(out.Sync(), out.Close()))
}

func removeOthers(state string, keep uint64) error {
	entries, err := os.ReadDir(state)
	if err != nil {
		return fault.Wrap("provision.read", err)
	}
	for _, e := range entries {
		if versionForm.MatchString(e.Name()) && e.Name() != versionName(keep) {
			if err := os.RemoveAll(filepath.Join(state, e.Name())); err != nil {
				return fault.Wrap("provision.write", err)
			}
		}
	}
	return nil
}

// replace puts a file in the place of another, whole or not at all.
func replace(name string, raw []byte) error {
	return fault.Wrap("provision.write", durable.Replace(name, raw))
}
