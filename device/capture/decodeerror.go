package capture

import (
	"errors"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/watchpost/watchpost/device/fault"
)

// ErrDecoderLost says that the decode process ended during the call, which an
// image made to attack it can bring about.
var ErrDecoderLost = &fault.Error{Code: "decode.lost"}

// decodeError gives a status of the decode process back its code.
func decodeError(err error) error {
	if err == nil {
		return nil
	}
	st, ok := status.FromError(err)
	if !ok {
		return fault.Wrap("decode.call", err)
	}
	for _, detail := range st.Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok && info.GetDomain() == "watchpost" && info.GetReason() != "" {
			return &fault.Error{
				Code: fault.Code(info.GetReason()), Hint: info.GetMetadata()["hint"],
				Retryable: info.GetMetadata()["retryable"] == "true",
				Cause:     errors.New(strings.TrimPrefix(st.Message(), info.GetReason()+": ")),
			}
		}
	}
	switch st.Code() {
	case codes.Unavailable:
		return fault.Wrap(ErrDecoderLost.Code, err)
	case codes.DeadlineExceeded, codes.Canceled:
		return fault.Wrap("decode.deadline", err)
	case codes.ResourceExhausted:
		return fault.Wrap(ErrImageTooLarge.Code, err)
	}
	return fault.Wrap("decode.call", err)
}
