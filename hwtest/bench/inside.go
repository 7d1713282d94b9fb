package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/watchpost/watchpost/device/fault"
)

// Inside runs the part of a private bench that lives in its namespaces: it
// makes /run/pcscd private, starts pcscd, and plays cards as requests on in
// ask, until in ends. dir is the bench's folder. It must be the first process
// of a process namespace that has mounts and a network of its own, as Start
// makes it; elsewhere it would mount over the machine's own folders, and
// refuses.
func Inside(ctx context.Context, dir string, in io.Reader, out io.Writer) error {
	w := &lines{enc: json.NewEncoder(out)}
	if os.Getpid() != 1 {
		return fault.New(codeInside, "not the first process of a namespace").WithHint("This is a part of the bench; start hwtest up.")
	}
	plugged, err := prepare(ctx, dir)
	if err != nil {
		return errors.Join(w.say(message{Error: toMessage(err)}), err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cards := newLocal(func(e Event) { w.say(message{Event: &e}) })
	asked := make(chan error, 1)
	go func() { asked <- serve(ctx, cards, plugged, in, w) }()
	err = w.say(message{Ready: true})
	if err == nil {
		select {
		case err = <-asked:
		case waitErr := <-plugged.died:
			err = fault.New(codeStart, "pcscd ended: %v; see %s", waitErr, logIn(dir))
		case <-ctx.Done():
		}
	}
	cancel()
	err = errors.Join(err, cards.close())
	// An error means that it is unplugged; a socket that stays goes with the
	// bench's folder.
	_ = plugged.unplug()
	return err
}

// prepare makes the namespaces habitable and starts pcscd in them.
func prepare(ctx context.Context, dir string) (*reader, error) {
	if err := mountRun(filepath.Join(dir, "pcscd")); err != nil {
		return nil, fault.Wrap(codeNamespace, err)
	}
	if err := loopbackUp(); err != nil {
		return nil, fault.Wrap(codeNamespace, err)
	}
	r := newReader(dir)
	return r, r.plug(ctx)
}

// removeAll removes files, of which some may have gone.
func removeAll(files []string) error {
	var errs []error
	for _, f := range files {
		if err := os.Remove(f); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// mountRun lays source over /run/pcscd, where pcscd has its socket whatever
// one asks of it. Where that folder does not exist, all of /run is covered by
// an empty file system first. source is held open meanwhile, for it may itself
// be under /run.
func mountRun(source string) error {
	const target = "/run/pcscd"
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	fd, err := unix.Open(source, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open %s: %w", source, err)
	}
	defer unix.Close(fd)
	if _, err := os.Stat(target); errors.Is(err, os.ErrNotExist) {
		if err := unix.Mount("tmpfs", "/run", "tmpfs", 0, "mode=755"); err != nil {
			return fmt.Errorf("cover /run: %w", err)
		}
		if err := os.Mkdir(target, 0o755); err != nil {
			return err
		}
	}
	if err := unix.Mount(fmt.Sprintf("/proc/self/fd/%d", fd), target, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("bind %s: %w", target, err)
	}
	return nil
}

// loopbackUp brings up the one interface of a fresh network namespace.
func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	ifr, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, ifr); err != nil {
		return fmt.Errorf("loopback: %w", err)
	}
	ifr.SetUint16(ifr.Uint16() | unix.IFF_UP)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifr); err != nil {
		return fmt.Errorf("loopback: %w", err)
	}
	return nil
}

// serve carries out requests, those of different slots side by side, until in
// ends (nil) or is no longer a line of requests.
func serve(ctx context.Context, c cards, plugged *reader, in io.Reader, w *lines) error {
	var running sync.WaitGroup
	defer running.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // before the wait: what still runs when in ends is given up
	dec := json.NewDecoder(bufio.NewReader(in))
	for {
		var r request
		if err := dec.Decode(&r); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return fault.Wrap(codeInside, err)
		}
		running.Go(func() { w.say(message{ID: r.ID, Error: toMessage(carryOut(ctx, c, plugged, r))}) })
	}
}

func carryOut(ctx context.Context, c cards, plugged *reader, r request) error {
	switch r.Op {
	case "unplug":
		err := plugged.unplug()
		for slot := range Slots {
			_ = c.remove(ctx, slot) // none lies there, or it is waited for: one that computes notices later that its reader is gone
		}
		return err
	case "plug":
		return plugged.plug(ctx)
	}
	if err := checkSlot(r.Slot); err != nil {
		return err
	}
	switch {
	case r.Op == "insert" && r.Document != nil:
		return c.insert(ctx, r.Slot, r.Document)
	case r.Op == "remove":
		return c.remove(ctx, r.Slot)
	}
	return fault.New(codeInside, "no such request: %q", r.Op)
}

// lines writes messages, one at a time. It is safe for concurrent use.
type lines struct {
	mu  sync.Mutex // guards enc
	enc *json.Encoder
}

func (l *lines) say(m message) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return fault.Wrap(codeInside, l.enc.Encode(m))
}
