package web

import (
	"context"
	"encoding/json"
	"io"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/watchpost/watchpost/device/officer"
)

type auditOutput struct {
	Body struct {
		Lines []json.RawMessage `json:"lines" doc:"as written, oldest first"`
	}
}

func (s *Server) systemOperations() {
	huma.Register(s.api, huma.Operation{
		OperationID: "get-system", Method: http.MethodGet, Path: "/v1/system", Summary: "State of the post", Security: signedIn,
	}, func(ctx context.Context, _ *struct{}) (*struct{ Body System }, error) {
		if _, err := officerOf(ctx, officer.Officer, officer.Supervisor, officer.Administrator, officer.Auditor); err != nil {
			return nil, fail(err)
		}
		sys, err := s.backend.System(ctx)
		return &struct{ Body System }{sys}, fail(err)
	})
	huma.Register(s.api, huma.Operation{
		OperationID: "get-audit", Method: http.MethodGet, Path: "/v1/audit", Summary: "Lines of the audit log", Security: signedIn,
	}, func(ctx context.Context, in *struct {
		From  int64 `query:"from" minimum:"0"`
		Limit int   `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	}) (*auditOutput, error) {
		if _, err := officerOf(ctx, officer.Auditor, officer.Supervisor); err != nil {
			return nil, fail(err)
		}
		lines, err := s.backend.AuditLines(in.From, in.Limit)
		if err != nil {
			return nil, fail(err)
		}
		out := new(auditOutput)
		out.Body.Lines = make([]json.RawMessage, 0, len(lines))
		for _, l := range lines {
			out.Body.Lines = append(out.Body.Lines, l)
		}
		return out, nil
	})
}

// writeJSON writes v; the client may have gone, which is nobody's fault.
func writeJSON(w io.Writer, v any) {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v)
}
