package pkd

import (
	"net"
	"sync"

	"github.com/watchpost/watchpost/device/fault"
)

// framed is a connection that counts what the server sends. The LDAP library
// allocates for what a message claims to hold and bounds it by one setting for
// the whole process; here a message or a session over its bound ends the
// connection before the library sees it. Read is for one goroutine.
type framed struct {
	net.Conn
	message, total int64 // bounds, in octets

	header []byte // of the message that begins, until its length is known
	left   int64  // octets of the present message that are still to come
	read   int64

	lock sync.Mutex
	err  error // why reading ended; guarded by lock
}

// Read implements net.Conn. Error: ErrTooLarge, or the connection's.
func (f *framed) Read(p []byte) (int, error) {
	if err := f.failure(); err != nil {
		return 0, err
	}
	n, err := f.Conn.Read(p)
	f.read += int64(n)
	if f.read > f.total {
		return 0, f.fail(fault.New(ErrTooLarge.Code, "server sends over %d octets", f.total))
	}
	if bound := f.follow(p[:n]); bound != nil {
		return 0, f.fail(bound)
	}
	return n, err
}

// follow keeps to the borders of messages (RFC 4511:2006 5.1: definite lengths
// only).
func (f *framed) follow(p []byte) error {
	for len(p) > 0 {
		if f.left > 0 {
			n := min(f.left, int64(len(p)))
			f.left -= n
			p = p[n:]
			continue
		}
		f.header = append(f.header, p[0])
		p = p[1:]
		length, complete, ok := messageLength(f.header)
		switch {
		case !ok:
			return fault.New(ErrSearch.Code, "server does not speak LDAP")
		case !complete:
		case length > f.message:
			return fault.New(ErrTooLarge.Code, "message of %d octets", length)
		default:
			f.left, f.header = length, f.header[:0]
		}
	}
	return nil
}

// messageLength reads the header of an LDAPMessage as far as it has come.
func messageLength(h []byte) (length int64, complete, ok bool) {
	const sequence = 0x30
	switch {
	case h[0] != sequence:
		return 0, false, false
	case len(h) == 1:
		return 0, false, true
	case h[1] < 0x80:
		return int64(h[1]), true, true
	}
	octets := int(h[1] & 0x7F)
	if octets == 0 || octets > 4 {
		return 0, false, false
	}
	if len(h) < 2+octets {
		return 0, false, true
	}
	for _, b := range h[2:] {
		length = length<<8 | int64(b)
	}
	return length, true, true
}

func (f *framed) fail(err error) error {
	f.lock.Lock()
	defer f.lock.Unlock()
	if f.err == nil {
		f.err = err
	}
	return f.err
}

// failure is why a bound ended the connection, nil where none did.
func (f *framed) failure() error {
	f.lock.Lock()
	defer f.lock.Unlock()
	return f.err
}
