package policy

import (
	"encoding/hex"
	"slices"

	"github.com/watchpost/watchpost/device/biometric/pad"
	"github.com/watchpost/watchpost/device/document/inspect"
	"github.com/watchpost/watchpost/device/fault"
)

// PresentationMode says what a challenge against presentation attacks is for.
type PresentationMode string

// Modes. Off is what every workplace ships with: no bench with real
// instruments has run, and a challenge costs each person some seconds.
const (
	PresentationOff     PresentationMode = "off"     // no challenge; the same as no section
	PresentationAdvise  PresentationMode = "advise"  // the officer is told, nobody is held
	PresentationRequire PresentationMode = "require" // what is not a pass refers
)

// Presentation is how presentation attacks are looked for (ISO/IEC 30107-1).
type Presentation struct {
	Mode PresentationMode `yaml:"mode" json:"mode"` // off, advise or require
	// Challenges are the kinds that are drawn from, each as likely: turn, blink,
	// flash. Flash is drawn only at a post whose configuration says that a
	// display faces the traveller (capture.display). Absent is turn alone.
	Challenges []pad.Kind `yaml:"challenges,omitempty" json:"challenges,omitempty"`
	// Tries are the challenges one person may be given, 1 to 5; 0 counts as 2.
	Tries int `yaml:"tries,omitempty" json:"tries,omitempty"`
	// Benches are the reports that vouch for error rates of a kind. A pass of a
	// kind that none names counts as not assessable: simulation alone knows it.
	Benches []Bench `yaml:"benches,omitempty" json:"benches,omitempty"`
}

// Bench is a test report after ISO/IEC 30107-3 on real instruments.
type Bench struct {
	Challenge pad.Kind `yaml:"challenge" json:"challenge"`
	Report    string   `yaml:"report" json:"report"` // its number as the laboratory gave it, 1 to 100 characters
	SHA256    string   `yaml:"sha256" json:"sha256"` // of the report's file, hexadecimal
}

const (
	presentationTries    = 2
	maxPresentationTries = 5
)

// Wanted reports whether an encounter has a challenge. p may be nil.
func (p *Presentation) Wanted() bool { return p != nil && p.Mode != PresentationOff }

// MaxTries is how many challenges one person may be given. p may be nil.
func (p *Presentation) MaxTries() int {
	if p == nil || p.Tries == 0 {
		return presentationTries
	}
	return p.Tries
}

// Kinds are those that may be drawn at a post, flash only where a display faces
// the traveller; empty where policy leaves none. p may be nil.
func (p *Presentation) Kinds(display bool) []pad.Kind {
	kinds := []pad.Kind{pad.Turn}
	if p != nil && len(p.Challenges) > 0 {
		kinds = slices.Clone(p.Challenges)
	}
	return slices.DeleteFunc(kinds, func(k pad.Kind) bool { return k == pad.Flash && !display })
}

// BenchOf returns the report that vouches for a kind of challenge, false where
// there is none. p may be nil.
func (p *Presentation) BenchOf(kind pad.Kind) (Bench, bool) {
	if p != nil {
		for _, b := range p.Benches {
			if b.Challenge == kind && kind != pad.KindUnknown {
				return b, true
			}
		}
	}
	return Bench{}, false
}

// PresentationSeverity weighs the result of the challenge: where it is asked for
// as advice nothing is more than a notice, where it is required what is no pass
// refers, unless severities say otherwise.
func (p *Policy) PresentationSeverity(result inspect.Result) Severity {
	if result == inspect.Pass || !p.Presentation.Wanted() {
		return Ignore
	}
	if p.Presentation.Mode == PresentationAdvise {
		return Notice
	}
	if _, named := p.Severities[inspect.PresentationAttack]; !named && result == inspect.NotPerformed {
		return Refer // DefaultSeverity only notes what was not done
	}
	return p.SeverityOf(inspect.PresentationAttack, result)
}

func (p *Presentation) validate() error {
	if p == nil {
		return nil
	}
	switch p.Mode {
	case PresentationOff, PresentationAdvise, PresentationRequire:
	default:
		return fault.New("policy.presentation", "presentation.mode %q is none of off, advise, require", p.Mode)
	}
	if p.Tries < 0 || p.Tries > maxPresentationTries {
		return fault.New("policy.range", "presentation.tries is %d, allowed 0 to %d", p.Tries, maxPresentationTries)
	}
	for i, k := range p.Challenges {
		if k == pad.KindUnknown || slices.Contains(p.Challenges[:i], k) {
			return fault.New("policy.presentation", "presentation.challenges[%d] is unknown or named twice", i)
		}
	}
	if p.Mode != PresentationOff && len(p.Challenges) > 0 && len(p.Kinds(false)) == 0 {
		return fault.New("policy.presentation", "presentation.challenges holds flash alone: who must not see flashes needs another")
	}
	for i, b := range p.Benches {
		digest, err := hex.DecodeString(b.SHA256)
		if b.Challenge == pad.KindUnknown || len(b.Report) < 1 || len(b.Report) > 100 || err != nil || len(digest) != 32 {
			return fault.New("policy.presentation", "presentation.benches[%d] needs a challenge, a report and its SHA-256", i)
		}
	}
	return nil
}
