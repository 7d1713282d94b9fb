package web

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/audit"
	"github.com/watchpost/watchpost/device/encounter"
	"github.com/watchpost/watchpost/device/encounter/policy"
)

// WatchFace shows nobody at all.
func (b *bench) WatchFace(_ context.Context, _ time.Duration, begun func()) ([]encounter.WatchedFace, error) {
	begun()
	return nil, nil
}

// A challenge goes over the API: the page is told what to show, and what came
// of it is said and noted.
func TestChallenge(t *testing.T) {
	b := newBench(t, wide(), func(p *policy.Policy) {
		p.Presentation = &policy.Presentation{Mode: policy.PresentationRequire, Tries: 1}
	})
	o1 := b.program("o1")
	conn := o1.dial("/v1/events")
	e := o1.openAs("adult")
	o1.refused(http.MethodPost, e+"/challenge", ChallengeBody{}, http.StatusConflict, "presentation.no_face")
	o1.ok(http.MethodPost, e+"/face", nil, nil)
	waitFor := func(kind encounter.EventKind, done func(encounter.Event) bool) {
		for {
			if ev := b.next(conn); ev.Kind == kind && done(ev) {
				return
			}
		}
	}
	waitFor(encounter.EventStep, func(encounter.Event) bool {
		var now encounter.Encounter
		o1.ok(http.MethodGet, e, nil, &now)
		return now.Step(encounter.StepFace).State == encounter.Done
	})
	o1.refused(http.MethodPost, e+"/challenge", map[string]any{"kind": "blink"}, http.StatusUnprocessableEntity, "request.invalid")
	b.program("o2").refused(http.MethodPost, e+"/challenge", ChallengeBody{}, http.StatusForbidden, "officer.role")
	b.program("s1").refused(http.MethodPost, e+"/challenge", ChallengeBody{}, http.StatusForbidden, "officer.role")
	o1.ok(http.MethodPost, e+"/challenge", ChallengeBody{NoFlash: true}, nil)
	waitFor(encounter.EventChallenge, func(encounter.Event) bool { return true })
	waitFor(encounter.EventPresentation, func(encounter.Event) bool { return true })
	o1.until(e, "review")
	var now encounter.Encounter
	o1.ok(http.MethodGet, e, nil, &now)
	if f := now.Presentation; f == nil || f.Check.Result.String() != "not-assessable" || f.Check.Reason != "few_frames" || now.Advice.Clear {
		t.Errorf("%+v", f)
	}
	o1.refused(http.MethodPost, e+"/challenge", ChallengeBody{}, http.StatusConflict, "presentation.no_tries")
	for _, told := range []audit.Action{audit.ChallengeDrawn, audit.PresentationJudged} {
		if n := b.count(told); n != 1 {
			t.Errorf("%d lines of %s", n, told)
		}
	}
	plain := newBench(t, wide()).program("o1")
	plain.refused(http.MethodPost, plain.openAs("adult")+"/challenge", ChallengeBody{}, http.StatusNotFound, "encounter.no_such_step")
}
