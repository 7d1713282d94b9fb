package policy

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/watchpost/watchpost/device/fault"
)

// MaxBytes is the largest policy file read; a full policy takes about 4 KiB.
const MaxBytes = 256 << 10

// Duration is a time.Duration written as Go does it ("1s", "72h").
type Duration time.Duration

// Of returns d as a time.Duration.
func (d Duration) Of() time.Duration { return time.Duration(d) }

// MarshalText writes the duration as "1m30s".
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads a duration with its unit; a bare number is refused.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return fault.New("policy.duration", "not a duration with a unit")
	}
	*d = Duration(v)
	return nil
}

// Decode reads one policy in YAML. Unknown keys, another version, unknown
// check codes and values out of range are refused; the error says which.
func Decode(raw []byte) (*Policy, error) {
	if len(raw) > MaxBytes {
		return nil, fault.New("policy.too_large", "%d bytes, at most %d", len(raw), MaxBytes)
	}
	p := new(Policy)
	dec := yaml.NewDecoder(bytes.NewReader(raw), yaml.DisallowUnknownField())
	if err := dec.Decode(p); err != nil {
		return nil, fault.New("policy.format", "%s", yaml.FormatError(err, false, false))
	}
	if err := p.validate(); err != nil {
		return nil, err
	}
	return p, nil
}

// Encode writes p in the form that Decode reads.
func Encode(p *Policy) ([]byte, error) {
	raw, err := yaml.MarshalWithOptions(p, yaml.Indent(2))
	return raw, fault.Wrap("policy.format", err)
}

func (p *Policy) validate() error {
	for _, part := range []func() error{
		p.validateHead, p.validateSeverities, p.validateRanges, p.Presentation.validate, p.validateMinors, p.validateDurations, p.validateOfficers,
	} {
		if err := part(); err != nil {
			return err
		}
	}
	return nil
}

func (p *Policy) validateHead() error {
	if p.Version != Version {
		return fault.New("policy.version", "version %d, this program reads %d", p.Version, Version)
	}
	if p.Edition < 1 {
		return fault.New("policy.edition", "edition %d, at least 1", p.Edition)
	}
	switch p.Workplace {
	case Desk, Gate, Field:
	default:
		return fault.New("policy.workplace", "workplace %q is none of desk, gate, field", p.Workplace)
	}
	return nil
}

func (p *Policy) validateSeverities() error {
	for code, w := range p.Severities {
		if !code.Known() {
			return fault.New("policy.check_code", "there is no check %q", code)
		}
		for _, s := range []Severity{w.Fail, w.NotAssessable, w.NotPerformed} {
			switch s {
			case "", Ignore, Notice, Refer:
			default:
				return fault.New("policy.severity", "%s: %q is none of ignore, notice, refer", code, s)
			}
		}
	}
	return nil
}

func (p *Policy) validateRanges() error {
	for _, r := range []struct {
		name  string
		value float64
	}{
		{"verification_fmr", p.Biometric.VerificationFMR},
		{"identification_fpir", p.Biometric.IdentificationFPIR},
	} {
		if !(r.value > 0 && r.value < 1) {
			return fault.New("policy.rate", "biometric.%s is %v, a probability above 0 and below 1 is needed", r.name, r.value)
		}
	}
	if f := p.Biometric.FaceWorstGroup; f != 0 && !(f >= 1 && f <= 1000) {
		return fault.New("policy.range", "biometric.face_worst_group is %v, allowed 1 to 1000", f)
	}
	for _, n := range []struct {
		name     string
		value    int
		min, max int
	}{
		{"biometric.face_alarm_max_list", p.Biometric.FaceAlarmMaxList, 0, 1_000_000},
		{"biometric.face_alarm_min_frames", p.Biometric.FaceAlarmMinFrames, 1, 100},
		{"biometric.max_candidates", p.Biometric.MaxCandidates, 1, 200},
		{"biometric.face_frames", p.Biometric.FaceFrames, 1, 100},
		{"biometric.min_face_quality", p.Biometric.MinFaceQuality, 0, 100},
		{"biometric.capture_tries", p.Biometric.CaptureTries, 1, 10},
		{"minors.adult_age", p.Minors.AdultAge, 1, 30},
		{"officers.searches_per_hour", p.Officers.SearchesPerHour, 0, 100_000},
	} {
		if n.value < n.min || n.value > n.max {
			return fault.New("policy.range", "%s is %d, allowed %d to %d", n.name, n.value, n.min, n.max)
		}
	}
	return nil
}

func (p *Policy) validateMinors() error {
	for _, r := range []MinorRule{p.Minors.Minor, p.Minors.AgeUnknown} {
		switch r {
		case No1N, Search1N:
		default:
			return fault.New("policy.minors", "%q is none of no_1n, search", r)
		}
	}
	return nil
}

func (p *Policy) validateDurations() error {
	for name, d := range map[string]Duration{
		"deadlines.chip_read": p.Deadlines.ChipRead, "deadlines.capture": p.Deadlines.Capture,
		"deadlines.answer": p.Deadlines.Answer, "deadlines.idle": p.Deadlines.Idle,
		"search.max_list_age": p.Search.MaxListAge, "retention.encounter": p.Retention.Encounter,
	} {
		if d <= 0 {
			return fault.New("policy.duration", "%s must be above zero", name)
		}
	}
	if p.Deadlines.LateHitBy < 0 || p.Retention.Evidence < 0 || p.Retention.Audit < 0 {
		return fault.New("policy.duration", "a duration is below zero")
	}
	if p.Retention.Audit > 0 && p.Retention.Audit < max(p.Retention.Encounter, Duration(24*time.Hour)) {
		return fault.New("policy.duration", "retention.audit is below retention.encounter or a day: what is kept would be accounted for nowhere")
	}
	return nil
}

func (p *Policy) validateOfficers() error {
	if len(p.Search.Purposes) == 0 {
		return fault.New("policy.purposes", "no purpose is allowed: nothing could be searched")
	}
	for i, l := range p.Officers.Limits {
		if !slices.Contains(p.Search.Purposes, l.Purpose) {
			return fault.New("policy.purposes", "officers.limits[%d] is for a purpose that is not allowed", i)
		}
		if l.Searches < 1 || l.Searches > 100_000 || l.Window.Of() < time.Minute || l.Window.Of() > 7*24*time.Hour {
			return fault.New("policy.range", "officers.limits[%d] allows 1 to 100,000 searches within a minute to a week", i)
		}
	}
	for _, a := range p.Officers.SecondOfficer {
		if a != ActConfirmCandidate && a != ActOverride {
			return fault.New("policy.act", "there is no act %q", a)
		}
	}
	return nil
}

// String names a policy by owner and edition.
func (p *Policy) String() string { return fmt.Sprintf("policy of %s, edition %d", p.Owner, p.Edition) }
