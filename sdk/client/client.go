// Package client is the Go client of a post's API (/v1): over the admin socket
// of a daemon on the same machine, or over HTTPS. The zero Client is not
// usable; New gives one. A Client is safe for concurrent use.
//
// Types here mirror the published OpenAPI description and nothing of the
// appliance's own code; fields that a caller has no use for are left out.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

// maxAnswer bounds an answer; an encounter with 200 candidates takes 300 KiB.
const maxAnswer = 8 << 20

// Error is what the API answers when it cannot do what was asked.
type Error struct {
	Status    int    `json:"-"` // HTTP status
	Code      string `json:"code"`
	Cause     string `json:"cause"`
	TextKey   string `json:"text_key"`
	Hint      string `json:"hint"`
	Retryable bool   `json:"retryable"`
}

func (e *Error) Error() string {
	if e.Hint != "" {
		return e.Code + ": " + e.Cause + " (" + e.Hint + ")"
	}
	return e.Code + ": " + e.Cause
}

// Client speaks to one post.
type Client struct {
	base  string
	http  *http.Client
	dial  func(ctx context.Context, network, addr string) (net.Conn, error)
	token string
}

// NewSocket returns a client of the daemon whose admin socket is at path.
func NewSocket(path string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}
	return &Client{base: "http://post", dial: dial, http: &http.Client{Transport: &http.Transport{DialContext: dial}}}
}

// SignIn opens a session; the calls after it act in its name.
func (c *Client) SignIn(ctx context.Context, id, password string) error {
	var out struct {
		Token string `json:"token"`
	}
	if err := c.call(ctx, http.MethodPost, "/v1/session", map[string]string{"id": id, "password": password}, &out); err != nil {
		return err
	}
	c.token = out.Token
	return nil
}

// SignOut ends the session.
func (c *Client) SignOut(ctx context.Context) error {
	err := c.call(ctx, http.MethodDelete, "/v1/session", nil, nil)
	c.token = ""
	return err
}

// Declared is what a person says of themselves, unverified.
type Declared struct {
	Age      string `json:"age"` // adult, minor, unknown
	Language string `json:"language,omitempty"`
}

// Open starts an encounter.
func (c *Client) Open(ctx context.Context, purpose string, document bool, declared Declared) (*Encounter, error) {
	return c.encounter(ctx, http.MethodPost, "/v1/encounters", map[string]any{"purpose": purpose, "document": document, "declared": declared})
}

// Get returns an encounter as it stands.
func (c *Client) Get(ctx context.Context, id string) (*Encounter, error) {
	return c.encounter(ctx, http.MethodGet, "/v1/encounters/"+url.PathEscape(id), nil)
}

// ReadDocument starts reading the document on the reader. mrz is the zone's
// lines, or "NUMBER,YYMMDD,YYMMDD" (number, birth, expiry).
func (c *Client) ReadDocument(ctx context.Context, id, mrz string) (*Encounter, error) {
	return c.encounter(ctx, http.MethodPost, "/v1/encounters/"+url.PathEscape(id)+"/document", map[string]string{"mrz": mrz})
}

// CaptureFace starts taking the face.
func (c *Client) CaptureFace(ctx context.Context, id string) (*Encounter, error) {
	return c.encounter(ctx, http.MethodPost, "/v1/encounters/"+url.PathEscape(id)+"/face", nil)
}

// OpenWithFingers is Open for an encounter that takes fingers, too.
func (c *Client) OpenWithFingers(ctx context.Context, purpose string, document bool, declared Declared) (*Encounter, error) {
	return c.encounter(ctx, http.MethodPost, "/v1/encounters", map[string]any{"purpose": purpose, "document": document, "fingers": true, "declared": declared})
}

// CaptureFinger starts taking one finger: 1 right thumb to 10 left little
// finger.
func (c *Client) CaptureFinger(ctx context.Context, id string, position int) (*Encounter, error) {
	return c.encounter(ctx, http.MethodPost, fmt.Sprintf("/v1/encounters/%s/fingers/%d", url.PathEscape(id), position), nil)
}

// ExceptFinger notes that a finger is not given: "missing", "bandaged",
// "unable" or "refused".
func (c *Client) ExceptFinger(ctx context.Context, id string, position int, reason string) (*Encounter, error) {
	return c.encounter(ctx, http.MethodPost, fmt.Sprintf("/v1/encounters/%s/fingers/%d/exception", url.PathEscape(id), position), map[string]string{"reason": reason})
}

// EndFingers goes on with the fingers that were taken.
func (c *Client) EndFingers(ctx context.Context, id string) (*Encounter, error) {
	return c.encounter(ctx, http.MethodPost, "/v1/encounters/"+url.PathEscape(id)+"/fingers/end", nil)
}

// Challenge has the post draw a challenge against presentation attacks and watch
// the person answer it; the event challenge.drawn tells what it is, and
// presentation.judged what came of it.
func (c *Client) Challenge(ctx context.Context, id string, noFlash bool) (*Encounter, error) {
	return c.encounter(ctx, http.MethodPost, "/v1/encounters/"+url.PathEscape(id)+"/challenge", map[string]bool{"no_flash": noFlash})
}

// Skip ends a step ("document", "face", "fingers") without a result.
func (c *Client) Skip(ctx context.Context, id, step, reason string) (*Encounter, error) {
	return c.encounter(ctx, http.MethodPost, "/v1/encounters/"+url.PathEscape(id)+"/steps/"+url.PathEscape(step)+"/skip", map[string]string{"reason": reason})
}

// Adjudicate records a finding ("same_person", "different_person",
// "undecided") on a candidate.
func (c *Client) Adjudicate(ctx context.Context, id string, k Candidate, finding, reason string) (*Encounter, error) {
	return c.encounter(ctx, http.MethodPost, "/v1/encounters/"+url.PathEscape(id)+"/adjudications",
		map[string]string{"list": k.List, "record": k.Record, "finding": finding, "reason": reason})
}

// Decide records the outcome ("admitted", "referred", "refused", "abandoned",
// "evacuated").
func (c *Client) Decide(ctx context.Context, id, outcome, reason string) (*Encounter, error) {
	return c.encounter(ctx, http.MethodPost, "/v1/encounters/"+url.PathEscape(id)+"/outcome", map[string]string{"outcome": outcome, "reason": reason})
}

// System returns the state of the post.
func (c *Client) System(ctx context.Context) (*System, error) {
	out := new(System)
	return out, c.call(ctx, http.MethodGet, "/v1/system", nil, out)
}

func (c *Client) encounter(ctx context.Context, method, path string, body any) (*Encounter, error) {
	out := new(Encounter)
	if err := c.call(ctx, method, path, body, out); err != nil {
		return nil, err
	}
	return out, nil
}

func (c *Client) call(ctx context.Context, method, path string, body, out any) error {
	var r io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("encode the request: %w", err)
		}
		r = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, r)
	if err != nil {
		return fmt.Errorf("make the request: %w", err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("reach the post: %w", err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	if res.StatusCode >= 300 {
		e := &Error{Status: res.StatusCode}
		if json.Unmarshal(raw, e) != nil || e.Code == "" {
			e.Code, e.Cause = "internal.unknown", res.Status
		}
		return e
	}
	if out == nil || len(raw) == 0 {
		return nil
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return fmt.Errorf("decode the answer: %w", err)
	}
	return nil
}

// Now follows what happens from the call on.
const Now = math.MaxUint64

// Gone is the code of a follower's Error who asks for events that the post no
// longer has: it has fallen too far behind, or the post has started anew and
// numbers them from one again.
const Gone = "events.gone"

// Watch is Follow for who must miss nothing: where the post no longer has what
// comes next, it goes on with what happens from then on, and calls again once
// the new connection stands. What happened meanwhile is in what again reads of
// the post, what comes after it f is told, so f may be told what again has
// read already. It ends when f or again returns false or an error, or ctx ends.
func (c *Client) Watch(ctx context.Context, after uint64, f func(Event) (bool, error), again func() (bool, error)) error {
	err := c.Follow(ctx, after, f)
	for e := (*Error)(nil); errors.As(err, &e) && e.Code == Gone; {
		err = c.follow(ctx, Now, again, f)
	}
	return err
}

// Follow calls f with each event after sequence number after, or from Now on,
// until f returns false or an error, or ctx ends. Where the post ends it, an
// *Error says why (Gone, "session.expired").
func (c *Client) Follow(ctx context.Context, after uint64, f func(Event) (bool, error)) error {
	return c.follow(ctx, after, func() (bool, error) { return true, nil }, f)
}

// follow calls open once the post counts what it has to send.
func (c *Client) follow(ctx context.Context, after uint64, open func() (bool, error), f func(Event) (bool, error)) error {
	d := websocket.Dialer{NetDialContext: c.dial, HandshakeTimeout: 5 * time.Second}
	header := http.Header{"Authorization": {"Bearer " + c.token}}
	address := strings.Replace(c.base, "http", "ws", 1) + "/v1/events"
	if after != Now {
		address += fmt.Sprintf("?after=%d", after)
	}
	conn, res, err := d.DialContext(ctx, address, header)
	if err != nil {
		if res != nil {
			return fmt.Errorf("follow events: %w (%s)", err, res.Status)
		}
		return fmt.Errorf("follow events: %w", err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if more, err := open(); err != nil || !more {
		return err
	}
	for {
		var e Event
		if err := conn.ReadJSON(&e); err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if ended := (*websocket.CloseError)(nil); errors.As(err, &ended) && ended.Code == websocket.ClosePolicyViolation {
				return &Error{Code: ended.Text, Cause: "the post has ended the stream of events"}
			}
			return fmt.Errorf("follow events: %w", err)
		}
		if more, err := f(e); err != nil || !more {
			return err
		}
	}
}
