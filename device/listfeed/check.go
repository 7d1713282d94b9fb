package listfeed

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed/target"
)

// needed is how many persons must sign what decides.
const needed = 2

// maxRoles bounds the owners that a repository delegates to.
const maxRoles = 256

// read parses metadata with go-tuf and checks what go-tuf takes for granted:
// it follows nil entries, keys of any length and files without a hash.
func read[T metadata.Roles](raw []byte, limit int, check func(*T) error) (*metadata.Metadata[T], error) {
	if len(raw) == 0 {
		return nil, fault.New("listfeed.metadata", "the file is empty")
	}
	if len(raw) > limit {
		return nil, fault.New("listfeed.too_large", "metadata of %d bytes, at most %d", len(raw), limit)
	}
	if err := target.CheckPlain(raw); err != nil {
		return nil, err
	}
	m, err := new(metadata.Metadata[T]).FromBytes(raw)
	if err != nil {
		// A signer who stands there twice is told apart: nothing else may be
		// wrong with such a file.
		if twice(raw) {
			return nil, fault.New("listfeed.same_signer", "one key has signed twice")
		}
		return nil, fault.New("listfeed.metadata", "not metadata of this role")
	}
	if len(m.Signatures) > maxRoles {
		return nil, fault.New("listfeed.metadata", "%d signatures", len(m.Signatures))
	}
	return m, check(&m.Signed)
}

// twice reports whether a key id stands twice among the signatures.
func twice(raw []byte) bool {
	s, err := signatures(raw)
	if err != nil {
		return false
	}
	seen := map[string]bool{}
	for _, one := range s {
		if seen[one.KeyID] {
			return true
		}
		seen[one.KeyID] = true
	}
	return false
}

func weak(format string, args ...any) error { return fault.New("listfeed.weak", format, args...) }

// checkKeys wants Ed25519 keys of the right length, under their own ids, and
// each role's keys among them and different.
func checkKeys(keys map[string]*metadata.Key, role string, ids []string, threshold, least int) error {
	if threshold < least || threshold > len(ids) {
		return weak("%s: %d of %d signatures are asked for, at least %d are needed", role, threshold, len(ids), least)
	}
	seen := map[string]bool{}
	for _, id := range ids {
		k := keys[id]
		if k == nil || seen[id] {
			return weak("%s names a key twice, or one that is not there", role)
		}
		seen[id] = true
		public, err := hex.DecodeString(k.Value.PublicKey)
		if err != nil || len(public) != ed25519.PublicKeySize || k.Type != metadata.KeyTypeEd25519 || k.Scheme != metadata.KeySchemeEd25519 {
			return weak("%s has a key that is not of Ed25519", role)
		}
		own, err := metadata.KeyFromPublicKey(ed25519.PublicKey(public))
		if err != nil {
			return weak("%s has a key that cannot be read", role)
		}
		if name, err := own.ID(); err != nil || name != id {
			return weak("%s has a key under another's id", role)
		}
	}
	return nil
}

func checkVersion(spec string, version int64) error {
	if !strings.HasPrefix(spec, "1.") || version < 1 || version > 1<<53 {
		return fault.New("listfeed.metadata", "of specification %q, or without a version", spec)
	}
	return nil
}

func checkRoot(r *metadata.RootType) error {
	if err := checkVersion(r.SpecVersion, r.Version); err != nil {
		return err
	}
	if !r.ConsistentSnapshot {
		return weak("the root does not ask for consistent snapshots")
	}
	for role, least := range map[string]int{metadata.ROOT: needed, metadata.TARGETS: needed, metadata.SNAPSHOT: 1, metadata.TIMESTAMP: 1} {
		of := r.Roles[role]
		if of == nil {
			return weak("the root names nobody for %s", role)
		}
		if err := checkKeys(r.Keys, role, of.KeyIDs, of.Threshold, least); err != nil {
			return err
		}
	}
	return nil
}

func hashed(m *metadata.MetaFiles) bool {
	return m != nil && len(m.Hashes) == 1 && len(m.Hashes["sha256"]) == sha256.Size && m.Length > 0 && m.Length <= target.MaxMetadata && m.Version > 0
}

func checkTimestamp(t *metadata.TimestampType) error {
	if err := checkVersion(t.SpecVersion, t.Version); err != nil {
		return err
	}
	if len(t.Meta) != 1 || !hashed(t.Meta[snapshotFile]) {
		return fault.New("listfeed.metadata", "a timestamp names one snapshot with its length and hash")
	}
	return nil
}

func checkSnapshot(s *metadata.SnapshotType) error {
	if err := checkVersion(s.SpecVersion, s.Version); err != nil {
		return err
	}
	if len(s.Meta) > maxRoles+1 || s.Meta[targetsFile] == nil {
		return fault.New("listfeed.metadata", "a snapshot names the targets and at most %d owners", maxRoles)
	}
	for name, m := range s.Meta {
		role, ok := strings.CutSuffix(name, ".json")
		if !ok || !target.ValidPart(role) || !hashed(m) {
			return fault.New("listfeed.metadata", "a snapshot names each file with its length and hash")
		}
	}
	return nil
}

// checkDelegations holds the top-level targets to delegating, each owner to a
// name of his own, and each decision that a post takes from one owner to one.
func checkDelegations(t *metadata.TargetsType) error {
	if err := checkVersion(t.SpecVersion, t.Version); err != nil {
		return err
	}
	if len(t.Targets) != 0 || t.Delegations == nil || t.Delegations.SuccinctRoles != nil || len(t.Delegations.Roles) > maxRoles {
		return weak("the top targets delegate to at most %d owners, and hold nothing themselves", maxRoles)
	}
	names, single := map[string]bool{}, map[target.Kind]bool{}
	for _, r := range t.Delegations.Roles {
		switch r.Name {
		case metadata.ROOT, metadata.TARGETS, metadata.SNAPSHOT, metadata.TIMESTAMP:
			return weak("a delegation to %s", r.Name)
		}
		if !target.ValidPart(r.Name) || names[r.Name] || len(r.Paths) == 0 || len(r.PathHashPrefixes) != 0 {
			return weak("a delegation without a name of its own or without paths")
		}
		names[r.Name] = true
		if err := checkKeys(t.Delegations.Keys, r.Name, r.KeyIDs, r.Threshold, needed); err != nil {
			return err
		}
		own := map[target.Kind]bool{}
		for _, p := range r.Paths {
			parts := strings.Split(p, "/")
			if len(parts) != 3 || parts[0] != r.Name || !target.ValidPart(parts[1]) || parts[2] != "*" && !target.ValidPart(parts[2]) {
				return weak("a delegation beyond the owner's own name: its paths are OWNER/KIND/NAME or OWNER/KIND/*")
			}
			own[target.Kind(parts[1])] = true
		}
		for k := range own {
			if k.Single() && single[k] {
				return weak("two owners may sign %s", k)
			}
			single[k] = true
		}
	}
	return nil
}

// checkTargets judges an owner's targets, but not whether he may sign them.
func checkTargets(t *metadata.TargetsType) error {
	if err := checkVersion(t.SpecVersion, t.Version); err != nil {
		return err
	}
	if t.Delegations != nil || len(t.Targets) > target.MaxFiles {
		return weak("an owner delegates nothing on, and has at most %d targets", target.MaxFiles)
	}
	for _, f := range t.Targets {
		if f == nil || len(f.Hashes) != 1 || len(f.Hashes["sha256"]) != sha256.Size || f.Length < 1 {
			return fault.New("listfeed.metadata", "each target has a length and a hash")
		}
		if f.Length > target.MaxManifest {
			return fault.New("listfeed.too_large", "a manifest of %d bytes, at most %d", f.Length, target.MaxManifest)
		}
	}
	return nil
}
