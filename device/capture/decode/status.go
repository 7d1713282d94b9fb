package decode

import (
	"strconv"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/watchpost/watchpost/device/fault"
)

// toStatus gives a coded error the form of the wire: the code as the reason
// of an ErrorInfo, the hint and whether to retry in its metadata.
func toStatus(err error) error {
	if err == nil {
		return nil
	}
	code := fault.CodeOf(err)
	st := status.New(grpcCode(code), strings.TrimPrefix(err.Error(), string(code)+": "))
	info := &errdetails.ErrorInfo{Reason: string(code), Domain: "watchpost", Metadata: map[string]string{
		"hint": fault.HintOf(err), "retryable": strconv.FormatBool(fault.IsRetryable(err)),
	}}
	if with, err := st.WithDetails(info); err == nil {
		st = with
	}
	return st.Err()
}

func grpcCode(c fault.Code) codes.Code {
	switch c {
	case "image.format", "image.truncated", "image.unsupported", "decode.request":
		return codes.InvalidArgument
	case "image.too_large", "face.memory":
		return codes.ResourceExhausted
	case "face.none":
		return codes.NotFound
	case "models.missing", "models.corrupt", "face.engine":
		return codes.FailedPrecondition
	case "decode.deadline", "face.deadline", "face.busy":
		return codes.DeadlineExceeded
	}
	return codes.Internal
}
