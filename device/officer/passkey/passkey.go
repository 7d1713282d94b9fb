// Package passkey lets officers sign in with a hardware key or a platform's
// passkey (W3C Web Authentication, Level 3) instead of typing a password.
//
// A passkey is added by an officer who has signed in; it opens the account of
// the signed accounts file and nothing else, so that one who has left loses it
// with the account. Public keys lie in post.db; ceremonies under way live in
// memory.
package passkey

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/officer"
)

// Limits.
const (
	perOfficer     = 8               // passkeys of one officer
	ceremonyLife   = 5 * time.Minute // WebAuthn Level 3, 15.1: the upper end of what is recommended with user verification
	ceremoniesHeld = 256
	nameLimit      = 64 // runes
)

// Errors.
var (
	ErrRefused  = &fault.Error{Code: "passkey.refused", Hint: "use another passkey, or sign in with the password"}
	ErrCeremony = &fault.Error{Code: "passkey.ceremony", Hint: "this took too long or was used before: start again"}
	ErrLimit    = &fault.Error{Code: "passkey.limit", Hint: "remove a passkey first"}
	ErrNotFound = &fault.Error{Code: "passkey.not_found"}
)

// Site is the page that passkeys are made for.
type Site struct {
	Host   string // relying party id: the page's host name, never an address
	Origin string // "https://host:port"
}

// Store keeps the passkeys of officers.
type Store interface {
	// Passkeys returns what was kept for an officer, nil if nothing was.
	Passkeys(officer string) ([]byte, error)
	// SetPasskeys keeps raw for an officer together with its audit line.
	SetPasskeys(officer string, raw []byte, line audit.Line) error
}

// Passkey is one passkey of an officer.
type Passkey struct {
	ID    string    `json:"id"` // of the credential, base64url
	Name  string    `json:"name"`
	Added time.Time `json:"added"`
	Used  time.Time `json:"used,omitzero"`
}

// kept is a passkey as it lies in the store.
type kept struct {
	Passkey
	Credential webauthn.Credential `json:"credential"`
}

// ceremony is one exchange with an authenticator that has begun.
type ceremony struct {
	session webauthn.SessionData
	officer string // who registers; "" while signing in
	begun   time.Time
}

// Keys are the passkeys of a post. It is safe for concurrent use.
type Keys struct {
	site     *webauthn.WebAuthn
	store    Store
	accounts func() *officer.Accounts
	now      func() time.Time

	mu         sync.Mutex // protects ceremonies, and one change of the store at a time
	ceremonies map[string]ceremony
}

// New returns the passkeys of a site.
func New(site Site, store Store, accounts func() *officer.Accounts, now func() time.Time) (*Keys, error) {
	w, err := webauthn.New(&webauthn.Config{
		RPID: site.Host, RPDisplayName: "Watchpost", RPOrigins: []string{site.Origin},
		AttestationPreference: protocol.PreferNoAttestation, // which make of key an officer has is not our business
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			ResidentKey: protocol.ResidentKeyRequirementRequired, UserVerification: protocol.VerificationRequired,
		},
	})
	if err != nil {
		return nil, fault.Wrap("passkey.site", err)
	}
	return &Keys{site: w, store: store, accounts: accounts, now: now, ceremonies: make(map[string]ceremony)}, nil
}

// user is an officer as the protocol wants one.
type user struct {
	account *officer.Account
	keys    []kept
}

// handle names an account to authenticators without telling its id.
func handle(id string) []byte {
	sum := sha256.Sum256([]byte("watchpost officer|" + id))
	return sum[:]
}

// WebAuthnID implements webauthn.User.
func (u *user) WebAuthnID() []byte { return handle(u.account.ID) }

// WebAuthnName implements webauthn.User.
func (u *user) WebAuthnName() string { return u.account.ID }

// WebAuthnDisplayName implements webauthn.User.
func (u *user) WebAuthnDisplayName() string { return u.account.Name }

// WebAuthnCredentials implements webauthn.User.
func (u *user) WebAuthnCredentials() []webauthn.Credential {
	out := make([]webauthn.Credential, 0, len(u.keys))
	for _, k := range u.keys {
		out = append(out, k.Credential)
	}
	return out
}

// load reads the passkeys of an account.
func (k *Keys) load(a *officer.Account) (*user, error) {
	raw, err := k.store.Passkeys(a.ID)
	if err != nil {
		return nil, err
	}
	u := &user{account: a}
	if raw != nil {
		if err := json.Unmarshal(raw, &u.keys); err != nil {
			return nil, fault.Wrap("passkey.damaged", err)
		}
	}
	return u, nil
}

// save keeps the passkeys of u.
func (k *Keys) save(u *user, action audit.Action, id string) error {
	raw, err := json.Marshal(u.keys)
	if err != nil {
		return fault.Wrap("passkey.encode", err)
	}
	return k.store.SetPasskeys(u.account.ID, raw, audit.Line{Time: k.now(), Actor: u.account.ID, Action: action, Object: id})
}

// List returns the passkeys of an account, oldest first.
func (k *Keys) List(a *officer.Account) ([]Passkey, error) {
	u, err := k.load(a)
	if err != nil {
		return nil, err
	}
	out := make([]Passkey, 0, len(u.keys))
	for _, p := range u.keys {
		out = append(out, p.Passkey)
	}
	return out, nil
}

// Remove takes a passkey from an account.
func (k *Keys) Remove(a *officer.Account, id string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	u, err := k.load(a)
	if err != nil {
		return err
	}
	before := len(u.keys)
	u.keys = slices.DeleteFunc(u.keys, func(p kept) bool { return p.ID == id })
	if len(u.keys) == before {
		return ErrNotFound
	}
	return k.save(u, audit.PasskeyRemoved, id)
}

// begin notes a ceremony and names it by its challenge.
func (k *Keys) begin(session *webauthn.SessionData, officer string) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	oldest := ""
	for id, c := range k.ceremonies {
		if now.Sub(c.begun) >= ceremonyLife {
			delete(k.ceremonies, id)
		} else if oldest == "" || c.begun.Before(k.ceremonies[oldest].begun) {
			oldest = id
		}
	}
	if len(k.ceremonies) >= ceremoniesHeld {
		delete(k.ceremonies, oldest)
	}
	k.ceremonies[session.Challenge] = ceremony{*session, officer, now}
	return session.Challenge
}

// take ends a ceremony, which can be done once.
func (k *Keys) take(id, officer string) (webauthn.SessionData, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	c, ok := k.ceremonies[id]
	if !ok || subtle.ConstantTimeCompare([]byte(c.officer), []byte(officer)) != 1 {
		return webauthn.SessionData{}, ErrCeremony
	}
	delete(k.ceremonies, id)
	if k.now().Sub(c.begun) >= ceremonyLife {
		return webauthn.SessionData{}, ErrCeremony
	}
	return c.session, nil
}

// refused hides from the caller what exactly did not fit, and keeps it as the
// cause for engineers: the library names the field, never a secret.
func refused(err error) error {
	var detail *protocol.Error
	if errors.As(err, &detail) {
		return fault.New(ErrRefused.Code, "%s", detail.Details).WithHint(ErrRefused.Hint)
	}
	return fault.New(ErrRefused.Code, "not of the form").WithHint(ErrRefused.Hint)
}

// encode is how credentials are named in text.
func encode(id []byte) string { return base64.RawURLEncoding.EncodeToString(id) }
