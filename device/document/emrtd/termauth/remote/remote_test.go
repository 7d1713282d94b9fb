package remote_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/document/emrtd/termauth/remote"
	"github.com/watchpost/watchpost/device/fault"
)

// holder is a key that answers with what it was asked.
type holder struct{ fail bool }

func (h holder) Certificates(_ context.Context, authorities []string) ([][]byte, error) {
	var all [][]byte
	for _, a := range authorities {
		all = append(all, []byte(a))
	}
	return all, nil
}

func (h holder) Sign(_ context.Context, data []byte) ([]byte, error) {
	if h.fail {
		return nil, fault.New("module.locked", "wrong PIN 1234")
	}
	return slices.Concat([]byte("signed "), data), nil
}

func pair(t *testing.T, h holder) *remote.Key {
	t.Helper()
	ours, theirs := net.Pipe()
	done := make(chan error, 1)
	go func() { done <- remote.Serve(context.Background(), theirs, h) }()
	t.Cleanup(func() {
		ours.Close()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return remote.New(ours)
}

func TestQuestions(t *testing.T) {
	k := pair(t, holder{})
	chain, err := k.Certificates(t.Context(), []string{"UTCVWATCH00001", "UTCVWATCH00002"})
	if err != nil || len(chain) != 2 || string(chain[1]) != "UTCVWATCH00002" {
		t.Errorf("%q, %v", chain, err)
	}
	signature, err := k.Sign(t.Context(), []byte{0, 255, 10})
	if err != nil || string(signature) != "signed \x00\xff\n" {
		t.Errorf("%q, %v", signature, err)
	}
	if chain, err := k.Certificates(t.Context(), nil); err != nil || len(chain) != 0 {
		t.Errorf("no authority: %q, %v", chain, err)
	}
	_, err = pair(t, holder{fail: true}).Sign(t.Context(), []byte{1})
	if !errors.Is(err, remote.ErrRefused) || strings.Contains(err.Error(), "1234") {
		t.Errorf("refused: %v", err)
	}
}

// TestBadHolder: whatever the other side does, an error comes in time.
func TestBadHolder(t *testing.T) {
	for name, tc := range map[string]struct {
		answer string
		want   error
	}{
		"no JSON":      {"hello\n", remote.ErrAnswer},
		"array":        {"[]\n", remote.ErrAnswer},
		"empty":        {"{}\n", remote.ErrAnswer},
		"no base64":    {`{"signature":"%"}` + "\n", remote.ErrAnswer},
		"hangs up":     {"", remote.ErrLine},
		"half a line":  {`{"signature"`, remote.ErrLine},
		"endless line": {strings.Repeat(" ", 1<<20), remote.ErrAnswer},
	} {
		ours, theirs := net.Pipe()
		go func() {
			buf := make([]byte, 1000)
			theirs.Read(buf)                // a question; what it says does not matter
			theirs.Write([]byte(tc.answer)) // fails once the reader has had enough
			theirs.Close()
		}()
		if s, err := remote.New(ours).Sign(t.Context(), []byte{1}); !errors.Is(err, tc.want) || s != nil {
			t.Errorf("%s: %q, %v", name, s, err)
		}
		ours.Close()
	}
}

// TestSilentHolder: a holder that never answers costs no longer than the context.
func TestSilentHolder(t *testing.T) {
	ours, theirs := net.Pipe()
	defer ours.Close()
	go func() {
		buf := make([]byte, 1000)
		theirs.Read(buf)
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := remote.New(ours).Sign(ctx, []byte{1}); !errors.Is(err, remote.ErrLine) {
		t.Errorf("%v", err)
	}
	canceled, cancel := context.WithCancel(t.Context())
	go cancel()
	other, far := net.Pipe()
	defer far.Close()
	if _, err := remote.New(other).Sign(canceled, []byte{1}); !errors.Is(err, remote.ErrLine) {
		t.Errorf("canceled: %v", err)
	}
}
