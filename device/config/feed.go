package config

import (
	"crypto/sha256"
	"encoding/hex"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"time"

	"github.com/watchpost/watchpost/device/encounter/policy"
	"github.com/watchpost/watchpost/device/fault"
)

// Feed says where a post takes lists and what else decides from, beside or
// instead of a provisioning folder (device/listfeed).
type Feed struct {
	Root  string          `yaml:"root"`            // file of the feed's root metadata, as its owner handed it over
	From  []string        `yaml:"from"`            // https://HOST/PATH, or absolute folders such as a stick's; all are asked
	Every policy.Duration `yaml:"every,omitempty"` // between two refreshes; 0 is feedEvery
	CA    string          `yaml:"ca,omitempty"`    // file of the servers' certificate authority (PEM); "" is the system's
	// Neighbours are other boxes that serve what they have of the feed. They are
	// trusted in nothing: what they bring is judged as what any other brings.
	Neighbours []Neighbour `yaml:"neighbours,omitempty"`
	Serve      *Serve      `yaml:"serve,omitempty"` // nil: this box serves nobody
}

// Neighbour is another box as a carrier.
type Neighbour struct {
	Address string `yaml:"address"` // HOST:PORT
	Pin     string `yaml:"pin"`     // SHA-256 of its public key in hex, as GET /v1/feed and its log say
}

// Serve has a box keep a whole copy of the feed, sealed and signed as it came,
// and give it to other boxes.
type Serve struct {
	Listen string   `yaml:"listen"` // host:port
	To     []string `yaml:"to"`     // pins of the boxes that may ask
}

// feedEvery is how often a feed is looked at: urgent changes come by message,
// so this bounds how late a post without a link to central is.
const feedEvery = 5 * time.Minute

// Interval returns Every with the default filled in.
func (f *Feed) Interval() time.Duration {
	if f.Every == 0 {
		return feedEvery
	}
	return f.Every.Of()
}

func (f *Feed) validate() error {
	if f == nil {
		return nil
	}
	if f.Root == "" || len(f.From)+len(f.Neighbours) == 0 || f.Every < 0 {
		return fault.New("config.feed", "feed.root names a file, feed.from at least one address or folder, or feed.neighbours a box")
	}
	for _, n := range f.Neighbours {
		if _, _, err := net.SplitHostPort(n.Address); err != nil || !validPin(n.Pin) {
			return fault.New("config.feed", "a neighbour has an address HOST:PORT and a pin of 64 hex digits")
		}
	}
	if s := f.Serve; s != nil {
		if _, _, err := net.SplitHostPort(s.Listen); err != nil || len(s.To) == 0 || slices.ContainsFunc(s.To, func(p string) bool { return !validPin(p) }) {
			return fault.New("config.feed", "feed.serve has an address to listen on, and the pins of the boxes that may ask")
		}
	}
	for _, from := range f.From {
		if filepath.IsAbs(from) {
			continue
		}
		u, err := url.Parse(from)
		if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
			return fault.New("config.feed", "feed.from %q is neither https://HOST/PATH nor an absolute folder", from)
		}
	}
	return nil
}

func validPin(p string) bool {
	raw, err := hex.DecodeString(p)
	return err == nil && len(raw) == sha256.Size
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
