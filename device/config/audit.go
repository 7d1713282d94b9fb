package config

import (
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/watchpost/watchpost/device/audit/checkpoint"
	"github.com/watchpost/watchpost/device/encounter/policy"
	"github.com/watchpost/watchpost/device/fault"
)

// Audit says how often the audit log is signed, and who beside central keeps
// its heads. What is left out has the default of Signed.
type Audit struct {
	Lines   int64           `yaml:"lines,omitempty"`   // a signed head after so many lines
	Every   policy.Duration `yaml:"every,omitempty"`   // and after so much time, lines or not
	Late    policy.Duration `yaml:"late,omitempty"`    // a witness that has not taken a head for so long alarms
	Witness *Witness        `yaml:"witness,omitempty"` // a service not run by central's operator
	Medium  string          `yaml:"medium,omitempty"`  // a folder on a medium that is carried away; absolute
}

// Witness is a service that speaks c2sp.org/tlog-witness.
type Witness struct {
	URL string `yaml:"url"`          // prefix of add-checkpoint: https://, or http:// on this machine
	Key string `yaml:"key"`          // as the witness prints it
	CA  string `yaml:"ca,omitempty"` // file with its certificate authority (PEM); "" is the system's
}

// Defaults of signing: what an intruder could take off the end of the log
// unseen is at most so many lines and so much time. 256 lines are some 25
// encounters; ten minutes cost 52,000 heads of 300 bytes a year.
const (
	auditLines = 256
	auditEvery = 10 * time.Minute
	auditLate  = 3 * auditEvery // one may be lost to a bad link
)

// Signed returns how the audit log is signed, defaults filled in.
func (c *Config) Signed() Audit {
	a := Audit{}
	if c.Audit != nil {
		a = *c.Audit
	}
	if a.Lines == 0 {
		a.Lines = auditLines
	}
	if a.Every == 0 {
		a.Every = policy.Duration(auditEvery)
	}
	if a.Late == 0 {
		a.Late = policy.Duration(max(auditLate, 3*a.Every.Of()))
	}
	return a
}

func (a *Audit) validate(post string) error {
	if !checkpoint.ValidOrigin(checkpoint.Origin(post)) {
		return fault.New("config.post", "post is also the name of the audit log's key: no plus, letters and digits of ASCII")
	}
	if a == nil {
		return nil
	}
	if a.Lines < 0 || a.Every < 0 || a.Late < 0 || (a.Every != 0 && a.Every.Of() < time.Second) {
		return fault.New("config.audit", "audit.lines and audit.late are not below zero, audit.every is at least a second")
	}
	if a.Late != 0 && a.Late.Of() < a.Every.Of() {
		return fault.New("config.audit", "audit.late is not below audit.every: every head would be late")
	}
	if a.Medium != "" && !filepath.IsAbs(a.Medium) {
		return fault.New("config.audit", "audit.medium is an absolute path")
	}
	if a.Witness == nil {
		return nil
	}
	u, err := url.Parse(a.Witness.URL)
	if err != nil || u.Host == "" || u.User != nil || (u.Scheme != "https" && u.Scheme != "http") {
		return fault.New("config.audit", "audit.witness.url is https://HOST[/PATH], without a user")
	}
	if host := u.Hostname(); u.Scheme == "http" && host != "localhost" && !strings.HasPrefix(host, "127.") && host != "::1" {
		return fault.New("config.audit", "audit.witness.url goes to another machine: https:// is needed")
	}
	_, err = checkpoint.ParseWitnessKey(a.Witness.Key)
	return err
}
