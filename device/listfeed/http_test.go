package listfeed_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed"
	"github.com/watchpost/watchpost/device/listfeed/carrier"
	"github.com/watchpost/watchpost/device/listfeed/feedtest"
	"github.com/watchpost/watchpost/device/listfeed/target"
)

func https(t testing.TB, address string, conf *tls.Config) *carrier.HTTPS {
	t.Helper()
	c, err := carrier.NewHTTPS(address, conf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// cutting serves a folder and cuts each answer after some bytes; after is
// called by one answer at a time. It also returns the count of answers.
func cutting(t testing.TB, dir string, after func() int) (*httptest.Server, func() int) {
	t.Helper()
	var mu sync.Mutex
	asked := 0
	inner := carrier.Handler(folder(t, dir))
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked++
		left := after()
		mu.Unlock()
		inner.ServeHTTP(&short{w, left}, r)
	}))
	t.Cleanup(s.Close)
	return s, func() int { mu.Lock(); defer mu.Unlock(); return asked }
}

type short struct {
	http.ResponseWriter
	left int
}

func (s *short) Write(p []byte) (int, error) {
	if s.left < len(p) {
		if s.left > 0 {
			_, _ = s.ResponseWriter.Write(p[:s.left])
		}
		panic(http.ErrAbortHandler) // as a cable that is pulled
	}
	s.left -= len(p)
	return s.ResponseWriter.Write(p)
}

// errReader fails as a link does.
type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestResume(t *testing.T) { resume(t, 17) }

func TestSoakResumeAtAnyByte(t *testing.T) {
	if os.Getenv("WATCHPOST_SOAK") == "" {
		t.Skip("SKIPPED: WATCHPOST_SOAK is not set: the link is cut at every 17th byte only")
	}
	resume(t, 1)
}

// resume cuts the link at each byte of an owner's metadata in turn, in steps,
// and at places of chance in all objects of a generation.
func resume(t *testing.T, step int) {
	w, d := begin(t)
	t.Run("each byte of the owner's metadata", func(t *testing.T) {
		w.Commit("un", w.Segment("un", unList, target.Change{Op: target.OpWithdraw, ID: "p1"}))
		name := target.RoleName("un", newest(t, w, "un"))
		for cut := 0; cut < len(readFile(t, file(w, name))); cut += step {
			first, cuts := true, 0
			c := hostile{folder(t, w.Repo.Dir()), func(n string, offset int64, r io.ReadCloser) (io.ReadCloser, error) {
				if n != name || !first {
					if n == name && offset == int64(cut) {
						cuts++
					}
					return r, nil
				}
				first = false
				return struct {
					io.Reader
					io.Closer
				}{io.MultiReader(io.LimitReader(r, int64(cut)), errReader{}), r}, nil
			}}
			fresh := *d
			fresh.State = &feedtest.Memory{Kept: maps.Clone(d.State.Kept)}
			w.Must(fresh.Restart(w.Root))
			res, err := fresh.Refresh(ctx, c)
			if err := errors.Join(err, res.Err()); err != nil || cuts != 1 || fresh.Status().Lists[0].Segment != 1 {
				t.Fatalf("cut at %d: %v, went on %d times", cut, err, cuts)
			}
		}
	})
	t.Run("all objects, by chance", func(t *testing.T) {
		w.Commit("un", w.Generation("un", unList, 2, feedtest.Record("un-sc", "p9", "N9"))...)
		r := rand.New(rand.NewPCG(1, 2))
		s, asked := cutting(t, w.Repo.Dir(), func() int { return 1 + r.IntN(10_000) })
		res, err := d.Refresh(ctx, https(t, s.URL, nil))
		if err := errors.Join(err, res.Err()); err != nil {
			t.Fatal(err)
		}
		if d.Status().Lists[0].Generation != 2 || asked() < 15 {
			t.Errorf("%+v after %d answers", d.Status(), asked())
		}
	})
}

func TestAttackHTTP(t *testing.T) {
	serve := func(t *testing.T, h http.HandlerFunc) *carrier.HTTPS {
		s := httptest.NewServer(h)
		t.Cleanup(s.Close)
		return https(t, s.URL, nil)
	}
	for _, c := range []struct {
		name   string
		offset int64
		code   fault.Code
		answer http.HandlerFunc
	}{
		{"another range than was asked for", 100, "listfeed.range", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Range", "bytes 90-200/300")
			w.WriteHeader(http.StatusPartialContent)
		}},
		{"a range without being asked", 0, "listfeed.range", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Range", "bytes 100-200/300")
			w.WriteHeader(http.StatusPartialContent)
		}},
		{"a range that says nothing", 100, "listfeed.range", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusPartialContent)
		}},
		{"a negative range", 100, "listfeed.range", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Range", "bytes -100-200/300")
			w.WriteHeader(http.StatusPartialContent)
		}},
		{"a file that has become shorter", 100, "listfeed.range", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "short") }},
		{"not satisfiable", 100, "listfeed.range", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
		}},
		{"sent elsewhere", 0, "listfeed.http", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusFound)
		}},
		{"compressed", 0, "listfeed.http", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Encoding", "gzip") }},
		{"refused", 0, "listfeed.http", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }},
		{"endless headers", 0, "listfeed.link", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X", strings.Repeat("x", 64<<10))
		}},
		{"gone", 0, "listfeed.absent", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) }},
		{"hung up", 0, "listfeed.link", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := serve(t, c.answer).Open(ctx, target.TimestampName, c.offset)
			if err == nil {
				r.Close()
			}
			wantCode(t, err, c.code)
		})
	}
	t.Run("addresses", func(t *testing.T) {
		for _, a := range []string{"http://feeds.example/", "ftp://feeds.example/", "https://user:pass@feeds.example/", "file:///etc", "https://", "https://feeds.example/?x=1"} {
			_, err := carrier.NewHTTPS(a, nil)
			wantCode(t, err, "listfeed.address")
		}
	})
}

// TestNeighbour has one box fetch from another's mirror over mutually pinned
// TLS, and boxes that are not pinned be turned away on either side.
func TestNeighbour(t *testing.T) {
	w, _ := begin(t)
	taker := w.Device()
	w.Commit("un", w.Devices("un", unList, taker))
	giver := feedtest.Dir(t)
	_, err := listfeed.Copy(ctx, folder(t, w.Repo.Dir()), listfeed.CopyOptions{Root: w.Root, To: giver, Now: taker.Now})
	w.Must(err)

	pin := func(name string) carrier.Pin {
		p, err := carrier.PinOf(feedtest.Public(name)[0])
		w.Must(err)
		return p
	}
	mutual := func(own string, others ...carrier.Pin) *tls.Config {
		c, err := carrier.Mutual(feedtest.Key(own), others...)
		w.Must(err)
		return c
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	w.Must(err)
	serving, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	mirror := folder(t, giver)
	go func() { done <- carrier.Serve(serving, l, mirror, mutual("giver", pin("taker"))) }()
	defer func() {
		stop()
		w.Must(<-done)
	}()
	address := "https://" + l.Addr().String()

	r, err := taker.Refresh(ctx, https(t, address, mutual("taker", pin("giver"))))
	if err := errors.Join(err, r.Err()); err != nil {
		t.Fatal(err)
	}
	if g, err := taker.OpenList(ctx, "un-sc"); err != nil {
		t.Fatal(err)
	} else if err := errors.Join(g.Verify(ctx), g.Close()); err != nil {
		t.Fatal(err)
	}
	for name, conf := range map[string]*tls.Config{
		"a stranger asks": mutual("mallory", pin("giver")), "a stranger answers": mutual("taker", pin("mallory")), "no certificate": {InsecureSkipVerify: true},
	} {
		_, err := taker.Refresh(ctx, https(t, address, conf))
		if code := fault.CodeOf(err); code != "listfeed.cut" && code != "listfeed.link" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
