package repo

import (
	"crypto/ed25519"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/watchpost/watchpost/device/durable"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed/target"
)

// Repo is a repository's folder, of which metadata/ and objects/ are carried;
// staged/ waits for signatures. One process writes to it at a time.
type Repo struct{ dir string }

// Open returns the repository in dir, made where it is not there.
func Open(dir string) (*Repo, error) {
	for _, d := range []string{"metadata", "objects", "staged"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return nil, fault.Wrap("listfeed.write", err)
		}
	}
	return &Repo{dir}, nil
}

// Dir is the folder.
func (r *Repo) Dir() string { return r.dir }

func (r *Repo) path(name string) string { return filepath.Join(r.dir, filepath.FromSlash(name)) }

// putObject writes raw under its hash, unless it is there.
func (r *Repo) putObject(raw []byte) (target.Sum, error) {
	sum := target.SumOf(raw)
	name := r.path(target.ObjectName(sum))
	if info, err := os.Stat(name); err == nil && info.Size() == int64(len(raw)) {
		return sum, nil
	}
	return sum, write(name, raw)
}

// write puts a file in place whole or not at all.
func write(name string, raw []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return fault.Wrap("listfeed.write", err)
	}
	return fault.Wrap("listfeed.write", durable.Put(name, raw, 0o644))
}

// StagedName is where a role's metadata wait for signatures.
func (r *Repo) StagedName(role string) string { return filepath.Join(r.dir, "staged", role+".json") }

// latest returns the newest published version of a role, 0 and nil for none.
func (r *Repo) latest(role string) (version int64, raw []byte, err error) {
	if role == metadata.TIMESTAMP {
		raw, err = os.ReadFile(r.path(target.TimestampName))
		if errors.Is(err, fs.ErrNotExist) {
			return 0, nil, nil
		}
		t, err := new(metadata.Metadata[metadata.TimestampType]).FromBytes(raw)
		if err != nil {
			return 0, nil, fault.New("listfeed.metadata", "the published timestamp: %w", err)
		}
		return t.Signed.Version, raw, nil
	}
	files, err := filepath.Glob(r.path("metadata/*." + role + ".json"))
	if err != nil {
		return 0, nil, fault.Wrap("listfeed.read", err)
	}
	for _, f := range files {
		number, _, _ := strings.Cut(filepath.Base(f), ".")
		if filepath.Base(f) != number+"."+role+".json" {
			continue
		}
		if v, err := strconv.ParseInt(number, 10, 64); err == nil && v > version {
			version = v
		}
	}
	if version == 0 {
		return 0, nil, nil
	}
	raw, err = os.ReadFile(r.path(target.RoleName(role, version)))
	return version, raw, fault.Wrap("listfeed.read", err)
}

// targetsOf returns the newest metadata of a role with targets, staged ones
// before published ones.
func (r *Repo) targetsOf(role string) (*metadata.Metadata[metadata.TargetsType], bool, error) {
	raw, err := os.ReadFile(r.StagedName(role))
	staged := err == nil
	if errors.Is(err, fs.ErrNotExist) {
		if _, raw, err = r.latest(role); err != nil || raw == nil {
			return nil, false, err
		}
	} else if err != nil {
		return nil, false, fault.Wrap("listfeed.read", err)
	}
	m, err := new(metadata.Metadata[metadata.TargetsType]).FromBytes(raw)
	if err != nil {
		return nil, false, fault.New("listfeed.metadata", "the targets of %s: %w", role, err)
	}
	return m, staged, nil
}

// Entry returns a target of the newest metadata of its owner, staged ones
// before published ones, or listfeed.no_target.
func (r *Repo) Entry(p target.Path) (Entry, error) {
	m, _, err := r.targetsOf(p.Owner)
	if err != nil {
		return Entry{}, err
	}
	if m == nil || m.Signed.Targets[p.String()] == nil {
		return Entry{}, fault.New("listfeed.no_target", "%s publishes no %s %s", p.Owner, p.Kind, p.Name)
	}
	f := m.Signed.Targets[p.String()]
	e := Entry{Path: p, Size: f.Length}
	copy(e.Sum[:], f.Hashes["sha256"])
	return e, nil
}

// Stage writes the next targets of an owner for signing: what is published or
// staged, with entries set and paths removed. Signatures given to what was
// staged before are gone.
func (r *Repo) Stage(owner string, expires time.Time, set []Entry, remove ...target.Path) error {
	m, staged, err := r.targetsOf(owner)
	if err != nil {
		return err
	}
	if m == nil {
		m = metadata.Targets()
		m.Signed.Version = 0
	}
	if !staged {
		m.Signed.Version++
	}
	m.ClearSignatures()
	m.Signed.Expires = expires.UTC().Truncate(time.Second)
	for _, e := range set {
		m.Signed.Targets[e.Path.String()] = &metadata.TargetFiles{Length: e.Size, Hashes: metadata.Hashes{"sha256": slices.Clone(e.Sum[:])}}
	}
	for _, p := range remove {
		delete(m.Signed.Targets, p.String())
	}
	raw, err := encode(m)
	if err != nil {
		return err
	}
	return write(r.StagedName(owner), raw)
}

// StageRaw writes metadata of a role, a root or delegations for one, for
// signing.
func (r *Repo) StageRaw(role string, raw []byte) error { return write(r.StagedName(role), raw) }

// Staged returns the roles that wait for signatures.
func (r *Repo) Staged() ([]string, error) {
	files, err := filepath.Glob(filepath.Join(r.dir, "staged", "*.json"))
	var roles []string
	for _, f := range files {
		roles = append(roles, strings.TrimSuffix(filepath.Base(f), ".json"))
	}
	return roles, fault.Wrap("listfeed.read", err)
}

// ReadStaged returns what waits for signatures of a role.
func (r *Repo) ReadStaged(role string) ([]byte, error) {
	raw, err := os.ReadFile(r.StagedName(role))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New("listfeed.not_staged", "nothing of %s waits for signatures", role)
	}
	return raw, fault.Wrap("listfeed.read", err)
}

// Accept adds the signatures of a signed copy to what is staged of a role.
func (r *Repo) Accept(role string, signed []byte) error {
	raw, err := r.ReadStaged(role)
	if err != nil {
		return err
	}
	if raw, err = Merge(raw, signed); err != nil {
		return err
	}
	return write(r.StagedName(role), raw)
}

// Online are the publisher's keys.
type Online struct {
	Snapshot, Timestamp ed25519.PrivateKey
}
