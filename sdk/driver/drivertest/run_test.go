package drivertest_test

import (
	"context"
	"net"
	"path/filepath"
	"testing"

	"github.com/watchpost/watchpost/sdk/driver"
	"github.com/watchpost/watchpost/sdk/driver/drivertest"
	driverv1 "github.com/watchpost/watchpost/sdk/proto/driver/v1"
)

// TestSuite runs the suite against a driver that is known to be right.
func TestSuite(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	v := newVirtual(ctx)
	path := filepath.Join(t.TempDir(), "s")
	listener, err := driver.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- v.server.Serve(ctx, listener) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	byID := map[string]*driverv1.Device{}
	for _, d := range devices() {
		byID[d.GetId()] = d
	}
	drivertest.Run(t, drivertest.Target{
		Dial: func(t testing.TB) net.Conn {
			conn, err := net.Dial("unix", path)
			if err != nil {
				t.Fatal(err)
			}
			return conn
		},
		Unplug:     func(_ testing.TB, d *driverv1.Device) { v.server.Lost(d.GetId()) },
		Replug:     func(_ testing.TB, d *driverv1.Device) { v.server.Attach(byID[d.GetId()]) },
		InsertCard: func(testing.TB, *driverv1.Device) { v.lay(true) },
		RemoveCard: func(testing.TB, *driverv1.Device) { v.lay(false) },
	})
}
