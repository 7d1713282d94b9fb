// Package witness is c2sp.org/tlog-witness over HTTP, both sides: the post
// that shows heads of its audit log, and a small service that keeps them for
// somebody who runs neither post nor central.
package witness

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/watchpost/watchpost/device/audit/checkpoint"
	"github.com/watchpost/watchpost/device/audit/witness"
	"github.com/watchpost/watchpost/device/fault"
)

const (
	addPath  = "/add-checkpoint"
	sizeType = "text/x.tlog.size"
	// maxAnswer bounds what is read of an answer in bytes.
	maxAnswer = 4 << 10
)

// Client shows heads to one witness. It is safe for concurrent use.
type Client struct {
	url  string
	key  note.Verifier
	http *http.Client
}

// NewClient returns a client of the witness at url, whose cosignatures key
// verifies. transport carries its certificate authority; nil is the system's.
func NewClient(url string, key note.Verifier, transport http.RoundTripper) *Client {
	return &Client{url: strings.TrimSuffix(url, "/") + addPath, key: key, http: &http.Client{
		Transport: transport,
		Timeout:   10 * time.Second,
		// A witness is the one that was configured, not where it points to.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Show shows a head and checks the cosignature that comes back. Errors are
// those of courier.Witness.
func (c *Client) Show(ctx context.Context, s witness.Submission) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(s.Encode()))
	if err != nil {
		return fault.Wrap("audit.witness", err)
	}
	req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	res, err := c.http.Do(req)
	if err != nil {
		return fault.New("audit.witness", "the witness does not answer: %w", err).AsRetryable()
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil || len(body) > maxAnswer {
		return fault.New("audit.witness", "the witness's answer cannot be read").AsRetryable()
	}
	switch res.StatusCode {
	case http.StatusOK:
		_, err := checkpoint.WithCosignature(s.Head, body, c.key)
		if err != nil { // not its answer: whoever gave it may go away
			return fault.New("audit.witness", "%w", err).AsRetryable()
		}
		return nil
	case http.StatusConflict:
		return conflict(res.Header.Get("Content-Type"), string(body), s)
	case http.StatusUnprocessableEntity:
		return fault.New(witness.ErrFork.Code, "the witness says that the log is no continuation").WithHint(witness.ErrFork.Hint)
	case http.StatusForbidden:
		return fault.New(checkpoint.ErrKey.Code, "the witness does not know the post's key")
	case http.StatusNotFound:
		return fault.New(witness.ErrUnknown.Code, "the witness does not know the post's log").AsRetryable()
	}
	return fault.New("audit.witness", "the witness answers %d", res.StatusCode).AsRetryable()
}

// conflict reads what a witness holds. The same size as ours means that its
// root is another.
func conflict(kind, body string, s witness.Submission) error {
	held, err := strconv.ParseInt(strings.TrimSuffix(body, "\n"), 10, 64)
	if kind != sizeType || err != nil || held < 0 {
		return fault.New("audit.witness", "the witness does not say what it holds").AsRetryable()
	}
	if held == s.From {
		return fault.New(witness.ErrFork.Code, "the witness holds another tree of %d lines", held).WithHint(witness.ErrFork.Hint)
	}
	return &witness.HeldError{Lines: held}
}
