// Package demo is the first walk through the product, on real parts: a virtual
// passport behind pcscd, a camera of pictures behind OpenCV, the capture
// processes and the daemon, and an officer's script that signs in at the admin
// socket and decides. It is a client; the daemon has no demonstration mode.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/watchpost/watchpost/device/capture"
	"github.com/watchpost/watchpost/device/officer"
	"github.com/watchpost/watchpost/hwtest/finger"
)

// Options of a run.
type Options struct {
	Bin       string // folder of the product's programs
	Portraits string // folder of portraits, "" is where make deps puts them
	Runs      int    // how often all encounters are walked
	Quiet     bool   // one line an encounter
	Out       io.Writer
	Helper    []string // command that runs bench.Inside
	Reader    string   // of the bench; set by Run

	Faces     int       // synthetic faces on the list, 0 is SyntheticFaces
	Documents int       // lost documents on the list, 0 is SyntheticDocuments
	LogLevel  string    // of the programs, "" is warn; debug for all they can say
	Log       io.Writer // takes what the programs say as well; nil is nobody

	Roles []officer.Role // of the officer beside his own

	Central *Central // that the post asks and reports to; nil: it stands alone. Set by Run

	Metrics        string // address of the daemon's metrics, host:port; "" serves none
	CentralMetrics string // that of central's
	Listen         string // address of the page, host:port; "" serves none
	SecondOfficer  bool   // the policy asks for a second officer
	Presentation   string // mode of the policy's challenges: off, advise, require; "" is off
	// AnswerWithin is the policy's time from the last capture to the answer, 0
	// as it ships: a second. What is not about that time gives more, so that a
	// machine that stands still does not make an answer another one.
	AnswerWithin time.Duration
	Keep         bool      // stay with the page open after the encounters, until ctx ends
	Keys         io.Reader // letters of persons to put at the post meanwhile
	Data         io.Writer // takes one line of JSON for each of them; nil is nobody
	SkipScript   bool      // with Keep: no encounters by the script
}

// filled returns the options with defaults for what decides about a world.
func (o Options) filled() Options {
	if o.Portraits == "" {
		o.Portraits = PortraitsDir()
	}
	if o.Faces == 0 {
		o.Faces = SyntheticFaces
	}
	if o.Documents == 0 {
		o.Documents = SyntheticDocuments
	}
	if o.LogLevel == "" {
		o.LogLevel = "warn"
	}
	return o
}

// person is who stands at the post with listed fingers.
func (o Options) person() *finger.Person { return finger.NewPerson(fingersSeed, finger.CacheDir()) }

// PortraitsDir is where make deps puts the portraits.
func PortraitsDir() string {
	if d := os.Getenv("WATCHPOST_PORTRAITS"); d != "" {
		return d
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "portraits"
	}
	return filepath.Join(cache, "watchpost", "portraits")
}

// Run walks all encounters and returns an error if one did not end as it must.
func Run(ctx context.Context, o Options) (err error) {
	begun := time.Now()
	show := &screen{out: o.Out, quiet: o.Quiet}
	t, err := set(ctx, o, show)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.clear()) }()
	// Also where somebody else begins: what is asked before the link stands is never clear.
	central := t.options.Central
	if err := central.connected(ctx, t.client); err != nil {
		return err
	}
	if o.SkipScript {
		return t.stay(ctx)
	}
	failed := 0
	for run := range max(1, o.Runs) {
		if run == 1 {
			show.quiet = true
		}
		for _, k := range t.all {
			if err := t.script.take(ctx, k); err != nil {
				failed++
				show.failure(k, err, t.post.log.tail())
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
			}
		}
		if err := t.script.cutAndRestore(ctx, central, t.remote); err != nil {
			failed++
			show.failure(t.remote.cut, err, t.post.log.tail()+central.log.tail())
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
		}
	}
	show.figures(t.script, t.system, begun)
	if failed > 0 {
		return fmt.Errorf("%d of %d encounters did not end as they must", failed, (len(t.all)+t.remote.count())*max(1, o.Runs))
	}
	if o.Keep {
		return t.stay(ctx)
	}
	return nil
}

// stay keeps the post running for an officer at the page, its processes
// supervised.
func (t *table) stay(ctx context.Context) error {
	stop := t.post.Supervise(ctx, t.options.Central, func(what string) { t.script.show.line("  ! %s", what) })
	defer stop()
	return t.script.stay(ctx, append(t.all, t.remote.found), t.options)
}

// NewWorld makes the post's files below dir; faces of the list come from a
// decode process as they would at a list owner's.
func NewWorld(ctx context.Context, dir string, o Options) (*World, error) {
	o = o.filled()
	decode, err := capture.Start(ctx, capture.Options{Role: capture.Decode, Binary: filepath.Join(o.Bin, capture.Program)})
	if err != nil {
		return nil, err
	}
	w, err := newWorld(ctx, dir, o, decode.Decode())
	return w, errors.Join(err, decode.Close())
}

// sinceMake returns how long ago make was called, 0 if it was not.
func sinceMake() time.Duration {
	t0, err := strconv.ParseFloat(os.Getenv("WATCHPOST_T0"), 64)
	if err != nil {
		return 0
	}
	return time.Since(time.UnixMicro(int64(t0 * 1e6)))
}

// thousands writes 100000 as 100,000.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
