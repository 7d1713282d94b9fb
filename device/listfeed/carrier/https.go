package carrier

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed/target"
)

// Limits of a connection. How long a body may take is the updater's to say.
const (
	dialLimit   = 10 * time.Second
	headerLimit = 15 * time.Second
	maxHeader   = 16 << 10 // bytes
)

// HTTPS carries by GET with Range (RFC 9110, 2022, section 14). It is safe for
// concurrent use.
type HTTPS struct {
	base   *url.URL
	client *http.Client
}

// NewHTTPS returns a carrier for a repository's address. Plain http is taken
// for loopback addresses only, for benches: it would show which lists a post
// fetches. tls may be nil.
func NewHTTPS(address string, conf *tls.Config) (*HTTPS, error) {
	u, err := url.Parse(strings.TrimSuffix(address, "/") + "/")
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fault.New("listfeed.address", "a feed's address is https://HOST/PATH")
	}
	if ip := net.ParseIP(u.Hostname()); u.Scheme != "https" && (u.Scheme != "http" || ip == nil || !ip.IsLoopback()) {
		return nil, fault.New("listfeed.address", "a feed is fetched over https")
	}
	return &HTTPS{u, &http.Client{
		Transport: &http.Transport{
			DialContext:            (&net.Dialer{Timeout: dialLimit}).DialContext,
			TLSClientConfig:        conf,
			TLSHandshakeTimeout:    dialLimit,
			ResponseHeaderTimeout:  headerLimit,
			MaxResponseHeaderBytes: maxHeader,
			DisableCompression:     true, // bytes are counted as they come
			ForceAttemptHTTP2:      true,
			MaxIdleConnsPerHost:    2,
			IdleConnTimeout:        time.Minute,
		},
		// Nobody is sent elsewhere: the address is the configuration's.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// String implements listfeed.Carrier.
func (h *HTTPS) String() string { return h.base.Host }

// Close gives idle connections free.
func (h *HTTPS) Close() error { h.client.CloseIdleConnections(); return nil }

// Open implements listfeed.Carrier. It fails with listfeed.range where the
// server gives another part than was asked for, and listfeed.http for answers
// that are neither the bytes nor their absence.
func (h *HTTPS) Open(ctx context.Context, name string, offset int64) (io.ReadCloser, error) {
	if !target.ValidName(name) {
		return nil, fault.New("listfeed.name", "not a name of a repository")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.base.JoinPath(name).String(), nil)
	if err != nil {
		return nil, fault.Wrap("listfeed.address", err)
	}
	req.Header.Set("Accept-Encoding", "identity")
	if offset > 0 {
		req.Header.Set("Range", "bytes="+strconv.FormatInt(offset, 10)+"-")
	}
	resp, err := h.client.Do(req)
	if err != nil {
		return nil, fault.New("listfeed.link", "%w", err).AsRetryable()
	}
	if err := judge(resp, offset); err != nil {
		return nil, errors.Join(err, resp.Body.Close())
	}
	if offset > 0 && resp.StatusCode == http.StatusOK { // the server knows no ranges
		if n, err := io.CopyN(io.Discard, resp.Body, offset); err != nil {
			return nil, fault.New("listfeed.range", "%w", errors.Join(fmt.Errorf("%d bytes where more came before: %w", n, err), resp.Body.Close()))
		}
	}
	return resp.Body, nil
}

func judge(resp *http.Response, offset int64) error {
	if e := resp.Header.Get("Content-Encoding"); e != "" && e != "identity" {
		return fault.New("listfeed.http", "the server encodes what it gives")
	}
	switch resp.StatusCode {
	case http.StatusOK:
		return nil
	case http.StatusPartialContent:
		start, ok := startOf(resp.Header.Get("Content-Range"))
		if !ok || start != offset || offset == 0 {
			return fault.New("listfeed.range", "the server gives another part than was asked for")
		}
		return nil
	case http.StatusNotFound, http.StatusGone:
		return fault.New("listfeed.absent", "the server has no such name")
	case http.StatusRequestedRangeNotSatisfiable:
		return fault.New("listfeed.range", "the server's file ends before what it gave earlier")
	}
	if resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests {
		return fault.New("listfeed.http", "status %d", resp.StatusCode).AsRetryable()
	}
	return fault.New("listfeed.http", "status %d", resp.StatusCode)
}

// startOf reads the first byte's position of a Content-Range.
func startOf(s string) (int64, bool) {
	s, ok := strings.CutPrefix(s, "bytes ")
	first, _, found := strings.Cut(s, "-")
	n, err := strconv.ParseInt(first, 10, 64)
	return n, ok && found && err == nil && n >= 0
}
