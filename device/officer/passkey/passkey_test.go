package passkey

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-webauthn/webauthn/protocol"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/officer"
	"github.com/watchpost/watchpost/hwtest/authenticator"
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

func newKey(t *testing.T) *authenticator.Key {
	t.Helper()
	k, err := authenticator.New("localhost", origin)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// create answers a registration, whose options have to name the ceremony.
func (b *bench) create(k *authenticator.Key, c Creation) []byte {
	b.t.Helper()
	if c.Options.Challenge.String() != c.Ceremony {
		b.t.Fatalf("the options name challenge %s, the ceremony %s", c.Options.Challenge, c.Ceremony)
	}
	return b.answer(k.Create, c.Options)
}

// get answers a sign-in.
func (b *bench) get(k *authenticator.Key, r Request) []byte {
	b.t.Helper()
	return b.answer(k.Get, r.Options)
}

func (b *bench) answer(by func([]byte) ([]byte, error), options any) []byte {
	b.t.Helper()
	raw, err := json.Marshal(options)
	if err != nil {
		b.t.Fatal(err)
	}
	answer, err := by(raw)
	if err != nil {
		b.t.Fatal(err)
	}
	return answer
}

// register adds a's passkey to an account.
func (b *bench) register(a *authenticator.Key, id string) (Passkey, error) {
	b.t.Helper()
	c, err := b.keys.BeginRegistration(b.account(id))
	if err != nil {
		b.t.Fatal(err)
	}
	return b.keys.Register(b.account(id), c.Ceremony, "a key", b.create(a, c))
}

func (b *bench) signIn(a *authenticator.Key) (*officer.Account, error) {
	b.t.Helper()
	r, err := b.keys.BeginSignIn()
	if err != nil {
		b.t.Fatal(err)
	}
	return b.keys.SignIn(r.Ceremony, b.get(a, r))
}

func TestOfficerSignsInWithAPasskey(t *testing.T) {
	b := newBench(t)
	a := newKey(t)
	made, err := b.register(a, "o1")
	if err != nil || made.Name != "a key" {
		t.Fatal(err)
	}
	if strings.Contains(string(a.Handle), "o1") {
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
	for name, bend := range map[string]func(*bench, *authenticator.Key){
		"another site":        func(_ *bench, a *authenticator.Key) { a.Origin = "https://elsewhere.example" },
		"another port":        func(_ *bench, a *authenticator.Key) { a.Origin = "https://localhost:9443" },
		"another host":        func(_ *bench, a *authenticator.Key) { a.Host = "elsewhere.example" },
		"nobody verified":     func(_ *bench, a *authenticator.Key) { a.Flags = authenticator.UserPresent },
		"nobody there":        func(_ *bench, a *authenticator.Key) { a.Flags = authenticator.UserVerified },
		"another key":         func(b *bench, a *authenticator.Key) { a.Private = newKey(b.t).Private },
		"another credential":  func(b *bench, a *authenticator.Key) { a.ID = newKey(b.t).ID },
		"another officer":     func(_ *bench, a *authenticator.Key) { a.Handle = handle("o2") },
		"an unknown officer":  func(_ *bench, a *authenticator.Key) { a.Handle = handle("o3") },
		"a copied key":        func(_ *bench, a *authenticator.Key) { a.Count = 0 },
		"an officer who left": func(b *bench, _ *authenticator.Key) { b.accounts.Accounts = b.accounts.Accounts[1:] },
		"an account run out":  func(b *bench, _ *authenticator.Key) { b.now = b.now.Add(time.Hour) },
	} {
		b := newBench(t)
		a := newKey(t)
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
	for name, bend := range map[string]func(*authenticator.Key){
		"another site":    func(a *authenticator.Key) { a.Origin = "https://elsewhere.example" },
		"another host":    func(a *authenticator.Key) { a.Host = "elsewhere.example" },
		"nobody verified": func(a *authenticator.Key) { a.Flags = authenticator.UserPresent },
	} {
		b := newBench(t)
		a := newKey(t)
		bend(a)
		if _, err := b.register(a, "o1"); err == nil {
			t.Errorf("%s: registered", name)
		}
		if len(b.store.kept) != 0 {
			t.Errorf("%s: something was kept", name)
		}
	}
	b := newBench(t)
	a := newKey(t)
	if _, err := b.register(a, "o1"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.register(a, "o1"); err == nil {
		t.Error("the same passkey twice")
	}
	for range perOfficer - 1 {
		if _, err := b.register(newKey(t), "o1"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.keys.BeginRegistration(b.account("o1")); !errors.Is(err, ErrLimit) {
		t.Errorf("one too many: %v", err)
	}
}

func TestCeremoniesAreForOnce(t *testing.T) {
	b := newBench(t)
	a := newKey(t)
	if _, err := b.register(a, "o1"); err != nil {
		t.Fatal(err)
	}
	r, err := b.keys.BeginSignIn()
	if err != nil {
		t.Fatal(err)
	}
	answer := b.get(a, r)
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
	if _, err := b.keys.SignIn(r.Ceremony, b.get(a, r)); !errors.Is(err, ErrCeremony) {
		t.Errorf("too late: %v", err)
	}
	c, err := b.keys.BeginRegistration(b.account("o1"))
	if err != nil {
		t.Fatal(err)
	}
	other := newKey(t)
	if _, err := b.keys.Register(b.account("o2"), c.Ceremony, "x", b.create(other, c)); !errors.Is(err, ErrCeremony) {
		t.Errorf("another officer's ceremony: %v", err)
	}
	if _, err := b.keys.SignIn(c.Ceremony, b.get(other, Request{Ceremony: c.Ceremony, Options: protocol.PublicKeyCredentialRequestOptions{Challenge: c.Options.Challenge}})); !errors.Is(err, ErrCeremony) {
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
