package main

import (
	"context"
	"net"
	"os"

	"github.com/watchpost/watchpost/device/document/emrtd/termauth"
	"github.com/watchpost/watchpost/device/document/emrtd/termauth/labkey"
	"github.com/watchpost/watchpost/device/document/emrtd/termauth/remote"
	"github.com/watchpost/watchpost/device/fault"
)

// openISKey reaches whoever signs for this terminal: behind a unix socket, or
// in a laboratory's file. "" is nobody. The closing lets go of the socket.
func openISKey(ctx context.Context, path string) (termauth.ISKey, func(), error) {
	nothing := func() {}
	if path == "" {
		return nil, nothing, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, nothing, fault.Wrap(labkey.ErrFile.Code, err)
	}
	if info.Mode()&os.ModeSocket != 0 {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "unix", path)
		if err != nil {
			return nil, nothing, fault.Wrap(remote.ErrLine.Code, err)
		}
		return remote.New(conn), func() { conn.Close() }, nil
	}
	const most = 1 << 20 // far above any key with its chain
	if info.Size() > most {
		return nil, nothing, fault.New(labkey.ErrFile.Code, "%d octets", info.Size())
	}
	file, err := os.ReadFile(path)
	if err != nil {
		return nil, nothing, fault.Wrap(labkey.ErrFile.Code, err)
	}
	defer clear(file)
	key, err := labkey.Parse(file)
	if err != nil {
		return nil, nothing, err
	}
	return key, nothing, nil
}
