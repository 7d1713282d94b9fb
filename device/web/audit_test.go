package web

import (
	"net/http"
	"strings"
	"testing"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/encounter/policy"
	"github.com/watchpost/watchpost/device/officer/lockout"
	"github.com/watchpost/watchpost/device/screening"
)

// TestWhatOfficersDoIsAudited goes through the operations of the API and finds
// the line of each, and no person in any. What the daemon does besides is
// looked for in hwtest/knocks.
func TestWhatOfficersDoIsAudited(t *testing.T) {
	b := newBench(t, wide(), func(p *policy.Policy) {
		p.Officers.SecondOfficer = []policy.Act{policy.ActOverride}
		p.Officers.SearchesPerHour = 3
	})
	b.result = pictured()
	b.result.Coverage = []screening.Coverage{{Source: "local", List: "l"}}

	c := b.caller()
	for range lockout.Free {
		c.refused(http.MethodPost, "/v1/session", Credentials{"o2", "wrong horse"}, http.StatusUnauthorized, "officer.refused")
	}
	o1 := b.program("o1")
	e := o1.review()
	o1.ok(http.MethodHead, e+"/photograph?list=l&record=r1&number=0", nil, nil)
	o1.ok(http.MethodPost, e+"/adjudications", AdjudicationBody{List: "l", Record: "r1", Finding: 1, Reason: "the scar"}, nil)
	admit := map[string]any{"outcome": "admitted", "reason": "the embassy vouches"}
	o1.refused(http.MethodPost, e+"/outcome", map[string]any{"outcome": "admitted"}, http.StatusConflict, "encounter.reason_needed")
	o1.refused(http.MethodPost, e+"/outcome", admit, http.StatusConflict, "encounter.second_needed")
	admit["second"] = Credentials{"o1", password}
	o1.refused(http.MethodPost, e+"/outcome", admit, http.StatusForbidden, "officer.role") // the same officer is no second one
	admit["second"] = Credentials{"s1", password}
	o1.ok(http.MethodPost, e+"/outcome", admit, nil)
	b.late(screening.Reply{Candidates: []screening.Candidate{{List: "l", Record: "r9", Name: "LATELISTED"}}})

	s1 := b.program("s1")
	for range 3 {
		s1.ok(http.MethodGet, e, nil, nil)
	}
	s1.ok(http.MethodGet, reportPath, nil, nil)
	s1.ok(http.MethodGet, "/v1/evidence", nil, nil)
	s1.ok(http.MethodGet, strings.Replace(e, "encounters", "evidence", 1)+"?purpose=border_check", nil, nil)
	s1.ok(http.MethodGet, "/v1/audit", nil, nil)
	s1.ok(http.MethodGet, "/v1/audit/heads", nil, nil)
	o1.refused(http.MethodGet, "/v1/audit", nil, http.StatusForbidden, "officer.role")
	o1.refused(http.MethodGet, "/v1/audit/heads", nil, http.StatusForbidden, "officer.role")

	b.mu.Lock()
	b.result = screening.Result{Answer: screening.Clear}
	b.mu.Unlock()
	minor := o1.openAs("minor")
	o1.ok(http.MethodPost, minor+"/face", nil, nil)
	o1.until(minor, "review")
	o1.ok(http.MethodPost, minor+"/outcome", map[string]string{"outcome": "abandoned", "reason": "went away"}, nil)
	third := o1.openAs("adult")
	o1.ok(http.MethodPost, third+"/steps/face/skip", SkipBody{Reason: "veil"}, nil)
	o1.until(third, "review")
	o1.ok(http.MethodPost, third+"/outcome", map[string]string{"outcome": "referred"}, nil)
	o1.refused(http.MethodPost, "/v1/encounters", map[string]any{"purpose": "border_check", "document": false}, http.StatusTooManyRequests, "officer.limit")
	o1.ok(http.MethodDelete, "/v1/session", nil, nil)

	seen := map[audit.Action]int{}
	var override, second bool
	for line, err := range audit.Lines(b.store.AuditLines) {
		if err != nil {
			t.Fatal(err)
		}
		seen[line.Action]++
		override = override || line.Facts["override"] == "true"
		second = second || line.Facts["second"] == "s1"
		if line.Action == audit.Searched && line.Purpose != "border_check" {
			t.Errorf("a search without its purpose: %+v", line)
		}
	}
	for _, e := range audit.Events() {
		switch e.Kind {
		case audit.KindSignIn, audit.KindSearch, audit.KindDecision, audit.KindAccess:
		default:
			continue
		}
		switch e.Action {
		case audit.PasskeyAdded, audit.PasskeyUsed, audit.PasskeyRemoved: // passkeys_test.go
		case audit.ChallengeDrawn, audit.PresentationJudged: // challenge_test.go
		case audit.EncounterResumed, audit.OfficerShut: // of the daemon
		default:
			if seen[e.Action] == 0 {
				t.Errorf("nothing tells of %s (%s)", e.Action, e.Tells)
			}
		}
	}
	if seen[audit.SignInFailed] != lockout.Free || seen[audit.EncounterViewed] != 1 {
		t.Errorf("%v", seen)
	}
	if !override || !second {
		t.Error("the override or its second officer is not told")
	}
	raw, err := b.store.AuditLines(0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range raw {
		for _, personal := range []string{"LISTED", "L898902C3", "1990", "900504", "Name of", "scar", "embassy", "veil", "wrong horse", password} {
			if strings.Contains(string(l), personal) {
				t.Errorf("%q is in the log: %s", personal, l)
			}
		}
	}
}

// openAs starts an encounter without a document with somebody of an age.
func (c *caller) openAs(age string) string {
	c.b.t.Helper()
	var e struct{ ID string }
	c.ok(http.MethodPost, "/v1/encounters", map[string]any{"purpose": "border_check", "document": false, "declared": map[string]string{"age": age}}, &e)
	return "/v1/encounters/" + e.ID
}
