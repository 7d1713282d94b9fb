package web

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/audit/report"
	"github.com/watchpost/watchpost/device/screening"
)

const reportPath = "/v1/reports/searches"

func TestReportCountsWhatOfficersDid(t *testing.T) {
	b := newBench(t, wide())
	b.result = listed()
	b.result.Coverage = []screening.Coverage{{Source: "local", List: "l"}, {Source: "local", List: "empty"}}
	o1 := b.program("o1")
	e := o1.review()
	o1.ok(http.MethodPost, e+"/adjudications", AdjudicationBody{List: "l", Record: "r1", Finding: 2, Reason: "ears"}, nil)
	o1.ok(http.MethodPost, e+"/outcome", map[string]string{"outcome": "admitted", "reason": "not the person"}, nil)
	b.program("o2").review()
	b.forward(time.Second) // a report ends before now

	s1 := b.program("s1")
	var got report.Report
	s1.ok(http.MethodGet, reportPath, nil, &got)
	if want := (report.Counts{Searches: 2, Hits: 2, Candidates: 2, False: 1, Open: 1}); got.Total != want {
		t.Errorf("total %+v, want %+v", got.Total, want)
	}
	if len(got.ByList) != 2 || got.ByList[0].List != "empty" || got.ByList[0].Hits != 0 || got.ByList[1].Hits != 2 {
		t.Errorf("by list: %+v", got.ByList)
	}
	if len(got.ByOfficer) != 2 || got.ByOfficer[0].Officer != "o1" || got.ByOfficer[0].False != 1 || got.ByOfficer[0].Purposes["border_check"] != 1 {
		t.Errorf("by officer: %+v", got.ByOfficer)
	}
	_, raw := s1.do(http.MethodGet, reportPath, nil)
	for _, personal := range []string{"LISTED", "L898902C3", "1990-05-04", "Name of", "ears"} {
		if strings.Contains(string(raw), personal) {
			t.Errorf("the report tells %q", personal)
		}
	}
	if n := b.count(audit.ReportRead); n != 2 {
		t.Errorf("%d of 2 readings are in the audit log", n)
	}

	from := b.Now().AddDate(0, 0, -3).Format("2006-01-02T15:04:05Z")
	s1.ok(http.MethodGet, reportPath+"?from="+from+"&to="+b.Now().AddDate(0, 0, -2).Format("2006-01-02T15:04:05Z"), nil, &got)
	if got.Total != (report.Counts{}) {
		t.Errorf("two days before anything was done: %+v", got.Total)
	}
}

func TestReportIsForSupervisorsAndAuditors(t *testing.T) {
	b := newBench(t, wide())
	b.program("u1").ok(http.MethodGet, reportPath, nil, nil)
	for _, id := range []string{"o1", "a1"} {
		b.program(id).refused(http.MethodGet, reportPath, nil, http.StatusForbidden, "officer.role")
	}
	b.caller().refused(http.MethodGet, reportPath, nil, http.StatusUnauthorized, "session.missing")
	u1 := b.program("u1")
	u1.refused(http.MethodGet, reportPath+"?from=2026-01-01T00:00:00Z&to=2025-01-01T00:00:00Z", nil, http.StatusConflict, "report.range")
	u1.refused(http.MethodGet, reportPath+"?from=2020-01-01T00:00:00Z&to=2026-01-01T00:00:00Z", nil, http.StatusConflict, "report.range")
	u1.refused(http.MethodGet, reportPath+"?from=yesterday", nil, http.StatusUnprocessableEntity, "request.invalid")
}

// count says how often the audit log holds an action.
func (b *bench) count(action audit.Action) (n int) {
	b.t.Helper()
	for line, err := range audit.Lines(b.store.AuditLines) {
		if err != nil {
			b.t.Fatal(err)
		}
		if line.Action == action {
			n++
		}
	}
	return n
}
