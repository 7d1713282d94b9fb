package demo

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/hwtest/wire"
)

// FreeListen returns the page's usual address, or one with a free port where
// another post has that one.
func FreeListen() (string, error) { return freePort("127.0.0.1:8443") }

// MayListen tells before a post is set up whether its page can have an address.
func MayListen(address string) error {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return fault.New("demo.listen", "the page: %w", err).WithHint("another program has the address, or it is none of this machine: give another with --listen HOST:PORT")
	}
	return l.Close()
}

// freePort returns the first address that nobody listens on, else one with a
// free port.
func freePort(wanted ...string) (string, error) {
	for _, address := range append(wanted, "127.0.0.1:0") {
		l, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		address = l.Addr().String()
		if err := l.Close(); err != nil {
			return "", fmt.Errorf("look for a free port: %w", err)
		}
		return address, nil
	}
	return "", errors.New("no port is free")
}

// ready is what a program is told of the post, as one line of JSON.
type ready struct {
	URL        string `json:"url"`
	Officer    string `json:"officer"`
	Password   string `json:"password"`
	Supervisor string `json:"supervisor"`
	Second     string `json:"supervisor_password"`
	Colleague  string `json:"colleague"`
	Third      string `json:"colleague_password"`
	Socket     string `json:"admin_socket"`
	State      string `json:"state"`
}

// standing is who stands at the post, as one line of JSON.
type standing struct {
	Person string `json:"person"`
	Title  string `json:"title"`
	MRZ    string `json:"mrz,omitempty"`
}

// stay keeps the post running for an officer at the page. Letters that come in
// put that person before the camera and their passport on the reader.
func (s *script) stay(ctx context.Context, all []encounterCase, o Options) error {
	say := func(v any) error {
		if o.Data == nil {
			return nil
		}
		return json.NewEncoder(o.Data).Encode(v)
	}
	w := s.world
	s.show.open(w, all)
	if err := say(ready{w.URL, officerID, w.Password, secondID, w.Second, thirdID, w.Third, w.State + "/admin.sock", w.State}); err != nil {
		return fmt.Errorf("say how the post is reached: %w", err)
	}
	lying := false
	put := func(k encounterCase) error {
		if lying {
			lying = false
			if err := s.bench.Remove(ctx, 0); err != nil {
				return err
			}
		}
		if err := w.Show(s.scenes[k.sitter.Name]); err != nil {
			return err
		}
		s.stands(k)
		now := standing{Person: k.letter, Title: k.title}
		if k.passport != nil {
			if err := s.bench.Insert(ctx, 0, *k.passport); err != nil {
				return err
			}
			lying, now.MRZ = true, key(k.passport)
		}
		s.show.stands(now)
		return say(now)
	}
	if err := put(all[0]); err != nil {
		return err
	}
	lines := keysOf(ctx, o.Keys)
	for {
		select {
		case <-ctx.Done():
			return nil // Ctrl-C is how one leaves
		case line, open := <-lines:
			if !open {
				lines = nil // without keys the post stays as it is
				continue
			}
			if line == "q" {
				return nil
			}
			known := false
			for _, k := range all {
				if k.letter == line && !known {
					known = true
					if err := put(k); err != nil {
						return err
					}
				}
			}
			if line == "x" && lying {
				known, lying = true, false
				if err := s.bench.Remove(ctx, 0); err != nil {
					return err
				}
				s.show.stands(standing{Title: "the passport is taken away"})
			}
			if state, is := links[line]; is {
				known = true
				o.Central.Wire.Set(state)
				now := standing{Title: "the link to central: " + line}
				s.show.stands(now)
				if err := say(now); err != nil {
					return err
				}
			}
			if !known && line != "" {
				s.show.keys()
			}
		}
	}
}

// links are the words that cut the link to central and restore it.
var links = map[string]wire.State{"cut": wire.Cut, "stall": wire.Stalled, "restore": wire.Open}

// keysOf yields the lines of in until it ends; nil yields none for ever.
func keysOf(ctx context.Context, in io.Reader) <-chan string {
	if in == nil {
		return nil
	}
	lines := make(chan string)
	go func() {
		defer close(lines)
		for scan := bufio.NewScanner(in); scan.Scan(); {
			select {
			case lines <- strings.ToLower(strings.TrimSpace(scan.Text())):
			case <-ctx.Done():
				return
			}
		}
	}()
	return lines
}
