package schemathesis

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// walkLimit is how long an encounter may take to get anywhere beside other work.
const walkLimit = 2 * time.Minute

// listed says that the listed person of an encounter was found. On a busy
// machine the lists' answer may come after the workplace's deadline: the
// candidate is then a late hit of an encounter that is under review already.
func listed(e found) bool { return e.State == "review" && len(e.Candidates) > 0 }

// through takes an encounter through the named steps, as an officer would: one
// that has failed is tried again, a challenge is left out. It returns the
// encounter once it is as wanted.
func (s *seeds) through(ctx context.Context, id string, steps []string, want func(found) bool) (found, error) {
	at := "/v1/encounters/" + id
	return s.until(ctx, id, func(e found) (bool, error) {
		if want(e) {
			return true, nil
		}
		if e.State == "review" && len(e.Missing) == 0 {
			return false, fmt.Errorf("every list has answered, and the person was not found")
		}
		for _, step := range e.Steps {
			if !slices.Contains(steps, step.Name) || step.State != "pending" && step.State != "failed" {
				continue
			}
			path, body := at+"/"+step.Name, any(nil)
			switch step.Name {
			case "document":
				body = map[string]string{"mrz": s.mrz}
			case "presentation":
				path, body = at+"/steps/presentation/skip", map[string]string{"reason": "seed"}
			}
			if err := s.call(ctx, s.main, http.MethodPost, path, body, nil); err != nil {
				return false, err
			}
		}
		return false, nil
	})
}

// wait asks for an encounter until it is as wanted.
func (s *seeds) wait(ctx context.Context, id string, want func(found) bool) (found, error) {
	return s.until(ctx, id, func(e found) (bool, error) { return want(e), nil })
}

// until asks for an encounter until look is content with it.
func (s *seeds) until(ctx context.Context, id string, look func(found) (bool, error)) (e found, err error) {
	ctx, cancel := context.WithTimeout(ctx, walkLimit)
	defer cancel()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for {
		e = found{}
		if err := s.call(ctx, s.main, http.MethodGet, "/v1/encounters/"+id, nil, &e); err != nil {
			return e, err
		}
		if done, err := look(e); done || err != nil {
			return e, err
		}
		select {
		case <-ctx.Done():
			return e, fmt.Errorf("the encounter stays in %s: %v, missing %q, %d candidates", e.State, e.Steps, e.Missing, len(e.Candidates))
		case <-again.C:
		}
	}
}
