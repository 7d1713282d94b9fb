package listfeed_test

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/watchpost/watchpost/device/listfeed/feedtest"
	"github.com/watchpost/watchpost/device/listfeed/repo"
	"github.com/watchpost/watchpost/device/listfeed/target"
)

// object is JSON while it is being forged.
type object = map[string]any

// file is a repository's file by name.
func file(w *feedtest.World, name string) string {
	return filepath.Join(w.Repo.Dir(), filepath.FromSlash(name))
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func writeFile(t testing.TB, path string, raw []byte) {
	t.Helper()
	if err := os.WriteFile(path, raw, 0o644); err != nil {
		t.Fatal(err)
	}
}

// newest is the highest published version of a role.
func newest(t testing.TB, w *feedtest.World, role string) int64 {
	t.Helper()
	for v := int64(1); ; v++ {
		if _, err := os.Stat(file(w, target.RoleName(role, v+1))); err != nil {
			return v
		}
	}
}

// forge edits the signed part of metadata, and signs it with keys by name.
func forge(t testing.TB, raw []byte, edit func(signed object), by ...string) []byte {
	t.Helper()
	var m object
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	edit(m["signed"].(object))
	m["signatures"] = []any{}
	out, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range by {
		if out, err = repo.Sign(out, feedtest.Key(name)); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// put publishes metadata of a role in its next version, and vouches for it
// with the publisher's own keys: what a taken-over central can do.
func put(t testing.TB, w *feedtest.World, role string, raw []byte) {
	t.Helper()
	var m struct {
		Signed struct {
			Version int64 `json:"version"`
		} `json:"signed"`
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	writeFile(t, file(w, target.RoleName(role, m.Signed.Version)), raw)
	vouch(t, w, func(meta object) { meta[role+".json"] = metaOf(m.Signed.Version, raw) })
}

func metaOf(version int64, raw []byte) object {
	sum := target.SumOf(raw)
	return object{"version": version, "length": len(raw), "hashes": object{"sha256": hex.EncodeToString(sum[:])}}
}

// vouch makes a next snapshot with edited entries and a timestamp for it.
func vouch(t testing.TB, w *feedtest.World, edit func(meta object)) {
	t.Helper()
	v := newest(t, w, "snapshot")
	raw := forge(t, readFile(t, file(w, target.RoleName("snapshot", v))), func(s object) {
		s["version"] = v + 1
		edit(s["meta"].(object))
	}, "snapshot")
	writeFile(t, file(w, target.RoleName("snapshot", v+1)), raw)
	stamp(t, w, func(meta object) { meta["snapshot.json"] = metaOf(v+1, raw) })
}

// stamp makes a next timestamp with an edited entry.
func stamp(t testing.TB, w *feedtest.World, edit func(meta object)) {
	t.Helper()
	path := file(w, target.TimestampName)
	writeFile(t, path, forge(t, readFile(t, path), func(s object) {
		s["version"] = s["version"].(float64) + 1
		edit(s["meta"].(object))
	}, "timestamp"))
}

// next returns the next version of an owner's metadata, edited, unsigned.
func next(t testing.TB, w *feedtest.World, role string, edit func(signed object), by ...string) []byte {
	t.Helper()
	v := newest(t, w, role)
	return forge(t, readFile(t, file(w, target.RoleName(role, v))), func(s object) {
		s["version"] = v + 1
		edit(s)
	}, by...)
}

// entry is a target's line in metadata.
func entry(e repo.Entry) object {
	return object{"length": e.Size, "hashes": object{"sha256": e.Sum.String()}}
}

// manifest returns the manifest of a target that w publishes.
func manifest(t testing.TB, w *feedtest.World, p target.Path) *target.Manifest {
	t.Helper()
	e, err := w.Repo.Entry(p)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := w.Repo.Object(e.Sum)
	if err != nil {
		t.Fatal(err)
	}
	m, err := target.DecodeManifest(raw, p)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// signManifest has two of un sign a manifest as it stands.
func signManifest(t testing.TB, w *feedtest.World, p target.Path, raw []byte) {
	t.Helper()
	e, err := w.Repo.AddObject(p, raw)
	if err != nil {
		t.Fatal(err)
	}
	put(t, w, p.Owner, next(t, w, p.Owner, func(s object) { s["targets"].(object)[p.String()] = entry(e) }, "anna", "boris"))
}
