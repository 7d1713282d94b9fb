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

// pictureOperations serve the two faces that an officer compares by eye. Both
// are encoded by a capture process; the bytes of a chip never reach a browser.
func (s *Server) pictureOperations() {
	register(s, huma.Operation{
		OperationID: "get-picture", Method: http.MethodGet, Path: "/v1/encounters/{id}/pictures/{picture}",
		Summary:     "The live face or the chip's portrait of an open encounter",
		Description: "JPEG, encoded anew by a capture process. encounter.no_picture before there is one, and once the encounter is closed: pictures live in memory only. Lists hold no photographs, so a candidate has none.",
		Security:    signedIn,
		Responses: map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{
			"image/jpeg": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}},
		}}},
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
