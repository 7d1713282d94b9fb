package feeds

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/watchpost/watchpost/device/document/pki"
	"github.com/watchpost/watchpost/device/document/trust"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed/target"
)

// parts are the kinds that are put on a store, in this order: who vouches comes
// before what is vouched for.
var parts = []target.Kind{target.KindAnchors, target.KindDeviation, target.KindCRL}

// keptStores is how many joined stores stay on the disk: that in force, and
// the one before, in which an inspection may still look.
const keptStores = 2

// joined joins the store in force, with dir in the place of what is in force of
// a kind, "" for none.
func (f *Feed) joined(ctx context.Context, instead target.Kind, dir string) (*trust.Store, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	of := func(k target.Kind) (string, error) {
		if k == instead {
			return dir, nil
		}
		return f.File(k, "", "")
	}
	base, err := of(target.KindTrust)
	if err == nil && base == "" {
		base, err = f.o.Base()
	}
	if err != nil {
		return nil, err
	}
	files := map[target.Kind][]string{}
	var pins []*pki.Certificate
	for _, k := range parts {
		from, err := of(k)
		if err != nil {
			return nil, err
		}
		if from == "" {
			continue
		}
		if files[k], err = below(from); err != nil {
			return nil, err
		}
		if k == target.KindAnchors {
			if files[k], pins, err = withoutPins(from, files[k]); err != nil {
				return nil, err
			}
		}
	}
	if len(files) == 0 {
		return trust.Open(base)
	}
	return f.join(ctx, base, files, pins)
}

func (f *Feed) join(ctx context.Context, base string, files map[target.Kind][]string, pins []*pki.Certificate) (*trust.Store, error) {
	all := filepath.Join(f.o.State, Folder, trustedFolder)
	if err := os.MkdirAll(all, 0o700); err != nil {
		return nil, fault.Wrap("post.state", err)
	}
	dir, err := os.MkdirTemp(all, "store-*")
	if err != nil {
		return nil, fault.Wrap("post.state", err)
	}
	store, err := fill(ctx, dir, base, files, pins)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	for f.made = append(f.made, dir); len(f.made) > keptStores; f.made = f.made[1:] {
		if err := os.RemoveAll(f.made[0]); err != nil {
			return nil, fault.Wrap("post.state", err)
		}
	}
	return store, nil
}

// fill copies base into dir and imports files. A file of which nothing is
// taken refuses them all: two have signed for it.
func fill(ctx context.Context, dir, base string, files map[target.Kind][]string, pins []*pki.Certificate) (*trust.Store, error) {
	if err := os.CopyFS(dir, os.DirFS(base)); err != nil {
		return nil, fault.Wrap("post.state", err)
	}
	im, err := trust.NewImporter(ctx, dir, pins)
	if err != nil {
		return nil, err
	}
	defer im.Close()
	for _, k := range parts {
		for _, name := range files[k] {
			r, err := im.File(ctx, name)
			if err != nil {
				return nil, err
			}
			other := slices.ContainsFunc(r.Kinds, func(o trust.FileKind) bool { return !fits(k, o) }) // behind what the file begins with
			if !fits(k, r.Kind) || other || k != target.KindAnchors && r.Certificates > 0 {
				return nil, fault.New("listfeed.kind", "a file of kind %s in a target of kind %s", r.Kind, k)
			}
		}
	}
	if err := im.Commit(); err != nil {
		return nil, err
	}
	return im.Store(), nil
}

// fits reports whether a file may stand in a target of a kind: who may sign
// CRLs must bring no anchors.
func fits(k target.Kind, file trust.FileKind) bool {
	switch k {
	case target.KindAnchors:
		return file == trust.FileCertificate || file == trust.FileMasterList
	case target.KindDeviation:
		return file == trust.FileDeviationList
	case target.KindCRL:
		return file == trust.FileCRL
	}
	return false
}

// below returns the files below dir in order of their paths.
func below(dir string) (names []string, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, path)
		}
		return err
	})
	return names, fault.Wrap("post.state", err)
}

// withoutPins takes the certificates below pins/ out of the files of anchors.
func withoutPins(dir string, files []string) (rest []string, pins []*pki.Certificate, err error) {
	in := filepath.Join(dir, pinsFolder) + string(filepath.Separator)
	for _, name := range files {
		if !strings.HasPrefix(name, in) {
			rest = append(rest, name)
			continue
		}
		c, err := trust.ReadCertificate(name)
		if err != nil {
			return nil, nil, err
		}
		pins = append(pins, c)
	}
	return rest, pins, nil
}
