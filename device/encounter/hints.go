package encounter

import (
	"strings"

	"github.com/watchpost/watchpost/device/biometric/quality"
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
	"capture.lost":          "the devices are being started again: wait a few seconds, then try again",
	"capture":               "try again; if it happens again, restart the post",
	"device.unknown":        "the configuration names a device that is not there: tell the administrator",
	"device":                "check the device's cable, then try again",
	"finger.unsupported":    "the sensor compares by itself and gives no image: it cannot be used here, tell the administrator",
	"finger.duplicate":      "this finger was given for another position: take the one that is asked for",
	"finger.sequence":       "these are not the fingers that were given before: ask for the same hand again, or note the earlier ones as not given and take them anew",
	"slap.wrong_hand":       "ask for the other hand",
	"slap.hand_unclear":     "lay the fingers flat and a little apart, pointing away from the person, then try again",
	"slap.too_many":         "only what is asked for may lie on the scanner: wipe it, then try again",
	"slap.too_few":          "lay all of them on together and press evenly; note a finger that cannot be given, with the reason",
	"slap.turned":           "turn the hand straight, then try again",
	"slap.cut_off":          "move the hand to the middle of the scanner, then try again",
	"slap":                  "lay the hand flat on the middle of the scanner, then try again",
	"finger":                "wipe finger and sensor, lay the middle of the finger on, then try again",
	"face":                  "ask the person to look at the camera, then try again",
}

// coachHints tell what helps a picture that is not good enough, by the advice
// of package quality.
var coachHints = map[string]string{
	quality.AdviceAlone:    "only one person may stand before the camera, then try again",
	quality.AdviceCloser:   "ask the person to come closer, then try again",
	quality.AdviceFarther:  "ask the person to step back, then try again",
	quality.AdviceStraight: "ask the person to look straight at the camera, then try again",
	quality.AdviceUpright:  "ask the person to hold the head upright, then try again",
	quality.AdviceCentre:   "ask the person to stand in the middle of the picture, then try again",
	quality.AdviceLight:    "more light on the face, then try again",
	quality.AdviceLess:     "less light on the face, then try again",
	quality.AdviceFront:    "light the face from the front, not from one side, then try again",
	quality.AdviceStill:    "ask the person to hold still, then try again",
}

// coachHint is never "".
func coachHint(advice string) string {
	if h, ok := coachHints[advice]; ok {
		return h
	}
	return "more light, face to the camera, hold still, then try again"
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
