package shift_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/config"
	"github.com/watchpost/watchpost/device/encounter/policy"
	"github.com/watchpost/watchpost/device/listfeed"
	"github.com/watchpost/watchpost/device/listfeed/carrier"
	"github.com/watchpost/watchpost/device/listfeed/repo"
	"github.com/watchpost/watchpost/device/post/feedapi"
	"github.com/watchpost/watchpost/hwtest/wire"
)

// publisher is an owner's side of a feed, by the commands.
type publisher struct {
	d         *desk
	dir, repo string
}

func (p *publisher) ok(args ...string) []byte {
	p.d.t.Helper()
	out, said, code := p.d.command("watchpost", append([]string{"list"}, args...)...)
	if code != 0 {
		p.d.t.Fatalf("watchpost list %s: exit %d\n%s", strings.Join(args, " "), code, said)
	}
	return out
}

func approver(t *testing.T, dir, name string) (public string, key ed25519.PrivateKey) {
	t.Helper()
	pub, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(pub), key
}

// sign has anna and boris sign what is staged of a role, and publishes it.
func (p *publisher) sign(role string) {
	p.d.t.Helper()
	for _, who := range []string{"anna", "boris"} {
		p.ok("sign", "--key", filepath.Join(p.dir, who+".pem"), filepath.Join(p.repo, "staged", role+".json"))
	}
	p.ok("publish", "--repo", p.repo, "--online", filepath.Join(p.dir, "online"))
}

// generation builds and publishes a generation of one record for a device.
func (p *publisher) generation(number, recipient string) {
	p.d.t.Helper()
	records := filepath.Join(p.dir, "records.jsonl")
	p.d.write(records, []byte(`{"schema":1,"id":"p`+number+`","edition":1,"list":"un-sc","owner":"o","legal_basis":"b","purpose":"p","handling":{"action":"refer","confirm":false},"documents":[{"type":"P","issuer":"UTO","number":"N`+number+`","status":"lost"}]}`+"\n"))
	folder := filepath.Join(p.dir, "generation-"+number)
	key := filepath.Join(p.dir, "un-sc.key")
	p.ok("build", "--dir", folder, "--list", "un-sc", "--generation", number, "--records", records, "--owner", "o", "--legal-basis", "b", "--purpose", "p", "--key", key)
	p.ok("stage", "--repo", p.repo, "--owner", "un", "--list", "un-sc", "--generation", number, "--dir", filepath.Join(folder, "files/lists/un-sc"), "--key", key, "--for", recipient)
	p.sign("un")
}

// thresholds publishes thresholds for all posts.
func (p *publisher) thresholds(version, text, recipient string) {
	p.d.t.Helper()
	dir := filepath.Join(p.dir, "thresholds-"+version)
	p.d.must(os.MkdirAll(dir, 0o700))
	p.d.write(filepath.Join(dir, "thresholds.yaml"), []byte(text))
	p.ok("stage", "--repo", p.repo, "--owner", "un", "--kind", "thresholds", "--name", "all", "--generation", version, "--dir", dir, "--key", filepath.Join(p.dir, "posts.key"), "--for", recipient)
	p.sign("un")
}

const goodThresholds = `version: 1
edition: 1
owner: test
biometric:
  verification_fmr: 0.0001
  identification_fpir: 0.0001
  face_alarm_max_list: 500
  face_alarm_min_frames: 3
  max_candidates: 20
  face_frames: 3
  min_face_quality: 20
  capture_tries: 3
`

// feed is what the daemon says of its feed.
func (d *desk) feed() feedapi.State {
	d.t.Helper()
	var s feedapi.State
	d.admin(http.MethodGet, feedapi.Path, &s)
	return s
}

// admin calls the daemon's admin socket, and returns the code it refuses with.
func (d *desk) admin(method, path string, into any) string {
	d.t.Helper()
	c := http.Client{Timeout: commandLimit, Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(d.state, "admin.sock"))
	}}}
	req, err := http.NewRequestWithContext(d.t.Context(), method, "http://post"+path, nil)
	d.must(err)
	res, err := c.Do(req)
	d.must(err)
	defer res.Body.Close()
	var raw bytes.Buffer
	_, err = raw.ReadFrom(res.Body)
	d.must(err)
	if res.StatusCode != http.StatusOK {
		var e struct{ Code string }
		d.must(json.Unmarshal(raw.Bytes(), &e))
		return e.Code
	}
	d.must(json.Unmarshal(raw.Bytes(), into))
	return ""
}

func (d *desk) holdsGeneration(n uint64) bool {
	l := d.feed().Lists
	return len(l) == 1 && l[0].Generation == n && !l[0].Behind
}

// TestFeedEndToEnd goes from no keys at all to a daemon that enforces what two
// have signed, over HTTPS, from a stick and from a neighbouring box; an older
// feed is refused, and a silent one shows.
func TestFeedEndToEnd(t *testing.T) {
	work := t.TempDir()
	p := &publisher{dir: work, repo: filepath.Join(work, "feed")}
	anna, _ := approver(t, work, "anna")
	boris, _ := approver(t, work, "boris")
	_, box := approver(t, work, "box") // another box, played by the test
	boxPin, err := carrier.PinOf(box.Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	// Loopback that nobody else's free ports are of: let go below, it is still free.
	free, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil {
		t.Fatal(err)
	}
	defer free.Close()
	serve := free.Addr().String()
	neighbour, err := wire.Listen("")
	if err != nil {
		t.Fatal(err)
	}
	defer neighbour.Close()
	neighbour.Set(wire.Cut) // nobody is there yet
	if err := os.MkdirAll(p.repo, 0o755); err != nil {
		t.Fatal(err)
	}
	from, err := carrier.OpenFolder(p.repo)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewTLSServer(carrier.Handler(from))
	defer server.Close()
	ca, root := filepath.Join(work, "ca.pem"), filepath.Join(work, "root.json")

	d := newDesk(t, policy.Desk, []account{{"anna", "annas-pin", time.Now().Add(24 * time.Hour)}}, func(c *config.Config) {
		c.Feed = &config.Feed{Root: root, CA: ca, From: []string{server.URL}, Every: policy.Duration(time.Hour),
			Neighbours: []config.Neighbour{{Address: neighbour.Addr(), Pin: string(boxPin)}},
			Serve:      &config.Serve{Listen: serve, To: []string{string(boxPin)}}}
	})
	p.d = d
	d.write(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}))

	// The root is made, the list delegated, two sign, it is published.
	var on struct{ Snapshot, Timestamp string }
	d.must(json.Unmarshal(p.ok("publish", "--keys-only", "--online", filepath.Join(work, "online")), &on))
	p.ok("root", "--repo", p.repo, "--root", anna, "--root", boris, "--snapshot", on.Snapshot, "--timestamp", on.Timestamp)
	p.sign("root")
	p.ok("delegate", "--repo", p.repo, "--owner", "un", "--key", anna, "--key", boris, "--kind", "list", "--kind", "segment", "--kind", "devices", "--kind", "thresholds")
	p.sign("targets")
	raw, err := os.ReadFile(filepath.Join(p.repo, "metadata", "1.root.json"))
	d.must(err)
	d.write(root, raw)
	var made struct {
		Recipient string `json:"recipient"`
	}
	d.must(json.Unmarshal(d.ok("keys", "init", "--unlock", "tpm", "--tpm", d.chip.Address(), "--pin-file", filepath.Join(d.dir, "pin")), &made))
	p.generation("1", made.Recipient)
	stick := filepath.Join(work, "stick")
	p.ok("fetch", "--feed", p.repo, "--root", root, "--out", stick)

	// Into a post that does not run: its files hold it when it starts.
	pin := []string{"--pin-file", filepath.Join(d.dir, "pin")}
	d.ok(append([]string{"list", "apply", "--feed", stick, "--tpm", d.chip.Address()}, pin...)...)
	d.must(free.Close()) // now, so that nobody else is given it meanwhile
	d.run(append(pin, "--provision", d.provision)...)
	d.until("generation 1 is in force", func() bool { return d.holdsGeneration(1) })

	// Over HTTPS, at the next look.
	p.generation("2", made.Recipient)
	p.thresholds("1", goodThresholds, made.Recipient)
	var res feedapi.Result
	if code := d.admin(http.MethodPost, feedapi.Path+"/refresh", &res); code != "" {
		t.Fatalf("refresh: %s", code)
	}
	d.until("generation 2 is in force", func() bool { return d.holdsGeneration(2) })
	if s := d.feed(); len(s.Targets) != 1 || s.Targets[0].Target != "un/thresholds/all" || s.Stale || s.Pin == "" {
		t.Fatalf("%+v", s)
	}
	// What its reader refuses never counts, whoever signed it.
	p.thresholds("2", strings.Replace(goodThresholds, "0.0001", "7", 1), made.Recipient)
	d.admin(http.MethodPost, feedapi.Path+"/refresh", &res)
	if !slices.ContainsFunc(res.Rows, func(r feedapi.Row) bool { return r.Error != nil && r.Error.Code == "policy.rate" }) || d.feed().Targets[0].Version != 1 {
		t.Fatalf("%+v, %+v", res, d.feed())
	}
	p.thresholds("3", goodThresholds, made.Recipient)

	// An older feed, on a stick of before, is refused, and nothing changes.
	d.refused("listfeed.rollback", "list", "apply", "--feed", stick)
	if !d.holdsGeneration(2) {
		t.Fatalf("%+v", d.feed())
	}

	// The link is gone: a newer one comes by the stick, into the running post.
	server.Close()
	p.generation("3", made.Recipient)
	p.ok("fetch", "--feed", p.repo, "--root", root, "--out", stick)
	if out := d.ok("list", "apply", "--feed", stick); !bytes.Contains(out, []byte(`{"target":"un/list/un-sc","version":3}`)) {
		t.Errorf("%s", out)
	}
	d.until("generation 3 is in force", func() bool { return d.holdsGeneration(3) })

	// The box gives to another what it has, which that one checks; a stranger
	// gets nothing.
	ours := carrier.Pin(d.feed().Pin)
	take := func(key ed25519.PrivateKey, pin carrier.Pin) (listfeed.Copied, error) {
		conf, err := carrier.Mutual(key, pin)
		d.must(err)
		c, err := carrier.NewHTTPS("https://"+serve, conf)
		d.must(err)
		defer c.Close()
		return listfeed.Copy(t.Context(), c, listfeed.CopyOptions{Root: raw, To: filepath.Join(work, "taken"), Now: time.Now})
	}
	got, err := take(box, ours)
	d.must(err)
	for _, one := range got.Targets {
		d.must(one.Err)
		if one.Path.Kind == "list" && one.Version != 3 {
			t.Errorf("%+v", one)
		}
	}
	_, stranger := approver(t, work, "stranger")
	if _, err := take(stranger, ours); err == nil {
		t.Error("a stranger was served")
	}

	// The other box gives a newer one to this.
	p.generation("4", made.Recipient)
	taken, err := carrier.OpenFolder(p.repo)
	d.must(err)
	conf, err := carrier.Mutual(box, ours)
	d.must(err)
	there, err := net.Listen("tcp", "127.0.0.1:0")
	d.must(err)
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- carrier.Serve(ctx, there, taken, conf) }()
	neighbour.Aim(there.Addr().String())
	neighbour.Set(wire.Open)
	d.admin(http.MethodPost, feedapi.Path+"/refresh", &res)
	d.until("generation 4 is in force", func() bool { return d.holdsGeneration(4) })
	stop()
	d.must(<-served)

	// A feed that falls silent shows.
	keys, err := repo.LoadOnline(filepath.Join(work, "online"))
	d.must(err)
	r, err := repo.Open(p.repo)
	d.must(err)
	_, err = r.Publish(time.Now(), keys, time.Hour, 20*time.Second)
	d.must(err)
	d.ok("list", "apply", "--feed", p.repo)
	d.until("the feed is called stale", func() bool { return d.feed().Stale })
	d.wantAPI(d.client.SignIn(t.Context(), "anna", "annas-pin"), "")
	system, err := d.client.System(t.Context())
	d.wantAPI(err, "")
	if len(system.Lists) != 1 || !system.Lists[0].Stale {
		t.Errorf("%+v", system.Lists)
	}
}
