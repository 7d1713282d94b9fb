package web

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/gorilla/websocket"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/officer"
)

// writeLimit is how long one event may take to leave; a client that does not
// read is cut off so that it does not hold memory.
const writeLimit = 5 * time.Second

var upgrader = websocket.Upgrader{
	ReadBufferSize: 1 << 10, WriteBufferSize: 16 << 10,
	Error: func(w http.ResponseWriter, _ *http.Request, status int, reason error) {
		answer(w, &apiError{status: status, Code: "request.invalid", Cause: reason.Error(), TextKey: "error.request.invalid"})
	},
}

// events sends the events after ?after=N over a websocket, one JSON object a
// message, until the client or the session ends.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	token := bearer(r.Header.Get("Authorization"))
	account, err := s.sessions.get(token)
	if err == nil && !account.Has(officer.Officer) && !account.Has(officer.Supervisor) {
		err = errRole
	}
	var after uint64
	if q := r.URL.Query().Get("after"); err == nil && q != "" {
		if after, err = strconv.ParseUint(q, 10, 64); err != nil {
			err = fault.New("request.invalid", "after is not a number")
		}
	} else {
		after = s.post.Events.Last()
	}
	if err != nil {
		answer(w, fail(err).(*apiError))
		return
	}
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // the upgrader has answered
	}
	defer conn.Close()
	ctx, cancel := context.WithCancel(r.Context())
	go func() { // the client says nothing; reading notices that it has gone
		defer cancel()
		conn.SetReadLimit(512)
		for {
			if _, _, err := conn.NextReader(); err != nil {
				return
			}
		}
	}()
	defer cancel()
	for {
		batch, err := s.post.Events.Next(ctx, after)
		if err != nil {
			if !errors.Is(err, context.Canceled) {
				closeWith(conn, string(fault.CodeOf(err)))
			}
			return
		}
		if _, err := s.sessions.get(token); err != nil {
			closeWith(conn, string(fault.CodeOf(err)))
			return
		}
		for _, e := range batch {
			if err := conn.SetWriteDeadline(time.Now().Add(writeLimit)); err != nil {
				return
			}
			if err := conn.WriteJSON(e); err != nil {
				return
			}
			after = e.Seq
		}
	}
}

func closeWith(conn *websocket.Conn, code string) {
	_ = conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.ClosePolicyViolation, code), time.Now().Add(time.Second))
}

func answer(w http.ResponseWriter, e *apiError) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(e.status)
	writeJSON(w, e)
}
