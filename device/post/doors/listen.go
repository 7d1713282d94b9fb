package doors

import (
	"errors"
	"net"
	"os"
	"syscall"

	"github.com/watchpost/watchpost/device/fault"
)

// listenUnix listens on a socket that only this user can reach. A socket that
// nobody listens on is left over and removed; one that answers belongs to
// another daemon.
func listenUnix(path string) (net.Listener, error) {
	if c, err := net.Dial("unix", path); err == nil {
		c.Close()
		return nil, fault.New("post.running", "another daemon answers at the admin socket").
			WithHint("end it first, or give this one another state folder")
	} else if errors.Is(err, syscall.ECONNREFUSED) {
		if err := os.Remove(path); err != nil {
			return nil, fault.Wrap("post.listen", err)
		}
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fault.Wrap("post.listen", err)
	}
	// The folder is 0700 already; the mode is a second wall.
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, fault.Wrap("post.listen", err)
	}
	return l, nil
}
