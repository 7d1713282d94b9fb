package demo

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/watchpost/watchpost/device/biometric/template"
	"github.com/watchpost/watchpost/device/capture"
	"github.com/watchpost/watchpost/device/config"
	"github.com/watchpost/watchpost/device/document/trust"
	"github.com/watchpost/watchpost/device/encounter/policy"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/officer"
	"github.com/watchpost/watchpost/device/provision"
	"github.com/watchpost/watchpost/device/uplink"
	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/device/watchlist/photograph"
	"github.com/watchpost/watchpost/device/watchlist/record"
	"github.com/watchpost/watchpost/device/watchlist/store"
	"github.com/watchpost/watchpost/hwtest/gen/lists"
	"github.com/watchpost/watchpost/hwtest/gen/pki"
	"github.com/watchpost/watchpost/hwtest/gen/prints"
	"github.com/watchpost/watchpost/sdk/client"
)

// Sizes of the demonstration's list beside the real entries.
const (
	SyntheticFaces     = 100_000
	SyntheticDocuments = 1_000_000
	documentsPerRecord = 100 // one record of lost documents holds so many
)

// Names within the demonstration.
const (
	site       = "demo-desk"
	listName   = "demo-persons"
	listOwner  = "Demonstration Authority"
	officerID  = "demo-officer"
	secondID   = "demo-supervisor"
	thirdID    = "demo-colleague"
	cameraID   = "face"
	listSeed   = 20_261_121
	recordMan  = "DEMO-0001"
	Purpose    = "reception_registration"
	hourOfList = -time.Hour
)

// World is everything that the post of the demonstration is given: keys of a
// bench that are made anew each time, a list, anchors, policy and accounts.
type World struct {
	Dir        string // of all that follows
	State      string // folder of the post
	Camera     string // folder that stands for the camera
	Config     string // file, of the daemon
	Capture    string // file, of the devices role
	Provision  string // folder signed by two
	Passphrase string // file
	Password   string // of the officer
	Second     string // password of the supervisor
	Third      string // password of another officer
	URL        string // of the page, "" where it is not served
	home       *pki.Issuer
	logLevel   string
}

// signedIn is a client of the daemon with a session of its own.
func (w *World) signedIn(ctx context.Context) (*client.Client, error) {
	c := client.NewSocket(filepath.Join(w.State, "admin.sock"))
	return c, w.SignIn(ctx, c)
}

// SignIn opens a session of the one officer.
func (w *World) SignIn(ctx context.Context, c *client.Client) error {
	return c.SignIn(ctx, officerID, w.Password)
}

// newWorld makes the files of the demonstration below dir.
func newWorld(ctx context.Context, dir string, o Options, faces *capture.DecodeClient) (*World, error) {
	w := &World{
		Dir: dir, State: filepath.Join(dir, "state"), Camera: filepath.Join(dir, "camera"),
		Config: filepath.Join(dir, "post.yaml"), Capture: filepath.Join(dir, "capture.yaml"),
		Provision: filepath.Join(dir, "provision"), Passphrase: filepath.Join(dir, "passphrase"),
		Password: rand.Text(), Second: rand.Text(), Third: rand.Text(), logLevel: o.LogLevel,
	}
	for _, d := range []string{w.State, w.Camera, filepath.Dir(w.FingerSocket())} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, fmt.Errorf("make the demonstration's folders: %w", err)
		}
	}
	secret := rand.Text()
	if err := os.WriteFile(w.Passphrase, []byte(secret+"\n"), 0o600); err != nil {
		return nil, fmt.Errorf("write the passphrase: %w", err)
	}
	v, err := vault.Create(ctx, filepath.Join(w.State, "vault.json"), vault.Passphrase(secret))
	if err != nil {
		return nil, err
	}
	defer v.Lock()
	recipient, err := v.Recipient()
	if err != nil {
		return nil, err
	}
	if o.Central != nil {
		if err := o.Central.register(ctx, w.State, v); err != nil {
			return nil, err
		}
	}
	files := filepath.Join(w.Provision, provision.FilesName)
	if err := w.anchors(ctx, filepath.Join(files, "trust")); err != nil {
		return nil, err
	}
	if err := w.list(ctx, files, recipient, o, faces); err != nil {
		return nil, err
	}
	if err := w.rules(files, o); err != nil {
		return nil, err
	}
	return w, w.sign(o)
}

// anchors fills a store with the CSCA of the demonstration's home country.
func (w *World) anchors(ctx context.Context, dir string) error {
	var err error
	if w.home, err = pki.New(HomeIssuer()); err != nil {
		return err
	}
	im, err := trust.NewImporter(ctx, dir, nil)
	if err != nil {
		return err
	}
	defer im.Close()
	if _, err := im.Import("csca.der", w.home.CSCA.DER); err != nil {
		return err
	}
	crl, err := w.home.CRL(time.Now().Add(-24 * time.Hour))
	if err != nil {
		return err
	}
	if _, err := im.Import("csca.crl", crl); err != nil {
		return err
	}
	return im.Commit()
}

// list builds the sealed generation and wraps its key for the post.
func (w *World) list(ctx context.Context, files string, to vault.Recipient, o Options, faces *capture.DecodeClient) error {
	var templates []template.Face
	var photo []byte // of the man, as "list build" makes it
	for _, name := range []string{listPhotograph, Astronaut.file} {
		raw, err := os.ReadFile(filepath.Join(o.Portraits, name))
		if err != nil {
			return fault.New("portraits.missing", "%w", err).WithHint("make deps fetches the portraits")
		}
		found, err := faces.FaceTemplate(ctx, raw, 0)
		if err != nil {
			return fmt.Errorf("template of %s: %w", name, err)
		}
		templates = append(templates, found.Template)
		if name == listPhotograph {
			pix, size, err := Portraits{o.Portraits}.listPhoto()
			if err != nil {
				return err
			}
			if photo, err = photograph.Encode(pix, size.X, size.Y); err != nil {
				return fmt.Errorf("make %s small: %w", name, err)
			}
		}
	}
	ring := vault.NewRing()
	defer ring.Close()
	key, err := ring.Random()
	if err != nil {
		return err
	}
	now := time.Now().UTC()
	if err := os.MkdirAll(filepath.Join(files, "lists"), 0o700); err != nil {
		return fmt.Errorf("make the list's folder: %w", err)
	}
	b, err := store.Create(filepath.Join(files, "lists", listName), ring, key, store.Spec{
		List: listName, Generation: 1, Owner: listOwner, LegalBasis: "Demonstration Act, section 1", Purpose: Purpose,
		Handling: record.Handling{Action: record.Refer, Confirm: true, Contact: "duty desk"},
		Created:  now.Add(hourOfList), Expires: now.Add(30 * 24 * time.Hour),
	})
	if err != nil {
		return err
	}
	defer b.Abort()
	// The man is listed under another name than his passport says; only his
	// photograph is on the list.
	if err := b.Add(&record.Record{
		Schema: record.SchemaVersion, ID: recordMan, Edition: 1,
		Names: []record.Name{{Primary: "SAMPLE", Secondary: "LISTED", Script: "Latn", Kind: record.NameAlias, Quality: record.NameGood}},
		Faces: []record.Face{{Model: templates[0].Model, Version: templates[0].Version, Vector: templates[0].Vector[:], Images: 1}},

		Photographs: []record.Photograph{{Image: photo}},
	}); err != nil {
		return err
	}
	fingers, err := fingerRecord(o.person())
	if err != nil {
		return err
	}
	if err := b.Add(fingers); err != nil {
		return err
	}
	crowd, err := lists.NewFaces(templates, listSeed)
	if err != nil {
		return err
	}
	if err := b.AddAll(ctx, synthetic(crowd, o.Faces, o.Documents)); err != nil {
		return err
	}
	if _, err := b.Finish(ctx); err != nil {
		return err
	}
	wrapped, err := vault.WrapTo(to, key, vault.ScopeList, listName)
	if err != nil {
		return err
	}
	keys := filepath.Join(files, "keys", listName)
	if err := os.MkdirAll(keys, 0o700); err != nil {
		return fmt.Errorf("make the folder of keys: %w", err)
	}
	return os.WriteFile(filepath.Join(keys, to.ID()), wrapped, 0o600)
}

// synthetic yields the labelled crowd: persons with a face, and records of
// lost documents.
func synthetic(crowd *lists.Faces, faces, documents int) iter.Seq2[*record.Record, error] {
	return func(yield func(*record.Record, error) bool) {
		for i := range faces {
			f := crowd.Next()
			r := &record.Record{
				Schema: record.SchemaVersion, ID: fmt.Sprintf("SYNTHETIC-FACE-%06d", i), Edition: 1,
				Names: []record.Name{{Full: fmt.Sprintf("SYNTHETIC %06d", i), Script: "Latn", Kind: record.NamePrimary, Quality: record.NameGood}},
				Faces: []record.Face{{Model: f.Model, Version: f.Version, Vector: f.Vector[:], Images: 1}},
			}
			if !yield(r, nil) {
				return
			}
		}
		for i := range documents / documentsPerRecord {
			r := &record.Record{Schema: record.SchemaVersion, ID: fmt.Sprintf("SYNTHETIC-DOCUMENTS-%05d", i), Edition: 1}
			for k := range documentsPerRecord {
				n := lists.DocumentNumber(listSeed, uint64(i*documentsPerRecord+k))
				r.Documents = append(r.Documents, record.Document{Type: "P", Issuer: "UTO", Number: n, Status: record.DocumentLost})
			}
			if !yield(r, nil) {
				return
			}
		}
	}
}

// rules writes policy and accounts.
func (w *World) rules(files string, o Options) error {
	p := policy.Default(policy.Desk)
	p.Owner = "demonstration"
	p.Officers.SearchesPerHour = 0 // twenty runs of seven encounters in a row
	if o.Central != nil {
		p.Search.Required = append(p.Search.Required, uplink.Name)
	}
	if o.SecondOfficer {
		p.Officers.SecondOfficer = []policy.Act{policy.ActConfirmCandidate, policy.ActOverride}
	}
	if o.AnswerWithin != 0 {
		p.Deadlines.Answer = policy.Duration(o.AnswerWithin)
	}
	if o.Presentation != "" {
		p.Presentation = &policy.Presentation{Mode: policy.PresentationMode(o.Presentation)}
	}
	raw, err := policy.Encode(p)
	if err != nil {
		return err
	}
	if _, err := policy.Decode(raw); err != nil { // a mode of the caller may be none
		return err
	}
	if err := os.WriteFile(filepath.Join(files, "policy.yaml"), raw, 0o600); err != nil {
		return fmt.Errorf("write the policy: %w", err)
	}
	tomorrow := time.Now().Add(24 * time.Hour)
	accounts, err := json.Marshal(officer.Accounts{Version: officer.Version, Edition: 1, Accounts: []officer.Account{
		{ID: officerID, Name: "Demonstration Officer", Roles: append([]officer.Role{officer.Officer}, o.Roles...), Password: officer.HashPassword(w.Password), Expires: tomorrow},
		{ID: thirdID, Name: "Demonstration Colleague", Roles: []officer.Role{officer.Officer}, Password: officer.HashPassword(w.Third), Expires: tomorrow},
		{ID: secondID, Name: "Demonstration Supervisor", Roles: []officer.Role{officer.Supervisor, officer.Auditor}, Password: officer.HashPassword(w.Second), Expires: tomorrow},
	}})
	if err != nil {
		return fmt.Errorf("encode the accounts: %w", err)
	}
	if err := os.WriteFile(filepath.Join(files, "accounts.json"), accounts, 0o600); err != nil {
		return fmt.Errorf("write the accounts: %w", err)
	}
	return nil
}

// sign has two owners with bench keys sign the folder, and writes the
// configurations that name them.
func (w *World) sign(o Options) error {
	now := time.Now().UTC()
	if _, err := provision.Publish(w.Provision, provision.Header{Site: site, Version: 1, Created: now.Add(-time.Minute), Expires: now.Add(24 * time.Hour)}, provision.KindOf); err != nil {
		return err
	}
	cfg := config.Default(policy.Desk)
	cfg.Post, cfg.State = site, w.State
	cfg.HTTP.Listen, cfg.Metrics.Listen = o.Listen, o.Metrics
	if o.Listen != "" {
		_, port, err := net.SplitHostPort(o.Listen)
		if err != nil {
			return fault.New("demo.listen", "%w", err).WithHint("give the page's address as HOST:PORT")
		}
		w.URL = "https://localhost:" + port + "/"
	}
	cfg.Log.Level = w.logLevel
	if o.Central != nil {
		cfg.Central = o.Central.config()
	}
	cfg.Capture.Camera, cfg.Capture.Reader, cfg.Capture.Virtual = cameraID, o.Reader, true
	for _, id := range []string{"bench-ministry", "bench-authority"} {
		public, private, err := ed25519.GenerateKey(nil)
		if err != nil {
			return fmt.Errorf("make a bench key: %w", err)
		}
		if err := provision.Sign(w.Provision, id, private); err != nil {
			return err
		}
		cfg.Owners = append(cfg.Owners, config.Owner{ID: id, PublicKey: base64.StdEncoding.EncodeToString(public)})
	}
	raw, err := config.Encode(cfg)
	if err != nil {
		return err
	}
	if err := os.WriteFile(w.Config, raw, 0o600); err != nil {
		return fmt.Errorf("write the configuration: %w", err)
	}
	devices := fmt.Sprintf("cameras:\n  - id: %s\n    kind: images\n    path: %s\n    fps: 30\n    loop: true\nfingers:\n  - id: %s\n    driver: virtual_image\n    dpi: %d\n    slaps: true\n    socket: %s\n",
		cameraID, w.Camera, sensorID, prints.DPI, w.FingerSocket())
	if err := os.WriteFile(w.Capture, []byte(devices), 0o600); err != nil {
		return fmt.Errorf("write the capture configuration: %w", err)
	}
	return nil
}

// Show puts a person before the camera: first the new pictures, then the old
// ones go, so that the folder is never empty and the camera notices.
func (w *World) Show(scene string) error {
	old, err := filepath.Glob(filepath.Join(w.Camera, "*.jpg"))
	if err != nil {
		return fmt.Errorf("list the camera's pictures: %w", err)
	}
	frames, err := filepath.Glob(filepath.Join(scene, "*.jpg"))
	if err != nil || len(frames) == 0 {
		return fmt.Errorf("scene %s has no frames: %w", scene, err)
	}
	now := make(map[string]bool)
	for _, f := range frames {
		name := filepath.Join(w.Camera, filepath.Base(scene)+"-"+filepath.Base(f))
		now[name] = true
		if err := os.Link(f, name); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("show a person: %w", err)
		}
	}
	for _, f := range old {
		if now[f] {
			continue
		}
		if err := os.Remove(f); err != nil {
			return fmt.Errorf("clear the camera: %w", err)
		}
	}
	return nil
}
