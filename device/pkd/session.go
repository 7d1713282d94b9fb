package pkd

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"

	"github.com/watchpost/watchpost/device/fault"
)

// Access is how a directory is entered. The zero value enters it without a
// name, and with TLS where the URL says ldaps.
type Access struct {
	StartTLS bool           // TLS on a connection of ldap:// (RFC 4511:2006 4.14)
	Roots    *x509.CertPool // who may vouch for the server; nil: the system's
	Name     string         // distinguished name to bind with, "" for none
	Password string
}

// errLimit is a search that was too much for the server.
var errLimit = errors.New("over a limit of the server")

// session is a connection to a directory. One goroutine only.
type session struct {
	target    Target
	limits    Limits
	conn      *ldap.Conn
	framed    *framed
	referrals int // continuation references seen, and not followed
}

func connect(ctx context.Context, t Target, a Access, l Limits) (*session, error) {
	if a.Password != "" && !t.TLS && !a.StartTLS {
		return nil, fault.New(ErrCleartext.Code, "a password over ldap:// without TLS").WithHint("use an ldaps:// URL or --starttls")
	}
	dialer := net.Dialer{Timeout: l.Stall}
	raw, err := dialer.DialContext(ctx, "tcp", t.Address)
	if err != nil {
		return nil, fault.Wrap(ErrConnect.Code, err)
	}
	if t.TLS || a.StartTLS {
		if raw, err = protect(ctx, raw, t, a, l.Stall); err != nil {
			return nil, fault.Wrap(ErrConnect.Code, err)
		}
	}
	s := newSession(raw, t, l)
	if a.Name != "" {
		s.conn.SetTimeout(l.Stall)
		if err := s.conn.Bind(a.Name, a.Password); err != nil {
			s.close()
			return nil, s.failure(ctx, ErrBind, err)
		}
		// The library's timeout is for a whole request, however it goes on; that
		// of a page is between its entries.
		s.conn.SetTimeout(0)
	}
	return s, nil
}

// newSession speaks LDAP over a connection that needs nothing more.
func newSession(raw net.Conn, t Target, l Limits) *session {
	s := &session{target: t, limits: l, framed: &framed{Conn: raw, message: l.MessageBytes, total: l.TotalBytes}}
	s.conn = ldap.NewConn(s.framed, true) // TLS, where there is any, is done: the library must not begin it
	s.conn.Start()
	return s
}

// protect puts TLS on a connection, after asking for it where the URL did not.
// It closes raw when it fails.
func protect(ctx context.Context, raw net.Conn, t Target, a Access, limit time.Duration) (_ net.Conn, err error) {
	defer func() {
		if err != nil {
			_ = raw.Close()
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if !t.TLS {
		stop := context.AfterFunc(ctx, func() { _ = raw.Close() })
		defer stop()
		if err := askForTLS(raw); err != nil {
			return nil, err
		}
	}
	c := tls.Client(raw, &tls.Config{ServerName: t.Host, RootCAs: a.Roots, MinVersion: tls.VersionTLS12})
	return c, c.HandshakeContext(ctx)
}

// startTLS is an ExtendedRequest, number 1, for 1.3.6.1.4.1.1466.20037
// (RFC 4511:2006 4.14.1).
var startTLS = append([]byte{0x30, 0x1D, 0x02, 0x01, 0x01, 0x77, 0x18, 0x80, 0x16}, "1.3.6.1.4.1.1466.20037"...)

// askForTLS reads the answer octet by octet up to its end: what somebody puts
// behind it in clear must not be taken for what comes under TLS.
func askForTLS(raw net.Conn) error {
	const longest = 4 << 10
	if _, err := raw.Write(startTLS); err != nil {
		return err
	}
	var answer []byte
	for {
		var b [1]byte
		if _, err := io.ReadFull(raw, b[:]); err != nil {
			return err
		}
		answer = append(answer, b[0])
		length, complete, ok := messageLength(answer)
		if !ok || length > longest {
			return fault.New(ErrSearch.Code, "server does not speak LDAP")
		}
		if !complete {
			continue
		}
		rest := make([]byte, length)
		if _, err := io.ReadFull(raw, rest); err != nil {
			return err
		}
		packet, err := ber.DecodePacketErr(append(answer, rest...))
		if err != nil {
			return err
		}
		return ldap.GetLDAPError(packet)
	}
}

func (s *session) close() { _ = s.conn.Close() }

// failure names what ended a request: a bound, the caller, the connection, or
// what the server said.
func (s *session) failure(ctx context.Context, otherwise *fault.Error, err error) error {
	if bound := s.framed.failure(); bound != nil {
		return bound
	}
	if ctx.Err() != nil {
		return fault.Wrap(ErrInterrupted.Code, context.Cause(ctx))
	}
	var said *ldap.Error
	if errors.As(err, &said) {
		switch said.ResultCode {
		case ldap.LDAPResultNoSuchObject:
			return fault.New(ErrBase.Code, "the directory has no entry %s", s.target.Base)
		case ldap.LDAPResultReferral:
			return fault.New(ErrReferral.Code, "the directory points elsewhere; referrals are not followed")
		case ldap.LDAPResultSizeLimitExceeded, ldap.LDAPResultAdminLimitExceeded:
			return fault.Wrap(otherwise.Code, fmt.Errorf("%w: %s", errLimit, ldap.LDAPResultCodeMap[said.ResultCode]))
		case ldap.ErrorNetwork:
			return fault.Wrap(ErrInterrupted.Code, err)
		}
		return fault.New(otherwise.Code, "the server answers: %s", ldap.LDAPResultCodeMap[said.ResultCode])
	}
	return fault.Wrap(ErrInterrupted.Code, err)
}
