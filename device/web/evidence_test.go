package web

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/encounter/retention"
	"github.com/watchpost/watchpost/device/screening"
)

// Photograph and DecodePhotograph play a list that holds one photograph.
func (b *bench) Photograph(c screening.Candidate, n int) ([]byte, error) {
	if c.Record != "r1" || n > 0 {
		return nil, screening.ErrNoPhotograph
	}
	return []byte("<script> of the list"), nil
}

func (b *bench) DecodePhotograph(_ context.Context, outside []byte) ([]byte, error) {
	return append([]byte("\xff\xd8\xff anew"), byte(len(outside))), nil
}

// pictured is listed with a photograph on the list.
func pictured() screening.Result {
	r := listed()
	r.Candidates[0].Photographs = 2
	return r
}

func TestPhotographOverTheAPI(t *testing.T) {
	b := newBench(t, wide())
	b.result = pictured()
	c := b.browser("o1")
	e := c.review()
	path := e + "/photograph?list=l&record=r1&number=0"
	res, raw := c.do(http.MethodGet, path, nil)
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "image/jpeg" || res.Header.Get("Cache-Control") != "no-store" ||
		res.Header.Get("X-Content-Type-Options") != "nosniff" || !bytes.HasPrefix(raw, []byte("\xff\xd8\xff anew")) || bytes.Contains(raw, []byte("script")) {
		t.Errorf("%d %v %q", res.StatusCode, res.Header, raw)
	}
	b.program("s1").ok(http.MethodHead, path, nil, nil)
	c.refused(http.MethodGet, e+"/photograph?list=l&record=r1&number=1", nil, 404, "source.no_photograph")
	c.refused(http.MethodGet, e+"/photograph?list=l&record=r1&number=2", nil, 404, "encounter.no_picture")
	c.refused(http.MethodGet, e+"/photograph?list=l&record=r2&number=0", nil, 404, "encounter.no_such_candidate")
	c.refused(http.MethodGet, e+"/photograph?list=l&number=0", nil, 422, "request.invalid")
	c.refused(http.MethodGet, e+"/photograph?list=l&record=r1&number=-1", nil, 422, "request.invalid")
	c.refused(http.MethodGet, e+"/photograph?list=l&record="+strings.Repeat("x", 129)+"&number=0", nil, 422, "request.invalid")
	b.caller().refused(http.MethodGet, path, nil, 401, "session.missing")
	for _, id := range []string{"o2", "a1", "u1"} {
		b.program(id).refused(http.MethodGet, path, nil, 403, "officer.role")
	}
	c.ok(http.MethodPost, e+"/adjudications", map[string]string{"list": "l", "record": "r1", "finding": "same_person", "reason": "scar"}, nil)
	c.ok(http.MethodPost, e+"/outcome", map[string]string{"outcome": "referred"}, nil)
	c.refused(http.MethodGet, path, nil, 404, "encounter.not_found")
}

func TestEvidenceOverTheAPI(t *testing.T) {
	b := newBench(t, wide())
	begun, machine := b.Now(), retention.Machine(b.Now())
	b.post.Clock = func() retention.Moment {
		now := b.Now()
		return retention.Moment{Wall: now, Boot: machine.Boot, Up: machine.Up + now.Sub(begun)}
	}
	b.result = listed()
	c := b.browser("o1")
	e := c.review()
	c.ok(http.MethodPost, e+"/adjudications", map[string]string{"list": "l", "record": "r1", "finding": "same_person", "reason": "scar"}, nil)
	c.ok(http.MethodPost, e+"/outcome", map[string]string{"outcome": "referred"}, nil)
	evidence := "/v1/evidence/" + strings.TrimPrefix(e, "/v1/encounters/")
	const purpose = "?purpose=border_check"
	for _, id := range []string{"o1", "o2", "a1", "u1"} { // nor the officer whose encounter it was
		other := b.program(id)
		for _, path := range []string{"/v1/evidence", evidence + purpose, evidence + "/pictures/probe" + purpose} {
			other.refused(http.MethodGet, path, nil, 403, "officer.role")
		}
	}
	s := b.browser("s1")
	var list struct{ Evidence []KeptEvidence }
	s.ok(http.MethodGet, "/v1/evidence", nil, &list)
	if len(list.Evidence) != 1 || list.Evidence[0].Officer != "o1" || list.Evidence[0].Outcome.String() != "referred" || list.Evidence[0].LeftSeconds != 72*3600 {
		t.Errorf("%+v", list)
	}
	var shown struct {
		Encounter struct {
			Candidates []struct{ Name, Reason string }
			Face       map[string]any
		}
		Pictures []string
	}
	s.ok(http.MethodGet, evidence+purpose, nil, &shown)
	if len(shown.Encounter.Candidates) != 1 || shown.Encounter.Candidates[0].Name == "" || shown.Encounter.Candidates[0].Reason != "scar" || len(shown.Pictures) != 2 {
		t.Errorf("%+v", shown)
	}
	for which, want := range map[string]string{"probe": "live", "chip": "chip"} {
		res, raw := s.do(http.MethodGet, evidence+"/pictures/"+which+purpose, nil)
		if res.StatusCode != 200 || res.Header.Get("Content-Type") != "image/jpeg" || res.Header.Get("Cache-Control") != "no-store" || !strings.HasSuffix(string(raw), want) {
			t.Errorf("%s: %d %q", which, res.StatusCode, raw)
		}
	}
	s.refused(http.MethodGet, evidence, nil, 422, "request.invalid")
	s.refused(http.MethodGet, evidence+"?purpose=curiosity", nil, 409, "encounter.purpose")
	s.refused(http.MethodGet, evidence+"/pictures/record"+purpose, nil, 422, "request.invalid")
	s.refused(http.MethodGet, "/v1/evidence/nobody"+purpose, nil, 404, "encounter.no_evidence")
	b.forward(72 * time.Hour)
	s = b.browser("s1") // the session has ended too
	s.refused(http.MethodGet, evidence+purpose, nil, 404, "encounter.no_evidence")
	s.refused(http.MethodGet, evidence+"/pictures/probe"+purpose, nil, 404, "encounter.no_evidence")
	s.ok(http.MethodGet, "/v1/evidence", nil, &list)
	if len(list.Evidence) != 0 {
		t.Errorf("after its time: %+v", list)
	}
}
