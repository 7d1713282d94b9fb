package driver

import (
	"context"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	driverv1 "github.com/watchpost/watchpost/sdk/proto/driver/v1"
	facev1 "github.com/watchpost/watchpost/sdk/proto/face/v1"
)

// openEnded are the streams that live without a deadline.
var openEnded = map[string]bool{
	driverv1.DriverService_Events_FullMethodName:     true,
	driverv1.CameraService_Preview_FullMethodName:    true,
	driverv1.SmartcardService_Channel_FullMethodName: true,
	facev1.FaceService_Watch_FullMethodName:          true,
	"/grpc.health.v1.Health/Watch":                   true,
}

// admit judges a call before its handler sees it.
func admit(ctx context.Context, method string) error {
	if !strings.HasPrefix(method, "/grpc.health.v1.") {
		version := metadata.ValueFromIncomingContext(ctx, ContractKey)
		if len(version) != 1 || version[0] != strconv.Itoa(ContractMajor) {
			return Errorf(ContractVersion, "this driver speaks version %d of the contract", ContractMajor).
				WithHint("install daemon and drivers of one release")
		}
	}
	if _, ok := ctx.Deadline(); !ok && !openEnded[method] {
		return Errorf(CallNoDeadline, "%s needs a deadline", method)
	}
	return nil
}

// margin is how long before the client's deadline a handler's context ends, so
// that its answer still arrives in time.
const margin = 100 * time.Millisecond

// early returns ctx with a deadline that leaves the margin, or a tenth of the
// time that there is.
func early(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline.Add(-min(margin, time.Until(deadline)/10)))
}

func (s *Server) unary(ctx context.Context, request any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	if err := admit(ctx, info.FullMethod); err != nil {
		return nil, err
	}
	ctx, cancel := early(ctx)
	defer cancel()
	defer s.watch(ctx, info.FullMethod)()
	response, err := handle(ctx, request)
	return response, coded(err)
}

func (s *Server) stream(service any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	if err := admit(stream.Context(), info.FullMethod); err != nil {
		return err
	}
	ctx, cancel := early(stream.Context())
	defer cancel()
	defer s.watch(ctx, info.FullMethod)()
	return coded(handle(service, earlyStream{stream, ctx}))
}

// earlyStream is a stream whose handler sees another context.
type earlyStream struct {
	grpc.ServerStream
	ctx context.Context // of this one call
}

func (s earlyStream) Context() context.Context { return s.ctx }

// Watch puts a call into foreign code under the watchdog: unless the returned
// function is called within the grace period after ctx ends, the process exits.
// Calls of the contract are under it already; a command inside a stream with a
// time limit of its own needs it.
func (s *Server) Watch(ctx context.Context, what string) (returned func()) {
	return s.watch(ctx, what)
}

func (s *Server) watch(ctx context.Context, what string) func() {
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(s.grace)
		defer timer.Stop()
		select {
		case <-done:
		case <-timer.C:
			s.hang(what)
		}
	})
	return func() {
		stop()
		close(done)
	}
}
