package main

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed/feedtest"
	"github.com/watchpost/watchpost/device/listfeed/target"
)

// ceremony is a feed whose owners use the commands alone.
type ceremony struct {
	t         *testing.T
	dir, repo string
	root      string
	public    map[string]string // by person
}

func (c *ceremony) must(args ...string) string {
	c.t.Helper()
	out, messages, err := runListImport(c.t, args...)
	if err != nil {
		c.t.Fatalf("%v: %v %s", args, err, messages)
	}
	return out
}

func (c *ceremony) fails(code fault.Code, args ...string) {
	c.t.Helper()
	if _, _, err := runListImport(c.t, args...); fault.CodeOf(err) != code {
		c.t.Errorf("%v: %v, want %s", args, err, code)
	}
}

func (c *ceremony) person(name string) {
	c.t.Helper()
	key := feedtest.Key(name) // as openssl makes one; a passphrase costs a second each time
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		c.t.Fatal(err)
	}
	writeTo(c.t, c.dir, name+".key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))
	c.public[name] = base64.StdEncoding.EncodeToString(key.Public().(ed25519.PublicKey))
}

func (c *ceremony) sign(role string, by ...string) {
	c.t.Helper()
	for _, who := range by {
		c.must("sign", "--key", filepath.Join(c.dir, who+".key"), filepath.Join(c.repo, "staged", role+".json"))
	}
}

func (c *ceremony) publish() string {
	return c.must("publish", "--repo", c.repo, "--online", filepath.Join(c.dir, "online"))
}

// newCeremony makes a root by anna, boris and carla, and two owners.
func newCeremony(t *testing.T) *ceremony {
	t.Helper()
	c := &ceremony{t: t, dir: feedtest.Dir(t), public: map[string]string{}}
	c.repo, c.root = filepath.Join(c.dir, "feed"), filepath.Join(c.dir, "root.json")
	for _, name := range []string{"anna", "boris", "carla", "dora", "emil"} {
		c.person(name)
	}
	var on struct{ Snapshot, Timestamp string }
	if err := json.Unmarshal([]byte(c.must("publish", "--keys-only", "--online", filepath.Join(c.dir, "online"))), &on); err != nil {
		t.Fatal(err)
	}
	c.must("root", "--repo", c.repo, "--root", c.public["anna"], "--root", c.public["boris"], "--root", c.public["carla"], "--snapshot", on.Snapshot, "--timestamp", on.Timestamp)
	c.fails("listfeed.root", "delegate", "--repo", c.repo, "--owner", "un", "--key", c.public["dora"], "--key", c.public["emil"], "--kind", "list")
	c.sign("root", "anna", "carla")
	c.publish()
	c.must("delegate", "--repo", c.repo, "--owner", "un", "--key", c.public["dora"], "--key", c.public["emil"], "--kind", "list", "--kind", "segment", "--kind", "devices")
	c.must("delegate", "--repo", c.repo, "--owner", "site", "--key", c.public["anna"], "--key", c.public["emil"], "--kind", "policy", "--kind", "devices")
	c.sign("targets", "anna", "boris")
	c.publish()
	raw, err := os.ReadFile(filepath.Join(c.repo, "metadata", "1.root.json"))
	if err != nil {
		t.Fatal(err)
	}
	writeTo(t, c.dir, "root.json", string(raw))
	return c
}

// TestFeedCeremony makes a feed from nothing, carries it by a stick to a
// device without a link, and changes its keepers and owners.
func TestFeedCeremony(t *testing.T) {
	c := newCeremony(t)
	w := &feedtest.World{T: t, Now: time.Now()}
	raw, err := os.ReadFile(c.root)
	w.Must(err)
	w.Root = raw
	d := w.Device()
	us, err := d.Keys.Recipient()
	w.Must(err)
	public := base64.StdEncoding.EncodeToString(us)

	records := writeTo(t, c.dir, "records.jsonl", `{"schema":1,"id":"p1","edition":1,"list":"un-sc","owner":"o","legal_basis":"b","purpose":"p","handling":{"action":"refer","confirm":false},"documents":[{"type":"P","issuer":"UTO","number":"N1","status":"lost"}]}`+"\n")
	folder, listKey, siteKey := filepath.Join(c.dir, "folder"), filepath.Join(c.dir, "un-sc.key"), filepath.Join(c.dir, "site.key")
	c.must("build", "--dir", folder, "--list", "un-sc", "--generation", "1", "--records", records, "--owner", "o", "--legal-basis", "b", "--purpose", "p", "--key", listKey)
	c.must("stage", "--repo", c.repo, "--owner", "un", "--list", "un-sc", "--generation", "1", "--dir", filepath.Join(folder, "files/lists/un-sc"), "--key", listKey, "--for", public)
	w.Must(os.Mkdir(filepath.Join(c.dir, "files"), 0o700))
	writeTo(t, filepath.Join(c.dir, "files"), "policy.yaml", "a policy")
	c.must("stage", "--repo", c.repo, "--owner", "site", "--kind", "policy", "--name", "all", "--generation", "3", "--dir", filepath.Join(c.dir, "files"), "--key", siteKey, "--for", public)

	// One signature is none.
	c.sign("un", "dora")
	out, _, err := runListImport(t, "publish", "--repo", c.repo, "--online", filepath.Join(c.dir, "online"))
	if !errors.Is(err, errSomeFailed) || !strings.Contains(out, `"role":"un","version":1,"published":false,"signed":1,"needed":2`) {
		t.Errorf("%q, %v", out, err)
	}
	c.sign("un", "emil")
	c.sign("site", "anna", "emil")
	c.publish()

	stick := filepath.Join(c.dir, "stick")
	if out := c.must("fetch", "--feed", c.repo, "--root", c.root, "--out", stick); !strings.Contains(out, `{"target":"un/list/un-sc","version":1,`) {
		t.Errorf("%s", out)
	}
	c.must("verify", "--feed", stick, "--root", c.root)
	take := func(refused int) {
		t.Helper()
		r, err := d.Refresh(t.Context(), feedtest.Folder(t, stick))
		if err != nil || len(r.Refused) != refused {
			t.Fatalf("%+v, %v", r, err)
		}
	}
	take(0)
	if _, version, err := d.Content(target.KindPolicy); err != nil || version != 3 || d.Stale("un-sc") != nil {
		t.Fatalf("policy %d, %v, %v", version, err, d.Stale("un-sc"))
	}

	// Carla's key is lost: dora keeps the root in her place, and the un goes.
	c.must("root", "--repo", c.repo, "--root", c.public["anna"], "--root", c.public["boris"], "--root", c.public["dora"])
	c.sign("root", "anna", "boris")
	c.must("delegate", "--repo", c.repo, "--owner", "un", "--remove")
	c.sign("targets", "boris", "dora") // of the new keepers
	c.publish()
	if out := c.must("delegate", "--repo", c.repo, "--show"); strings.Count(out, "\n") != 1 || !strings.Contains(out, `"owner":"site","threshold":2`) {
		t.Errorf("%s", out)
	}
	c.must("fetch", "--feed", c.repo, "--root", c.root, "--out", stick)
	take(0)
	if _, err := d.OpenList(t.Context(), "un-sc"); fault.CodeOf(err) != "listfeed.no_list" {
		t.Error(err)
	}
	if s := d.Status(); s.Root != 2 || len(s.Contents) != 1 {
		t.Errorf("%+v", s)
	}
}

// TestAttackFeedCommands asks for what one person alone must not have, and
// reads feeds that are not what they say.
func TestAttackFeedCommands(t *testing.T) {
	c := newCeremony(t)
	anna, boris := c.public["anna"], c.public["boris"]
	for _, a := range []struct {
		name string
		code fault.Code
		args []string
	}{
		{"a root of one keeper", "usage", []string{"root", "--repo", c.repo, "--root", anna}},
		{"a keeper twice", "usage", []string{"root", "--repo", c.repo, "--root", anna, "--root", anna}},
		{"more signatures than keepers", "usage", []string{"root", "--repo", c.repo, "--root", anna, "--root", boris, "--root-threshold", "3"}},
		{"a key of five bytes", "usage", []string{"root", "--repo", c.repo, "--root", "AAECAwQ=", "--root", boris}},
		{"no publisher", "usage", []string{"root", "--repo", filepath.Join(c.dir, "other"), "--root", anna, "--root", boris}},
		{"an owner of one", "usage", []string{"delegate", "--repo", c.repo, "--owner", "x", "--key", anna, "--kind", "policy"}},
		{"an owner for whom one suffices", "usage", []string{"delegate", "--repo", c.repo, "--owner", "x", "--key", anna, "--key", boris, "--threshold", "1", "--kind", "list"}},
		{"an owner of a kind that is none", "usage", []string{"delegate", "--repo", c.repo, "--owner", "x", "--key", anna, "--key", boris, "--kind", "program"}},
		{"an owner by a path", "usage", []string{"delegate", "--repo", c.repo, "--owner", "../un", "--key", anna, "--key", boris, "--kind", "list"}},
		{"an owner who is none struck off", "listfeed.no_owner", []string{"delegate", "--repo", c.repo, "--owner", "nobody", "--remove"}},
		{"a policy without whom it is for", "usage", []string{"stage", "--repo", c.repo, "--owner", "site", "--kind", "policy", "--generation", "1", "--dir", c.dir, "--key", filepath.Join(c.dir, "k")}},
		{"a feed without a root", "input.read", []string{"fetch", "--feed", c.repo, "--root", filepath.Join(c.dir, "none"), "--out", filepath.Join(c.dir, "s")}},
		{"the feed's own word for its root", "listfeed.metadata", []string{"fetch", "--feed", c.repo, "--root", filepath.Join(c.repo, "metadata", "timestamp.json"), "--out", filepath.Join(c.dir, "s")}},
		{"a feed over plain http", "listfeed.address", []string{"fetch", "--feed", "http://feeds.example/un", "--root", c.root, "--out", filepath.Join(c.dir, "s")}},
		{"no feed", "listfeed.absent", []string{"verify", "--feed", c.dir, "--root", c.root}},
		{"verify by nothing", "usage", []string{"verify", "--feed", c.repo}},
	} {
		t.Run(a.name, func(t *testing.T) {
			if _, _, err := runListImport(t, a.args...); fault.CodeOf(err) != a.code {
				t.Errorf("%v, want %s", err, a.code)
			}
		})
	}
	t.Run("a root that the old keepers have not signed", func(t *testing.T) {
		c.must("root", "--repo", c.repo, "--root", c.public["dora"], "--root", c.public["emil"])
		c.sign("root", "dora", "emil")
		out, _, err := runListImport(t, "publish", "--repo", c.repo, "--online", filepath.Join(c.dir, "online"))
		if !errors.Is(err, errSomeFailed) || !strings.Contains(out, `"role":"root","version":2,"published":false,"signed":0,"needed":2`) {
			t.Errorf("%q, %v", out, err)
		}
	})
}
