package passkey

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/officer"
)

const origin = "https://localhost:8443"

// memory is a store of passkeys for tests of the ceremonies.
type memory struct {
	kept  map[string][]byte
	lines []audit.Line
}

func (m *memory) Passkeys(officer string) ([]byte, error) { return m.kept[officer], nil }
func (m *memory) SetPasskeys(officer string, raw []byte, line audit.Line) error {
	m.kept[officer], m.lines = raw, append(m.lines, line)
	return nil
}

type bench struct {
	t        *testing.T
	keys     *Keys
	store    *memory
	now      time.Time
	accounts officer.Accounts
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, store: &memory{kept: map[string][]byte{}}, now: time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)}
	for _, id := range []string{"o1", "o2"} {
		b.accounts.Accounts = append(b.accounts.Accounts, officer.Account{ID: id, Name: "Name", Roles: []officer.Role{officer.Officer}, Expires: b.now.Add(time.Hour)})
	}
	var err error
	b.keys, err = New(Site{"localhost", origin}, b.store, func() *officer.Accounts { return &b.accounts }, func() time.Time { return b.now })
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) account(id string) *officer.Account {
	for i := range b.accounts.Accounts {
		if b.accounts.Accounts[i].ID == id {
			return &b.accounts.Accounts[i]
		}
	}
	b.t.Fatalf("no account %s", id)
	return nil
}

// authenticator is a software passkey (WebAuthn Level 3, section 6), with
// fields that a test may bend.
type authenticator struct {
	t      *testing.T
	key    *ecdsa.PrivateKey
	id     []byte
	handle []byte
	count  uint32
	flags  byte // of the next answer beside AT
	origin string
	host   string
}

// Flags of authenticator data (section 6.1).
const (
	userPresent  = 0x01
	userVerified = 0x04
	attested     = 0x40
)

func newAuthenticator(t *testing.T) *authenticator {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	id := make([]byte, 16)
	rand.Read(id)
	return &authenticator{t: t, key: key, id: id, flags: userPresent | userVerified, origin: origin, host: "localhost"}
}

func (a *authenticator) clientData(kind, challenge string) []byte {
	return a.json(map[string]any{"type": kind, "challenge": challenge, "origin": a.origin, "crossOrigin": false})
}

func (a *authenticator) json(v any) []byte {
	a.t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		a.t.Fatal(err)
	}
	return raw
}

func (a *authenticator) data(flags byte) []byte {
	a.count++
	hash := sha256.Sum256([]byte(a.host))
	return binary.BigEndian.AppendUint32(append(hash[:], flags), a.count)
}

// create answers a registration.
func (a *authenticator) create(c Creation) []byte {
	a.t.Helper()
	a.handle, _ = base64.RawURLEncoding.DecodeString(userID(a.t, c))
	point, err := a.key.PublicKey.Bytes()
	if err != nil {
		a.t.Fatal(err)
	}
	public, err := cbor.Marshal(map[int]any{1: 2, 3: -7, -1: 1, -2: point[1:33], -3: point[33:]}) // COSE EC2 key, ES256
	if err != nil {
		a.t.Fatal(err)
	}
	data := append(a.data(a.flags|attested), make([]byte, 16)...) // AAGUID zero
	data = binary.BigEndian.AppendUint16(data, uint16(len(a.id)))
	data = append(append(data, a.id...), public...)
	object, err := cbor.Marshal(map[string]any{"fmt": "none", "attStmt": map[string]any{}, "authData": data})
	if err != nil {
		a.t.Fatal(err)
	}
	return a.json(map[string]any{
		"id": encode(a.id), "rawId": encode(a.id), "type": "public-key",
		"response": map[string]any{"clientDataJSON": encode(a.clientData("webauthn.create", c.Ceremony)), "attestationObject": encode(object)},
	})
}

// userID reads the handle out of the options as a browser does.
func userID(t *testing.T, c Creation) string {
	t.Helper()
	raw, err := json.Marshal(c.Options)
	if err != nil {
		t.Fatal(err)
	}
	var o struct {
		Challenge string
		User      struct{ ID string }
	}
	if err := json.Unmarshal(raw, &o); err != nil {
		t.Fatal(err)
	}
	if o.Challenge != c.Ceremony {
		t.Fatalf("the options name challenge %s, the ceremony %s", o.Challenge, c.Ceremony)
	}
	return o.User.ID
}

// get answers a sign-in.
func (a *authenticator) get(r Request) []byte {
	a.t.Helper()
	data, client := a.data(a.flags), a.clientData("webauthn.get", r.Ceremony)
	hash := sha256.Sum256(client)
	digest := sha256.Sum256(append(append([]byte{}, data...), hash[:]...))
	signature, err := ecdsa.SignASN1(rand.Reader, a.key, digest[:])
	if err != nil {
		a.t.Fatal(err)
	}
	return a.json(map[string]any{
		"id": encode(a.id), "rawId": encode(a.id), "type": "public-key",
		"response": map[string]any{
			"clientDataJSON": encode(client), "authenticatorData": encode(data), "signature": encode(signature), "userHandle": encode(a.handle),
		},
	})
}

// register adds a's passkey to an account.
func (b *bench) register(a *authenticator, id string) (Passkey, error) {
	b.t.Helper()
	c, err := b.keys.BeginRegistration(b.account(id))
	if err != nil {
		b.t.Fatal(err)
	}
	return b.keys.Register(b.account(id), c.Ceremony, "a key", a.create(c))
}

func (b *bench) signIn(a *authenticator) (*officer.Account, error) {
	b.t.Helper()
	r, err := b.keys.BeginSignIn()
	if err != nil {
		b.t.Fatal(err)
	}
	return b.keys.SignIn(r.Ceremony, a.get(r))
}

func TestOfficerSignsInWithAPasskey(t *testing.T) {
	b := newBench(t)
	a := newAuthenticator(t)
	made, err := b.register(a, "o1")
	if err != nil || made.Name != "a key" {
		t.Fatal(err)
	}
	if strings.Contains(string(a.handle), "o1") {
		t.Error("the authenticator is told the officer's id")
	}
	for range 3 {
		who, err := b.signIn(a)
		if err != nil || who.ID != "o1" {
			t.Fatalf("signed in as %v: %v", who, err)
		}
	}
	list, err := b.keys.List(b.account("o1"))
	if err != nil || len(list) != 1 || list[0].Used.IsZero() {
		t.Errorf("%+v %v", list, err)
	}
	if list, _ := b.keys.List(b.account("o2")); len(list) != 0 {
		t.Error("another officer has it as well")
	}
	if err := b.keys.Remove(b.account("o2"), made.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("removed by another: %v", err)
	}
	if err := b.keys.Remove(b.account("o1"), made.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := b.signIn(a); err == nil {
		t.Error("a removed passkey signs in")
	}
	if len(b.store.lines) != 5 { // added, three times used, removed
		t.Errorf("%d audit lines", len(b.store.lines))
	}
}

func TestSignInIsRefused(t *testing.T) {
	for name, bend := range map[string]func(*bench, *authenticator){
		"another site":        func(_ *bench, a *authenticator) { a.origin = "https://elsewhere.example" },
		"another port":        func(_ *bench, a *authenticator) { a.origin = "https://localhost:9443" },
		"another host":        func(_ *bench, a *authenticator) { a.host = "elsewhere.example" },
		"nobody verified":     func(_ *bench, a *authenticator) { a.flags = userPresent },
		"nobody there":        func(_ *bench, a *authenticator) { a.flags = userVerified },
		"another key":         func(_ *bench, a *authenticator) { a.key = newAuthenticator(a.t).key },
		"another credential":  func(_ *bench, a *authenticator) { a.id = newAuthenticator(a.t).id },
		"another officer":     func(_ *bench, a *authenticator) { a.handle = handle("o2") },
		"an unknown officer":  func(_ *bench, a *authenticator) { a.handle = handle("o3") },
		"a copied key":        func(_ *bench, a *authenticator) { a.count = 0 },
		"an officer who left": func(b *bench, _ *authenticator) { b.accounts.Accounts = b.accounts.Accounts[1:] },
		"an account run out":  func(b *bench, _ *authenticator) { b.now = b.now.Add(time.Hour) },
	} {
		b := newBench(t)
		a := newAuthenticator(t)
		if _, err := b.register(a, "o1"); err != nil {
			t.Fatal(err)
		}
		if _, err := b.signIn(a); err != nil {
			t.Fatal(err)
		}
		bend(b, a)
		if who, err := b.signIn(a); err == nil {
			t.Errorf("%s: signed in as %s", name, who.ID)
		} else if !errors.Is(err, officer.ErrExpired) && !strings.HasPrefix(err.Error(), string(ErrRefused.Code)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRegistrationIsRefused(t *testing.T) {
	for name, bend := range map[string]func(*authenticator){
		"another site":    func(a *authenticator) { a.origin = "https://elsewhere.example" },
		"another host":    func(a *authenticator) { a.host = "elsewhere.example" },
		"nobody verified": func(a *authenticator) { a.flags = userPresent },
	} {
		b := newBench(t)
		a := newAuthenticator(t)
		bend(a)
		if _, err := b.register(a, "o1"); err == nil {
			t.Errorf("%s: registered", name)
		}
		if len(b.store.kept) != 0 {
			t.Errorf("%s: something was kept", name)
		}
	}
	b := newBench(t)
	a := newAuthenticator(t)
	if _, err := b.register(a, "o1"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.register(a, "o1"); err == nil {
		t.Error("the same passkey twice")
	}
	for range perOfficer - 1 {
		if _, err := b.register(newAuthenticator(t), "o1"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.keys.BeginRegistration(b.account("o1")); !errors.Is(err, ErrLimit) {
		t.Errorf("one too many: %v", err)
	}
}

func TestCeremoniesAreForOnce(t *testing.T) {
	b := newBench(t)
	a := newAuthenticator(t)
	if _, err := b.register(a, "o1"); err != nil {
		t.Fatal(err)
	}
	r, err := b.keys.BeginSignIn()
	if err != nil {
		t.Fatal(err)
	}
	answer := a.get(r)
	if _, err := b.keys.SignIn(r.Ceremony, answer); err != nil {
		t.Fatal(err)
	}
	if _, err := b.keys.SignIn(r.Ceremony, answer); !errors.Is(err, ErrCeremony) {
		t.Errorf("the same answer again: %v", err)
	}
	if _, err := b.keys.SignIn("", nil); !errors.Is(err, ErrCeremony) {
		t.Errorf("no ceremony: %v", err)
	}
	if r, err = b.keys.BeginSignIn(); err != nil {
		t.Fatal(err)
	}
	b.now = b.now.Add(ceremonyLife)
	if _, err := b.keys.SignIn(r.Ceremony, a.get(r)); !errors.Is(err, ErrCeremony) {
		t.Errorf("too late: %v", err)
	}
	c, err := b.keys.BeginRegistration(b.account("o1"))
	if err != nil {
		t.Fatal(err)
	}
	other := newAuthenticator(t)
	if _, err := b.keys.Register(b.account("o2"), c.Ceremony, "x", other.create(c)); !errors.Is(err, ErrCeremony) {
		t.Errorf("another officer's ceremony: %v", err)
	}
	if _, err := b.keys.SignIn(c.Ceremony, other.get(Request{Ceremony: c.Ceremony})); !errors.Is(err, ErrCeremony) {
		t.Errorf("a registration as a sign-in: %v", err)
	}
	for range ceremoniesHeld * 2 {
		if _, err := b.keys.BeginSignIn(); err != nil {
			t.Fatal(err)
		}
	}
	if len(b.keys.ceremonies) > ceremoniesHeld {
		t.Errorf("%d ceremonies are held", len(b.keys.ceremonies))
	}
}

func FuzzSignIn(f *testing.F) {
	for _, seed := range []string{"", "{}", `{"id":"AA","rawId":"AA","type":"public-key","response":{"clientDataJSON":"e30","authenticatorData":"AA","signature":"AA","userHandle":"AA"}}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		b := newBench(t)
		r, err := b.keys.BeginSignIn()
		if err != nil {
			t.Fatal(err)
		}
		if who, err := b.keys.SignIn(r.Ceremony, answer); err == nil {
			t.Fatalf("signed in as %s", who.ID)
		}
	})
}
