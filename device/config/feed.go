package config

import (
	"net"
	"net/url"
	"path/filepath"
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
	if f.Root == "" || len(f.From) == 0 || f.Every < 0 {
		return fault.New("config.feed", "feed.root names a file, feed.from at least one address or folder")
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

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
