package fprint

// #include <stdint.h>
import "C"

import (
	"runtime/cgo"
	"unsafe"
)

// Kind of an event.
type Kind int

// Kinds of event.
const (
	Found    Kind = 1 // a sensor is there and, where it gives images, open
	Gone     Kind = 2 // it was pulled out
	Finger   Kind = 3 // the finger's state on the sensor has changed
	Image    Kind = 4 // answer to Capture
	Failed   Kind = 5 // answer to Capture
	Unopened Kind = 6 // a sensor is there and does not open; it is tried again
)

// Reason of a Failed event.
type Reason int

// Reasons; the values are those of loop.h.
const (
	DeviceError Reason = 1 // Code is an FpDeviceError
	Retry       Reason = 2 // Code is an FpDeviceRetry: the touch was no good
	Canceled    Reason = 3
	Other       Reason = 4
)

// Values of libfprint's FpDeviceError and FpDeviceRetry that are acted on
// (fp-device.h, 1.94).
const (
	ErrorRemoved = 0x100
	ErrorBusy    = 4

	RetryGeneral  = 0
	RetryTooShort = 1
	RetryCenter   = 2
	RetryRemove   = 3
)

// Event is news of one sensor, known by the number that Found gave it.
type Event struct {
	Kind   Kind
	Number uint

	Driver, Name string // with Found and Unopened: the library's names
	Images       bool   // with Found: it gives images
	Swipe        bool   // with Found: the finger is drawn over it

	Needed, Present bool // with Finger

	Width, Height int    // with Image, pixels
	Pixels        []byte // with Image: grey, row by row, dark ridges; the receiver's

	Reason Reason // with Failed
	Code   int    // with Failed
	Text   string // with Failed and Unopened: the library's words, nothing personal
}

const featureCapture = 1 << 0 // FP_DEVICE_FEATURE_CAPTURE

func library(handle C.uintptr_t) *Library { return cgo.Handle(handle).Value().(*Library) }

//export wpDevice
func wpDevice(handle C.uintptr_t, number C.uint, driver, name *C.char, features C.uint, swipe C.int) {
	library(handle).send(Event{Kind: Found, Number: uint(number), Driver: C.GoString(driver), Name: C.GoString(name),
		Images: features&featureCapture != 0, Swipe: swipe != 0})
}

//export wpGone
func wpGone(handle C.uintptr_t, number C.uint) {
	library(handle).send(Event{Kind: Gone, Number: uint(number)})
}

//export wpUnopened
func wpUnopened(handle C.uintptr_t, driver, text *C.char) {
	library(handle).send(Event{Kind: Unopened, Driver: C.GoString(driver), Text: C.GoString(text)})
}

//export wpFinger
func wpFinger(handle C.uintptr_t, number C.uint, status C.uint) {
	const needed, present = 1 << 0, 1 << 1 // FP_FINGER_STATUS_*
	library(handle).send(Event{Kind: Finger, Number: uint(number), Needed: status&needed != 0, Present: status&present != 0})
}

//export wpImage
func wpImage(handle C.uintptr_t, number C.uint, width, height C.uint, pixels unsafe.Pointer, length C.size_t) {
	e := Event{Kind: Image, Number: uint(number), Width: int(width), Height: int(height)}
	const limit = 32 << 20 // bytes; the virtual driver alone could send 25 MB
	if n := uint64(width) * uint64(height); pixels != nil && n > 0 && n <= limit && uint64(length) >= n {
		e.Pixels = C.GoBytes(pixels, C.int(n))
	}
	library(handle).send(e)
}

//export wpFailed
func wpFailed(handle C.uintptr_t, number C.uint, reason, code C.int, text *C.char) {
	library(handle).send(Event{Kind: Failed, Number: uint(number), Reason: Reason(reason), Code: int(code), Text: C.GoString(text)})
}
