package config

import (
	"crypto/ed25519"
	"encoding/base64"
	"net/url"
	"strings"

	"github.com/watchpost/watchpost/device/fault"
)

// Central is the central service that the post asks and reports to. Both keys
// are what "watchpost-central keys" prints; they count whatever broker lies in
// between.
type Central struct {
	URL     string `yaml:"url"`      // of the broker: nats://HOST:PORT or tls://HOST:PORT
	SignKey string `yaml:"sign_key"` // Ed25519 (RFC 8032), 32 bytes, base64
	SealKey string `yaml:"seal_key"` // X25519 (RFC 7748), 32 bytes, base64
	CA      string `yaml:"ca,omitempty"`
}

// keyBytes of either of central's keys.
const keyBytes = 32

// Keys returns central's signing and sealing key.
func (c *Central) Keys() (sign ed25519.PublicKey, seal []byte, err error) {
	if sign, err = base64.StdEncoding.DecodeString(c.SignKey); err == nil {
		seal, err = base64.StdEncoding.DecodeString(c.SealKey)
	}
	if err != nil || len(sign) != keyBytes || len(seal) != keyBytes {
		return nil, nil, fault.New("config.central", "central.sign_key and central.seal_key are 32 bytes each in base64").
			WithHint("take both from: watchpost-central keys")
	}
	return sign, seal, nil
}

func (c *Central) validate() error {
	if c == nil {
		return nil
	}
	for _, one := range strings.Split(c.URL, ",") { // the servers of a cluster
		u, err := url.Parse(one)
		if err != nil || u.Host == "" || u.User != nil || (u.Scheme != "nats" && u.Scheme != "tls") {
			return fault.New("config.central", "central.url is nats://HOST:PORT or tls://HOST:PORT, without a user; several with commas")
		}
	}
	_, _, err := c.Keys()
	return err
}
