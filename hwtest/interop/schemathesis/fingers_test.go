package schemathesis

import (
	"context"
	"errors"
	"fmt"
	"net/http"
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
	id, err := s.takeFinger(ctx)
	if err != nil {
		return found{}, err
	}
	if err := s.call(ctx, s.main, http.MethodPost, "/v1/encounters/"+id+"/fingers/end", nil, nil); err != nil {
		return found{}, err
	}
	return s.through(ctx, id, []string{"face", "presentation"}, listed)
}
