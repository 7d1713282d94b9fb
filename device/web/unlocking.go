package web

import (
	"bytes"
	"context"
	"encoding/base64"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/officer"
	"github.com/watchpost/watchpost/device/officer/passkey"
)

// UnlockKeys lets officers' hardware keys open the post's keys. It is safe for
// concurrent use.
type UnlockKeys interface {
	// Credentials are those that open the post.
	Credentials() ([][]byte, error)
	// AddKey lets the credential of an officer open the post by what its
	// pseudo-random function gives for salt, and names the way in.
	AddKey(ctx context.Context, of string, credential, salt, given []byte) (way string, err error)
	// RemoveKey takes that back. One that opens nothing is no error.
	RemoveKey(ctx context.Context, credential []byte) error
}

// UnlockBody lets a passkey open the post's keys.
type UnlockBody struct {
	Salt   []byte `json:"salt" minLength:"44" maxLength:"44" doc:"32 random bytes, for this passkey alone"`
	Secret []byte `json:"secret" minLength:"44" maxLength:"44" doc:"32 bytes that the prf extension gave for it"`
}

// unlockOperation registers the operation that lets a passkey open the post.
func (s *Server) unlockOperation() {
	register(s, huma.Operation{
		OperationID: "unlock-with-passkey", Method: http.MethodPut, Path: "/v1/passkeys/{id}/unlock",
		Summary: "Let a passkey of one's own open the post's keys", Security: signedIn, DefaultStatus: http.StatusNoContent,
	}, func(ctx context.Context, in *struct {
		ID   string `path:"id" maxLength:"1400" doc:"of the credential"`
		Body UnlockBody
	}) (*struct{}, error) {
		defer clear(in.Body.Secret)
		a, err := officerOf(ctx, anyRole...)
		if err != nil {
			return nil, fail(err)
		}
		return nil, fail(s.letUnlock(ctx, a, in.ID, in.Body))
	})
}

func (s *Server) letUnlock(ctx context.Context, a *officer.Account, id string, b UnlockBody) error {
	own, err := s.passkeys.List(a)
	if err != nil {
		return err
	}
	credential, err := base64.RawURLEncoding.DecodeString(id)
	if err != nil || !slices.ContainsFunc(own, func(p passkey.Passkey) bool { return p.ID == id }) {
		return passkey.ErrNotFound
	}
	if s.unlocking == nil {
		return fault.New("vault.hardware_key", "this post does not open by hardware keys")
	}
	way, err := s.unlocking.AddKey(ctx, a.ID, credential, b.Salt, b.Secret)
	if err != nil {
		return err
	}
	return s.backend.Witnessed(audit.Line{Time: s.now(), Actor: a.ID, Action: audit.KeyMade, Object: way})
}

// removePasskey takes a passkey away, and first what it opens.
func (s *Server) removePasskey(ctx context.Context, a *officer.Account, id string) error {
	own, err := s.passkeys.List(a)
	if err != nil {
		return err
	}
	credential, err := base64.RawURLEncoding.DecodeString(id)
	if err != nil || !slices.ContainsFunc(own, func(p passkey.Passkey) bool { return p.ID == id }) {
		return passkey.ErrNotFound
	}
	if s.unlocking != nil {
		if err := s.unlocking.RemoveKey(ctx, credential); err != nil {
			return err
		}
	}
	return s.passkeys.Remove(a, id)
}

// listed are an officer's passkeys, and which of them open the post.
func (s *Server) listed(a *officer.Account) ([]Passkey, error) {
	own, err := s.passkeys.List(a)
	if err != nil {
		return nil, err
	}
	var opening [][]byte
	if s.unlocking != nil {
		if opening, err = s.unlocking.Credentials(); err != nil {
			return nil, err
		}
	}
	all := make([]Passkey, len(own))
	for i, p := range own {
		credential, err := base64.RawURLEncoding.DecodeString(p.ID)
		all[i] = Passkey{p, err == nil && slices.ContainsFunc(opening, func(o []byte) bool { return bytes.Equal(o, credential) })}
	}
	return all, nil
}
