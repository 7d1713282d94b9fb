package capture

import (
	"context"
	"errors"
	"io"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/watchpost/watchpost/device/fault"
)

// Sentinels for errors.Is. The first group is of this package, the second the
// codes of the driver contract that callers act on; each can come from a call.
var (
	// ErrLost: the process has ended or hangs. A new one has to be started;
	// what the call did to a device is not known.
	ErrLost = &fault.Error{Code: "capture.lost"}
	// ErrHangs: the process is there and does not answer; told by callers that
	// watch it with Ping.
	ErrHangs = &fault.Error{Code: "capture.hangs"}
	// ErrStart: the process could not be started.
	ErrStart = &fault.Error{Code: "capture.start"}
	// ErrMissing: there is no watchpost-capture program.
	ErrMissing = &fault.Error{Code: "capture.missing"}
	// ErrAnswer: the process answered what the contract does not allow.
	ErrAnswer = &fault.Error{Code: "capture.answer"}
	// ErrDeadline: the deadline of the call passed.
	ErrDeadline = &fault.Error{Code: "call.deadline"}
	// ErrCanceled: the caller gave up.
	ErrCanceled = &fault.Error{Code: "call.canceled"}

	ErrDeviceUnknown   = &fault.Error{Code: "device.unknown"}
	ErrDeviceBusy      = &fault.Error{Code: "device.busy"}
	ErrDeviceLost      = &fault.Error{Code: "device.lost"}
	ErrCameraNone      = &fault.Error{Code: "camera.none"}
	ErrCameraStale     = &fault.Error{Code: "camera.stale"} // told by this package
	ErrCameraFrozen    = &fault.Error{Code: "camera.frozen"}
	ErrCameraBlack     = &fault.Error{Code: "camera.black"}
	ErrCameraQuality   = &fault.Error{Code: "camera.quality"}
	ErrCaptureExpired  = &fault.Error{Code: "capture.expired"}
	ErrReaderNone      = &fault.Error{Code: "reader.none"}
	ErrCardNone        = &fault.Error{Code: "card.none"}
	ErrCardRemoved     = &fault.Error{Code: "card.removed"}
	ErrCardSilent      = &fault.Error{Code: "card.silent"}
	ErrContractVersion = &fault.Error{Code: "contract.version"}
)

// fail gives what a call returned the form of the product: the code that the
// process sent, or capture.lost, call.deadline, call.canceled. Nil stays nil.
func fail(err error) error {
	if err == nil {
		return nil
	}
	if fault.CodeOf(err) != fault.Unknown {
		return err
	}
	if errors.Is(err, io.EOF) {
		return fault.New(ErrAnswer.Code, "the stream ended early")
	}
	st, ok := status.FromError(err)
	if !ok {
		switch {
		case errors.Is(err, context.DeadlineExceeded):
			return fault.Wrap(ErrDeadline.Code, err)
		case errors.Is(err, context.Canceled):
			return fault.Wrap(ErrCanceled.Code, err)
		}
		return fault.Wrap(ErrLost.Code, err)
	}
	for _, detail := range st.Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok && info.GetDomain() == "watchpost" && info.GetReason() != "" {
			coded := &fault.Error{
				Code: fault.Code(info.GetReason()), Hint: info.GetMetadata()["hint"],
				Retryable: info.GetMetadata()["retryable"] == "true",
			}
			if st.Message() != info.GetReason() { // a code that says all there is
				coded.Cause = errors.New(st.Message())
			}
			return coded
		}
	}
	switch st.Code() {
	case codes.DeadlineExceeded:
		return fault.Wrap(ErrDeadline.Code, errors.New(st.Message()))
	case codes.Canceled:
		return fault.Wrap(ErrCanceled.Code, errors.New(st.Message()))
	case codes.Unavailable:
		return fault.New(ErrLost.Code, "%s", st.Message()).
			WithHint("the devices are being started again: wait a few seconds, then try again").AsRetryable()
	}
	return fault.New(ErrAnswer.Code, "%s: %s", st.Code(), st.Message())
}
