package schemathesis

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Letters of the demonstration's persons.
const (
	withPassport = "b" // listed by a face
	withFingers  = "i" // listed by two index fingers, without papers
)

// stand has a person stand at the post.
func (s *seeds) stand(letter string) error {
	if s.stands == letter {
		return nil
	}
	if err := s.put(letter); err != nil {
		return err
	}
	s.stands = letter
	return nil
}

// openFingers returns an encounter that takes fingers and has none yet.
func (s *seeds) openFingers(ctx context.Context) (string, error) {
	if err := errors.Join(s.closeAll(ctx), s.stand(withFingers)); err != nil {
		return "", err
	}
	var e found
	body := map[string]any{"purpose": s.purpose, "document": false, "fingers": true, "declared": map[string]string{"age": "adult"}}
	err := s.call(ctx, s.main, http.MethodPost, "/v1/encounters", body, &e)
	return e.ID, err
}

// takeFinger returns an encounter in which both listed fingers were taken.
func (s *seeds) takeFinger(ctx context.Context) (string, error) {
	id, err := s.openFingers(ctx)
	for _, position := range []int{2, 7} {
		for taken := false; !taken && err == nil; {
			if err = s.call(ctx, s.main, http.MethodPost, fmt.Sprintf("/v1/encounters/%s/fingers/%d", id, position), nil, nil); err != nil {
				return "", err
			}
			_, err = s.wait(ctx, id, func(e found) bool {
				for _, f := range e.Fingers {
					if f.Position == position && f.State != "running" {
						taken = f.State == "taken"
						return true
					}
				}
				return false
			})
		}
	}
	return id, err
}

// foundByFingers returns an encounter whose candidate was found by fingers.
func (s *seeds) foundByFingers(ctx context.Context) (found, error) {
	open, err := s.encounters(ctx)
	if err != nil {
		return found{}, err
	}
	for _, e := range open {
		if e.State == "review" && len(e.Candidates) > 0 && s.stands == withFingers {
			return e, nil
		}
	}
	var e found
	for range 3 { // a dry touch may hold too little to be found by
		if e, err = s.searchedByFingers(ctx); err != nil || len(e.Candidates) > 0 {
			return e, err
		}
	}
	return e, errors.New("the fingers were not found")
}

func (s *seeds) searchedByFingers(ctx context.Context) (found, error) {
	id, err := s.takeFinger(ctx)
	if err != nil {
		return found{}, err
	}
	for _, path := range []string{"/fingers/end", "/face"} {
		if err := s.call(ctx, s.main, http.MethodPost, "/v1/encounters/"+id+path, nil, nil); err != nil {
			return found{}, err
		}
	}
	return s.wait(ctx, id, func(e found) bool { return e.State == "review" })
}

// wait asks for an encounter until it is as wanted.
func (s *seeds) wait(ctx context.Context, id string, want func(found) bool) (e found, err error) {
	ctx, cancel := context.WithTimeout(ctx, reviewLimit)
	defer cancel()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for {
		e = found{}
		if err := s.call(ctx, s.main, http.MethodGet, "/v1/encounters/"+id, nil, &e); err != nil {
			return e, err
		}
		if want(e) {
			return e, nil
		}
		select {
		case <-ctx.Done():
			return e, fmt.Errorf("the encounter stays in %s: %v", e.State, e.Steps)
		case <-again.C:
		}
	}
}
