package web

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/go-webauthn/webauthn/protocol"

	"github.com/watchpost/watchpost/device/officer/passkey"
)

// PasskeyCreation starts to make a passkey.
type PasskeyCreation struct {
	Ceremony string                                      `json:"ceremony" doc:"to be sent back with the credential"`
	Options  protocol.PublicKeyCredentialCreationOptions `json:"options" doc:"for PublicKeyCredential.parseCreationOptionsFromJSON"`
}

// PasskeyRequest starts to sign in with a passkey.
type PasskeyRequest struct {
	Ceremony string                                     `json:"ceremony" doc:"to be sent back with the credential"`
	Options  protocol.PublicKeyCredentialRequestOptions `json:"options" doc:"for PublicKeyCredential.parseRequestOptionsFromJSON"`
}

// PasskeyBody ends making a passkey.
type PasskeyBody struct {
	Ceremony   string         `json:"ceremony" minLength:"1" maxLength:"128"`
	Name       string         `json:"name" minLength:"1" maxLength:"64" doc:"by which the officer knows it"`
	Credential map[string]any `json:"credential" doc:"PublicKeyCredential.toJSON()"`
}

// PasskeySignInBody ends signing in with a passkey.
type PasskeySignInBody struct {
	Ceremony   string         `json:"ceremony" minLength:"1" maxLength:"128"`
	Credential map[string]any `json:"credential" doc:"PublicKeyCredential.toJSON()"`
	Browser    bool           `json:"browser,omitempty" doc:"keep the session in a cookie, as with a password"`
}

// Passkey is one passkey of an officer.
type Passkey struct {
	passkey.Passkey
	Unlocks bool `json:"unlocks,omitempty" doc:"it opens the post's keys as well"`
}

type passkeysOutput struct {
	Body struct {
		Passkeys []Passkey `json:"passkeys" nullable:"false"`
	}
}

func (s *Server) passkeyOperations() {
	register(s, huma.Operation{
		OperationID: "begin-passkey", Method: http.MethodPost, Path: "/v1/passkey-ceremonies", Summary: "Start to add a passkey to one's account",
		Security: signedIn, DefaultStatus: http.StatusCreated,
	}, func(ctx context.Context, _ *struct{}) (*struct{ Body PasskeyCreation }, error) {
		a, err := officerOf(ctx, anyRole...)
		if err != nil {
			return nil, fail(err)
		}
		c, err := s.passkeys.BeginRegistration(a)
		return &struct{ Body PasskeyCreation }{PasskeyCreation(c)}, fail(err)
	})
	register(s, huma.Operation{
		OperationID: "add-passkey", Method: http.MethodPost, Path: "/v1/passkeys", Summary: "Add a passkey to one's account",
		Security: signedIn, DefaultStatus: http.StatusCreated,
	}, func(ctx context.Context, in *struct{ Body PasskeyBody }) (*struct{ Body Passkey }, error) {
		a, err := officerOf(ctx, anyRole...)
		if err != nil {
			return nil, fail(err)
		}
		raw, err := json.Marshal(in.Body.Credential)
		if err != nil {
			return nil, fail(passkey.ErrRefused)
		}
		p, err := s.passkeys.Register(a, in.Body.Ceremony, in.Body.Name, raw)
		return &struct{ Body Passkey }{Passkey{Passkey: p}}, fail(err)
	})
	register(s, huma.Operation{
		OperationID: "list-passkeys", Method: http.MethodGet, Path: "/v1/passkeys", Summary: "One's own passkeys", Security: signedIn,
	}, func(ctx context.Context, _ *struct{}) (*passkeysOutput, error) {
		a, err := officerOf(ctx, anyRole...)
		if err != nil {
			return nil, fail(err)
		}
		out := new(passkeysOutput)
		out.Body.Passkeys, err = s.listed(a)
		return out, fail(err)
	})
	register(s, huma.Operation{
		OperationID: "remove-passkey", Method: http.MethodDelete, Path: "/v1/passkeys/{id}", Summary: "Remove a passkey of one's own", Security: signedIn,
	}, func(ctx context.Context, in *struct {
		ID string `path:"id" maxLength:"1400" doc:"of the credential"`
	}) (*struct{}, error) {
		a, err := officerOf(ctx, anyRole...)
		if err != nil {
			return nil, fail(err)
		}
		return nil, fail(s.removePasskey(ctx, a, in.ID))
	})
	s.unlockOperation()
	register(s, huma.Operation{
		OperationID: "begin-passkey-sign-in", Method: http.MethodPost, Path: "/v1/session/passkey-ceremonies", Summary: "Start to sign in with a passkey",
		DefaultStatus: http.StatusCreated,
	}, func(context.Context, *struct{}) (*struct{ Body PasskeyRequest }, error) {
		r, err := s.passkeys.BeginSignIn()
		return &struct{ Body PasskeyRequest }{PasskeyRequest(r)}, fail(err)
	})
	register(s, huma.Operation{
		OperationID: "sign-in-with-passkey", Method: http.MethodPost, Path: "/v1/session/passkey", Summary: "Sign in with a passkey",
		DefaultStatus: http.StatusCreated,
	}, func(_ context.Context, in *struct{ Body PasskeySignInBody }) (*signedInOutput, error) {
		raw, err := json.Marshal(in.Body.Credential)
		if err != nil {
			return nil, fail(passkey.ErrRefused)
		}
		a, err := s.passkeys.SignIn(in.Body.Ceremony, raw)
		if errors.Is(err, passkey.ErrCeremony) {
			return nil, fail(err)
		}
		if err != nil {
			return nil, fail(s.refused(err))
		}
		return s.openSession(a, in.Body.Browser, "passkey")
	})
}
