package web

import (
	"context"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/watchpost/watchpost/device/encounter"
	"github.com/watchpost/watchpost/device/officer"
)

// OpenBody starts an encounter.
type OpenBody struct {
	Purpose  string             `json:"purpose" minLength:"1" maxLength:"64" doc:"one of the policy's purposes"`
	Document bool               `json:"document" doc:"the person has a document"`
	Fingers  bool               `json:"fingers,omitempty" doc:"fingers are to be taken"`
	Declared encounter.Declared `json:"declared,omitempty" doc:"what the person says, unverified"`
}

// DocumentBody opens the chip.
type DocumentBody struct {
	MRZ string `json:"mrz,omitempty" maxLength:"200" doc:"the zone's lines, or NUMBER,YYMMDD,YYMMDD (number, birth, expiry)"`
	CAN string `json:"can,omitempty" maxLength:"16" doc:"card access number"`
}

// ChallengeBody asks for a challenge.
type ChallengeBody struct {
	NoFlash bool `json:"no_flash,omitempty" doc:"the person must not see flashes"`
}

// SkipBody ends a step without a result.
type SkipBody struct {
	Reason string `json:"reason" minLength:"1" maxLength:"200"`
}

// SecondOfficer signs for an act of another officer.
type SecondOfficer = Credentials

// AdjudicationBody is a finding on one candidate.
type AdjudicationBody struct {
	List    string            `json:"list" minLength:"1" maxLength:"128"`
	Record  string            `json:"record" minLength:"1" maxLength:"128"`
	Finding encounter.Finding `json:"finding" doc:"same_person, different_person or undecided"`
	Reason  string            `json:"reason" minLength:"1" maxLength:"500" doc:"what was compared"`
	Second  *SecondOfficer    `json:"second,omitempty" doc:"where policy asks for a second officer"`
}

// OutcomeBody records the outcome.
type OutcomeBody struct {
	Outcome encounter.Outcome `json:"outcome" doc:"admitted, referred, refused, abandoned or evacuated"`
	Reason  string            `json:"reason,omitempty" maxLength:"500" doc:"needed to refuse, to abandon and to admit against the advice"`
	Second  *SecondOfficer    `json:"second,omitempty" doc:"where policy asks for a second officer"`
}

// EncounterID names the encounter in a path. It is exported because huma sets
// fields of embedded structs only where the embedding is exported.
type EncounterID struct {
	ID string `path:"id" maxLength:"64"`
}

type encounterOutput struct{ Body encounter.Encounter }

type encountersOutput struct {
	Body struct {
		Encounters []encounter.Encounter `json:"encounters" nullable:"false"`
	}
}

func (s *Server) encounterOperations() {
	register(s, huma.Operation{
		OperationID: "open-encounter", Method: http.MethodPost, Path: "/v1/encounters", Summary: "Start an encounter",
		Security: signedIn, DefaultStatus: http.StatusCreated,
	}, func(ctx context.Context, in *struct{ Body OpenBody }) (*encounterOutput, error) {
		a, err := officerOf(ctx, officer.Officer)
		if err != nil {
			return nil, fail(err)
		}
		e, err := s.post.Open(encounter.OpenRequest{Officer: a.ID, Purpose: in.Body.Purpose, Document: in.Body.Document, Fingers: in.Body.Fingers, Declared: in.Body.Declared})
		return &encounterOutput{e}, fail(err)
	})
	register(s, huma.Operation{
		OperationID: "list-encounters", Method: http.MethodGet, Path: "/v1/encounters", Summary: "Open encounters: an officer's own, for a supervisor all", Security: signedIn,
	}, func(ctx context.Context, _ *struct{}) (*encountersOutput, error) {
		a, err := officerOf(ctx, officer.Officer, officer.Supervisor)
		if err != nil {
			return nil, fail(err)
		}
		out := new(encountersOutput)
		out.Body.Encounters = slices.DeleteFunc(s.post.OpenEncounters(), func(e encounter.Encounter) bool {
			return e.Officer != a.ID && !a.Has(officer.Supervisor)
		})
		return out, nil
	})
	register(s, huma.Operation{
		OperationID: "get-encounter", Method: http.MethodGet, Path: "/v1/encounters/{id}", Summary: "One encounter", Security: signedIn,
	}, func(ctx context.Context, in *EncounterID) (*encounterOutput, error) {
		e, err := s.mayRead(ctx, in.ID)
		return &encounterOutput{e}, fail(err)
	})
	s.captureOperations()
	s.decisionOperations()
}

// captureOperations are what is taken of the person and the document.
func (s *Server) captureOperations() {
	register(s, huma.Operation{
		OperationID: "read-document", Method: http.MethodPost, Path: "/v1/encounters/{id}/document", Summary: "Read the document on the reader",
		Description: "Returns at once; events tell how it goes.", Security: signedIn, DefaultStatus: http.StatusAccepted,
	}, func(ctx context.Context, in *struct {
		EncounterID
		Body DocumentBody
	}) (*encounterOutput, error) {
		return s.command(ctx, in.ID, func(*officer.Account) error {
			return s.post.ReadDocument(in.ID, encounter.DocumentKey{MRZ: in.Body.MRZ, CAN: in.Body.CAN})
		})
	})
	register(s, huma.Operation{
		OperationID: "capture-face", Method: http.MethodPost, Path: "/v1/encounters/{id}/face", Summary: "Take the face",
		Description: "Returns at once; events tell how it goes.", Security: signedIn, DefaultStatus: http.StatusAccepted,
	}, func(ctx context.Context, in *EncounterID) (*encounterOutput, error) {
		return s.command(ctx, in.ID, func(*officer.Account) error { return s.post.CaptureFace(in.ID) })
	})
	register(s, huma.Operation{
		OperationID: "challenge", Method: http.MethodPost, Path: "/v1/encounters/{id}/challenge", Summary: "Challenge the person: is this a face, or a picture of one?",
		Description: "Draws a challenge and returns at once; the event challenge.drawn tells what to show and when, presentation.judged what came of it.",
		Security:    signedIn, DefaultStatus: http.StatusAccepted,
	}, func(ctx context.Context, in *struct {
		EncounterID
		Body ChallengeBody
	}) (*encounterOutput, error) {
		return s.command(ctx, in.ID, func(*officer.Account) error {
			return s.post.Challenge(in.ID, encounter.ChallengeRequest{NoFlash: in.Body.NoFlash})
		})
	})
	register(s, huma.Operation{
		OperationID: "skip-step", Method: http.MethodPost, Path: "/v1/encounters/{id}/steps/{step}/skip", Summary: "End a step without a result", Security: signedIn,
	}, func(ctx context.Context, in *struct {
		EncounterID
		Step string `path:"step" enum:"document,face,fingers,presentation"`
		Body SkipBody
	}) (*encounterOutput, error) {
		return s.command(ctx, in.ID, func(a *officer.Account) error {
			return s.post.Skip(in.ID, encounter.StepName(in.Step), a.ID, in.Body.Reason)
		})
	})
}

// decisionOperations are what the officer finds and decides.
func (s *Server) decisionOperations() {
	register(s, huma.Operation{
		OperationID: "adjudicate", Method: http.MethodPost, Path: "/v1/encounters/{id}/adjudications", Summary: "Record a finding on a candidate", Security: signedIn,
	}, func(ctx context.Context, in *struct {
		EncounterID
		Body AdjudicationBody
	}) (*encounterOutput, error) {
		return s.command(ctx, in.ID, func(a *officer.Account) error {
			second, err := s.second(ctx, in.Body.Second)
			if err != nil {
				return err
			}
			_, err = s.post.Adjudicate(in.ID, encounter.AdjudicateRequest{
				Officer: a.ID, Second: second, List: in.Body.List, Record: in.Body.Record, Finding: in.Body.Finding, Reason: in.Body.Reason,
			})
			return err
		})
	})
	register(s, huma.Operation{
		OperationID: "decide", Method: http.MethodPost, Path: "/v1/encounters/{id}/outcome", Summary: "Record the outcome", Security: signedIn,
	}, func(ctx context.Context, in *struct {
		EncounterID
		Body OutcomeBody
	}) (*encounterOutput, error) {
		return s.command(ctx, in.ID, func(a *officer.Account) error {
			second, err := s.second(ctx, in.Body.Second)
			if err != nil {
				return err
			}
			_, err = s.post.Decide(in.ID, encounter.DecideRequest{Officer: a.ID, Second: second, Outcome: in.Body.Outcome, Reason: in.Body.Reason})
			return err
		})
	})
}

// command carries out do for the signed-in officer and returns the encounter
// as it then stands. Officers command their own encounters only.
func (s *Server) command(ctx context.Context, id string, do func(*officer.Account) error) (*encounterOutput, error) {
	a, err := officerOf(ctx, officer.Officer)
	if err != nil {
		return nil, fail(err)
	}
	e, err := s.post.Get(id)
	if err != nil {
		return nil, fail(err)
	}
	if e.Officer != a.ID {
		return nil, fail(errOthers)
	}
	if err := do(a); err != nil {
		return nil, fail(err)
	}
	e, err = s.post.Get(id)
	return &encounterOutput{e}, fail(err)
}

// second checks the credentials of a second officer, who must be a supervisor.
func (s *Server) second(ctx context.Context, c *SecondOfficer) (string, error) {
	if c == nil {
		return "", nil
	}
	a, err := s.signIn(ctx, c.ID, c.Password)
	if err != nil {
		return "", err
	}
	if !a.Has(officer.Supervisor) {
		return "", officer.ErrRole
	}
	return a.ID, nil
}
