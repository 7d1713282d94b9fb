package web

import (
	"encoding/json"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/watchpost/watchpost/device/biometric/quality"
	"github.com/watchpost/watchpost/device/capture"
)

// A preview tells the measures of the face between the frames, and one advice
// that two looks agree upon.
func TestPreviewCoaches(t *testing.T) {
	b := newBench(t, wide())
	looks := make(chan []quality.Looking)
	b.looks = func(yield func([]quality.Looking, error) bool) {
		for {
			select {
			case l := <-looks:
				if !yield(l, nil) {
					return
				}
			case <-t.Context().Done():
				return
			}
		}
	}
	b.camera = func(func(capture.Frame, error) bool) { <-t.Context().Done() }
	conn := b.browser("o1").dial("/v1/preview")
	read := func() (m CoachMessage) {
		t.Helper()
		for {
			kind, raw, err := conn.ReadMessage()
			if err != nil {
				t.Fatal(err)
			}
			if kind == websocket.TextMessage {
				if err := json.Unmarshal(raw, &m); err != nil {
					t.Fatal(err)
				}
				return m
			}
		}
	}
	far := quality.Live([]quality.Measure{{Name: "single_face_present", Native: 1, Unit: "faces"}, {Name: "inter_eye_distance", Native: 20, Unit: "px"}})
	good := quality.Live([]quality.Measure{{Name: "inter_eye_distance", Native: 90, Unit: "px"}})
	for i, c := range []struct {
		look []quality.Looking
		want string
	}{
		{far, ""}, {far, quality.AdviceCloser}, {good, quality.AdviceCloser}, {far, quality.AdviceCloser}, {good, quality.AdviceCloser}, {good, ""},
		{nil, ""}, {nil, quality.AdviceFace},
	} {
		looks <- c.look
		m := read()
		if m.Advice != c.want || len(m.Measures) != len(c.look) || m.Measures == nil {
			t.Errorf("look %d: %+v, want %q", i, m, c.want)
		}
		for _, l := range m.Measures {
			if l.Name == "inter_eye_distance" && (l.Low != 38 || l.Unit != "px") {
				t.Errorf("%+v", l)
			}
		}
	}
}
