package post

import (
	"context"
	"net"

	"github.com/watchpost/watchpost/device/document/emrtd/termauth"
	"github.com/watchpost/watchpost/device/document/emrtd/termauth/remote"
	"github.com/watchpost/watchpost/device/fault"
)

// signer asks who signs for this terminal, over a unix socket that is opened
// when a chip asks for it. One that is not there costs the reading nothing but
// what only Terminal Authentication opens. It is for one goroutine.
type signer struct {
	socket string
	conn   net.Conn
	remote *remote.Key
}

func openISKey(socket string) *signer { return &signer{socket: socket} }

// key is nil where no socket is configured.
func (s *signer) key() termauth.ISKey {
	if s.socket == "" {
		return nil
	}
	return s
}

func (s *signer) dial(ctx context.Context) (*remote.Key, error) {
	if s.remote == nil {
		conn, err := new(net.Dialer).DialContext(ctx, "unix", s.socket)
		if err != nil {
			return nil, fault.Wrap(remote.ErrLine.Code, err)
		}
		s.conn, s.remote = conn, remote.New(conn)
	}
	return s.remote, nil
}

// Certificates implements termauth.ISKey.
func (s *signer) Certificates(ctx context.Context, authorities []string) ([][]byte, error) {
	k, err := s.dial(ctx)
	if err != nil {
		return nil, err
	}
	return k.Certificates(ctx, authorities)
}

// Sign implements termauth.ISKey.
func (s *signer) Sign(ctx context.Context, data []byte) ([]byte, error) {
	k, err := s.dial(ctx)
	if err != nil {
		return nil, err
	}
	return k.Sign(ctx, data)
}

func (s *signer) close() {
	if s.conn != nil {
		s.conn.Close() // only read from and written to, never waited for
	}
}
