package listfeed

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed/target"
)

// Limits of fetching one name. A carrier that gives less than a byte for
// stallLimit has been cut; each try that brings nothing counts. All tries
// together end after firstLimit and the time that the bytes take at slowest.
const (
	maxTries   = 5
	stallLimit = 30 * time.Second
	firstLimit = 2 * time.Minute
	slowest    = 2 << 10 // bytes a second
)

// errSlow ends a fetch that would go on for ever.
var errSlow = fault.New("listfeed.slow", "less than %d bytes a second come", slowest).AsRetryable()

// memory carries a bundle.
type memory map[string][]byte

func newMemory(b *Bundle) memory {
	carried := memory{target.TimestampName: b.Timestamp}
	for _, raw := range b.Objects {
		carried[target.ObjectName(target.SumOf(raw))] = raw
	}
	// Their versions are read without belief: they only say by which name the
	// updater will ask for them.
	name := func(role string, raw []byte) {
		var m struct {
			Signed struct {
				Version int64 `json:"version"`
			} `json:"signed"`
		}
		if err := json.Unmarshal(raw, &m); err == nil {
			carried[target.RoleName(role, m.Signed.Version)] = raw
		}
	}
	for _, raw := range b.Roots {
		name(metadata.ROOT, raw)
	}
	name(metadata.SNAPSHOT, b.Snapshot)
	for role, raw := range b.Roles {
		name(role, raw)
	}
	return carried
}

// Open implements Carrier.
func (m memory) Open(_ context.Context, name string, offset int64) (io.ReadCloser, error) {
	raw, ok := m[name]
	if !ok {
		return nil, fault.New("listfeed.absent", "not in the bundle")
	}
	if offset > int64(len(raw)) {
		return nil, fault.New("listfeed.range", "beyond the end")
	}
	return io.NopCloser(bytes.NewReader(raw[offset:])), nil
}

// String implements Carrier.
func (m memory) String() string { return "bundle" }

// fetch returns the bytes of name: exactly size where it is known (not
// negative), else at most limit. A cut is retried from its byte.
func fetch(ctx context.Context, c Carrier, name string, size, limit int64) ([]byte, error) {
	if m, ok := c.(memory); ok { // the bytes themselves, for nobody changes them
		raw, ok := m[name]
		switch {
		case !ok:
			return nil, fault.New("listfeed.absent", "not in the bundle")
		case size >= 0 && int64(len(raw)) != size || int64(len(raw)) > limit:
			return nil, fault.New("listfeed.too_large", "%d bytes where %d were signed", len(raw), size)
		}
		return raw, nil
	}
	return fetchInto(ctx, c, name, size, limit, nil)
}

// fetchInto goes on after the bytes that got holds already. Where it fails,
// it returns what was got.
func fetchInto(ctx context.Context, c Carrier, name string, size, limit int64, got []byte) ([]byte, error) {
	bound := limit
	if size >= 0 {
		if bound = size; size > limit {
			return nil, fault.New("listfeed.too_large", "%d bytes are named, at most %d", size, limit)
		}
		if int64(cap(got)) < size+1 {
			got = append(make([]byte, 0, size+1), got...)
		}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, firstLimit+time.Duration(bound/slowest)*time.Second, errSlow)
	defer cancel()
	var last error
	for tries := 0; tries < maxTries; {
		if err := ctx.Err(); err != nil {
			if context.Cause(ctx) == errSlow {
				return got, errSlow
			}
			return got, fault.Wrap("listfeed.cancelled", err)
		}
		before := len(got)
		var ended bool
		got, ended, last = part(ctx, c, name, bound, got)
		switch {
		case last != nil && fault.CodeOf(last) != fault.Unknown && !fault.IsRetryable(last):
			return got, last // a carrier's word, and no cut
		case last == nil && ended && (size < 0 || int64(len(got)) == size):
			return got, nil
		}
		if len(got) == before {
			tries++
		} else {
			tries = 0
		}
	}
	if last == nil {
		last = errors.New("it ends before its length")
	}
	return got, fault.New("listfeed.cut", "%d bytes came: %w", len(got), last).AsRetryable()
}

// part reads on until the end, a cut or one byte too many.
func part(ctx context.Context, c Carrier, name string, bound int64, got []byte) ([]byte, bool, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stall := time.AfterFunc(stallLimit, cancel)
	defer stall.Stop()
	r, err := c.Open(ctx, name, int64(len(got)))
	if err != nil {
		return got, false, err
	}
	// A reader that heeds no context is closed under its Read.
	stop := context.AfterFunc(ctx, func() { _ = r.Close() })
	defer func() {
		if stop() {
			_ = r.Close()
		}
	}()
	for {
		if len(got) == cap(got) {
			got = append(got, 0)[:len(got)]
		}
		n, err := r.Read(got[len(got):min(int64(cap(got)), bound+1)])
		if n > 0 {
			stall.Reset(stallLimit)
		}
		if got = got[:len(got)+n]; int64(len(got)) > bound {
			return got[:bound], false, fault.New("listfeed.too_large", "more than %d bytes come", bound)
		}
		if errors.Is(err, io.EOF) {
			return got, true, nil
		}
		if err != nil {
			return got, false, err
		}
	}
}
