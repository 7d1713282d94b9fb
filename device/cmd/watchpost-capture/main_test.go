package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/capture"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/hwtest/bench"
)

// TestMain lets the test program be watchpost-capture itself and the bench's
// helper: what is tested is the real process, from its first line on.
func TestMain(m *testing.M) {
	switch {
	case len(os.Args) > 1 && (os.Args[1] == "devices" || os.Args[1] == "decode"):
		main()
	case len(os.Args) == 5 && os.Args[3] == "--inside":
		if err := bench.Inside(context.Background(), os.Args[4], os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// start runs a role as its clients do.
func start(t *testing.T, o capture.Options) *capture.Client {
	t.Helper()
	o.Binary, o.Stderr = os.Args[0], os.Stderr
	client, err := capture.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// configure writes a configuration.
func configure(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "capture.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// startBench starts a reader bench, or skips in so many words where the machine
// cannot have one; CI must have one.
func startBench(t *testing.T) *bench.Bench {
	t.Helper()
	b, err := bench.Start(t.Context(), bench.Options{})
	if code := fault.CodeOf(err); (code == "bench.missing" || code == "bench.namespace") && os.Getenv("CI") != "true" {
		t.Skipf("SKIPPED, no bench on this machine: %v; %s", err, fault.HintOf(err))
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	t.Setenv("PCSCLITE_CSOCK_NAME", b.PCSCDSocket())
	return b
}

func TestStartRefusals(t *testing.T) {
	for name, test := range map[string]struct {
		options capture.Options
		code    fault.Code
	}{
		"no role":         {capture.Options{Binary: os.Args[0]}, "capture.start"},
		"no program":      {capture.Options{Role: capture.Devices, Binary: "/nonexistent/watchpost-capture"}, "capture.missing"},
		"not a program":   {capture.Options{Role: capture.Devices, Binary: configure(t, "")}, "capture.missing"},
		"another program": {capture.Options{Role: capture.Devices, Binary: "/bin/false"}, "capture.start"},
		"no such config":  {capture.Options{Role: capture.Devices, Binary: os.Args[0], Config: "/nonexistent"}, "config.invalid"},
		"unknown key":     {capture.Options{Role: capture.Devices, Binary: os.Args[0], Config: configure(t, "camera: []\n")}, "config.invalid"},
		"relative source": {capture.Options{Role: capture.Devices, Binary: os.Args[0],
			Config: configure(t, "cameras:\n- {id: a, kind: images, path: a/b}\n")}, "config.invalid"},
		"network source": {capture.Options{Role: capture.Devices, Binary: os.Args[0],
			Config: configure(t, "cameras:\n- {id: a, kind: video, path: 'rtsp://127.0.0.1/x'}\n")}, "config.invalid"},
		"one camera twice": {capture.Options{Role: capture.Devices, Binary: os.Args[0],
			Config: configure(t, "cameras:\n- {id: a, kind: images, path: /a}\n- {id: a, kind: images, path: /b}\n")}, "config.invalid"},
	} {
		client, err := capture.Start(t.Context(), test.options)
		if err == nil {
			client.Close()
		}
		if fault.CodeOf(err) != test.code {
			t.Errorf("%s: %v, want %s", name, err, test.code)
		}
	}
}

func TestNoReaderAndNoCamera(t *testing.T) {
	t.Setenv("PCSCLITE_CSOCK_NAME", filepath.Join(t.TempDir(), "nobody"))
	client := start(t, capture.Options{Role: capture.Devices})
	if readers, err := client.Readers(t.Context()); err != nil || len(readers) != 0 {
		t.Errorf("readers: %v, %v", readers, err)
	}
	for _, name := range []string{"", "Bench 00 00"} {
		_, err := client.OpenChip(t.Context(), name, capture.ChipOptions{})
		if !errors.Is(err, capture.ErrReaderNone) || !strings.Contains(fault.HintOf(err), "pcscd") {
			t.Errorf("without pcscd: %v, hint %q", err, fault.HintOf(err))
		}
	}
	if _, err := client.CameraCapture(t.Context(), capture.BurstOptions{}); !errors.Is(err, capture.ErrCameraNone) {
		t.Errorf("without camera: %v", err)
	}
	for _, err := range client.CameraPreview(t.Context(), capture.PreviewOptions{}) {
		if !errors.Is(err, capture.ErrCameraNone) {
			t.Errorf("preview without camera: %v", err)
		}
	}
	if _, err := client.FaceTemplates(t.Context(), "no such capture"); !errors.Is(err, capture.ErrCaptureExpired) {
		t.Errorf("templates of nothing: %v", err)
	}
}

func TestKilledProcessIsLost(t *testing.T) {
	client := start(t, capture.Options{Role: capture.Devices})
	killSelfChild(t)
	select {
	case <-client.Lost():
	case <-time.After(10 * time.Second):
		t.Fatal("its end is not seen")
	}
	_, err := client.Devices(t.Context())
	if !errors.Is(err, capture.ErrLost) || !fault.IsRetryable(err) {
		t.Errorf("a call to a killed process: %v", err)
	}
}

func TestSocketOfADaemon(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "capture.sock")
	if _, err := capture.Dial(shortly(t), path); !errors.Is(err, capture.ErrLost) {
		t.Errorf("nobody there: %v", err)
	}
	cmd := self(t, "devices", "--socket="+path)
	waitForSocket(t, path)
	client, err := capture.Dial(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := client.Devices(t.Context()); err != nil {
		t.Error(err)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("after an interrupt: %v", err)
	}
	if _, err := net.Dial("unix", path); err == nil {
		t.Error("the socket outlives its process")
	}
}
