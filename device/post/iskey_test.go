package post

import (
	"context"
	"net"
	"path/filepath"
	"testing"

	"github.com/watchpost/watchpost/device/document/emrtd/termauth/labkey"
	"github.com/watchpost/watchpost/device/document/emrtd/termauth/remote"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/hwtest/gen/cvc"
)

// TestSigner asks the holder of a laboratory's key over a real socket.
func TestSigner(t *testing.T) {
	h, err := cvc.New(cvc.Spec{})
	if err != nil {
		t.Fatal(err)
	}
	key, err := labkey.Parse(h.PEM())
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(t.TempDir(), "signer.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() {
		conn, err := listener.Accept()
		if err == nil {
			err = remote.Serve(context.Background(), conn, key)
		}
		served <- err
	}()

	if openISKey("").key() != nil {
		t.Error("a key without a socket")
	}
	s := openISKey(socket)
	chain, err := key.Certificates(t.Context(), nil)
	got, err2 := s.key().Certificates(t.Context(), nil)
	if len(got) != len(chain) || fault.CodeOf(err) != fault.CodeOf(err2) {
		t.Errorf("%d certificates and %v, the holder has %d and %v", len(got), err2, len(chain), err)
	}
	if signature, err := s.key().Sign(t.Context(), make([]byte, 32)); err != nil || len(signature) == 0 {
		t.Errorf("signature of %d bytes, %v", len(signature), err)
	}
	s.close()
	if err := <-served; err != nil {
		t.Errorf("the holder ended with %v", err)
	}

	// Nobody there any more.
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	s = openISKey(socket)
	defer s.close()
	for _, err := range []error{func() error { _, err := s.Certificates(t.Context(), nil); return err }(), func() error { _, err := s.Sign(t.Context(), nil); return err }()} {
		if fault.CodeOf(err) != remote.ErrLine.Code {
			t.Errorf("%v, want %s", err, remote.ErrLine.Code)
		}
	}
}
