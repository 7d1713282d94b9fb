package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/capture"
	"github.com/watchpost/watchpost/device/capture/decode/face"
	"github.com/watchpost/watchpost/device/fault"
)

// portrait is one of the pictures that come with the module gocv.io/x/gocv.
func portrait(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "gocv.io/x/gocv").Output()
	if err != nil {
		t.Fatalf("where is gocv: %v", err)
	}
	return filepath.Join(strings.TrimSpace(string(out)), "images", name)
}

// models skips in so many words where the face models have not been fetched; CI
// must have them.
func models(t *testing.T) {
	t.Helper()
	if _, err := face.LoadModels(face.ModelDir()); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("SKIPPED, no face models (make deps fetches them): %v", err)
	}
}

// TestFaceOfOwnCamera goes from the camera to templates without a pixel leaving
// the process.
func TestFaceOfOwnCamera(t *testing.T) {
	models(t)
	client := start(t, capture.Options{Role: capture.Devices, Config: configure(t, fmt.Sprintf(`cameras:
- {id: person, kind: images, path: %s, loop: true}
- {id: nobody, kind: images, path: %s, loop: true}
smartcard: {off: true}
`, portrait(t, "face.jpg"), film(t, 2, 100)))})
	burst, err := client.CameraCapture(t.Context(), capture.BurstOptions{Camera: "person", Frames: 2, NoImages: true, Keep: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, frame := range burst.Frames {
		if len(frame.JPEG) != 0 || frame.Width != 640 || frame.Height != 480 {
			t.Errorf("frame of %dx%d with %d bytes of picture", frame.Width, frame.Height, len(frame.JPEG))
		}
	}
	begin := time.Now()
	faces, err := client.FaceTemplates(t.Context(), burst.ID)
	if err != nil || len(faces) != 2 {
		t.Fatalf("%d results, %v", len(faces), err)
	}
	t.Logf("two templates with the engine's start: %v", time.Since(begin))
	for i, f := range faces {
		if f.Err != nil || f.Frame != i || f.Face.Faces != 1 {
			t.Fatalf("frame %d: %d faces, %v", f.Frame, f.Face.Faces, f.Err)
		}
		sum := 0.0
		for _, x := range f.Face.Template.Vector {
			sum += float64(x) * float64(x)
		}
		if math.Abs(sum-1) > 1e-5 {
			t.Errorf("template of length %v", math.Sqrt(sum))
		}
	}
	if one, err := client.FaceTemplates(t.Context(), burst.ID, 1); err != nil || len(one) != 1 || one[0].Frame != 1 {
		t.Errorf("one frame: %v, %v", one, err)
	}
	if _, err := client.FaceTemplates(t.Context(), burst.ID, 2); err == nil {
		t.Error("a template of a frame that was not taken")
	}
	if err := client.Release(t.Context(), burst.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := client.FaceTemplates(t.Context(), burst.ID); !errors.Is(err, capture.ErrCaptureExpired) {
		t.Errorf("after release: %v", err)
	}
	empty, err := client.CameraCapture(t.Context(), capture.BurstOptions{Camera: "nobody", NoImages: true, Keep: true})
	if err != nil {
		t.Fatal(err)
	}
	none, err := client.FaceTemplates(t.Context(), empty.ID)
	if err != nil || len(none) != 1 || !errors.Is(none[0].Err, face.ErrNone) {
		t.Errorf("a wall: %v, %v", none, err)
	}
}

func TestModelsMissing(t *testing.T) {
	client := start(t, capture.Options{Role: capture.Devices, Models: filepath.Join(t.TempDir(), "none"),
		Config: configure(t, fmt.Sprintf("cameras:\n- {id: a, kind: images, path: %s, loop: true}\nsmartcard: {off: true}\n", film(t, 2, 100)))})
	burst, err := client.CameraCapture(t.Context(), capture.BurstOptions{Keep: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.FaceTemplates(t.Context(), burst.ID); !errors.Is(err, face.ErrModelMissing) {
		t.Errorf("without models: %v", err)
	}
}

// TestDecodeWorksConfined: the decode role answers after it has given up files,
// devices and sockets.
func TestDecodeWorksConfined(t *testing.T) {
	models(t)
	picture, err := os.ReadFile(portrait(t, "face-detect.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	pool := capture.NewPool(capture.Options{Role: capture.Decode, Binary: os.Args[0], Stderr: os.Stderr}, nil)
	defer pool.Close()
	for range 2 { // the second process was started when the first had ended
		client, err := pool.Take(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		found, err := client.Decode().FaceTemplate(t.Context(), picture, 0)
		if err != nil || found.Faces < 1 {
			t.Errorf("face: %d, %v", found.Faces, err)
		}
		pixels, err := client.Decode().DecodeGrey(t.Context(), picture)
		if err != nil || pixels.Width != 400 || pixels.Height != 320 {
			t.Errorf("pixels: %dx%d, %v", pixels.Width, pixels.Height, err)
		}
		client.Close()
	}
}

// TestVideo plays a file through FFmpeg from inside the sandbox: round and
// round, and once.
func TestVideo(t *testing.T) {
	client := start(t, capture.Options{Role: capture.Devices, Config: configure(t, fmt.Sprintf(`cameras:
- {id: round, kind: video, path: %[1]s, fps: 240, loop: true}
- {id: once, kind: video, path: %[1]s, fps: 240}
- {id: text, kind: video, path: %[2]s}
smartcard: {off: true}
`, portrait(t, "small.mp4"), configure(t, "this is no video")))})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var last error
	length := uint64(0)
	for frame, err := range client.CameraPreview(ctx, capture.PreviewOptions{Camera: "once", MaxWidth: 160}) {
		if last = err; err == nil {
			length = frame.Sequence
		}
	}
	if !errors.Is(last, capture.ErrDeviceLost) || length < 10 {
		t.Fatalf("after %d frames: %v", length, last)
	}
	for frame, err := range client.CameraPreview(ctx, capture.PreviewOptions{Camera: "round", MaxWidth: 160}) {
		if err != nil {
			t.Fatal(err)
		}
		if frame.Sequence > length+10 {
			break
		}
	}
	if _, err := client.CameraCapture(ctx, capture.BurstOptions{Camera: "text"}); fault.CodeOf(err) != "device.fault" {
		t.Errorf("a file that is no video: %v", err)
	}
}
