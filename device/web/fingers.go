package web

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/watchpost/watchpost/device/biometric/tenprint"
	"github.com/watchpost/watchpost/device/officer"
)

// FingerPosition names a finger of an encounter in a path. It is exported for
// the reason of EncounterID.
type FingerPosition struct {
	EncounterID
	Position int `path:"position" minimum:"1" maximum:"15" doc:"ISO/IEC 19794-4: 1 right thumb to 10 left little finger; several at once, where the encounter lists them: 13 right four, 14 left four, 15 both thumbs"`
}

// FingerExceptionBody says why a finger is not given.
type FingerExceptionBody struct {
	Reason tenprint.Reason `json:"reason" enum:"missing,bandaged,unable,refused"`
}

// fingerOperations are the ten-finger step and the picture of a candidate
// that it found.
func (s *Server) fingerOperations() {
	register(s, huma.Operation{
		OperationID: "capture-finger", Method: http.MethodPost, Path: "/v1/encounters/{id}/fingers/{position}", Summary: "Take one finger, or several at once",
		Description: "Returns at once; events tell how it goes. There are three tries, of which the best is kept finger by finger. Of a hand the fingers are told apart and checked: whose hand, how many, none given before.", Security: signedIn, DefaultStatus: http.StatusAccepted,
	}, func(ctx context.Context, in *FingerPosition) (*encounterOutput, error) {
		return s.command(ctx, in.ID, func(*officer.Account) error { return s.post.CaptureFinger(in.ID, in.Position) })
	})
	register(s, huma.Operation{
		OperationID: "except-finger", Method: http.MethodPost, Path: "/v1/encounters/{id}/fingers/{position}/exception", Summary: "Note that a finger, or several that are taken at once, are not given, and why", Security: signedIn,
	}, func(ctx context.Context, in *struct {
		FingerPosition
		Body FingerExceptionBody
	}) (*encounterOutput, error) {
		return s.command(ctx, in.ID, func(a *officer.Account) error {
			return s.post.ExceptFinger(in.ID, in.Position, in.Body.Reason, a.ID)
		})
	})
	register(s, huma.Operation{
		OperationID: "end-fingers", Method: http.MethodPost, Path: "/v1/encounters/{id}/fingers/end", Summary: "Go on with the fingers that were taken", Security: signedIn,
	}, func(ctx context.Context, in *EncounterID) (*encounterOutput, error) {
		return s.command(ctx, in.ID, func(*officer.Account) error { return s.post.EndFingers(in.ID) })
	})
	register(s, huma.Operation{
		OperationID: "get-finger-picture", Method: http.MethodGet, Path: "/v1/encounters/{id}/candidates/{list}/{record}/fingers",
		Summary:     "The person's finger and the candidate's, joined where minutiae agree",
		Description: "PNG, drawn here; of the candidate's finger the minutiae only. encounter.no_picture where a finger of one of the two is not there, and once the encounter is closed.",
		Security:    signedIn,
		Responses: map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{
			"image/png": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}},
		}}},
	}, func(ctx context.Context, in *struct {
		EncounterID
		List   string `path:"list" maxLength:"128"`
		Record string `path:"record" maxLength:"128"`
	}) (*pictureOutput, error) {
		if _, err := s.mayRead(ctx, in.ID); err != nil {
			return nil, fail(err)
		}
		png, err := s.post.FingerPicture(in.ID, in.List, in.Record)
		if err != nil {
			return nil, fail(err)
		}
		return &pictureOutput{"image/png", png}, nil
	})
}
