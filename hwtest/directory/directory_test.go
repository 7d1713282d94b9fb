package directory

import (
	"net"
	"testing"
)

// TestPortOfAnother: what answers on the port is another program.
func TestPortOfAnother(t *testing.T) {
	d := ForTest(t, nil, "UT")
	d.Stop()
	l, err := net.Listen("tcp", d.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := d.Run(); err == nil {
		t.Error("another program is taken for the directory")
	}
}
