package doors

import (
	"bufio"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"testing"
)

// A connection that nobody calls over has let go of its buffers when DropIdle
// returns; a call under way is answered.
func TestDropIdle(t *testing.T) {
	d := &Doors{failures: make(chan error, 1), log: slog.New(slog.DiscardHandler), idle: make(map[net.Conn]bool)}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	inside, release := make(chan struct{}), make(chan struct{})
	d.serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			inside <- struct{}{}
			<-release
		}
		_, _ = fmt.Fprint(w, "answered")
	}))
	call := func(path string) (net.Conn, *bufio.Reader) {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: post\r\n\r\n", path); err != nil {
			t.Fatal(err)
		}
		return c, bufio.NewReader(c)
	}
	answered := func(r *bufio.Reader) {
		t.Helper()
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("answered %s", resp.Status)
		}
	}
	for range 50 {
		_, r := call("/")
		answered(r)
	}
	_, slow := call("/slow")
	<-inside
	idle := func() int {
		d.mu.Lock()
		defer d.mu.Unlock()
		return len(d.idle)
	}
	for idle() < 50 { // a server answers before it calls a connection idle
		runtime.Gosched()
	}
	d.DropIdle()
	if n := idle(); n != 0 {
		t.Errorf("%d idle connections are open", n)
	}
	close(release)
	answered(slow)
	_, again := call("/")
	answered(again)
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}
