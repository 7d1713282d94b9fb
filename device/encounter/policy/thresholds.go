package policy

import (
	"bytes"

	"github.com/goccy/go-yaml"

	"github.com/watchpost/watchpost/device/fault"
)

// Thresholds are the error budgets alone, for owners who change them more often
// than the rest of a policy: they take the place of its biometric part.
type Thresholds struct {
	Version   int       `yaml:"version" json:"version"` // form version, 1
	Edition   int       `yaml:"edition" json:"edition"` // rises with every change by the owner
	Owner     string    `yaml:"owner" json:"owner"`
	Biometric Biometric `yaml:"biometric" json:"biometric"`
}

// DecodeThresholds reads thresholds in YAML, held to the same bounds as a
// policy's.
func DecodeThresholds(raw []byte) (*Thresholds, error) {
	if len(raw) > MaxBytes {
		return nil, fault.New("policy.too_large", "%d bytes, at most %d", len(raw), MaxBytes)
	}
	t := new(Thresholds)
	if err := yaml.NewDecoder(bytes.NewReader(raw), yaml.DisallowUnknownField()).Decode(t); err != nil {
		return nil, fault.New("policy.format", "%s", yaml.FormatError(err, false, false))
	}
	if t.Version != Version {
		return nil, fault.New("policy.version", "version %d, this program reads %d", t.Version, Version)
	}
	if t.Edition < 1 {
		return nil, fault.New("policy.edition", "edition %d, at least 1", t.Edition)
	}
	_, err := Default(Desk).With(t)
	return t, err
}

// With returns the policy with other thresholds; p stays as it is.
func (p *Policy) With(t *Thresholds) (*Policy, error) {
	next := *p
	next.Biometric = t.Biometric
	return &next, next.validate()
}
