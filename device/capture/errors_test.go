package capture

import (
	"errors"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/watchpost/watchpost/device/fault"
)

// TestFailText holds that what the process sent is said once.
func TestFailText(t *testing.T) {
	for message, want := range map[string]string{"face.none": "face.none", "two of them": "face.none: two of them", "": "face.none: "} {
		st, err := status.New(codes.NotFound, message).WithDetails(&errdetails.ErrorInfo{Reason: "face.none", Domain: "watchpost"})
		if err != nil {
			t.Fatal(err)
		}
		got := fail(st.Err())
		if got.Error() != want || !errors.Is(got, &fault.Error{Code: "face.none"}) || fault.IsRetryable(got) {
			t.Errorf("%q: %v", message, got)
		}
	}
}
