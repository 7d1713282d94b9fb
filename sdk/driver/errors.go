package driver

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Codes of the contract. A published code keeps its meaning for ever.
const (
	CallNoDeadline    = "call.no_deadline"
	CallInvalid       = "call.invalid"
	CallDeadline      = "call.deadline"
	CallCanceled      = "call.canceled"
	ContractVersion   = "contract.version"
	DeviceUnknown     = "device.unknown"
	DeviceBusy        = "device.busy"
	DeviceLost        = "device.lost"
	DeviceFault       = "device.fault"
	DeviceUnsupported = "device.unsupported"
	CameraNone        = "camera.none"
	CameraFrozen      = "camera.frozen"
	CameraBlack       = "camera.black"
	CameraQuality     = "camera.quality"
	CaptureDeadline   = "capture.deadline"
	CaptureExpired    = "capture.expired"
	FingerUnsupported = "finger.unsupported"
	FingerQuality     = "finger.quality"
	ReaderNone        = "reader.none"
	CardNone          = "card.none"
	CardRemoved       = "card.removed"
	CardSilent        = "card.silent"
	CardProtocol      = "card.protocol"
	PageNone          = "page.none"
	DocumentNone      = "document.none"
	DocumentRemoved   = "document.removed"
)

// Codes lists every code with the gRPC status that carries it.
func Codes() map[string]codes.Code { return maps.Clone(statuses) }

var statuses = map[string]codes.Code{
	CallNoDeadline:    codes.InvalidArgument,
	CallInvalid:       codes.InvalidArgument,
	CallDeadline:      codes.DeadlineExceeded,
	CallCanceled:      codes.Canceled,
	ContractVersion:   codes.FailedPrecondition,
	DeviceUnknown:     codes.NotFound,
	DeviceBusy:        codes.ResourceExhausted,
	DeviceLost:        codes.Unavailable,
	DeviceFault:       codes.Internal,
	DeviceUnsupported: codes.Unimplemented,
	CameraNone:        codes.NotFound,
	CameraFrozen:      codes.Unavailable,
	CameraBlack:       codes.FailedPrecondition,
	CameraQuality:     codes.FailedPrecondition,
	CaptureDeadline:   codes.DeadlineExceeded,
	CaptureExpired:    codes.NotFound,
	FingerUnsupported: codes.Unimplemented,
	FingerQuality:     codes.FailedPrecondition,
	ReaderNone:        codes.NotFound,
	CardNone:          codes.FailedPrecondition,
	CardRemoved:       codes.Aborted,
	CardSilent:        codes.DeadlineExceeded,
	CardProtocol:      codes.Internal,
	PageNone:          codes.NotFound,
	DocumentNone:      codes.FailedPrecondition,
	DocumentRemoved:   codes.Aborted,
}

// Domain of the google.rpc.ErrorInfo that carries a code.
const Domain = "watchpost"

// Error is a coded error on its way to the client. Its text must hold no
// personal data.
type Error struct {
	Code      string
	Text      string
	Hint      string // what an operator can do, may be empty
	Retryable bool   // the same call may succeed later with nothing changed
}

// Errorf returns a coded error.
func Errorf(code, format string, args ...any) *Error {
	return &Error{Code: code, Text: fmt.Sprintf(format, args...)}
}

// WithHint returns a copy that tells the operator what to do.
func (e *Error) WithHint(hint string) *Error {
	c := *e
	c.Hint = hint
	return &c
}

func (e *Error) retry() *Error {
	c := *e
	c.Retryable = true
	return &c
}

func (e *Error) Error() string { return e.Code + ": " + e.Text }

// GRPCStatus makes the error travel as the contract says.
func (e *Error) GRPCStatus() *status.Status {
	code, ok := statuses[e.Code]
	if !ok {
		code = codes.Internal // a code of the driver's own
	}
	info := &errdetails.ErrorInfo{Reason: e.Code, Domain: Domain, Metadata: map[string]string{}}
	if e.Hint != "" {
		info.Metadata["hint"] = e.Hint
	}
	if e.Retryable {
		info.Metadata["retryable"] = "true"
	}
	st := status.New(code, e.Text)
	detailed, err := st.WithDetails(info)
	if err != nil { // only for an OK status, which no code maps to
		return st
	}
	return detailed
}

// FromStatus finds the coded error in what a gRPC call returned, nil where
// there is none.
func FromStatus(err error) *Error {
	var own *Error
	if errors.As(err, &own) {
		return own
	}
	st, ok := status.FromError(err)
	if !ok || st == nil {
		return nil
	}
	for _, detail := range st.Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok && info.Domain == Domain && info.Reason != "" {
			return &Error{Code: info.Reason, Text: st.Message(), Hint: info.Metadata["hint"],
				Retryable: info.Metadata["retryable"] == "true"}
		}
	}
	return nil
}

// CodeOf returns the code that err carries, "" where it carries none.
func CodeOf(err error) string {
	if e := FromStatus(err); e != nil {
		return e.Code
	}
	return ""
}

// coded gives the errors that a handler passes through from its context the
// form of the contract.
func coded(err error) error {
	switch {
	case err == nil || FromStatus(err) != nil:
		return err
	case errors.Is(err, context.DeadlineExceeded) || status.Code(err) == codes.DeadlineExceeded:
		return Errorf(CallDeadline, "the deadline passed")
	case errors.Is(err, context.Canceled) || status.Code(err) == codes.Canceled:
		return Errorf(CallCanceled, "cancelled")
	}
	return err
}
