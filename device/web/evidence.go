package web

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/watchpost/watchpost/device/encounter"
	"github.com/watchpost/watchpost/device/officer"
)

// KeptEvidence says that there is evidence of a closed encounter.
type KeptEvidence struct {
	Encounter   string            `json:"encounter"`
	Officer     string            `json:"officer"`
	Outcome     encounter.Outcome `json:"outcome"`
	Decided     time.Time         `json:"decided"`
	LeftSeconds int64             `json:"left_seconds" doc:"until it is gone for good"`
}

type evidenceListOutput struct {
	Body struct {
		Evidence []KeptEvidence `json:"evidence" nullable:"false" doc:"what goes soonest first, at most 500"`
	}
}

type evidenceOutput struct {
	Body struct {
		Encounter encounter.Encounter `json:"encounter" doc:"with all that the kept encounter leaves out"`
		Pictures  []encounter.Picture `json:"pictures" nullable:"false" enum:"probe,chip"`
	}
}

// EvidencePurpose names evidence and why it is looked at.
type EvidencePurpose struct {
	EncounterID
	Purpose string `query:"purpose" required:"true" minLength:"1" maxLength:"64" doc:"one of the policy's purposes"`
}

// evidenceOperations show what is kept for a time of a failed check, a candidate
// or a referral, to supervisors, each look written down.
func (s *Server) evidenceOperations() {
	register(s, huma.Operation{
		OperationID: "list-evidence", Method: http.MethodGet, Path: "/v1/evidence", Summary: "Of which closed encounters evidence is kept",
		Description: "For supervisors. No person is named.", Security: signedIn,
	}, func(ctx context.Context, _ *struct{}) (*evidenceListOutput, error) {
		a, err := officerOf(ctx, officer.Supervisor)
		if err != nil {
			return nil, fail(err)
		}
		kept, err := s.post.KeptEvidence(a.ID)
		if err != nil {
			return nil, fail(err)
		}
		out := new(evidenceListOutput)
		out.Body.Evidence = make([]KeptEvidence, 0, len(kept))
		for _, k := range kept {
			out.Body.Evidence = append(out.Body.Evidence, KeptEvidence{k.Encounter, k.Officer, k.Outcome, k.Decided, int64(k.Left.Seconds())})
		}
		return out, nil
	})
	register(s, huma.Operation{
		OperationID: "get-evidence", Method: http.MethodGet, Path: "/v1/evidence/{id}", Summary: "The evidence of a closed encounter",
		Description: "For supervisors, for a purpose; written down before it is shown. encounter.no_evidence where none was kept or its time has run out.",
		Security:    signedIn,
	}, func(ctx context.Context, in *EvidencePurpose) (*evidenceOutput, error) {
		a, err := officerOf(ctx, officer.Supervisor)
		if err != nil {
			return nil, fail(err)
		}
		e, err := s.post.Evidence(in.ID, a.ID, in.Purpose)
		if err != nil {
			return nil, fail(err)
		}
		out := new(evidenceOutput)
		out.Body.Encounter, out.Body.Pictures = e.Encounter, []encounter.Picture{}
		for _, p := range []encounter.Picture{encounter.PictureProbe, encounter.PictureChip} {
			if len(e.Pictures[p]) > 0 {
				out.Body.Pictures = append(out.Body.Pictures, p)
			}
		}
		return out, nil
	})
	register(s, huma.Operation{
		OperationID: "get-evidence-picture", Method: http.MethodGet, Path: "/v1/evidence/{id}/pictures/{picture}", Summary: "A picture of the evidence",
		Description: "JPEG, encoded by a capture process. For supervisors, for a purpose; written down before it is shown.",
		Security:    signedIn, Responses: jpegResponses(),
	}, func(ctx context.Context, in *struct {
		EvidencePurpose
		Picture string `path:"picture" enum:"probe,chip"`
	}) (*pictureOutput, error) {
		a, err := officerOf(ctx, officer.Supervisor)
		if err != nil {
			return nil, fail(err)
		}
		jpeg, err := s.post.EvidencePicture(in.ID, a.ID, in.Purpose, encounter.Picture(in.Picture))
		if err != nil {
			return nil, fail(err)
		}
		return &pictureOutput{"image/jpeg", jpeg}, nil
	})
}
