package demo

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Growth is judged from the encounter on at which caches and pools are full, by
// a straight line through the samples: what it rises until the last encounter
// may not be more than the allowance even at the lower end of its 95 % interval.
const (
	warm        = 20 // encounters
	sampleEvery = 5  // encounters
	mib         = 1 << 20
)

// quantity is one thing that must not grow.
type quantity struct {
	name   string
	unit   float64 // one of what is printed, in what is measured
	allow  float64 // rise from warm to the end, in what is measured
	values []float64
}

// Growth walks n encounters of the script in a row and fails where memory,
// open files, goroutines, processes or the files of the state grow beyond what
// is kept. It prints what they were after the warm-up and at the end.
func Growth(ctx context.Context, o Options, n int) (err error) {
	if n < warm+4*sampleEvery {
		return fmt.Errorf("%d encounters are too few to see growth: at least %d", n, warm+4*sampleEvery)
	}
	for _, address := range []*string{&o.Metrics, &o.CentralMetrics} {
		if *address, err = freePort(); err != nil {
			return err
		}
	}
	show := &screen{out: o.Out, quiet: true}
	t, err := set(ctx, o, show)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.clear()) }()
	if err := t.options.Central.connected(ctx, t.client); err != nil {
		return err
	}
	quiet := &screen{out: io.Discard, quiet: true}
	t.script.show = quiet
	all := quantities(float64(n - warm))
	var at []float64
	begun := time.Now()
	for i := 1; i <= n; i++ {
		if err := t.script.walk(ctx, t.all[i%len(t.all)]); err != nil {
			return fmt.Errorf("encounter %d: %w\n%s", i, err, t.post.log.tail())
		}
		if i >= warm && i%sampleEvery == 0 {
			if err := t.sample(ctx, all); err != nil {
				return err
			}
			at = append(at, float64(i))
		}
	}
	kept := float64(n - warm)
	show.line("  %-34s %10s %10s   %s", "", fmt.Sprintf("at %d", warm), fmt.Sprintf("at %d", n), "rise by the line through all samples (95 %), allowed")
	for _, q := range all {
		slope, half := line(at, q.values)
		rise, spread := slope*kept, half*kept
		word := "ok"
		if rise-spread > q.allow {
			word = "GROWS"
			err = errors.Join(err, fmt.Errorf("%s rises by %.1f ± %.1f in %d encounters, %.1f are allowed", q.name, rise/q.unit, spread/q.unit, n-warm, q.allow/q.unit))
		}
		show.line("  %-34s %10.1f %10.1f   %+.1f ± %.1f, %.1f   %s", q.name, q.values[0]/q.unit, q.values[len(q.values)-1]/q.unit, rise/q.unit, spread/q.unit, q.allow/q.unit, word)
	}
	show.line("  %d encounters in %s, every one ended as it must", n, time.Since(begun).Round(time.Second))
	return err
}

// keptEach is what the state may take for each encounter: one that is referred
// keeps both pictures, some 200 KiB, and the database grows in steps.
const keptEach = 400 << 10

// quantities are in the order in which sample measures them, for so many
// encounters after the warm-up.
func quantities(encounters float64) []*quantity {
	return []*quantity{
		{name: "watchpostd resident, MiB", unit: mib, allow: 8 * mib},
		{name: "watchpostd live heap, MiB", unit: mib, allow: 2 * mib},
		{name: "watchpostd goroutines", unit: 1, allow: 4},
		{name: "watchpostd open files", unit: 1, allow: 4},
		{name: "capture devices resident, MiB", unit: mib, allow: 8 * mib},
		{name: "capture devices open files", unit: 1, allow: 4},
		{name: "capture decode processes", unit: 1, allow: 1},
		{name: "watchpost-central resident, MiB", unit: mib, allow: 8 * mib},
		{name: "watchpost-central live heap, MiB", unit: mib, allow: 2 * mib},
		{name: "watchpost-central goroutines", unit: 1, allow: 4},
		{name: "watchpost-central open files", unit: 1, allow: 4},
		{name: "files of the state", unit: 1, allow: 1},
		{name: "bytes of the state, MiB", unit: mib, allow: encounters * keptEach},
	}
}

// sample measures each quantity once.
func (t *table) sample(ctx context.Context, all []*quantity) error {
	daemon, devices, central := t.post.daemon.pids(), t.post.capture.pids(), t.options.Central.PIDs()
	if len(daemon) != 1 || len(devices) != 1 || len(central) != 1 {
		return errors.New("a process has ended")
	}
	decode, err := t.post.PIDs(Decode)
	if err != nil {
		return err
	}
	files, bytes, err := folder(t.world.State)
	if err != nil {
		return err
	}
	var v []float64
	for _, p := range []struct {
		pid     int
		metrics string
	}{{daemon[0], t.options.Metrics}, {devices[0], ""}, {central[0], t.options.CentralMetrics}} {
		rss, open, err := occupied(p.pid)
		if err != nil {
			return err
		}
		v = append(v, rss)
		if p.metrics != "" {
			said, err := metrics(ctx, p.metrics)
			if err != nil {
				return err
			}
			v = append(v, said["go_gc_heap_live_bytes"], said["go_goroutines"])
		}
		if v = append(v, open); p.pid == devices[0] {
			v = append(v, float64(len(decode)))
		}
	}
	v = append(v, files, bytes)
	for i, q := range all {
		q.values = append(q.values, v[i])
	}
	return nil
}

// occupied reads the resident memory of a process, in bytes, and its open
// files.
func occupied(pid int) (rss, open float64, err error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, 0, fmt.Errorf("read the memory of a process: %w", err)
	}
	fields := strings.Fields(string(raw))
	pages, err := strconv.ParseFloat(fields[1], 64)
	if err != nil {
		return 0, 0, fmt.Errorf("read the memory of a process: %w", err)
	}
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		return 0, 0, fmt.Errorf("list the open files of a process: %w", err)
	}
	return pages * float64(os.Getpagesize()), float64(len(fds)), nil
}

// folder counts files and the bytes that they take.
func folder(dir string) (files, bytes float64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		files++
		bytes += float64(info.Size())
		return nil
	})
	return files, bytes, err
}

// metrics reads what a program measures of itself.
func metrics(ctx context.Context, address string) (map[string]float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/metrics", nil)
	if err != nil {
		return nil, fmt.Errorf("ask for the metrics: %w", err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask for the metrics: %w", err)
	}
	defer res.Body.Close()
	out := map[string]float64{}
	for scan := bufio.NewScanner(res.Body); scan.Scan(); {
		name, value, ok := strings.Cut(scan.Text(), " ")
		if v, err := strconv.ParseFloat(value, 64); ok && err == nil {
			out[name] = v
		}
	}
	for _, must := range []string{"go_goroutines", "go_gc_heap_live_bytes"} {
		if _, ok := out[must]; !ok {
			return nil, fmt.Errorf("the metrics do not hold %s", must)
		}
	}
	return out, nil
}

// line fits y = a + slope*x by least squares and returns the half width of the
// slope's 95 % interval (two standard errors).
func line(x, y []float64) (slope, half float64) {
	n := float64(len(x))
	var sx, sy float64
	for i := range x {
		sx += x[i]
		sy += y[i]
	}
	mx, my := sx/n, sy/n
	var sxx, sxy float64
	for i := range x {
		sxx += (x[i] - mx) * (x[i] - mx)
		sxy += (x[i] - mx) * (y[i] - my)
	}
	slope = sxy / sxx
	var left float64
	for i := range x {
		d := y[i] - my - slope*(x[i]-mx)
		left += d * d
	}
	return slope, 2 * math.Sqrt(left/(n-2)/sxx)
}
