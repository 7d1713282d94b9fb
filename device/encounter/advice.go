package encounter

import (
	"slices"
	"strings"

	"github.com/watchpost/watchpost/device/encounter/policy"
	"github.com/watchpost/watchpost/device/screening"
)

// advise weighs all results by policy. It is a pure function of the encounter
// and the policy: the same results give the same advice on every box. Clear
// needs all of: no check that weighs refer, an answer of clear, no step
// skipped, and no candidate but those found to be different persons.
func (p *Post) advise(e *Encounter) Advice { return advise(p.Policy, e) }

func advise(rules *policy.Policy, e *Encounter) Advice {
	var reasons []Reason
	if e.Inspection != nil {
		for _, c := range e.Inspection.Checks {
			if s := rules.SeverityOf(c.Code, c.Result); s != policy.Ignore {
				reasons = append(reasons, Reason{Source: "check", Code: string(c.Code), Result: c.Result.String(), Reason: c.Reason, Clause: c.Clause, Severity: s})
			}
		}
		if len(e.Inspection.Checks) == 0 {
			reasons = append(reasons, Reason{Source: "step", Code: string(StepDocument), Reason: "no_checks", Severity: policy.Refer})
		}
	}
	if f := e.Presentation; f != nil {
		if s := rules.PresentationSeverity(f.Check.Result); s != policy.Ignore {
			reasons = append(reasons, Reason{Source: "check", Code: string(f.Check.Code), Result: f.Check.Result.String(), Reason: f.Check.Reason, Clause: f.Check.Clause, Severity: s})
		}
	}
	for _, s := range e.Steps {
		if s.State != Done && s.Name != StepPresentation { // its check says it
			reasons = append(reasons, Reason{Source: "step", Code: string(s.Name), Result: s.State.String(), Reason: s.Code, Severity: policy.Refer})
		}
	}
	open := 0
	for _, c := range e.Candidates {
		if c.Finding == DifferentPerson {
			continue
		}
		open++
		reasons = append(reasons, Reason{Source: "candidate", Code: c.List + "/" + c.Record, Result: c.Finding.String(), Severity: policy.Refer})
	}
	switch e.Answer {
	case screening.Clear:
	case screening.Candidates:
		// Candidates that all were found to be others leave what was missing.
		if open == 0 && len(e.Missing) > 0 {
			reasons = append(reasons, missing(e))
		}
	default:
		reasons = append(reasons, missing(e))
	}
	slices.SortStableFunc(reasons, func(a, b Reason) int { return weight(a.Severity) - weight(b.Severity) })
	clear := !slices.ContainsFunc(reasons, func(r Reason) bool { return r.Severity == policy.Refer })
	return Advice{Clear: clear, Reasons: reasons}
}

// missing is the reason of an answer that is not verified.
func missing(e *Encounter) Reason {
	return Reason{Source: "answer", Code: screening.NotVerified.String(), Reason: strings.Join(e.Missing, "; "), Severity: policy.Refer}
}

func weight(s policy.Severity) int {
	switch s {
	case policy.Refer:
		return 0
	case policy.Notice:
		return 1
	default:
		return 2
	}
}
