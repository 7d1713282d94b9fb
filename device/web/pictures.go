package web

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/watchpost/watchpost/device/encounter"
	"github.com/watchpost/watchpost/device/officer"
)

type pictureOutput struct {
	ContentType string `header:"Content-Type"`
	Body        []byte
}

// jpegResponses describe an answer that is a picture.
func jpegResponses() map[string]*huma.Response {
	return map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{
		"image/jpeg": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}},
	}}}
}

// pictureOperations serve the faces that an officer compares by eye. All are
// made anew; the bytes of a chip or of a list never reach a browser.
func (s *Server) pictureOperations() {
	register(s, huma.Operation{
		OperationID: "get-picture", Method: http.MethodGet, Path: "/v1/encounters/{id}/pictures/{picture}",
		Summary:     "The live face or the chip's portrait of an open encounter",
		Description: "JPEG, encoded anew by a capture process. encounter.no_picture before there is one, and once the encounter is closed: pictures live in memory only.",
		Security:    signedIn,
		Responses:   jpegResponses(),
	}, func(ctx context.Context, in *struct {
		EncounterID
		Picture string `path:"picture" enum:"probe,chip" doc:"probe: the best live frame; chip: the portrait of DG2"`
	}) (*pictureOutput, error) {
		if _, err := s.mayRead(ctx, in.ID); err != nil {
			return nil, fail(err)
		}
		jpeg, err := s.post.Picture(in.ID, encounter.Picture(in.Picture))
		if err != nil {
			return nil, fail(err)
		}
		return &pictureOutput{"image/jpeg", jpeg}, nil
	})
	register(s, huma.Operation{
		OperationID: "get-photograph", Method: http.MethodGet, Path: "/v1/encounters/{id}/photograph",
		Summary: "The photograph that a list holds of a candidate of an open encounter",
		Description: "JPEG of at most 320 pixels a side, made anew of pixels that a decode process gives. Written down as an access before it is shown. " +
			"encounter.no_picture where the list holds none, or its source sends none.",
		Security: signedIn, Responses: jpegResponses(),
	}, func(ctx context.Context, in *struct {
		EncounterID
		List   string `query:"list" required:"true" minLength:"1" maxLength:"128"`
		Record string `query:"record" required:"true" minLength:"1" maxLength:"128"`
		Number int    `query:"number" minimum:"0" maximum:"63" doc:"from 0, below the candidate's photographs"`
	}) (*pictureOutput, error) {
		if _, err := s.mayRead(ctx, in.ID); err != nil {
			return nil, fail(err)
		}
		a, err := officerOf(ctx, officer.Officer, officer.Supervisor)
		if err != nil {
			return nil, fail(err)
		}
		jpeg, err := s.post.Photograph(ctx, in.ID, a.ID, in.List, in.Record, in.Number)
		if err != nil {
			return nil, fail(err)
		}
		return &pictureOutput{"image/jpeg", jpeg}, nil
	})
	s.evidenceOperations()
}

// mayRead returns an encounter if the caller may see it: officers see their
// own, supervisors all.
func (s *Server) mayRead(ctx context.Context, id string) (encounter.Encounter, error) {
	a, err := officerOf(ctx, officer.Officer, officer.Supervisor)
	if err != nil {
		return encounter.Encounter{}, err
	}
	e, err := s.post.Get(id)
	if err != nil {
		return encounter.Encounter{}, err
	}
	if e.Officer != a.ID && !a.Has(officer.Supervisor) {
		return encounter.Encounter{}, errOthers
	}
	return e, s.viewed(a, &e)
}

var errOthers = officer.ErrRole.WithHint("this encounter is another officer's")
