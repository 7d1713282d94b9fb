package uplink

import (
	"errors"
	"testing"

	"github.com/nats-io/nkeys"
)

// TestSignsUntilWiped: a link is closed while calls are under way; none is
// signed by a key that is half destroyed.
func TestSignsUntilWiped(t *testing.T) {
	key, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	public, err := key.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := nkeys.FromPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	s := &signer{key: key}
	signed, ended := make(chan struct{}, 1), make(chan error, 1)
	go func() {
		for {
			signature, err := s.Sign([]byte("a call"))
			if err == nil {
				err = verifier.Verify([]byte("a call"), signature)
			}
			if err != nil {
				ended <- err
				return
			}
			select {
			case signed <- struct{}{}:
			default:
			}
		}
	}()
	<-signed
	s.Wipe()
	if err := <-ended; !errors.Is(err, ErrClosed) {
		t.Errorf("after the key was wiped: %v", err)
	}
	s.Wipe() // a second time does nothing
}
