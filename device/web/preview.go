package web

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/time/rate"

	"github.com/watchpost/watchpost/device/capture"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/officer"
)

// Bounds of a preview.
const (
	previewFPS     = 30 // frames a second at most
	previewsAtOnce = 4  // pages that look at the same time
	previewRetry   = time.Second / 2
	previewSend    = 256 << 10 // bytes that may wait in the kernel: about two frames of 720p
	headerBytes    = 16
	maxWidth       = 4096 // pixels
)

// States of a frame on the wire; the numbers are published.
const (
	frameGood   uint32 = 1
	frameFrozen uint32 = 2
	frameBlack  uint32 = 3
	frameNone   uint32 = 4 // no camera; no JPEG follows
)

// errTooMany refuses a preview beside too many.
var errTooMany = &fault.Error{Code: "preview.too_many", Hint: "close another page that shows the camera", Retryable: true}

// preview sends the camera's frames over a websocket until the client or the
// session ends. The newest frame wins: what the client was too slow for is
// dropped, never queued.
func (s *Server) preview(w http.ResponseWriter, r *http.Request) {
	p, _, err := s.stream(r, officer.Officer)
	width := 0
	if q := r.URL.Query().Get("width"); err == nil && q != "" {
		if width, err = strconv.Atoi(q); err != nil || width < 1 || width > maxWidth {
			err = fault.New("request.invalid", "width is not a number from 1 to %d", maxWidth)
		}
	}
	if err != nil {
		answer(w, coded(err))
		return
	}
	select {
	case s.previews <- struct{}{}:
		defer func() { <-s.previews }()
	default:
		answer(w, coded(errTooMany))
		return
	}
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // the upgrader has answered
	}
	defer conn.Close()
	limitSend(conn.NetConn())
	ctx, cancel := s.streaming(r, conn)
	defer cancel()
	newest, coached := make(chan capture.Frame, 1), make(chan CoachMessage, 1)
	var work sync.WaitGroup
	work.Go(func() { s.frames(ctx, width, newest) })
	work.Go(func() { s.coach(ctx, coached) })
	s.sendFrames(ctx, conn, p, newest, coached)
	cancel()
	work.Wait()
}

// frames keeps the newest frame in newest until ctx ends; a camera that went
// away is asked again.
func (s *Server) frames(ctx context.Context, width int, newest chan capture.Frame) {
	put := func(f capture.Frame) {
		select {
		case <-newest: // older than f
		default:
		}
		newest <- f // the only sender: there is room
	}
	for {
		for f, err := range s.backend.Preview(ctx, capture.PreviewOptions{MaxFramesPerSecond: previewFPS, MaxWidth: width}) {
			if err != nil || ctx.Err() != nil {
				break
			}
			put(f)
		}
		if ctx.Err() == nil {
			put(capture.Frame{Time: s.now()}) // says that there is none
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(previewRetry):
		}
	}
}

// sendFrames writes what is newest each time the connection has taken a frame.
func (s *Server) sendFrames(ctx context.Context, conn *websocket.Conn, p presented, newest <-chan capture.Frame, coached <-chan CoachMessage) {
	pace := rate.NewLimiter(previewFPS, 2) // two: a camera's frames do not come evenly
	check := time.NewTicker(s.checkEvery)
	defer check.Stop()
	var message []byte
	for {
		if err := pace.Wait(ctx); err != nil {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-check.C:
			if _, err := s.sessions.Get(p.token, false); err != nil {
				closeWith(conn, string(fault.CodeOf(err)))
				return
			}
		case m := <-coached:
			if conn.SetWriteDeadline(time.Now().Add(s.writeLimit)) != nil || conn.WriteJSON(m) != nil {
				return
			}
		case f := <-newest:
			message = encodeFrame(message[:0], f)
			if conn.SetWriteDeadline(time.Now().Add(s.writeLimit)) != nil || conn.WriteMessage(websocket.BinaryMessage, message) != nil {
				return
			}
		}
	}
}

// encodeFrame appends a frame in the published form to b.
func encodeFrame(b []byte, f capture.Frame) []byte {
	state := frameGood
	switch {
	case len(f.JPEG) == 0:
		state = frameNone
	case f.Frozen:
		state = frameFrozen
	case f.Black:
		state = frameBlack
	}
	b = binary.BigEndian.AppendUint64(b, uint64(f.Time.UnixMicro()))
	b = binary.BigEndian.AppendUint32(b, uint32(f.Sequence))
	b = binary.BigEndian.AppendUint32(b, state)
	return append(b, f.JPEG...)
}

// limitSend keeps frames from piling up in the kernel, where they would grow
// old unseen.
func limitSend(c net.Conn) {
	for {
		inner, ok := c.(interface{ NetConn() net.Conn })
		if !ok {
			break
		}
		c = inner.NetConn()
	}
	if t, ok := c.(interface{ SetWriteBuffer(int) error }); ok {
		if err := t.SetWriteBuffer(previewSend); err != nil && !errors.Is(err, net.ErrClosed) {
			return // the preview works without it, only later under load
		}
	}
}
