package web

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/officer"
)

// System is what the post says of itself.
type System struct {
	Post      string       `json:"post"`
	Workplace string       `json:"workplace" enum:"desk,gate,field"`
	Version   string       `json:"version" doc:"version of the program"`
	Time      time.Time    `json:"time" doc:"clock of the post"`
	Started   time.Time    `json:"started"`
	ReadyMS   int64        `json:"ready_ms" doc:"from start to ready"`
	Policy    string       `json:"policy" doc:"owner and edition of the policy in force"`
	Lists     []ListState  `json:"lists" nullable:"false"`
	Devices   []DeviceInfo `json:"devices" nullable:"false"`
	Link      string       `json:"link" doc:"state of the link to central" enum:"none,up,down"`
	Outbox    int          `json:"outbox" doc:"outcomes waiting for central's receipt"`
	AuditHead audit.Head   `json:"audit_head"`
	Audit     AuditState   `json:"audit" doc:"signed heads of the audit log, and who keeps them"`
}

// ListState is the state of one list held.
type ListState struct {
	List          string    `json:"list"`
	Owner         string    `json:"owner"`
	Generation    uint64    `json:"generation"`
	Issued        time.Time `json:"issued"`
	AgeSeconds    int64     `json:"age_seconds" doc:"since it was issued, by the clock of the post"`
	MaxAgeSeconds int64     `json:"max_age_seconds" doc:"older than this it is stale by policy"`
	Stale         bool      `json:"stale" doc:"an answer from it is not verified"`
	Records       int       `json:"records"`
	Faces         int       `json:"faces"`
	Documents     int       `json:"documents"`
}

// DeviceInfo is the state of one device.
type DeviceInfo struct {
	ID    string `json:"id"`
	Kind  string `json:"kind" enum:"camera,reader,finger,page,other"`
	Name  string `json:"name"`
	State string `json:"state" enum:"ready,lost,unknown"`
}

type auditOutput struct {
	Body struct {
		Lines []json.RawMessage `json:"lines" nullable:"false" doc:"as written, oldest first"`
	}
}

func (s *Server) systemOperations() {
	register(s, huma.Operation{
		OperationID: "get-system", Method: http.MethodGet, Path: "/v1/system", Summary: "State of the post", Security: signedIn,
	}, func(ctx context.Context, _ *struct{}) (*struct{ Body System }, error) {
		if _, err := officerOf(ctx, anyRole...); err != nil {
			return nil, fail(err)
		}
		sys, err := s.backend.System(ctx)
		return &struct{ Body System }{sys}, fail(err)
	})
	register(s, huma.Operation{
		OperationID: "get-policy-view", Method: http.MethodGet, Path: "/v1/policy-view", Summary: "What the page shows of the policy in force", Security: signedIn,
	}, func(ctx context.Context, _ *struct{}) (*policyOutput, error) {
		if _, err := officerOf(ctx, anyRole...); err != nil {
			return nil, fail(err)
		}
		return &policyOutput{viewOf(s.post.Policy)}, nil
	})
	register(s, huma.Operation{
		OperationID: "get-audit", Method: http.MethodGet, Path: "/v1/audit", Summary: "Lines of the audit log", Security: signedIn,
	}, func(ctx context.Context, in *struct {
		From  int64 `query:"from" minimum:"0"`
		Limit int   `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	}) (*auditOutput, error) {
		a, err := officerOf(ctx, officer.Auditor, officer.Supervisor)
		if err != nil {
			return nil, fail(err)
		}
		lines, err := s.backend.AuditLines(in.From, in.Limit)
		if err == nil {
			err = s.auditRead(a, in.From)
		}
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
