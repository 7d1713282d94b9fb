package uplink

import (
	"bytes"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/watchpost/watchpost/device/fault"
	linkv1 "github.com/watchpost/watchpost/sdk/proto/link/v1"
)

// ErrTooLarge says that the broker announced more than a message may have.
var ErrTooLarge = &fault.Error{Code: "link.too_large"}

// Bounds of what a broker sends: a line of its protocol (INFO is the longest),
// and a message with its headers.
const (
	maxLine = 64 << 10
	maxBody = linkv1.MaxMessage + 64<<10
)

// guardedDialer connects so that a broker cannot make the client set aside more
// memory than a message may have: the client believes the length that is
// announced. Under TLS only whoever holds the broker's key can announce one,
// and the guard sees nothing.
type guardedDialer struct{ dialer net.Dialer }

// Dial implements nats.CustomDialer.
func (g guardedDialer) Dial(network, address string) (net.Conn, error) {
	g.dialer.Timeout = dialLimit
	c, err := g.dialer.Dial(network, address)
	if err != nil {
		return nil, err
	}
	return &guarded{Conn: c}, nil
}

// guardOf is how o's broker is connected to.
func guardOf(o Options) []nats.Option {
	out := []nats.Option{nats.SetCustomDialer(guardedDialer{})}
	if strings.Contains(o.URL, "tls://") || o.CA != "" {
		out = []nats.Option{nats.Timeout(dialLimit)} // nothing can be read along
	}
	if o.CA != "" {
		out = append(out, nats.RootCAs(o.CA))
	}
	return out
}

// guarded reads along the broker's side of the protocol
// (docs.nats.io/reference/reference-protocols/nats-protocol).
type guarded struct {
	net.Conn
	line []byte // begun
	skip int    // bytes of a message's body still to come
}

// Read implements net.Conn.
func (g *guarded) Read(p []byte) (int, error) {
	n, err := g.Conn.Read(p)
	if bad := g.follow(p[:n]); bad != nil {
		_ = g.Conn.SetDeadline(time.Unix(1, 0)) // nothing more is read or written
		return 0, bad
	}
	return n, err
}

func (g *guarded) follow(p []byte) error {
	for len(p) > 0 {
		if g.skip > 0 {
			n := min(g.skip, len(p))
			g.skip, p = g.skip-n, p[n:]
			continue
		}
		end := bytes.IndexByte(p, '\n')
		if end < 0 {
			end = len(p) - 1
		}
		if len(g.line)+end+1 > maxLine {
			return ErrTooLarge
		}
		g.line, p = append(g.line, p[:end+1]...), p[end+1:]
		if g.line[len(g.line)-1] != '\n' {
			return nil
		}
		if err := g.announced(); err != nil {
			return err
		}
		g.line = g.line[:0]
	}
	return nil
}

// announced reads a whole line: MSG and HMSG end with the length of a body.
func (g *guarded) announced() error {
	words := bytes.Fields(g.line)
	if len(words) < 2 || !(bytes.EqualFold(words[0], []byte("MSG")) || bytes.EqualFold(words[0], []byte("HMSG"))) {
		return nil
	}
	size, err := strconv.Atoi(string(words[len(words)-1]))
	if err != nil || size < 0 || size > maxBody {
		return ErrTooLarge
	}
	g.skip = size + 2 // and the end of its line
	return nil
}
