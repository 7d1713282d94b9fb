package driver

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// Listen serves a path that only the same user can reach. A socket left behind
// by a process that has ended is replaced; one that answers is not.
func Listen(path string) (net.Listener, error) {
	if _, err := os.Lstat(path); err == nil {
		conn, err := net.Dial("unix", path)
		if err == nil {
			conn.Close()
			return nil, Errorf(DeviceBusy, "another process serves %s", path)
		}
		if !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, fs.ErrNotExist) { // one with too many waiting, say
			return nil, Errorf(DeviceBusy, "whether another process serves %s is not known: %v", path, err)
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("remove old socket: %w", err)
		}
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		listener.Close()
		return nil, fmt.Errorf("close socket to others: %w", err)
	}
	return listener, nil
}

// Inherited serves the one connection that the parent process passed as an
// open descriptor (one end of a socket pair). When the parent closes it or
// dies, Accept ends with net.ErrClosed and so does Serve.
func Inherited(fd uintptr) (net.Listener, error) {
	file := os.NewFile(fd, "inherited")
	if file == nil {
		return nil, fmt.Errorf("descriptor %d is not open", fd)
	}
	defer file.Close() // FileConn duplicates it
	conn, err := net.FileConn(file)
	if err != nil {
		return nil, fmt.Errorf("descriptor %d: %w", fd, err)
	}
	unixConn, ok := conn.(*net.UnixConn)
	if !ok {
		conn.Close()
		return nil, fmt.Errorf("descriptor %d is not a unix socket", fd)
	}
	l := &inherited{ended: make(chan struct{})}
	l.conn = &endingConn{UnixConn: unixConn, ended: l.end}
	return l, nil
}

type inherited struct {
	mu    sync.Mutex
	conn  *endingConn // guarded by mu, nil once handed out
	once  sync.Once
	ended chan struct{}
}

func (l *inherited) Accept() (net.Conn, error) {
	l.mu.Lock()
	conn := l.conn
	l.conn = nil
	l.mu.Unlock()
	if conn != nil {
		return conn, nil
	}
	<-l.ended
	return nil, net.ErrClosed
}

func (l *inherited) end() { l.once.Do(func() { close(l.ended) }) }

func (l *inherited) Close() error {
	l.end()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn != nil {
		l.conn.Close()
		l.conn = nil
	}
	return nil
}

func (l *inherited) Addr() net.Addr { return &net.UnixAddr{Net: "unix", Name: "inherited"} }

// endingConn tells its listener when it is closed.
type endingConn struct {
	*net.UnixConn
	ended func()
}

func (c *endingConn) Close() error {
	defer c.ended()
	return c.UnixConn.Close()
}

// ownUser closes connections of other users before a byte of them is read, and
// with itself those it has accepted: gRPC would wait two minutes for a client
// that has connected and says nothing.
type ownUser struct {
	net.Listener

	mu     sync.Mutex
	open   map[net.Conn]struct{} // guarded by mu
	closed bool                  // guarded by mu
}

func (l *ownUser) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		uid, err := peerUser(conn)
		if err == nil && uid == uint32(os.Geteuid()) {
			return l.track(conn)
		}
		conn.Close()
	}
}

func (l *ownUser) track(conn net.Conn) (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		conn.Close()
		return nil, net.ErrClosed
	}
	l.open[conn] = struct{}{}
	return &tracked{Conn: conn, listener: l}, nil
}

func (l *ownUser) Close() error {
	err := l.Listener.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for conn := range l.open {
		conn.Close()
	}
	clear(l.open)
	return err
}

// tracked is forgotten by its listener when it is closed.
type tracked struct {
	net.Conn
	listener *ownUser
}

func (c *tracked) Close() error {
	c.listener.mu.Lock()
	delete(c.listener.open, c.Conn)
	c.listener.mu.Unlock()
	return c.Conn.Close()
}

// peerUser returns the user on the other side (SO_PEERCRED, unix(7)).
func peerUser(conn net.Conn) (uint32, error) {
	holder, ok := conn.(syscall.Conn)
	if !ok {
		return 0, errors.New("not a unix socket")
	}
	raw, err := holder.SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *unix.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return 0, err
	}
	if credErr != nil {
		return 0, credErr
	}
	return cred.Uid, nil
}
