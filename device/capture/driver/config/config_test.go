package config

import (
	"strings"
	"testing"
)

func TestConfig(t *testing.T) {
	got, err := Parse([]byte(`cameras:
- {id: desk, kind: device, path: /dev/video0, width: 1280, height: 720, fps: 30, frozen_after: 1.5}
fingers:
- {id: left, driver: uru4000, dpi: 500}
- {id: bench, driver: virtual_image, dpi: 569, socket: /run/x/s}
smartcard: {off: true}
`))
	if len(got.Fingers) != 2 || got.Fingers[0].Virtual() || !got.Fingers[1].Virtual() || got.Fingers[1].DPI != 569 {
		t.Errorf("fingers %+v", got.Fingers)
	}
	want := Source{ID: "desk", Kind: KindDevice, Path: "/dev/video0", Width: 1280, Height: 720, FPS: 30, FrozenAfter: 1.5}
	if err != nil || len(got.Cameras) != 1 || got.Cameras[0] != want || !got.Smartcard.Off {
		t.Errorf("%+v, %v", got, err)
	}
	if empty, err := Parse(nil); err != nil || len(empty.Cameras) != 0 || empty.Smartcard.Off {
		t.Errorf("an empty file: %+v, %v", empty, err)
	}
	for name, text := range map[string]string{
		"unknown key":        "cameras: []\ncolour: red\n",
		"unknown key within": "cameras:\n- {id: a, kind: images, path: /a, speed: 3}\n",
		"key twice":          "cameras: []\ncameras: []\n",
		"no id":              "cameras:\n- {kind: images, path: /a}\n",
		"id with blanks":     "cameras:\n- {id: 'a b', kind: images, path: /a}\n",
		"no kind":            "cameras:\n- {id: a, path: /a}\n",
		"network":            "cameras:\n- {id: a, kind: rtsp, path: /a}\n",
		"no path":            "cameras:\n- {id: a, kind: images}\n",
		"number for a path":  "cameras:\n- {id: a, kind: device, path: 0}\n",
		"width below zero":   "cameras:\n- {id: a, kind: device, path: /a, width: -1}\n",
		"endless rate":       "cameras:\n- {id: a, kind: device, path: /a, fps: .inf}\n",
		"no rate at all":     "cameras:\n- {id: a, kind: device, path: /a, fps: .nan}\n",
		"too many":           "cameras:\n" + strings.Repeat("- {id: a, kind: images, path: /a}\n", maxCameras+1),
		"no resolution":      "fingers:\n- {id: a, driver: uru4000}\n",
		"resolution in mm":   "fingers:\n- {id: a, driver: uru4000, dpi: 19.7}\n",
		"resolution of none": "fingers:\n- {id: a, driver: uru4000, dpi: .nan}\n",
		"no driver":          "fingers:\n- {id: a, dpi: 500}\n",
		"driver with a path": "fingers:\n- {id: a, driver: ../x, dpi: 500}\n",
		"virtual, no socket": "fingers:\n- {id: a, driver: virtual_image, dpi: 500}\n",
		"relative socket":    "fingers:\n- {id: a, driver: virtual_image, dpi: 500, socket: s}\n",
		"socket too long":    "fingers:\n- {id: a, driver: virtual_image, dpi: 500, socket: /" + strings.Repeat("s", 120) + "}\n",
		"socket of a real":   "fingers:\n- {id: a, driver: uru4000, dpi: 500, socket: /s}\n",
		"driver twice":       "fingers:\n- {id: a, driver: elan, dpi: 500}\n- {id: b, driver: elan, dpi: 500}\n",
		"id of a camera":     "cameras:\n- {id: a, kind: images, path: /a}\nfingers:\n- {id: a, driver: elan, dpi: 500}\n",
		"unknown sensor key": "fingers:\n- {id: a, driver: elan, dpi: 500, invert: true}\n",
		"not YAML":           "\t{",
	} {
		if _, err := Parse([]byte(text)); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func FuzzConfig(f *testing.F) {
	f.Add([]byte("cameras:\n- {id: a, kind: images, path: /a, fps: 30}\nsmartcard: {off: true}\n"))
	f.Add([]byte("fingers:\n- {id: a, driver: virtual_image, dpi: 500, socket: /s}\n"))
	f.Add([]byte("cameras: &a [*a]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse(data)
		if err != nil {
			return
		}
		for _, source := range c.Cameras {
			if err := source.Check(); err != nil {
				t.Errorf("what does not check is accepted: %v", err)
			}
		}
	})
}
