package capture

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"

	"github.com/watchpost/watchpost/device/fault"
	driverv1 "github.com/watchpost/watchpost/sdk/proto/driver/v1"
	facev1 "github.com/watchpost/watchpost/sdk/proto/face/v1"
)

const (
	messageLimit = 32 << 20 // the contract's, bytes
	// window bounds what one stream holds in flight, so that a slow reader of
	// preview frames gets new ones: HTTP/2's initial size (RFC 9113, section
	// 6.9.2), which also keeps gRPC from growing it.
	window = 64 << 10
	// defaultDeadline is given to calls whose caller set none: longer than any
	// call takes that works.
	defaultDeadline = 30 * time.Second
)

// Client speaks with one capture process. It is safe for concurrent use.
type Client struct {
	conn    *grpc.ClientConn
	driver  driverv1.DriverServiceClient
	camera  driverv1.CameraServiceClient
	card    driverv1.SmartcardServiceClient
	finger  driverv1.FingerServiceClient
	face    facev1.FaceServiceClient
	process *process // nil when dialled
	close   sync.Once
	closed  error
}

// Dial connects to a capture process that somebody else runs, by the path of
// its socket. It fails with capture.lost when nobody answers there until ctx
// ends or 5 s have passed.
func Dial(ctx context.Context, socket string) (*Client, error) {
	c, err := newClient(func(ctx context.Context, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := c.ready(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func newClient(dial func(context.Context, string) (net.Conn, error)) (*Client, error) {
	conn, err := grpc.NewClient("passthrough:///capture",
		grpc.WithTransportCredentials(insecure.NewCredentials()), // a unix socket of one user
		grpc.WithContextDialer(dial),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(messageLimit), grpc.MaxCallSendMsgSize(messageLimit)),
		grpc.WithInitialWindowSize(window),
		grpc.WithInitialConnWindowSize(1<<20),
		grpc.WithIdleTimeout(0),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.Config{
			BaseDelay: 50 * time.Millisecond, Multiplier: 1.6, MaxDelay: time.Second}, // The process loads its libraries before it answers; a connection given
			// up sooner cannot be made again over an inherited socket.
			MinConnectTimeout: startLimit}),
		grpc.WithUnaryInterceptor(unaryDefaults),
		grpc.WithStreamInterceptor(streamDefaults),
	)
	if err != nil {
		return nil, fault.Wrap(ErrStart.Code, err)
	}
	return &Client{
		conn:   conn,
		driver: driverv1.NewDriverServiceClient(conn),
		camera: driverv1.NewCameraServiceClient(conn),
		card:   driverv1.NewSmartcardServiceClient(conn),
		finger: driverv1.NewFingerServiceClient(conn),
		face:   facev1.NewFaceServiceClient(conn),
	}, nil
}

// contract names our version to the process.
func contract(ctx context.Context) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "watchpost-contract", "1")
}

func unaryDefaults(ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, defaultDeadline)
		defer cancel()
	}
	return invoke(contract(ctx), method, request, reply, conn, options...)
}

// openEnded are the streams without a deadline.
var openEnded = map[string]bool{
	driverv1.DriverService_Events_FullMethodName:     true,
	driverv1.CameraService_Preview_FullMethodName:    true,
	facev1.FaceService_Watch_FullMethodName:          true,
	driverv1.SmartcardService_Channel_FullMethodName: true,
}

func streamDefaults(ctx context.Context, desc *grpc.StreamDesc, conn *grpc.ClientConn, method string, open grpc.Streamer, options ...grpc.CallOption) (grpc.ClientStream, error) {
	cancel := context.CancelFunc(func() {})
	if _, ok := ctx.Deadline(); !ok && !openEnded[method] {
		ctx, cancel = context.WithTimeout(ctx, defaultDeadline)
	}
	stream, err := open(contract(ctx), desc, conn, method, options...)
	if err != nil {
		cancel()
		return nil, err
	}
	context.AfterFunc(stream.Context(), cancel)
	return stream, nil
}

// ready waits until the process serves.
func (c *Client) ready(ctx context.Context) error {
	_, err := healthv1.NewHealthClient(c.conn).Check(ctx, &healthv1.HealthCheckRequest{}, grpc.WaitForReady(true))
	err = fail(err)
	if errors.Is(err, ErrDeadline) {
		return fault.New(ErrLost.Code, "nobody answers on the socket").AsRetryable()
	}
	return err
}

// Ping asks the process whether it serves: nil, ErrLost when it has ended,
// ErrDeadline when it does not answer before ctx ends.
func (c *Client) Ping(ctx context.Context) error {
	_, err := healthv1.NewHealthClient(c.conn).Check(ctx, &healthv1.HealthCheckRequest{})
	return fail(err)
}

// Conn returns the connection, for clients of further services.
func (c *Client) Conn() grpc.ClientConnInterface { return c.conn }

// Decode returns the calls of a process in the role Decode.
func (c *Client) Decode() *DecodeClient { return NewDecodeClient(c.conn) }

// Lost is closed when the process has ended, whatever the reason. Nil for a
// dialled client, whose process is not ours to watch.
func (c *Client) Lost() <-chan struct{} {
	if c.process == nil {
		return nil
	}
	return c.process.ended
}

// Close ends the connection and, where Start made one, the process: it is
// given a second to put its devices down, then killed, and reaped either way.
// Later calls return what the first returned.
func (c *Client) Close() error {
	c.close.Do(func() {
		c.closed = c.conn.Close()
		if c.process != nil {
			c.process.stop()
		}
	})
	return c.closed
}
