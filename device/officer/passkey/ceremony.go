package passkey

import (
	"bytes"
	"slices"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/officer"
)

// Creation is what a browser needs to make a passkey.
type Creation struct {
	Ceremony string
	Options  protocol.PublicKeyCredentialCreationOptions
}

// Request is what a browser needs to sign in with a passkey.
type Request struct {
	Ceremony string
	Options  protocol.PublicKeyCredentialRequestOptions
}

// BeginRegistration starts to add a passkey to a signed-in account.
func (k *Keys) BeginRegistration(a *officer.Account) (Creation, error) {
	u, err := k.load(a)
	if err != nil {
		return Creation{}, err
	}
	if len(u.keys) >= perOfficer {
		return Creation{}, ErrLimit
	}
	exclude := webauthn.Credentials(u.WebAuthnCredentials()).CredentialDescriptors()
	prf := webauthn.WithExtensionPRFSupport() // so that it can open the post's keys later (device/vault/hardware)
	creation, session, err := k.site.BeginRegistration(u, webauthn.WithExclusions(exclude), webauthn.WithExtensions(prf))
	if err != nil {
		return Creation{}, fault.Wrap("passkey.begin", err)
	}
	return Creation{k.begin(session, a.ID), creation.Response}, nil
}

// Register ends it with the browser's answer (RegistrationResponseJSON).
func (k *Keys) Register(a *officer.Account, ceremony, name string, answer []byte) (Passkey, error) {
	session, err := k.take(ceremony, a.ID)
	if err != nil {
		return Passkey{}, err
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(answer)
	if err != nil {
		return Passkey{}, refused(err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	u, err := k.load(a)
	if err != nil {
		return Passkey{}, err
	}
	if len(u.keys) >= perOfficer {
		return Passkey{}, ErrLimit
	}
	credential, err := k.site.CreateCredential(u, session, parsed)
	if err != nil {
		return Passkey{}, refused(err)
	}
	made := Passkey{ID: encode(credential.ID), Name: name, Added: k.now().UTC()}
	if len([]rune(name)) > nameLimit || slices.ContainsFunc(u.keys, func(p kept) bool { return p.ID == made.ID }) {
		return Passkey{}, ErrRefused
	}
	u.keys = append(u.keys, kept{made, *credential})
	return made, k.save(u, audit.PasskeyAdded, made.ID)
}

// BeginSignIn starts to sign in somebody who has not said who they are: the
// authenticator knows.
func (k *Keys) BeginSignIn() (Request, error) {
	assertion, session, err := k.site.BeginDiscoverableLogin(webauthn.WithUserVerification(protocol.VerificationRequired))
	if err != nil {
		return Request{}, fault.Wrap("passkey.begin", err)
	}
	return Request{k.begin(session, ""), assertion.Response}, nil
}

// SignIn ends it with the browser's answer (AuthenticationResponseJSON) and
// returns whose passkey it was. A counter that went back tells of a copied key
// (WebAuthn Level 3, 6.1.1) and is refused.
func (k *Keys) SignIn(ceremony string, answer []byte) (*officer.Account, error) {
	session, err := k.take(ceremony, "")
	if err != nil {
		return nil, err
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes(answer)
	if err != nil {
		return nil, refused(err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	var u *user
	find := func(_, userHandle []byte) (webauthn.User, error) {
		for i := range k.accounts().Accounts {
			a := &k.accounts().Accounts[i]
			if bytes.Equal(handle(a.ID), userHandle) {
				var err error
				u, err = k.load(a)
				return u, err
			}
		}
		return nil, ErrRefused
	}
	credential, err := k.site.ValidateDiscoverableLogin(find, session, parsed)
	if err != nil {
		return nil, refused(err)
	}
	if credential.Authenticator.CloneWarning {
		return nil, fault.New(ErrRefused.Code, "the passkey's counter went back").WithHint(ErrRefused.Hint)
	}
	if err := u.account.InForce(k.now()); err != nil {
		return nil, err
	}
	id := encode(credential.ID)
	for i := range u.keys {
		if u.keys[i].ID == id {
			u.keys[i].Credential, u.keys[i].Used = *credential, k.now().UTC()
		}
	}
	return u.account, k.save(u, audit.PasskeyUsed, id)
}
