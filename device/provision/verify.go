package provision

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/watchpost/watchpost/device/fault"
)

// Owner is a person whose signature counts, with a key that never was on a
// post.
type Owner struct {
	ID  string
	Key ed25519.PublicKey
}

// needed is how many different owners must have signed.
const needed = 2

// Trust is what a folder is judged by.
type Trust struct {
	Site        string    // this post's
	Owners      []Owner   // from the configuration
	LastVersion uint64    // highest version applied, 0 for none
	Now         time.Time // by the post's clock
}

// createdSlack is how far a manifest's date may lie ahead of the post's clock.
const createdSlack = 10 * time.Minute

// Verify judges the folder whole and returns its manifest. Each way of failing
// has its own code:
//
//	provision.owners             the configuration does not name two owners with two keys
//	provision.missing            manifest or signatures are not there
//	provision.format             they cannot be read
//	provision.path               a path leaves the folder or stands twice
//	provision.kind               a kind that this program does not know
//	provision.unknown_owner      a signature by someone who is not named
//	provision.signature          a signature that does not verify
//	provision.same_owner         one owner has signed twice
//	provision.too_few            fewer than two have signed
//	provision.site               for another site
//	provision.expired            run out
//	provision.not_yet            made in the future: one of the clocks is wrong
//	provision.rollback           older than what was applied
//	provision.file_missing       a file is not there
//	provision.file_changed       a file has another length or hash
//	provision.file_extra         a file that nobody signed for
func Verify(dir string, t Trust) (*Manifest, error) {
	m, _, err := verifyManifest(dir, t)
	if err != nil {
		return nil, err
	}
	if err := checkTree(dir, m); err != nil {
		return nil, err
	}
	for _, f := range m.Files {
		if err := copyChecked(io.Discard, dir, f); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// verifyManifest judges manifest and signatures, and returns the manifest's
// bytes too.
func verifyManifest(dir string, t Trust) (*Manifest, []byte, error) {
	if err := checkOwners(t.Owners); err != nil {
		return nil, nil, err
	}
	raw, err := readSmall(filepath.Join(dir, ManifestName), maxManifest)
	if err != nil {
		return nil, nil, err
	}
	rawSignatures, err := readSmall(filepath.Join(dir, SignaturesName), maxSignatures)
	if err != nil {
		return nil, nil, err
	}
	// Signatures first: nothing of the manifest is looked at before.
	signed, err := decodeSignatures(rawSignatures)
	if err != nil {
		return nil, nil, err
	}
	if err := checkSignatures(raw, signed, t.Owners); err != nil {
		return nil, nil, err
	}
	m, err := decodeManifest(raw)
	if err != nil {
		return nil, nil, err
	}
	switch {
	case m.Site != t.Site:
		return nil, nil, fault.New("provision.site", "the folder is for another site")
	case !t.Now.Before(m.Expires):
		return nil, nil, fault.New("provision.expired", "the folder ran out on %s", m.Expires.Format(time.RFC3339))
	case m.Created.After(t.Now.Add(createdSlack)):
		return nil, nil, fault.New("provision.not_yet", "the folder is dated %s", m.Created.Format(time.RFC3339)).WithHint("check the post's clock")
	case m.Version < t.LastVersion:
		return nil, nil, fault.New("provision.rollback", "version %d, applied was %d", m.Version, t.LastVersion)
	}
	return m, raw, nil
}

func checkOwners(owners []Owner) error {
	if len(owners) < needed {
		return fault.New("provision.owners", "%d owners are named, at least %d are needed", len(owners), needed)
	}
	for i, o := range owners {
		if o.ID == "" || len(o.Key) != ed25519.PublicKeySize {
			return fault.New("provision.owners", "owner %d has no name or no Ed25519 key", i)
		}
		for _, p := range owners[:i] {
			if p.ID == o.ID || bytes.Equal(p.Key, o.Key) {
				return fault.New("provision.owners", "owner %d has the name or key of another", i)
			}
		}
	}
	return nil
}

func checkSignatures(manifest []byte, signed []Signature, owners []Owner) error {
	var by []string
	for i, s := range signed {
		at := slices.IndexFunc(owners, func(o Owner) bool { return o.ID == s.Owner })
		if at < 0 {
			return fault.New("provision.unknown_owner", "signature %d is by nobody named in the configuration", i)
		}
		if slices.Contains(by, s.Owner) {
			return fault.New("provision.same_owner", "owner %s has signed twice", s.Owner)
		}
		if !ed25519.Verify(owners[at].Key, signedBytes(manifest), s.Signature) {
			return fault.New("provision.signature", "the signature of %s does not verify", s.Owner)
		}
		by = append(by, s.Owner)
	}
	if len(by) < needed {
		return fault.New("provision.too_few", "%d of %d signatures", len(by), needed)
	}
	return nil
}

// readSmall reads a regular file of at most max bytes.
func readSmall(name string, max int64) ([]byte, error) {
	h, err := openRegular(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New("provision.missing", "%s is not there", filepath.Base(name))
	}
	if err != nil {
		return nil, fault.Wrap("provision.format", err)
	}
	defer h.Close()
	raw, err := io.ReadAll(io.LimitReader(h, max+1))
	if err != nil {
		return nil, fault.Wrap("provision.read", err)
	}
	if int64(len(raw)) > max {
		return nil, fault.New("provision.format", "%s has more than %d bytes", filepath.Base(name), max)
	}
	return raw, nil
}

var errNotRegular = errors.New("not a regular file")

// openRegular opens a file that is no link, device or pipe.
func openRegular(name string) (*os.File, error) {
	info, err := os.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errNotRegular
	}
	return os.Open(name)
}

// checkTree refuses whatever lies in the folder unsigned.
func checkTree(dir string, m *Manifest) error {
	allowed := map[string]bool{ManifestName: true, SignaturesName: true}
	folders := map[string]bool{".": true, FilesName: true}
	for _, f := range m.Files {
		p := filepath.Join(FilesName, filepath.FromSlash(f.Path))
		allowed[p] = true
		for d := filepath.Dir(p); d != "."; d = filepath.Dir(d) {
			folders[d] = true
		}
	}
	return filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return fault.Wrap("provision.read", err)
		}
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return fault.Wrap("provision.read", err)
		}
		if e.IsDir() && folders[rel] || !e.IsDir() && allowed[rel] {
			return nil
		}
		return fault.New("provision.file_extra", "the folder holds a file or folder that nobody signed for")
	})
}

// copyChecked copies one file to w and fails unless it is the signed one.
func copyChecked(w io.Writer, dir string, f File) error {
	h, err := openRegular(filepath.Join(dir, FilesName, filepath.FromSlash(f.Path)))
	if errors.Is(err, fs.ErrNotExist) {
		return fault.New("provision.file_missing", "%s is not there", f.Path)
	}
	if err != nil {
		return fault.New("provision.file_changed", "%s cannot be read as a file", f.Path)
	}
	defer h.Close()
	sum := sha256.New()
	// One byte more than signed is enough to know.
	n, err := io.Copy(io.MultiWriter(w, sum), io.LimitReader(h, f.Size+1))
	if err != nil {
		return fault.Wrap("provision.read", err)
	}
	if n != f.Size || !bytes.Equal(sum.Sum(nil), f.SHA256) {
		return fault.New("provision.file_changed", "%s is not the file that was signed", f.Path)
	}
	return nil
}
