package encounter

import (
	"strings"

	"github.com/watchpost/watchpost/device/fault"
)

// hints tell the officer what to do about a failed step whose error brings no
// hint of its own: a vendor's driver, or an engine that knows nothing of
// desks. Looked up by code, then by the part before its dot.
var hints = map[string]string{
	"access.wrong_password": "compare what was typed with the data page: document number, birth, expiry",
	"access.no_password":    "give the card access number printed on the document",
	"access":                "lay the document on again and try once more",
	"chip.no_application":   "this is no passport chip: lay another document on, or skip the step with a reason",
	"chip":                  "lay the document on again and leave it there",
	"card":                  "take the document off, lay it on again and leave it there",
	"reader":                "check the reader's cable, then try again",
	"camera":                "check the camera, then try again",
	"capture.lost":          "the device process is being started again: wait a moment, then try again",
	"capture":               "try again; if it happens again, restart the post",
	"device.unknown":        "the configuration names a device that is not there: tell the administrator",
	"device":                "check the device's cable, then try again",
	"finger.unsupported":    "the sensor compares by itself and gives no image: it cannot be used here, tell the administrator",
	"finger":                "wipe finger and sensor, lay the middle of the finger on, then try again",
	"face":                  "ask the person to look at the camera, then try again",
}

// lastHint is for codes that are not foreseen here.
const lastHint = "try again; if it happens again, skip the step with a reason"

// hintOf returns the hint of a step's error, never "".
func hintOf(err error) string {
	if own := fault.HintOf(err); own != "" {
		return own
	}
	code := string(fault.CodeOf(err))
	if h, ok := hints[code]; ok {
		return h
	}
	part, _, _ := strings.Cut(code, ".")
	if h, ok := hints[part]; ok {
		return h
	}
	return lastHint
}
