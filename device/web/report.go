package web

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/audit/report"
	"github.com/watchpost/watchpost/device/officer"
)

// reportDefault is what a report covers when nothing is said.
const reportDefault = 24 * time.Hour

type reportInput struct {
	From time.Time `query:"from" doc:"searches at this time or later; a day before to if left out"`
	To   time.Time `query:"to" doc:"searches before this time; now if left out; at most 366 days after from"`
}

type reportOutput struct{ Body report.Report }

func (s *Server) reportOperations() {
	register(s, huma.Operation{
		OperationID: "get-searches-report", Method: http.MethodGet, Path: "/v1/reports/searches",
		Summary:     "Searches, hits, confirmed and false candidates, by list and officer",
		Description: "For supervisors and auditors. Counted from the audit log, ids and numbers only. Reading it is audited.",
		Security:    signedIn,
	}, func(ctx context.Context, in *reportInput) (*reportOutput, error) {
		a, err := officerOf(ctx, officer.Supervisor, officer.Auditor)
		if err != nil {
			return nil, fail(err)
		}
		to, from := in.To, in.From
		if to.IsZero() {
			to = s.now()
		}
		if from.IsZero() {
			from = to.Add(-reportDefault)
		}
		r, err := report.Make(audit.Lines(s.backend.AuditLines), from, to)
		if err != nil {
			return nil, fail(err)
		}
		err = s.backend.Witnessed(audit.Line{Time: s.now(), Actor: a.ID, Action: audit.ReportRead, Facts: map[string]string{
			"from": r.From.Format(time.RFC3339), "to": r.To.Format(time.RFC3339),
		}})
		return &reportOutput{*r}, fail(err)
	})
}
