package passport

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/fault"
)

// reader plays vpcd's side of one slot.
type reader struct {
	t    *testing.T
	conn net.Conn
	done chan error // what ServeVPCD returned
}

func newReader(t *testing.T, ctx context.Context, chip *Chip) *reader {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	r := &reader{t: t, done: make(chan error, 1)}
	go func() { r.done <- ServeVPCD(ctx, l.Addr().String(), chip) }()
	if r.conn, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.conn.Close() })
	if err := r.conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return r
}

// send writes length and body apart, as vpcd does.
func (r *reader) send(body ...byte) {
	r.t.Helper()
	for _, part := range [][]byte{binary.BigEndian.AppendUint16(nil, uint16(len(body))), body} {
		if _, err := r.conn.Write(part); err != nil {
			r.t.Fatal(err)
		}
	}
}

func (r *reader) receive() []byte {
	r.t.Helper()
	var head [2]byte
	if _, err := io.ReadFull(r.conn, head[:]); err != nil {
		r.t.Fatal(err)
	}
	body := make([]byte, binary.BigEndian.Uint16(head[:]))
	if _, err := io.ReadFull(r.conn, body); err != nil {
		r.t.Fatal(err)
	}
	return body
}

func TestVPCDConversation(t *testing.T) {
	chip := exampleChip(t)
	ctx, cancel := context.WithCancel(t.Context())
	r := newReader(t, ctx, chip)
	r.send(vpcdATR)
	if got := r.receive(); !bytes.Equal(got, chip.ATR()) {
		t.Errorf("ATR %X", got)
	}
	r.send(vpcdOn)
	for _, e := range opening {
		r.send(unhex(t, e.command)...)
		if got := r.receive(); !bytes.Equal(got, unhex(t, e.answer)) {
			t.Fatalf("%s: %X", e.name, got)
		}
	}
	r.send(vpcdReset)
	r.send(unhex(t, reading[0].command)...)
	if got := r.receive(); !bytes.Equal(got, []byte{0x69, 0x87}) {
		t.Errorf("after a reset the session lives on: %X", got)
	}
	cancel()
	if err := <-r.done; err != nil {
		t.Errorf("card removed: %v", err)
	}
}

func TestVPCDAnswersATRDuringACommand(t *testing.T) {
	chip := exampleChip(t)
	r := newReader(t, t.Context(), chip)
	r.send(vpcdATR)
	r.receive()
	chip.mu.Lock() // a command at work
	r.send(unhex(t, opening[0].command)...)
	r.send(vpcdATR)
	if got := r.receive(); !bytes.Equal(got, chip.ATR()) {
		t.Errorf("first comes %X", got)
	}
	chip.mu.Unlock()
	if got := r.receive(); !bytes.Equal(got, []byte{0x90, 0x00}) {
		t.Errorf("then comes %X", got)
	}
}

func TestVPCDTornCardHangsUp(t *testing.T) {
	chip := chipWith(t, func(d *Document) { d.Faults = []Fault{{Kind: KindTear, At: 1}} })
	r := newReader(t, t.Context(), chip)
	r.send(unhex(t, opening[0].command)...)
	if _, err := r.conn.Read(make([]byte, 1)); err == nil {
		t.Error("a torn card answers")
	}
	if err := <-r.done; !errors.Is(err, ErrTorn) {
		t.Errorf("got %v", err)
	}
}

func TestVPCDReaderHangsUp(t *testing.T) {
	for name, bytes := range map[string][]byte{"between messages": nil, "in a length": {0}, "in a body": {0, 5, 1}} {
		t.Run(name, func(t *testing.T) {
			r := newReader(t, t.Context(), exampleChip(t))
			if _, err := r.conn.Write(bytes); err != nil {
				t.Fatal(err)
			}
			r.conn.Close()
			if err := <-r.done; !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestVPCDNobodyListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	if _, err := DialVPCD(t.Context(), addr); fault.CodeOf(err) != codeVPCD {
		t.Errorf("got %v", err)
	}
}
