package schemathesis

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/watchpost/watchpost/hwtest/authenticator"
)

// account is one who is signed in at the post's socket, with a passkey.
type account struct {
	id, password string
	token        string
	key          *authenticator.Key
}

// seeds brings a post to where an operation can succeed, and answers what has
// to be put into the request for it. schemathesis has one worker, so that it is
// for one request at a time.
//
// What schemathesis signs in and out are sessions of another account: one holds
// a few, and the session that all calls are made with must not give way.
type seeds struct {
	t       *testing.T
	http    *http.Client
	mrz     string
	put     func(letter string) error
	stands  string   // letter of who does
	purpose string   // one that the policy knows
	main    *account // whom all calls are made as
	other   *account // who is signed in and out
}

// made is put into a request.
type made struct {
	Path          map[string]string `json:"path,omitempty"`
	Query         map[string]string `json:"query,omitempty"`
	Body          map[string]any    `json:"body,omitempty"`
	Without       []string          `json:"without,omitempty"` // fields of the body that go
	Authorization string            `json:"authorization,omitempty"`
}

func newSeeds(t *testing.T, p post) *seeds {
	t.Helper()
	s := &seeds{t: t, mrz: p.mrz, put: p.put, stands: withPassport, http: &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", p.Socket)
	}}}}
	s.main, s.other = &account{id: p.Officer, password: p.Password}, &account{id: p.Supervisor, password: p.Second}
	for _, a := range []*account{s.main, s.other} {
		var err error
		if a.token, err = s.signIn(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		if a.key, err = authenticator.New("localhost", strings.TrimSuffix(p.URL, "/")); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.register(t.Context(), s.other); err != nil {
		t.Fatal(err)
	}
	var rules struct{ Purposes []string }
	if err := s.call(t.Context(), s.main, http.MethodGet, "/v1/policy-view", nil, &rules); err != nil || len(rules.Purposes) == 0 {
		t.Fatalf("no purpose: %v", err)
	}
	s.purpose = rules.Purposes[0]
	return s
}

// operations lists all operations of the description.
func (s *seeds) operations() []string {
	var described struct {
		Paths map[string]map[string]json.RawMessage
	}
	if err := s.call(context.Background(), nil, http.MethodGet, "/v1/openapi.json", nil, &described); err != nil {
		return []string{err.Error()} // which never reached 2xx
	}
	var all []string
	for path, item := range described.Paths {
		for method := range item {
			if slices.Contains([]string{"get", "put", "post", "delete", "patch", "head", "options"}, method) {
				all = append(all, strings.ToUpper(method)+" "+path)
			}
		}
	}
	slices.Sort(all)
	return all
}

// ServeHTTP answers the hooks: /authorize/OPERATION and /seed/OPERATION.
func (s *seeds) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	what, operation, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	var m made
	var err error
	if what == "authorize" {
		m, err = s.authorize(r.Context(), operation)
	} else {
		m, err = s.seed(r.Context(), operation)
	}
	if err != nil {
		s.t.Errorf("seed of %s: %v", r.URL.Path, err)
		http.Error(w, err.Error(), http.StatusInternalServerError) // the hook raises, schemathesis reports
		return
	}
	raw, err := json.Marshal(m)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_, _ = w.Write(raw) // the hook may have gone
}

// authorize says by which session an operation is called.
func (s *seeds) authorize(ctx context.Context, operation string) (made, error) {
	if operation != "sign-out" {
		return made{Authorization: "Bearer " + s.main.token}, nil
	}
	token, err := s.signIn(ctx, s.other)
	return made{Authorization: "Bearer " + token}, err
}

// seed says what has to be put into a request for an operation.
func (s *seeds) seed(ctx context.Context, operation string) (made, error) {
	switch operation {
	case "sign-in":
		return made{Body: map[string]any{"id": s.other.id, "password": s.other.password}}, nil
	case "open-encounter":
		return made{Body: map[string]any{"purpose": s.purpose}}, s.closeAll(ctx)
	case "get-encounter", "read-document", "capture-face", "skip-step":
		id, err := s.open(ctx)
		return made{Path: map[string]string{"id": id}}, err
	case "challenge":
		id, err := s.facing(ctx)
		return made{Path: map[string]string{"id": id}}, err
	case "get-photograph":
		e, err := s.review(ctx)
		if err != nil {
			return made{}, err
		}
		return made{Path: map[string]string{"id": e.ID}, Query: map[string]string{"list": e.Candidates[0].List, "record": e.Candidates[0].Record, "number": "0"}}, nil
	case "get-evidence", "get-evidence-picture":
		id, err := s.evidence(ctx)
		m := made{Path: map[string]string{"id": id}, Query: map[string]string{"purpose": s.purpose}}
		if operation == "get-evidence-picture" {
			m.Path["picture"] = "probe"
		}
		return m, err
	case "capture-finger":
		id, err := s.openFingers(ctx)
		return made{Path: map[string]string{"id": id, "position": "2"}}, err
	case "except-finger":
		id, err := s.openFingers(ctx)
		return made{Path: map[string]string{"id": id, "position": "2"}, Body: map[string]any{"reason": "bandaged"}}, err
	case "end-fingers":
		id, err := s.takeFinger(ctx)
		return made{Path: map[string]string{"id": id}}, err
	case "get-finger-picture":
		e, err := s.foundByFingers(ctx)
		if err != nil {
			return made{}, err
		}
		return made{Path: map[string]string{"id": e.ID, "list": e.Candidates[0].List, "record": e.Candidates[0].Record}}, nil
	case "get-picture":
		e, err := s.review(ctx)
		return made{Path: map[string]string{"id": e.ID}}, err
	case "adjudicate":
		e, err := s.review(ctx)
		if err != nil {
			return made{}, err
		}
		return made{
			Path: map[string]string{"id": e.ID}, Without: []string{"second"},
			Body: map[string]any{"list": e.Candidates[0].List, "record": e.Candidates[0].Record, "finding": "undecided"},
		}, nil
	case "decide":
		id, err := s.open(ctx)
		return made{Path: map[string]string{"id": id}, Without: []string{"second"}, Body: map[string]any{"outcome": "abandoned", "reason": "left"}}, err
	case "begin-passkey":
		return made{}, s.forget(ctx, s.main)
	case "add-passkey":
		ceremony, credential, err := s.create(ctx, s.main)
		return made{Body: map[string]any{"ceremony": ceremony, "credential": credential}}, err
	case "remove-passkey":
		id, err := s.register(ctx, s.main)
		return made{Path: map[string]string{"id": id}}, err
	case "unlock-with-passkey":
		id, err := s.register(ctx, s.main)
		return made{Path: map[string]string{"id": id}, Body: map[string]any{"salt": make([]byte, 32), "secret": make([]byte, 32)}}, err
	case "sign-in-with-passkey":
		ceremony, options, err := s.begin(ctx, nil, "/v1/session/passkey-ceremonies")
		if err != nil {
			return made{}, err
		}
		credential, err := s.other.key.Get(options)
		return made{Body: map[string]any{"ceremony": ceremony, "credential": json.RawMessage(credential)}}, err
	}
	return made{}, nil
}

func (s *seeds) signIn(ctx context.Context, a *account) (string, error) {
	var in struct{ Token string }
	err := s.call(ctx, nil, http.MethodPost, "/v1/session", map[string]string{"id": a.id, "password": a.password}, &in)
	return in.Token, err
}

// found is an encounter as far as it is of use here.
type found struct {
	ID         string
	Officer    string
	State      string
	Candidates []struct{ List, Record string }
	Missing    []string
	Steps      []struct{ Name, State, Code string }
	Fingers    []struct {
		Position int
		State    string
	}
}

func (s *seeds) encounters(ctx context.Context) ([]found, error) {
	var open struct{ Encounters []found }
	err := s.call(ctx, s.main, http.MethodGet, "/v1/encounters", nil, &open)
	return open.Encounters, err
}

// evidence returns a closed encounter of which evidence is kept.
func (s *seeds) evidence(ctx context.Context) (string, error) {
	for range 2 {
		var kept struct{ Evidence []struct{ Encounter string } }
		if err := s.call(ctx, s.main, http.MethodGet, "/v1/evidence", nil, &kept); err != nil || len(kept.Evidence) > 0 {
			if err != nil {
				return "", err
			}
			return kept.Evidence[0].Encounter, nil
		}
		if _, err := s.review(ctx); err != nil { // its candidate is why evidence is kept
			return "", err
		}
		if err := s.closeAll(ctx); err != nil {
			return "", err
		}
	}
	return "", errors.New("no evidence is kept of a candidate")
}

// closeAll abandons what is open. A finger that is being taken is taken first:
// the bench lays it down when it hears of the capture, and were that gone by then,
// it would lie there for the next one, maybe of another finger.
func (s *seeds) closeAll(ctx context.Context) error {
	open, err := s.encounters(ctx)
	for _, e := range open {
		if e.step("fingers") == "running" {
			_, taken := s.wait(ctx, e.ID, func(e found) bool { return e.step("fingers") != "running" })
			err = errors.Join(err, taken)
		}
		err = errors.Join(err, s.call(ctx, s.main, http.MethodPost, "/v1/encounters/"+e.ID+"/outcome", map[string]string{"outcome": "abandoned", "reason": "seed"}, nil))
	}
	return err
}

// open returns an encounter in which nothing was done yet.
func (s *seeds) open(ctx context.Context) (string, error) {
	if err := errors.Join(s.closeAll(ctx), s.stand(withPassport)); err != nil {
		return "", err
	}
	var e found
	body := map[string]any{"purpose": s.purpose, "document": true, "declared": map[string]string{"age": "adult"}}
	err := s.call(ctx, s.main, http.MethodPost, "/v1/encounters", body, &e)
	return e.ID, err
}

// facing returns an encounter whose face was taken and whose document was not
// read: it stands at the challenge of the person.
func (s *seeds) facing(ctx context.Context) (string, error) {
	id, err := s.open(ctx)
	if err != nil {
		return "", err
	}
	_, err = s.through(ctx, id, []string{"face"}, func(e found) bool { return e.step("face") == "done" })
	return id, err
}

// step is how a step of an encounter stands, "" where it has none.
func (e found) step(name string) string {
	for _, s := range e.Steps {
		if s.Name == name {
			return s.State
		}
	}
	return ""
}

// review returns an encounter with a candidate, with its answer given.
func (s *seeds) review(ctx context.Context) (found, error) {
	open, err := s.encounters(ctx)
	if err != nil {
		return found{}, err
	}
	for _, e := range open {
		if e.State == "review" && len(e.Candidates) > 0 && s.stands == withPassport {
			return e, nil
		}
	}
	id, err := s.open(ctx)
	if err != nil {
		return found{}, err
	}
	return s.through(ctx, id, []string{"document", "face", "presentation"}, listed)
}

// begin starts a passkey ceremony.
func (s *seeds) begin(ctx context.Context, a *account, path string) (string, []byte, error) {
	var begun struct {
		Ceremony string
		Options  json.RawMessage
	}
	err := s.call(ctx, a, http.MethodPost, path, nil, &begun)
	return begun.Ceremony, begun.Options, err
}

// forget removes all passkeys of an account: it may hold a few only.
func (s *seeds) forget(ctx context.Context, a *account) error {
	var held struct{ Passkeys []struct{ ID string } }
	err := s.call(ctx, a, http.MethodGet, "/v1/passkeys", nil, &held)
	for _, p := range held.Passkeys {
		err = errors.Join(err, s.call(ctx, a, http.MethodDelete, "/v1/passkeys/"+p.ID, nil, nil))
	}
	return err
}

// create has the account's key answer a registration.
func (s *seeds) create(ctx context.Context, a *account) (string, json.RawMessage, error) {
	if err := s.forget(ctx, a); err != nil {
		return "", nil, err
	}
	ceremony, options, err := s.begin(ctx, a, "/v1/passkey-ceremonies")
	if err != nil {
		return "", nil, err
	}
	credential, err := a.key.Create(options)
	return ceremony, credential, err
}

// register adds the account's key to it and returns its id.
func (s *seeds) register(ctx context.Context, a *account) (string, error) {
	ceremony, credential, err := s.create(ctx, a)
	if err != nil {
		return "", err
	}
	var p struct{ ID string }
	err = s.call(ctx, a, http.MethodPost, "/v1/passkeys", map[string]any{"ceremony": ceremony, "name": "seed", "credential": credential}, &p)
	return p.ID, err
}

// call calls the post by its socket, in the name of a where it is not nil, and
// waits where the post says that it is too early.
func (s *seeds) call(ctx context.Context, a *account, method, path string, body, out any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	for {
		var r io.Reader
		if body != nil {
			r = bytes.NewReader(raw)
		}
		req, err := http.NewRequestWithContext(ctx, method, "http://post"+path, r)
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/json")
		if a != nil {
			req.Header.Set("Authorization", "Bearer "+a.token)
		}
		res, err := s.http.Do(req)
		if err != nil {
			return err
		}
		answer, err := io.ReadAll(res.Body)
		res.Body.Close()
		switch {
		case err != nil:
			return err
		case res.StatusCode == http.StatusTooManyRequests:
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Second):
			}
			continue
		case res.StatusCode/100 != 2:
			return fmt.Errorf("%s %s: %d %s", method, path, res.StatusCode, answer)
		case out == nil:
			return nil
		}
		return json.Unmarshal(answer, out)
	}
}
