package web

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/encounter"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/officer"
)

// AuditState is how well the audit log is guarded.
type AuditState struct {
	Code        fault.Code     `json:"code,omitempty" doc:"what is wrong: audit.head_late, audit.fork...; absent if nothing is"`
	SignedLines int64          `json:"signed_lines" doc:"lines under the last signed head"`
	SignedAt    time.Time      `json:"signed_at" doc:"when it was signed"`
	Witnesses   []WitnessState `json:"witnesses" nullable:"false" doc:"who keeps the heads"`
}

// WitnessState is how one keeper of heads stands.
type WitnessState struct {
	Witness      string     `json:"witness" enum:"central,witness,medium"`
	State        string     `json:"state" enum:"unknown,ok,late,refused"`
	Code         fault.Code `json:"code,omitempty"`
	Heads        int64      `json:"heads" doc:"heads that it has taken"`
	Lines        int64      `json:"lines" doc:"lines under the last of them"`
	WaitingSince time.Time  `json:"waiting_since,omitzero" doc:"when the oldest head that it has not taken was signed"`
}

type headsOutput struct {
	Body struct {
		Heads []string `json:"heads" nullable:"false" doc:"signed notes in the order of their numbers"`
	}
}

func (s *Server) auditOperations() {
	register(s, huma.Operation{
		OperationID: "get-audit-heads", Method: http.MethodGet, Path: "/v1/audit/heads", Summary: "Signed heads of the audit log",
		Description: "For supervisors and auditors. Whoever keeps heads elsewhere can hold the lines against them: watchpost audit verify.",
		Security:    signedIn,
	}, func(ctx context.Context, in *struct {
		From  int64 `query:"from" minimum:"0" doc:"number of the first head"`
		Limit int   `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	}) (*headsOutput, error) {
		a, err := officerOf(ctx, officer.Auditor, officer.Supervisor)
		if err != nil {
			return nil, fail(err)
		}
		heads, err := s.backend.AuditHeads(in.From, in.Limit)
		if err != nil {
			return nil, fail(err)
		}
		out := new(headsOutput)
		out.Body.Heads = make([]string, 0, len(heads))
		for _, h := range heads {
			out.Body.Heads = append(out.Body.Heads, string(h))
		}
		return out, fail(s.auditRead(a, in.From))
	})
}

// auditRead writes down that somebody reads the log, each page of it: a reader
// who wants its end stops at a page that is not full.
func (s *Server) auditRead(a *officer.Account, from int64) error {
	return s.backend.Witnessed(audit.Line{Time: s.now(), Actor: a.ID, Action: audit.AuditRead, Facts: map[string]string{"from": strconv.FormatInt(from, 10)}})
}

// viewsEvery is how often one officer's looking at one encounter is written
// down: a page that follows events looks again at each of them.
const viewsEvery = 10 * time.Minute

// viewed writes down that an officer looks at an encounter that is not their
// own, or no longer open.
func (s *Server) viewed(a *officer.Account, e *encounter.Encounter) error {
	if e.Officer == a.ID && e.State != encounter.Closed || !s.views.Allow(a.ID+" "+e.ID) {
		return nil
	}
	return s.backend.Witnessed(audit.Line{Time: s.now(), Actor: a.ID, Action: audit.EncounterViewed, Encounter: e.ID})
}
