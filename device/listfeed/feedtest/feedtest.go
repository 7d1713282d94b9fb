// Package feedtest makes feeds and devices for tests and benches: a repository
// with its root, owners with two approvers each, and devices with keys and
// state of their own. The updater under them is the real one.
package feedtest

import (
	"bytes"
	"context"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/hpke"
	"crypto/rand"
	"crypto/sha256"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed"
	"github.com/watchpost/watchpost/device/listfeed/carrier"
	"github.com/watchpost/watchpost/device/listfeed/repo"
	"github.com/watchpost/watchpost/device/listfeed/target"
	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/device/watchlist/record"
	"github.com/watchpost/watchpost/device/watchlist/store"
)

// Start is the time at which a World begins.
var Start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// Key makes a signing key from a name: always the same.
func Key(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("feedtest " + name))
	return ed25519.NewKeyFromSeed(seed[:])
}

// Public returns the public halves of keys.
func Public(names ...string) []ed25519.PublicKey {
	var out []ed25519.PublicKey
	for _, n := range names {
		out = append(out, Key(n).Public().(ed25519.PublicKey))
	}
	return out
}

// World is a publisher with the owners "un" (lists) and "site" (the rest).
// Approvers are anna and boris, and carla in reserve. It is for one goroutine.
type World struct {
	T    testing.TB
	Repo *repo.Repo
	Ring *vault.Ring
	Keys map[string]*vault.Key // by KeyName
	Now  time.Time
	Root []byte // the first
}

// Lives of metadata in a World.
const (
	OwnerLife     = 30 * 24 * time.Hour
	SnapshotLife  = 7 * 24 * time.Hour
	TimestampLife = 24 * time.Hour
)

// Online are the publisher's keys in a World.
func Online() repo.Online {
	return repo.Online{Snapshot: Key("snapshot"), Timestamp: Key("timestamp")}
}

// RootSpec is the World's root.
func RootSpec(version int64, now time.Time) repo.RootSpec {
	return repo.RootSpec{
		Version: version, Expires: now.AddDate(1, 0, 0), Root: Public("root-1", "root-2", "root-3"), RootThreshold: 2,
		Targets: Public("top-1", "top-2"), TargetsThreshold: 2, Snapshot: Public("snapshot")[0], Timestamp: Public("timestamp")[0],
	}
}

// Owners are the World's delegations.
func Owners() []repo.Owner {
	return []repo.Owner{
		{Name: "un", Keys: Public("anna", "boris", "carla"), Threshold: 2, Paths: []string{"un/list/*", "un/segment/*", "un/devices/*"}},
		{Name: "site", Keys: Public("anna", "boris"), Threshold: 2, Paths: []string{"site/policy/*", "site/accounts/*", "site/trust/*", "site/devices/*",
			"site/anchors/*", "site/crl/*", "site/deviation/*", "site/thresholds/*", "site/models/*"}},
	}
}

// New returns a World with its root and delegations published, in dir.
func New(t testing.TB, dir string) *World {
	t.Helper()
	r, err := repo.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	w := &World{T: t, Repo: r, Ring: vault.NewRing(), Keys: map[string]*vault.Key{}, Now: Start}
	t.Cleanup(w.Ring.Close)
	w.PublishRoot(RootSpec(1, w.Now), "root-1", "root-2")
	w.Delegate(1, Owners()...)
	w.Root, err = r.RootBytes()
	w.Must(err)
	return w
}

// Dir returns a folder that goes with the test: in memory where the system has
// such a place, since syncing to a shared disk is most of the time otherwise,
// and not what is tested.
func Dir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "feedtest-*")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// Must ends the test on an error.
func (w *World) Must(err error) {
	w.T.Helper()
	if err != nil {
		w.T.Fatal(err)
	}
}

// SignStaged signs what is staged of a role with keys by name.
func (w *World) SignStaged(role string, by ...string) {
	w.T.Helper()
	for _, name := range by {
		raw, err := w.Repo.ReadStaged(role)
		w.Must(err)
		raw, err = repo.Sign(raw, Key(name))
		w.Must(err)
		w.Must(w.Repo.Accept(role, raw))
	}
}

// PublishRoot publishes a root.
func (w *World) PublishRoot(s repo.RootSpec, by ...string) {
	w.T.Helper()
	raw, err := repo.Root(s)
	w.Must(err)
	w.Must(w.Repo.StageRaw(metadata.ROOT, raw))
	w.SignStaged(metadata.ROOT, by...)
	w.Publish()
}

// Delegate publishes delegations.
func (w *World) Delegate(version int64, owners ...repo.Owner) {
	w.T.Helper()
	raw, err := repo.Delegations(version, w.Now.Add(OwnerLife), owners...)
	w.Must(err)
	w.Must(w.Repo.StageRaw(metadata.TARGETS, raw))
	w.SignStaged(metadata.TARGETS, "top-1", "top-2")
	w.Publish()
}

// Publish publishes what is staged, and a fresh timestamp.
func (w *World) Publish() {
	w.T.Helper()
	_, err := w.Repo.Publish(w.Now, Online(), SnapshotLife, TimestampLife)
	w.Must(err)
}

// Commit stages entries of an owner, has anna and boris sign, and publishes.
func (w *World) Commit(owner string, entries ...repo.Entry) {
	w.T.Helper()
	w.Must(w.Repo.Stage(owner, w.Now.Add(OwnerLife), entries))
	w.SignStaged(owner, "anna", "boris")
	w.Publish()
}

// Key returns the key of a name and epoch, made at its first use.
func (w *World) Key(k target.KeyName) *vault.Key {
	w.T.Helper()
	if w.Keys[k.String()] == nil {
		key, err := w.Ring.Random()
		w.Must(err)
		w.Keys[k.String()] = key
	}
	return w.Keys[k.String()]
}

// Devices returns the entry of a list of devices.
func (w *World) Devices(owner string, k target.KeyName, to ...*Device) repo.Entry {
	w.T.Helper()
	var r []vault.Recipient
	for _, d := range to {
		r = append(r, d.Keys.public)
	}
	e, err := w.Repo.AddDevices(target.Path{Owner: owner, Kind: target.KindDevices, Name: k.Name}, k.Epoch, w.Key(k), r...)
	w.Must(err)
	return e
}

// Record returns a whole record of a list.
func Record(list, id, document string) *record.Record {
	expires := Start.AddDate(1, 0, 0)
	return &record.Record{
		Schema: record.SchemaVersion, ID: id, Edition: 1, List: list, Owner: "o", LegalBasis: "b", Purpose: "p",
		Handling: record.Handling{Action: record.Refer}, Expires: &expires,
		Documents: []record.Document{{Type: "P", Issuer: "UTO", Number: document, Status: record.DocumentLost}},
	}
}

// Generation builds a generation of records and returns its entry and that of
// its empty index of segments.
func (w *World) Generation(owner string, k target.KeyName, generation uint64, records ...*record.Record) []repo.Entry {
	w.T.Helper()
	dir := filepath.Join(Dir(w.T), "generation")
	b, err := store.Create(dir, w.Ring, w.Key(k), store.Spec{
		List: k.Name, Generation: generation, Owner: "o", LegalBasis: "b", Purpose: "p", Handling: record.Handling{Action: record.Refer},
		Created: w.Now, Expires: w.Now.Add(OwnerLife),
	})
	w.Must(err)
	for _, r := range records {
		w.Must(b.Add(r))
	}
	_, err = b.Finish(context.Background())
	w.Must(err)
	return w.FromFolder(owner, k, generation, dir)
}

// FromFolder publishes a generation's folder.
func (w *World) FromFolder(owner string, k target.KeyName, generation uint64, dir string) []repo.Entry {
	w.T.Helper()
	e := w.Files(target.Path{Owner: owner, Kind: target.KindList, Name: k.Name}, k, generation, dir)
	s, err := w.Repo.NoSegments(target.Path{Owner: owner, Kind: target.KindSegment, Name: k.Name}, generation, k)
	w.Must(err)
	return []repo.Entry{e, s}
}

// Files returns the entry of a target of files.
func (w *World) Files(p target.Path, k target.KeyName, version uint64, dir string) repo.Entry {
	w.T.Helper()
	e, err := w.Repo.AddFiles(context.Background(), w.Ring, w.Key(k), repo.Spec{
		Path: p, Version: version, Created: w.Now, Expires: w.Now.Add(OwnerLife), Key: k,
	}, dir)
	w.Must(err)
	return e
}

// Segment adds changes to a list's index and returns its entry.
func (w *World) Segment(owner string, k target.KeyName, changes ...target.Change) repo.Entry {
	w.T.Helper()
	before, err := w.Repo.Entry(target.Path{Owner: owner, Kind: target.KindSegment, Name: k.Name})
	w.Must(err)
	e, err := w.Repo.AddSegment(before, w.Key(k), w.Now, changes...)
	w.Must(err)
	return e
}

// Bundle returns an owner's bundle.
func (w *World) Bundle(owner string) *listfeed.Bundle {
	w.T.Helper()
	b, err := w.Repo.Bundle(owner)
	w.Must(err)
	return b
}

// DeviceKeys are a device's keys in memory; they are what a vault is to a
// post. It is safe for concurrent use.
type DeviceKeys struct {
	public  vault.Recipient
	private hpke.PrivateKey
	ring    *vault.Ring

	// FailShred is what ShredListKey fails with instead, as where the power goes.
	FailShred error

	mu   sync.Mutex // protects held
	held map[string]*vault.Key
}

// NewKeys returns the keys of a fresh device.
func NewKeys() (*DeviceKeys, error) {
	k, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return nil, fault.Wrap("vault.key", err)
	}
	private, err := hpke.NewDHKEMPrivateKey(k)
	if err != nil {
		return nil, fault.Wrap("vault.key", err)
	}
	return &DeviceKeys{public: k.PublicKey().Bytes(), private: private, ring: vault.NewRing(), held: map[string]*vault.Key{}}, nil
}

// Recipient implements listfeed.Keys.
func (k *DeviceKeys) Recipient() (vault.Recipient, error) { return bytes.Clone(k.public), nil }

// AcceptListKey implements listfeed.Keys as vault.Vault does.
func (k *DeviceKeys) AcceptListKey(name string, wrapped []byte) error {
	info := append(vault.Identity("watchpost/hpke/1", name), byte(vault.ScopeList))
	raw, err := hpke.Open(k.private, hpke.HKDFSHA256(), hpke.AES256GCM(), info, wrapped)
	if err != nil {
		return fault.New("vault.open", "the wrapped key is not for this device")
	}
	key, err := k.ring.Import(raw)
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.held[name] = key
	return nil
}

// ListKey implements listfeed.Keys.
func (k *DeviceKeys) ListKey(name string) (*vault.Key, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if key := k.held[name]; key != nil {
		return key, nil
	}
	return nil, fault.New("vault.no_list_key", "this device holds no key of the list")
}

// ShredListKey implements listfeed.Keys.
func (k *DeviceKeys) ShredListKey(name string) error {
	if k.FailShred != nil {
		return k.FailShred
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.held[name].Destroy()
	delete(k.held, name)
	return nil
}

// Memory is a State in memory: what it holds outlives the updater, as a
// database does. It is safe for concurrent use.
type Memory struct {
	mu   sync.Mutex // protects what follows
	Kept map[string][]byte
	Fail error // of the next Commit
}

// Load implements listfeed.State.
func (m *Memory) Load(context.Context) (map[string][]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.Kept), nil
}

// Commit implements listfeed.State.
func (m *Memory) Commit(_ context.Context, changes map[string][]byte, _ ...audit.Line) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.Fail; err != nil {
		m.Fail = nil
		return err
	}
	if m.Kept == nil {
		m.Kept = map[string][]byte{}
	}
	for name, raw := range changes {
		if raw == nil {
			delete(m.Kept, name)
		} else {
			m.Kept[name] = bytes.Clone(raw)
		}
	}
	return nil
}

// Device is a post's part that takes lists.
type Device struct {
	*listfeed.Updater
	Keys    *DeviceKeys
	State   *Memory
	Dir     string
	Clock   time.Time // set by tests; Now never goes below what was raised
	Counter *Counter  // nil: none
	Check   listfeed.Check
	Free    func(dir string) (uint64, error) // nil: the disk's
	floor   time.Time
}

// Counter is a chip's, in memory.
type Counter struct{ n uint64 }

// Name implements listfeed.Counter.
func (c *Counter) Name() string { return "counter" }

// Read implements listfeed.Counter.
func (c *Counter) Read(context.Context) (uint64, error) { return c.n, nil }

// Raise implements listfeed.Counter.
func (c *Counter) Raise(context.Context) error { c.n++; return nil }

// Device returns a fresh device that knows the World's first root.
func (w *World) Device() *Device {
	w.T.Helper()
	keys, err := NewKeys()
	w.Must(err)
	w.T.Cleanup(keys.ring.Close)
	d := &Device{Keys: keys, State: &Memory{}, Dir: Dir(w.T), Clock: w.Now}
	w.Must(d.Restart(w.Root))
	return d
}

// Copy returns a World and a device that stand where w and d do, and go their own
// ways: making both anew takes longer than most tests of them. w outlives it.
func (w *World) Copy(t testing.TB, d *Device) (*World, *Device) {
	t.Helper()
	dir := filepath.Join(Dir(t), "repo")
	w.Must(os.CopyFS(dir, os.DirFS(w.Repo.Dir())))
	r, err := repo.Open(dir)
	w.Must(err)
	next := &World{T: t, Repo: r, Ring: w.Ring, Keys: maps.Clone(w.Keys), Now: w.Now, Root: w.Root}
	ring := vault.NewRing()
	t.Cleanup(ring.Close)
	keys := &DeviceKeys{public: d.Keys.public, private: d.Keys.private, ring: ring, held: map[string]*vault.Key{}}
	for name := range d.Keys.held {
		wrapped, err := vault.WrapTo(keys.public, w.Keys[name], vault.ScopeList, name)
		w.Must(err)
		w.Must(keys.AcceptListKey(name, wrapped))
	}
	own := &Device{Keys: keys, State: &Memory{Kept: maps.Clone(d.State.Kept)}, Dir: filepath.Join(Dir(t), "device"), Clock: d.Clock, floor: d.floor}
	w.Must(os.CopyFS(own.Dir, os.DirFS(d.Dir)))
	w.Must(own.Restart(w.Root))
	return next, own
}

// Now is the device's clock with its floor.
func (d *Device) Now() time.Time {
	if d.Clock.Before(d.floor) {
		return d.floor
	}
	return d.Clock
}

// Restart opens the device anew from what it kept.
func (d *Device) Restart(root []byte) error {
	o := listfeed.Options{
		Dir: d.Dir, State: d.State, Keys: d.Keys, Root: root, Now: d.Now, Site: "post-1", Check: d.Check, Free: d.Free,
		Raise: func(t time.Time) {
			if t.After(d.floor) {
				d.floor = t
			}
		},
	}
	if d.Counter != nil {
		o.Counter = d.Counter
	}
	u, err := listfeed.Open(context.Background(), o)
	d.Updater = u
	return err
}

// Folder carries a repository's folder until the test ends.
func Folder(t testing.TB, dir string) *carrier.Folder {
	t.Helper()
	f, err := carrier.OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}
