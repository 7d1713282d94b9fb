//go:build cgo

package bench

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/ebfe/scard"

	"github.com/watchpost/watchpost/hwtest/passport"
)

// TestRealReaderStack goes the way that the product goes: libpcsclite, pcscd,
// vpcd, and at its end the chip.
func TestRealReaderStack(t *testing.T) {
	b := startBench(t, Options{})
	t.Setenv("PCSCLITE_CSOCK_NAME", b.PCSCDSocket())
	if err := b.Insert(t.Context(), 1, passport.Profile{}); err != nil {
		t.Fatal(err)
	}
	ctx, err := scard.EstablishContext()
	if err != nil {
		t.Fatal(err)
	}
	defer ctx.Release()
	readers, err := ctx.ListReaders()
	if err != nil || len(readers) != Slots || readers[1] != b.ReaderName(1) {
		t.Fatalf("readers %v, error %v", readers, err)
	}
	waitFor(t, ctx, b.ReaderName(1), scard.StatePresent)
	card, err := ctx.Connect(b.ReaderName(1), scard.ShareExclusive, scard.ProtocolAny)
	if err != nil {
		t.Fatal(err)
	}
	transmit := func(command []byte) []byte {
		t.Helper()
		answer, err := card.Transmit(command)
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	if got := transmit([]byte{0x00, 0xA4, 0x04, 0x0C, 0x07, 0xA0, 0, 0, 0x02, 0x47, 0x10, 0x01}); !bytes.Equal(got, []byte{0x90, 0}) {
		t.Fatalf("select: %X", got)
	}
	// Without TCP_QUICKACK each command costs 40 to 50 ms, but for the first: the
	// kernel acknowledges those of a new connection at once. On a busy machine many
	// cost as much; that a good part costs less shows that the option works.
	const first, commands, limit = 20, 50, 25 * time.Millisecond
	var took []time.Duration
	for i := range commands {
		start := time.Now()
		if got := transmit([]byte{0x00, 0x84, 0, 0, 8}); len(got) != 10 {
			t.Fatalf("challenge: %X", got)
		}
		if i >= first {
			took = append(took, time.Since(start))
		}
	}
	slices.Sort(took)
	if fast := took[len(took)/4]; fast > limit {
		t.Errorf("a quarter of the commands is to take less than %v: %v", limit, took)
	}
	if got := transmit([]byte{0x00, 0xB0, 0x9D, 0x00, 0x00, 0x00, 0x00}); !bytes.Equal(got, []byte{0x69, 0x82}) {
		t.Errorf("extended read before access control: %X", got)
	}
	if err := b.Remove(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	waitFor(t, ctx, b.ReaderName(1), scard.StateEmpty)
	if _, err := card.Transmit([]byte{0x00, 0x84, 0, 0, 8}); err == nil {
		t.Error("a card that was taken away answers")
	}
}

// waitFor asks pcscd until a reader is in the state meant.
func waitFor(t *testing.T, ctx *scard.Context, reader string, state scard.StateFlag) {
	t.Helper()
	states := []scard.ReaderState{{Reader: reader, CurrentState: scard.StateUnaware}}
	deadline := time.Now().Add(10 * time.Second)
	for time.Now().Before(deadline) {
		if err := ctx.GetStatusChange(states, time.Second); err != nil && err != scard.ErrTimeout {
			t.Fatal(err)
		}
		if states[0].EventState&state != 0 {
			return
		}
		states[0].CurrentState = states[0].EventState
	}
	t.Fatalf("reader %s does not come into state %X", reader, state)
}
