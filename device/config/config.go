// Package config reads the configuration of a post: one YAML file that says
// where the post keeps its state, which devices it may use, whose signatures
// count and where it listens. It decides nothing about travellers; that is the
// signed policy's.
//
// Order of sources, first wins: a flag of the command, the file given by
// --config, the defaults here. There are no environment variables but those
// that design section 11 names.
package config

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/watchpost/watchpost/device/encounter/policy"
	"github.com/watchpost/watchpost/device/fault"
)

// Version is the version of the configuration form.
const Version = 1

// MaxBytes is the largest configuration file read.
const MaxBytes = 64 << 10

// Config is the configuration of one post. It is read once at start and then
// never changed.
type Config struct {
	Version   int              `yaml:"version"`
	Post      string           `yaml:"post"`      // name of this post, in audit lines and messages
	Workplace policy.Workplace `yaml:"workplace"` // desk, gate or field; must be the signed policy's
	State     string           `yaml:"state"`     // folder of all that is kept; "" is DefaultState()
	Owners    []Owner          `yaml:"owners"`    // whose signatures a provisioning folder needs, two of them
	Capture   Capture          `yaml:"capture"`
	HTTP      Page             `yaml:"http"`    // the page and /v1
	Metrics   Listener         `yaml:"metrics"` // Prometheus
	Log       Log              `yaml:"log"`
	Central   *Central         `yaml:"central,omitempty"` // nil: the post stands alone
	Audit     *Audit           `yaml:"audit,omitempty"`   // nil: the defaults of Signed
	Keys      *Keys            `yaml:"keys,omitempty"`    // when keys lock; nil: by command and at the end only
	Feed      *Feed            `yaml:"feed,omitempty"`    // where lists come from; nil: from provisioning folders alone
}

// Owner is a person whose signature counts, with the public half of a key that
// never was on a post.
type Owner struct {
	ID        string `yaml:"id"`         // short name, in audit lines
	PublicKey string `yaml:"public_key"` // Ed25519 (RFC 8032), 32 bytes, base64
}

// Capture says how the daemon reaches the capture process of its devices. Which
// sources that process may open is said in its own configuration
// (watchpost-capture devices --help), from which its sandbox is built.
type Capture struct {
	Socket string `yaml:"socket"` // of the devices role; "" is capture.sock in the state folder
	// Display is whom the screen of the page faces: officer ("" too) or
	// traveller. Only the latter can light the face of a person, so only there
	// is a flash drawn as challenge (policy: presentation).
	Display string `yaml:"display,omitempty"`
	Camera  string `yaml:"camera"` // id of the camera for faces; "" is the only one
	Reader  string `yaml:"reader"` // PC/SC reader name; "" is the only one
	Models  string `yaml:"models"` // folder of face models for the decode role; "" is where WATCHPOST_MODELS says
	// TerminalKey is the unix socket of who signs for this terminal (Terminal
	// Authentication, for fingerprints and irises of the chip); absolute. ""
	// does without. The key itself never lies on a post.
	TerminalKey string `yaml:"terminal_key,omitempty"`
	// Virtual lets devices be used that stand for real ones: recordings and
	// emulations of a bench. A post in service leaves it out.
	Virtual bool `yaml:"virtual"`
}

// Listener is an address on which the post listens.
type Listener struct {
	Listen string `yaml:"listen"` // host:port; "" switches it off
}

// Page is the address of the page and of /v1 over HTTPS.
type Page struct {
	Listen string `yaml:"listen"` // host:port; "" switches it off
	// Name is the host name by which browsers reach the page: passkeys are
	// made for it and the certificate names it. "" is localhost.
	Name string `yaml:"name,omitempty"`
}

// Host returns the page's host name with the default filled in.
func (p Page) Host() string {
	if p.Name == "" {
		return "localhost"
	}
	return p.Name
}

// Log says how much is logged; never personal data, at any level.
type Log struct {
	Level string `yaml:"level"` // debug, info, warn, error
}

// Default returns the configuration of a workplace before anything is set.
func Default(w policy.Workplace) *Config {
	return &Config{
		Version:   Version,
		Post:      "post",
		Workplace: w,
		HTTP:      Page{Listen: "127.0.0.1:8443"},     // design section 11
		Metrics:   Listener{Listen: "127.0.0.1:9464"}, // design section 11
		Log:       Log{Level: "info"},
	}
}

// DefaultState is where a post keeps its state when nothing is said:
// /var/lib/watchpost as root, else below the user's state folder.
func DefaultState() string {
	if os.Geteuid() == 0 {
		return "/var/lib/watchpost"
	}
	if d := os.Getenv("XDG_STATE_HOME"); d != "" {
		return filepath.Join(d, "watchpost")
	}
	return filepath.Join(home(), ".local", "state", "watchpost")
}

// home is the user's folder; without one, paths are below the working folder.
func home() string {
	d, err := os.UserHomeDir()
	if err != nil {
		return "."
	}
	return d
}

// Read reads and checks the file at path.
func Read(path string) (*Config, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New("config.missing", "%s does not exist", path).
			WithHint("give the configuration with --config FILE")
	} else if err != nil {
		return nil, fault.Wrap("config.unreadable", err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, MaxBytes+1))
	if err != nil {
		return nil, fault.Wrap("config.unreadable", err)
	}
	return Decode(raw)
}

// exampleHint points to what a configuration looks like.
const exampleHint = "device/config/testdata has a full example"

// Decode reads one configuration. Unknown keys and values that cannot work are
// refused; the error names the key and shows the line.
func Decode(raw []byte) (*Config, error) {
	if len(raw) > MaxBytes {
		return nil, fault.New("config.too_large", "more than %d bytes", MaxBytes).WithHint(exampleHint)
	}
	c := Default(policy.Desk)
	dec := yaml.NewDecoder(bytes.NewReader(raw), yaml.DisallowUnknownField())
	if err := dec.Decode(c); err != nil {
		return nil, fault.New("config.format", "%s", yaml.FormatError(err, false, true)).
			WithHint("correct the line shown; " + exampleHint)
	}
	if err := c.validate(); err != nil {
		var coded *fault.Error
		if errors.As(err, &coded) {
			err = coded.WithHint(exampleHint)
		}
		return nil, err
	}
	return c, nil
}

// Encode writes c in the form that Decode reads.
func Encode(c *Config) ([]byte, error) {
	raw, err := yaml.MarshalWithOptions(c, yaml.Indent(2))
	return raw, fault.Wrap("config.format", err)
}

func (c *Config) validate() error {
	if c.Version != Version {
		return fault.New("config.version", "version %d, this program reads %d", c.Version, Version)
	}
	switch c.Workplace {
	case policy.Desk, policy.Gate, policy.Field:
	default:
		return fault.New("config.workplace", "workplace %q is none of desk, gate, field", c.Workplace)
	}
	if c.Post == "" || strings.ContainsAny(c.Post, "/ \n") {
		return fault.New("config.post", "post needs a name without spaces and slashes")
	}
	if err := errors.Join(c.Central.validate(), c.Keys.validate(), c.Audit.validate(c.Post), c.Feed.validate()); err != nil {
		return err
	}
	seen := make(map[string]bool)
	for _, o := range c.Owners {
		if _, err := o.Key(); err != nil {
			return err
		}
		if o.ID == "" || seen[o.ID] || seen[o.PublicKey] {
			return fault.New("config.owners", "owner ids and keys must be given and differ from each other")
		}
		seen[o.ID], seen[o.PublicKey] = true, true
	}
	if len(c.Owners) == 1 {
		return fault.New("config.owners", "one owner can never give two signatures")
	}
	for name, listen := range map[string]string{"http": c.HTTP.Listen, "metrics": c.Metrics.Listen} {
		if listen == "" {
			continue
		}
		if _, _, err := net.SplitHostPort(listen); err != nil {
			return fault.New("config.listen", "%s.listen %q is not host:port", name, listen)
		}
	}
	if net.ParseIP(c.HTTP.Name) != nil || strings.ContainsAny(c.HTTP.Name, "/: ") {
		return fault.New("config.http_name", "http.name %q is not a host name; passkeys cannot be made for an address", c.HTTP.Name)
	}
	if c.Capture.TerminalKey != "" && !filepath.IsAbs(c.Capture.TerminalKey) {
		return fault.New("config.terminal_key", "capture.terminal_key is the absolute path of a unix socket")
	}
	switch c.Capture.Display {
	case "", "officer", "traveller":
	default:
		return fault.New("config.display", "capture.display %q is none of officer, traveller", c.Capture.Display)
	}
	switch c.Log.Level {
	case "debug", "info", "warn", "error":
	default:
		return fault.New("config.log", "log.level %q is none of debug, info, warn, error", c.Log.Level)
	}
	return nil
}

// Key returns the owner's public key.
func (o Owner) Key() (ed25519.PublicKey, error) {
	raw, err := base64.StdEncoding.DecodeString(o.PublicKey)
	if err != nil || len(raw) != ed25519.PublicKeySize {
		return nil, fault.New("config.owners", "the public key of owner %q is not 32 bytes in base64", o.ID)
	}
	return raw, nil
}

// StateDir returns the state folder with the default filled in.
func (c *Config) StateDir() string {
	if c.State != "" {
		return c.State
	}
	return DefaultState()
}

// CaptureSocket returns the socket of the devices role.
func (c *Config) CaptureSocket() string {
	if c.Capture.Socket != "" {
		return c.Capture.Socket
	}
	return filepath.Join(c.StateDir(), "capture.sock")
}

// AdminSocket returns the socket on which the daemon takes commands from this
// machine.
func (c *Config) AdminSocket() string { return filepath.Join(c.StateDir(), "admin.sock") }
