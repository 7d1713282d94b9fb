package provision

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/fault"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// key makes a bench key from a letter.
func key(letter string) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte(letter), ed25519.SeedSize))
}

func owner(id, letter string) Owner {
	return Owner{id, key(letter).Public().(ed25519.PublicKey)}
}

func trust() Trust {
	return Trust{Site: "bench", Owners: []Owner{owner("anna", "a"), owner("boris", "b"), owner("carla", "c")}, Now: start}
}

func wantCode(t testing.TB, err error, code fault.Code) {
	t.Helper()
	if !errors.Is(err, &fault.Error{Code: code}) {
		t.Fatalf("got %v, want code %s", err, code)
	}
}

// folder makes a folder of a version that anna and boris have signed.
func folder(t testing.TB, version uint64, edit func(*Header)) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"policy.yaml": "edition: 1", "lists/un/meta.json": "{}", "lists/un/records.db": "records", "trust/csca.pem": ""} {
		p := filepath.Join(dir, FilesName, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(p), 0o755), os.WriteFile(p, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	h := Header{Site: "bench", Version: version, Created: start.Add(-time.Hour), Expires: start.Add(24 * time.Hour)}
	if edit != nil {
		edit(&h)
	}
	if _, err := Publish(dir, h, KindOf); err != nil {
		t.Fatal(err)
	}
	sign(t, dir, "anna", "a")
	sign(t, dir, "boris", "b")
	return dir
}

func sign(t testing.TB, dir, id, letter string) {
	t.Helper()
	if err := Sign(dir, id, key(letter)); err != nil {
		t.Fatal(err)
	}
}

func editFile(t testing.TB, dir, name string, f func(string) string) {
	t.Helper()
	p := filepath.Join(dir, name)
	raw, err := os.ReadFile(p)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p, []byte(f(string(raw))), 0o644); err != nil {
		t.Fatal(err)
	}
}

// resign signs an edited manifest as anna and boris without looking at it.
func resign(t testing.TB, dir string) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, ManifestName))
	if err != nil {
		t.Fatal(err)
	}
	writeSignatures(t, dir,
		Signature{"anna", ed25519.Sign(key("a"), signedBytes(raw))},
		Signature{"boris", ed25519.Sign(key("b"), signedBytes(raw))})
}

func writeSignatures(t testing.TB, dir string, s ...Signature) {
	t.Helper()
	raw, err := json.Marshal(signatures{Format, s})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, SignaturesName), raw, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestAttackFolder(t *testing.T) {
	signatureOf := func(t testing.TB, dir, letter string) []byte {
		raw, err := os.ReadFile(filepath.Join(dir, ManifestName))
		if err != nil {
			t.Fatal(err)
		}
		return ed25519.Sign(key(letter), signedBytes(raw))
	}
	inManifest := func(from, to string) func(*testing.T, string, *Trust) {
		return func(t *testing.T, dir string, _ *Trust) {
			editFile(t, dir, ManifestName, func(s string) string {
				if !strings.Contains(s, from) {
					t.Fatalf("the manifest has no %s", from)
				}
				return strings.Replace(s, from, to, 1)
			})
			resign(t, dir)
		}
	}
	for _, c := range []struct {
		name  string
		spoil func(t *testing.T, dir string, tr *Trust)
		code  fault.Code
	}{
		{"no manifest", func(t *testing.T, dir string, _ *Trust) { os.Remove(filepath.Join(dir, ManifestName)) }, "provision.missing"},
		{"no signatures", func(t *testing.T, dir string, _ *Trust) { os.Remove(filepath.Join(dir, SignaturesName)) }, "provision.missing"},
		{"empty signatures", func(t *testing.T, dir string, _ *Trust) { writeSignatures(t, dir) }, "provision.too_few"},
		{"one signature", func(t *testing.T, dir string, _ *Trust) {
			writeSignatures(t, dir, Signature{"anna", signatureOf(t, dir, "a")})
		}, "provision.too_few"},
		{"one owner twice", func(t *testing.T, dir string, _ *Trust) {
			s := Signature{"anna", signatureOf(t, dir, "a")}
			writeSignatures(t, dir, s, s)
		}, "provision.same_owner"},
		{"one key under two names", func(t *testing.T, dir string, _ *Trust) {
			s := signatureOf(t, dir, "a")
			writeSignatures(t, dir, Signature{"anna", s}, Signature{"boris", s})
		}, "provision.signature"},
		{"unknown owner", func(t *testing.T, dir string, _ *Trust) { sign(t, dir, "mallory", "m") }, "provision.unknown_owner"},
		{"known name, other key", func(t *testing.T, dir string, _ *Trust) { sign(t, dir, "boris", "m") }, "provision.signature"},
		{"signature of an earlier manifest", func(t *testing.T, dir string, _ *Trust) {
			editFile(t, dir, ManifestName, func(s string) string { return s + " " })
		}, "provision.signature"},
		{"signature over the manifest alone", func(t *testing.T, dir string, _ *Trust) {
			raw, err := os.ReadFile(filepath.Join(dir, ManifestName))
			if err != nil {
				t.Fatal(err)
			}
			writeSignatures(t, dir, Signature{"anna", ed25519.Sign(key("a"), raw)}, Signature{"boris", ed25519.Sign(key("b"), raw)})
		}, "provision.signature"},
		{"empty signature", func(t *testing.T, dir string, _ *Trust) {
			writeSignatures(t, dir, Signature{"anna", nil}, Signature{"boris", nil})
		}, "provision.signature"},
		{"signatures with an unknown key", func(t *testing.T, dir string, _ *Trust) {
			editFile(t, dir, SignaturesName, func(s string) string { return strings.Replace(s, "{", `{"x":1,`, 1) })
		}, "provision.format"},
		{"file missing", func(t *testing.T, dir string, _ *Trust) { os.Remove(filepath.Join(dir, "files/policy.yaml")) }, "provision.file_missing"},
		{"file changed", func(t *testing.T, dir string, _ *Trust) {
			editFile(t, dir, "files/policy.yaml", func(string) string { return "edition: 2" })
		}, "provision.file_changed"},
		{"file longer", func(t *testing.T, dir string, _ *Trust) {
			editFile(t, dir, "files/policy.yaml", func(s string) string { return s + "\n" })
		}, "provision.file_changed"},
		{"file cut", func(t *testing.T, dir string, _ *Trust) {
			editFile(t, dir, "files/lists/un/records.db", func(s string) string { return s[:3] })
		}, "provision.file_changed"},
		{"files swapped", func(t *testing.T, dir string, _ *Trust) {
			editFile(t, dir, "files/lists/un/records.db", func(string) string { return "{}" })
			editFile(t, dir, "files/lists/un/meta.json", func(string) string { return "records" })
		}, "provision.file_changed"},
		{"file is a link to its like", func(t *testing.T, dir string, _ *Trust) {
			p, away := filepath.Join(dir, "files/policy.yaml"), filepath.Join(t.TempDir(), "x")
			if err := errors.Join(os.Rename(p, away), os.Symlink(away, p)); err != nil {
				t.Fatal(err)
			}
		}, "provision.file_changed"},
		{"file too many", func(t *testing.T, dir string, _ *Trust) {
			os.WriteFile(filepath.Join(dir, "files/lists/un/extra"), nil, 0o644)
		}, "provision.file_extra"},
		{"file too many at the top", func(t *testing.T, dir string, _ *Trust) { os.WriteFile(filepath.Join(dir, "run.sh"), nil, 0o644) }, "provision.file_extra"},
		{"folder too many", func(t *testing.T, dir string, _ *Trust) { os.Mkdir(filepath.Join(dir, "files/more"), 0o755) }, "provision.file_extra"},
		{"run out", func(t *testing.T, dir string, tr *Trust) { tr.Now = start.Add(24 * time.Hour) }, "provision.expired"},
		{"from the future", func(t *testing.T, dir string, tr *Trust) { tr.Now = start.Add(-2 * time.Hour) }, "provision.not_yet"},
		{"rolled back", func(t *testing.T, dir string, tr *Trust) { tr.LastVersion = 6 }, "provision.rollback"},
		{"of another site", func(t *testing.T, dir string, tr *Trust) { tr.Site = "other" }, "provision.site"},
		{"no owners", func(t *testing.T, dir string, tr *Trust) { tr.Owners = nil }, "provision.owners"},
		{"one owner", func(t *testing.T, dir string, tr *Trust) { tr.Owners = tr.Owners[:1] }, "provision.owners"},
		{"one key for two owners", func(t *testing.T, dir string, tr *Trust) { tr.Owners[1].Key = tr.Owners[0].Key }, "provision.owners"},
		{"one name for two owners", func(t *testing.T, dir string, tr *Trust) { tr.Owners[1].ID = "anna" }, "provision.owners"},
		{"short key in the configuration", func(t *testing.T, dir string, tr *Trust) { tr.Owners[2].Key = nil }, "provision.owners"},
		{"signed: path out of the folder", inManifest(`"policy.yaml"`, `"../policy.yaml"`), "provision.path"},
		{"signed: absolute path", inManifest(`"policy.yaml"`, `"/etc/passwd"`), "provision.path"},
		{"signed: hidden path", inManifest(`"policy.yaml"`, `".policy"`), "provision.path"},
		{"signed: path twice", inManifest(`"policy.yaml"`, `"trust/csca.pem"`), "provision.path"},
		{"signed: file that is a folder", inManifest(`"policy.yaml"`, `"lists/un"`), "provision.path"},
		{"signed: unknown kind", inManifest(`"kind": "policy"`, `"kind": "program"`), "provision.kind"},
		{"signed: unknown key", inManifest(`"site"`, `"x":1,"site"`), "provision.format"},
		{"signed: later format", inManifest(`"format": 1`, `"format": 2`), "provision.format"},
		{"signed: no version", inManifest(`"version": 5`, `"version": 0`), "provision.format"},
		{"signed: negative length", inManifest(`"size": 10`, `"size": -1`), "provision.format"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir, tr := folder(t, 5, nil), trust()
			if _, err := Verify(dir, tr); err != nil {
				t.Fatalf("before the change: %v", err)
			}
			c.spoil(t, dir, &tr)
			_, err := Verify(dir, tr)
			wantCode(t, err, c.code)
			state := t.TempDir()
			_, err = Apply(state, dir, tr)
			wantCode(t, err, c.code)
			if left, _ := os.ReadDir(state); len(left) != 0 {
				t.Errorf("a refused folder left %v", left)
			}
		})
	}
}

func TestApplyAndGoOn(t *testing.T) {
	state, tr := filepath.Join(t.TempDir(), "provision"), trust()
	_, err := Current(state, tr)
	wantCode(t, err, "provision.none")
	five, six := folder(t, 5, nil), folder(t, 6, nil)
	for range 2 { // again changes nothing
		a, err := Apply(state, five, tr)
		if err != nil {
			t.Fatal(err)
		}
		if raw, err := os.ReadFile(a.Path("policy.yaml")); err != nil || string(raw) != "edition: 1" || len(a.OfKind(KindListGeneration)) != 2 {
			t.Errorf("applied %q, %v, %+v", raw, err, a.Manifest)
		}
	}
	other := folder(t, 5, func(h *Header) { h.Expires = h.Expires.Add(time.Hour) })
	_, err = Apply(state, other, tr)
	wantCode(t, err, "provision.conflict")
	if _, err := Apply(state, six, tr); err != nil {
		t.Fatal(err)
	}
	_, err = Apply(state, five, tr)
	wantCode(t, err, "provision.rollback")
	tr.Now = start.Add(1000 * time.Hour) // what is in force does not fall away with the folder's date
	a, err := Current(state, tr)
	if err != nil || a.Manifest.Version != 6 {
		t.Fatalf("%+v, %v", a, err)
	}
	if left, _ := filepath.Glob(filepath.Join(state, "v-*")); len(left) != 1 {
		t.Errorf("left: %v", left)
	}
}

func TestAttackAppliedState(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(t *testing.T, state string)
		code  fault.Code
	}{
		{"file changed on the post", func(t *testing.T, s string) {
			editFile(t, s, versionName(5)+"/files/policy.yaml", func(string) string { return "edition: 9" })
		}, "provision.file_changed"},
		{"file put in on the post", func(t *testing.T, s string) {
			os.WriteFile(filepath.Join(s, versionName(5), "files", "accounts.json"), nil, 0o600)
		}, "provision.file_extra"},
		{"CURRENT leaves the folder", func(t *testing.T, s string) { editFile(t, s, currentName, func(string) string { return "../x\n" }) }, "provision.damaged"},
		{"CURRENT cut", func(t *testing.T, s string) { editFile(t, s, currentName, func(x string) string { return x[:5] }) }, "provision.damaged"},
		{"CURRENT names nothing", func(t *testing.T, s string) {
			editFile(t, s, currentName, func(string) string { return versionName(9) + "\n" })
		}, "provision.missing"},
		{"old folder renamed", func(t *testing.T, s string) {
			if err := os.CopyFS(filepath.Join(s, versionName(9)), os.DirFS(filepath.Join(s, versionName(5)))); err != nil {
				t.Fatal(err)
			}
			editFile(t, s, currentName, func(string) string { return versionName(9) + "\n" })
		}, "provision.rollback"},
	} {
		t.Run(c.name, func(t *testing.T) {
			state := t.TempDir()
			if _, err := Apply(state, folder(t, 5, nil), trust()); err != nil {
				t.Fatal(err)
			}
			c.spoil(t, state)
			_, err := Current(state, trust())
			wantCode(t, err, c.code)
		})
	}
	t.Run("lower than seen elsewhere", func(t *testing.T) {
		state, tr := t.TempDir(), trust()
		if _, err := Apply(state, folder(t, 5, nil), tr); err != nil {
			t.Fatal(err)
		}
		tr.LastVersion = 6
		_, err := Current(state, tr)
		wantCode(t, err, "provision.rollback")
	})
}

func TestNobodySignsWhatIsNotThere(t *testing.T) {
	dir := folder(t, 5, nil)
	editFile(t, dir, "files/policy.yaml", func(string) string { return "edition: 2" })
	wantCode(t, Sign(dir, "carla", key("c")), "provision.file_changed")
	wantCode(t, Sign(dir, "carla", nil), "provision.key")
	os.WriteFile(filepath.Join(dir, "files", "photo.jpg"), nil, 0o644)
	_, err := Publish(dir, Header{"bench", 6, start, start.Add(time.Hour)}, KindOf)
	wantCode(t, err, "provision.kind")
}

func FuzzManifest(f *testing.F) {
	raw, err := os.ReadFile(filepath.Join(folder(f, 5, nil), ManifestName))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := decodeManifest(raw)
		if err != nil {
			if fault.CodeOf(err) == fault.Unknown {
				t.Fatal(err)
			}
			return
		}
		for _, file := range m.Files {
			if !filepath.IsLocal(filepath.FromSlash(file.Path)) {
				t.Fatalf("path %q leaves the folder", file.Path)
			}
		}
	})
}
