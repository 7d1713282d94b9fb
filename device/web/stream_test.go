package web

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/watchpost/watchpost/device/capture"
	"github.com/watchpost/watchpost/device/encounter"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/screening"
)

// dial opens a websocket as c.
func (c *caller) dial(path string) *websocket.Conn {
	c.b.t.Helper()
	conn, res, err := c.tryDial(path)
	if err != nil {
		c.b.t.Fatalf("%v %v", err, res)
	}
	c.b.t.Cleanup(func() { conn.Close() })
	if err := conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		c.b.t.Fatal(err)
	}
	return conn
}

func (c *caller) tryDial(path string) (*websocket.Conn, *http.Response, error) {
	d := websocket.Dialer{TLSClientConfig: c.b.https.Client().Transport.(*http.Transport).TLSClientConfig.Clone(), HandshakeTimeout: 10 * time.Second, Jar: jarFor{c}}
	d.TLSClientConfig.NextProtos = nil
	h := http.Header{}
	for k, v := range c.header {
		h.Set(k, v)
	}
	return d.DialContext(c.b.t.Context(), strings.Replace(c.b.https.URL, "https", "wss", 1)+path, h)
}

// jarFor gives a websocket the cookies of its caller: the dialer asks for the
// wss address, which a jar takes for an insecure one.
type jarFor struct{ c *caller }

func (j jarFor) SetCookies(*url.URL, []*http.Cookie) {}
func (j jarFor) Cookies(u *url.URL) []*http.Cookie {
	secure := *u
	secure.Scheme = "https"
	return j.c.http.Jar.Cookies(&secure)
}

func (b *bench) next(conn *websocket.Conn) encounter.Event {
	b.t.Helper()
	var e encounter.Event
	if err := conn.ReadJSON(&e); err != nil {
		b.t.Fatal(err)
	}
	return e
}

func TestEventsShowOnlyWhatIsOnesOwn(t *testing.T) {
	b := newBench(t, wide())
	one := b.browser("o1")
	own, others, above := one.dial("/v1/events"), b.program("o2").dial("/v1/events?after=0"), b.program("s1").dial("/v1/events?after=0")
	e := one.review()
	for _, c := range []struct {
		conn *websocket.Conn
		sees bool
	}{{own, true}, {others, false}, {above, true}} {
		var seq uint64
		for {
			ev := b.next(c.conn)
			if ev.Seq != seq+1 {
				t.Fatalf("event %d after %d", ev.Seq, seq)
			}
			seq = ev.Seq
			if (len(ev.Data) > 0) != c.sees {
				t.Errorf("%s: data %v, want %v", ev.Kind, len(ev.Data) > 0, c.sees)
			}
			if ev.Kind == encounter.EventAnswer {
				break
			}
		}
	}

	// A hit that comes when all is over alarms the officer and the supervisor.
	one.ok(http.MethodPost, e+"/outcome", map[string]string{"outcome": "admitted"}, nil)
	b.late(screening.Reply{Source: "central", Candidates: listed().Candidates})
	for _, c := range []struct {
		conn *websocket.Conn
		sees bool
	}{{own, true}, {others, false}, {above, true}} {
		for {
			ev := b.next(c.conn)
			if ev.Kind != encounter.EventLateHit {
				continue
			}
			var hit encounter.LateHitData
			if c.sees && (json.Unmarshal(ev.Data, &hit) != nil || !hit.Closed || hit.Candidate.Record != "r1") || !c.sees && ev.Data != nil {
				t.Errorf("a late hit is told as %s", ev.Data)
			}
			break
		}
	}
	if err := b.post.Events.Add(b.Now(), "", encounter.EventDevice, encounter.DeviceData{ID: "face", Kind: "camera", State: "lost"}); err != nil {
		t.Fatal(err)
	}
	if ev := b.next(others); ev.Kind != encounter.EventDevice || len(ev.Data) == 0 {
		t.Errorf("a device's event is %s %s", ev.Kind, ev.Data)
	}
}

// closed reads until the server closes and returns the code it gave.
func closed(t *testing.T, conn *websocket.Conn) string {
	t.Helper()
	for {
		if _, _, err := conn.ReadMessage(); err != nil {
			var c *websocket.CloseError
			if !errors.As(err, &c) || c.Code != websocket.ClosePolicyViolation {
				t.Fatalf("ended with %v", err)
			}
			return c.Text
		}
	}
}

func TestStreamsEndWithTheSession(t *testing.T) {
	b := newBench(t, wide())
	b.server.checkEvery = 10 * time.Millisecond
	b.camera = func(yield func(capture.Frame, error) bool) {
		for n := uint64(1); yield(capture.Frame{Sequence: n, Time: b.Now(), JPEG: []byte("\xff\xd8\xff")}, nil); n++ {
		}
	}
	c := b.program("o1")
	events, preview := c.dial("/v1/events"), c.dial("/v1/preview")
	b.forward(sessionIdle) // streams that stay open do not count as use
	for name, conn := range map[string]*websocket.Conn{"events": events, "preview": preview} {
		if code := closed(t, conn); code != "session.expired" {
			t.Errorf("%s ended with %s", name, code)
		}
	}
}

func TestEventsThatAreGone(t *testing.T) {
	b := newBench(t, wide())
	for range 5000 {
		if err := b.post.Events.Add(b.Now(), "", encounter.EventDevice, encounter.DeviceData{}); err != nil {
			t.Fatal(err)
		}
	}
	if code := closed(t, b.program("o1").dial("/v1/events?after=1")); code != "events.gone" {
		t.Errorf("ended with %s", code)
	}
}

func TestWebsocketsOfOtherSites(t *testing.T) {
	b := newBench(t, wide())
	for _, path := range []string{"/v1/events", "/v1/preview"} {
		_, res, err := b.browser("o1").with("Origin", "https://elsewhere.example").tryDial(path)
		if err == nil || res == nil || res.StatusCode != http.StatusForbidden {
			t.Errorf("%s opened from elsewhere: %v", path, err)
		}
	}
	_, res, err := b.program("s1").tryDial("/v1/preview")
	if err == nil || res.StatusCode != http.StatusForbidden {
		t.Error("a supervisor looks through the camera")
	}
}

func TestPreviewForm(t *testing.T) {
	b := newBench(t, wide())
	at := time.UnixMicro(1_800_000_000_123_456)
	step := make(chan capture.Frame)
	lost := make(chan struct{})
	b.camera = func(yield func(capture.Frame, error) bool) {
		for {
			select {
			case f := <-step:
				if !yield(f, nil) {
					return
				}
			case <-lost:
				yield(capture.Frame{}, fault.New("device.lost", "unplugged"))
				return
			case <-t.Context().Done():
				return
			}
		}
	}
	conn := b.browser("o1").dial("/v1/preview?width=640")
	read := func() (uint64, uint32, uint32, []byte) {
		t.Helper()
		kind, m, err := conn.ReadMessage()
		if err != nil || kind != websocket.BinaryMessage || len(m) < headerBytes {
			t.Fatalf("kind %d, %d bytes, %v", kind, len(m), err)
		}
		return binary.BigEndian.Uint64(m), binary.BigEndian.Uint32(m[8:]), binary.BigEndian.Uint32(m[12:]), m[headerBytes:]
	}
	jpeg := []byte("\xff\xd8\xff picture")
	for want, f := range map[uint32]capture.Frame{
		frameGood: {}, frameFrozen: {Frozen: true}, frameBlack: {Black: true},
	} {
		f.Sequence, f.Time, f.JPEG = 1<<32+7, at, jpeg
		step <- f
		us, seq, state, picture := read()
		if us != 1_800_000_000_123_456 || seq != 7 || state != want || !bytes.Equal(picture, jpeg) {
			t.Errorf("%d %d %d %q", us, seq, state, picture)
		}
	}
	lost <- struct{}{}
	if _, _, state, picture := read(); state != frameNone || len(picture) != 0 {
		t.Errorf("without a camera: state %d, %d bytes", state, len(picture))
	}
	step <- capture.Frame{Sequence: 9, Time: at, JPEG: jpeg} // it is asked again
	if _, seq, state, _ := read(); seq != 9 || state != frameGood {
		t.Errorf("after it came back: %d %d", seq, state)
	}
}

// TestPreviewSendsTheNewest has a camera that is far too fast: what arrives
// has gaps, comes at the allowed pace, and is never old.
func TestPreviewSendsTheNewest(t *testing.T) {
	b := newBench(t, wide())
	begun := time.Now()
	var made uint64
	b.camera = func(yield func(capture.Frame, error) bool) {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for ok := true; ok; {
			select {
			case <-tick.C:
				// Several at once: too fast also where ticks are missed.
				for n := 0; n < 10 && ok; n++ {
					made++
					ok = yield(capture.Frame{Sequence: made, Time: begun.Add(time.Since(begun)), JPEG: []byte("\xff\xd8\xff")}, nil)
				}
			case <-t.Context().Done():
				return
			}
		}
	}
	conn := b.program("o1").dial("/v1/preview")
	var first, last, seq uint64
	const frames = 30
	for n := range frames {
		_, m, err := conn.ReadMessage()
		if err != nil {
			t.Fatal(err)
		}
		next := uint64(binary.BigEndian.Uint32(m[8:]))
		if next <= seq {
			t.Fatalf("frame %d after %d", next, seq)
		}
		seq, last = next, binary.BigEndian.Uint64(m)
		if n == 0 {
			first = last
		}
	}
	if seq < 2*frames {
		t.Errorf("frame %d is the %dth sent: old ones were queued", seq, frames)
	}
	// By when the frames were made and not by when they came: they wait for a
	// reader that stood still. Five fewer, since two may leave at once and each
	// may have been made when the one before it left.
	if took := time.Duration(last-first) * time.Microsecond; took < (frames-5)*time.Second/previewFPS {
		t.Errorf("%d frames in %s", frames, took)
	}
}

// TestSlowClientIsCutOff has a client that reads nothing: its place comes free.
func TestSlowClientIsCutOff(t *testing.T) {
	b := newBench(t, wide())
	b.server.writeLimit = 50 * time.Millisecond
	big := bytes.Repeat([]byte{0xff}, 4<<20)
	b.camera = func(yield func(capture.Frame, error) bool) {
		for n := uint64(1); yield(capture.Frame{Sequence: n, Time: time.Now(), JPEG: big}, nil); n++ {
			if t.Context().Err() != nil {
				return
			}
		}
	}
	c := b.program("o1")
	for range previewsAtOnce {
		c.dial("/v1/preview")
	}
	_, res, err := c.tryDial("/v1/preview")
	if err == nil {
		t.Log("a place came free at once") // the first may have been cut off already
	} else if res == nil || res.StatusCode != http.StatusTooManyRequests {
		t.Errorf("one preview too many: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for n := range previewsAtOnce {
		select {
		case b.server.previews <- struct{}{}:
		case <-ctx.Done():
			t.Fatalf("%d of %d clients that read nothing are still served", previewsAtOnce-n, previewsAtOnce)
		}
	}
}
