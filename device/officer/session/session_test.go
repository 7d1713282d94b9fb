package session

import (
	"errors"
	"testing"
	"time"
)

func table(now *time.Time, ended *bool) *Table[string] {
	return New(Options[string]{
		Idle: 10 * time.Minute, Life: time.Hour, Each: 2,
		ID: func(who string) string { return who }, Ended: func(string, time.Time) bool { return *ended }, Now: func() time.Time { return *now },
	})
}

func TestASessionEnds(t *testing.T) {
	for name, end := range map[string]func(s *Table[string], token string, now *time.Time, ended *bool){
		"idle": func(_ *Table[string], _ string, now *time.Time, _ *bool) { *now = now.Add(10 * time.Minute) },
		"shift": func(s *Table[string], token string, now *time.Time, _ *bool) {
			for range 12 {
				*now = now.Add(5 * time.Minute)
				s.Get(token, true)
			}
		},
		"only watched": func(s *Table[string], token string, now *time.Time, _ *bool) {
			for range 3 {
				*now = now.Add(4 * time.Minute)
				s.Get(token, false)
			}
		},
		"clock put back": func(_ *Table[string], _ string, now *time.Time, _ *bool) { *now = now.Add(-2 * time.Minute) },
		"account ended":  func(_ *Table[string], _ string, _ *time.Time, ended *bool) { *ended = true },
		"signed out":     func(s *Table[string], token string, _ *time.Time, _ *bool) { s.End(token) },
		"two later ones": func(s *Table[string], _ string, now *time.Time, _ *bool) {
			*now = now.Add(time.Second)
			s.Add("anna")
			*now = now.Add(time.Second)
			s.Add("anna")
		},
	} {
		t.Run(name, func(t *testing.T) {
			now, ended := time.Unix(1e9, 0), false
			s := table(&now, &ended)
			token, _ := s.Add("anna")
			if h, err := s.Get(token, true); err != nil || h.Who != "anna" {
				t.Fatalf("%+v, %v", h, err)
			}
			end(s, token, &now, &ended)
			if _, err := s.Get(token, true); !errors.Is(err, ErrExpired) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestRefused(t *testing.T) {
	now, ended := time.Unix(1e9, 0), false
	s := table(&now, &ended)
	token, a := s.Add("anna")
	for range 3 {
		s.Add("boris") // others take nobody's place
	}
	if _, err := s.Get(token, true); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Get("", true); !errors.Is(err, ErrMissing) {
		t.Errorf("no token: %v", err)
	}
	if _, err := s.Get("nobody", true); !errors.Is(err, ErrExpired) {
		t.Errorf("another token: %v", err)
	}
	_, b := s.Add("anna")
	if err := a.Forged(a.CSRF); err != nil {
		t.Errorf("its own value: %v", err)
	}
	for _, repeated := range []string{"", b.CSRF, a.CSRF + "x"} {
		if err := a.Forged(repeated); !errors.Is(err, ErrCSRF) {
			t.Errorf("%q: %v", repeated, err)
		}
	}
}
