package web

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/gorilla/websocket"

	"github.com/watchpost/watchpost/device/encounter"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/officer"
)

// writeLimit is how long one message may take to leave; a client that does not
// read is cut off so that it does not hold memory.
const writeLimit = 5 * time.Second

// sessionCheck is how often a stream looks whether its session still stands.
const sessionCheck = 5 * time.Second

// The upgrader refuses pages of other origins: its default.
var upgrader = websocket.Upgrader{
	ReadBufferSize: 1 << 10, WriteBufferSize: 16 << 10,
	Error: func(w http.ResponseWriter, _ *http.Request, status int, reason error) {
		code := fault.Code("request.invalid")
		if status == http.StatusForbidden {
			code = "request.cross_origin"
		}
		answer(w, &apiError{status: status, Code: code, Cause: reason.Error(), TextKey: code.TextKey()})
	},
}

// stream checks who asks for a websocket. It does not count as use: a page
// that is left open must not keep its session alive.
func (s *Server) stream(r *http.Request, roles ...officer.Role) (presented, *officer.Account, error) {
	p := present(r.Header.Get("Authorization"), r.Header.Get("Cookie"))
	h, err := s.admit(p, r.Method, "")
	if err != nil {
		return p, nil, err
	}
	if !slices.ContainsFunc(roles, h.Who.Has) {
		return p, nil, officer.ErrRole
	}
	return p, h.Who.Account, nil
}

// streaming returns the context of an open websocket: it ends with the client
// and with the server.
func (s *Server) streaming(r *http.Request, conn *websocket.Conn) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(r.Context())
	forget := context.AfterFunc(s.streams, cancel)
	go listen(conn, cancel)
	return ctx, func() { forget(); cancel() }
}

// listen reads what a client sends, which is nothing, to notice that it has
// gone.
func listen(conn *websocket.Conn, gone context.CancelFunc) {
	defer gone()
	conn.SetReadLimit(512)
	for {
		if _, _, err := conn.NextReader(); err != nil {
			return
		}
	}
}

// events sends the events after ?after=N over a websocket, one JSON object a
// message, until the client or the session ends.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	p, account, err := s.stream(r, officer.Officer, officer.Supervisor)
	after := s.post.Events.Last()
	if q := r.URL.Query().Get("after"); err == nil && q != "" {
		if after, err = strconv.ParseUint(q, 10, 64); err != nil {
			err = fault.New("request.invalid", "after is not a number")
		}
	}
	if err != nil {
		answer(w, coded(err))
		return
	}
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // the upgrader has answered
	}
	defer conn.Close()
	ctx, cancel := s.streaming(r, conn)
	defer cancel()
	see := &viewer{post: s.post, account: account, owners: make(map[string]string)}
	for {
		batch, err := s.next(ctx, after)
		if err == nil {
			_, err = s.sessions.Get(p.token, false)
		}
		if err != nil {
			if !errors.Is(err, context.Canceled) {
				closeWith(conn, string(fault.CodeOf(err)))
			}
			return
		}
		for _, e := range batch {
			if conn.SetWriteDeadline(time.Now().Add(s.writeLimit)) != nil || conn.WriteJSON(see.part(e)) != nil {
				return
			}
			after = e.Seq
		}
	}
}

// next waits for events, at most until the session has to be looked at.
func (s *Server) next(ctx context.Context, after uint64) ([]encounter.Event, error) {
	wait, cancel := context.WithTimeout(ctx, s.checkEvery)
	defer cancel()
	batch, err := s.post.Events.Next(wait, after)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return nil, nil
	}
	return batch, err
}

// viewer is one who follows events. It is for one goroutine.
type viewer struct {
	post    *encounter.Post
	account *officer.Account
	owners  map[string]string // officer by encounter
}

// part is what the viewer may see of an event: of another officer's encounter
// only that something happened.
func (v *viewer) part(e encounter.Event) encounter.Event {
	if e.Encounter == "" || e.Data == nil || v.account.Has(officer.Supervisor) {
		return e
	}
	owner, known := v.owners[e.Encounter]
	if !known {
		// An encounter that cannot be read has no owner, so nobody sees it.
		if found, err := v.post.Get(e.Encounter); err == nil {
			owner = found.Officer
		}
		if len(v.owners) >= ownersHeld {
			clear(v.owners)
		}
		v.owners[e.Encounter] = owner
	}
	if owner != v.account.ID {
		e.Data = nil
	}
	return e
}

// ownersHeld bounds what a stream that stays open for days remembers.
const ownersHeld = 1024

func closeWith(conn *websocket.Conn, code string) {
	_ = conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.ClosePolicyViolation, code), time.Now().Add(writeLimit))
}
