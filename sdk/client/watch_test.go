package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// stream is one connection of a post that is played: what it sends, and the
// reason that it ends with; none stays open.
type stream struct {
	send []uint64
	ends string
}

// played is a post whose connections go as listed. It tells with which query
// each was asked for.
func played(t *testing.T, streams ...stream) (*Client, <-chan string) {
	t.Helper()
	asked := make(chan string, len(streams)+1)
	next := make(chan stream, len(streams))
	for _, s := range streams {
		next <- s
	}
	close(next)
	socket := filepath.Join(t.TempDir(), "s")
	listen, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.URL.RawQuery
		s, known := <-next
		if !known {
			http.Error(w, "no more", http.StatusServiceUnavailable)
			return
		}
		conn, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer conn.Close()
		for _, seq := range s.send {
			if conn.WriteJSON(Event{Seq: seq}) != nil {
				return
			}
		}
		if s.ends != "" {
			_ = conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.ClosePolicyViolation, s.ends), time.Now().Add(time.Minute))
		}
		_, _, _ = conn.NextReader() // until the other side has seen it
	}))
	server.Listener = listen
	server.Start()
	t.Cleanup(server.Close)
	return NewSocket(socket), asked
}

// Who has fallen behind reads the post again, after the new connection stands
// and before its first event, as often as it falls behind.
func TestWatchRecovers(t *testing.T) {
	c, asked := played(t, stream{send: []uint64{8}, ends: Gone}, stream{ends: Gone}, stream{send: []uint64{5000, 5001}})
	var was []string
	err := c.Watch(t.Context(), 7, func(e Event) (bool, error) {
		was = append(was, fmt.Sprint(e.Seq))
		return e.Seq != 5001, nil
	}, func() (bool, error) {
		was = append(was, "again")
		return true, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"8", "again", "again", "5000", "5001"}; !slices.Equal(was, want) {
		t.Errorf("%v, want %v", was, want)
	}
	for i, want := range []string{"after=7", "", ""} {
		if got := <-asked; got != want {
			t.Errorf("connection %d asked for %q, want %q", i, got, want)
		}
	}
}

// What is read again may be all that was waited for.
func TestWatchEndsByWhatItReads(t *testing.T) {
	broken := errors.New("the post cannot be read")
	for _, want := range []error{nil, broken} {
		c, _ := played(t, stream{ends: Gone}, stream{send: []uint64{1}})
		err := c.Watch(t.Context(), 0, func(Event) (bool, error) { return true, errors.New("an event was read") },
			func() (bool, error) { return false, want })
		if !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
	}
}

// Nothing else is taken for having fallen behind.
func TestWatchEnds(t *testing.T) {
	again := func() (bool, error) { return false, errors.New("it was read again") }
	more := func(Event) (bool, error) { return true, nil }

	c, _ := played(t, stream{send: []uint64{1}, ends: "session.expired"})
	var e *Error
	if err := c.Watch(t.Context(), 0, more, again); !errors.As(err, &e) || e.Code != "session.expired" {
		t.Errorf("a session that expired: %v", err)
	}
	c, _ = played(t)
	if err := c.Watch(t.Context(), 0, more, again); err == nil || errors.As(err, &e) && e.Code == Gone {
		t.Errorf("a post that refuses: %v", err)
	}
	c, _ = played(t, stream{send: []uint64{1}})
	own := errors.New("own")
	if err := c.Watch(t.Context(), 0, func(Event) (bool, error) { return true, own }, again); !errors.Is(err, own) {
		t.Errorf("an error of the caller: %v", err)
	}
	c, _ = played(t, stream{send: []uint64{1}})
	ctx, cancel := context.WithCancel(t.Context())
	if err := c.Watch(ctx, 0, func(Event) (bool, error) { cancel(); return true, nil }, again); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that ended: %v", err)
	}
}
