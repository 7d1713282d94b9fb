package inspect

import (
	"log/slog"
	"time"
)

// Report is an inspection in the shape of BSI TR-03135 (part 1, v2.5:2023):
// each check says whether it was performed, its result and the reason, in the
// groups of optical, electronic and combined checks. Codes and reasons are our
// own; the names of the guideline's XML schema are not used. It holds personal
// data.
type Report struct {
	Form     string       `json:"form"`      // ReportForm
	JudgedAt time.Time    `json:"judged_at"` // zero where there was no clock
	Policy   ReportPolicy `json:"policy"`
	Document Document     `json:"document"`
	Access   Access       `json:"access"`

	Optical    ReportGroup  `json:"optical"`
	Electronic ReportGroup  `json:"electronic"`
	Combined   ReportGroup  `json:"combined"`
	Overall    ReportResult `json:"overall"` // folded over the groups as each is over its checks
}

// ReportForm names the form and its version.
const ReportForm = "watchpost tr03135 1"

// ReportPolicy is what the results were judged by.
type ReportPolicy struct {
	AllowSHA1 bool   `json:"allow_sha1"`
	MaxCRLAge string `json:"max_crl_age,omitempty"`
}

// ReportResult is the outcome of a check or group in the guideline's words.
type ReportResult string

// Report results.
const (
	ReportSuccessful   ReportResult = "successful"
	ReportFailed       ReportResult = "failed"
	ReportUndetermined ReportResult = "undetermined"
	ReportNotPerformed ReportResult = "not_performed"
)

// ReportGroup is one group of checks and what they come to: failed if one
// failed, else undetermined if one is, else successful if one was performed.
type ReportGroup struct {
	Result ReportResult  `json:"result"`
	Checks []ReportCheck `json:"checks"`
}

// ReportCheck is one check.
type ReportCheck struct {
	Code      Code         `json:"code"`
	Performed bool         `json:"performed"`
	Result    ReportResult `json:"result"`
	Reason    string       `json:"reason"`
	Clause    string       `json:"clause"`
}

// Report puts an inspection into the shape of TR-03135. in is what it was judged
// from.
func (i *Inspection) Report(in Input) Report {
	r := Report{Form: ReportForm, JudgedAt: in.At.UTC(), Policy: ReportPolicy{AllowSHA1: in.Policy.AllowSHA1}, Document: i.Document, Access: i.Access}
	if in.Policy.MaxCRLAge > 0 {
		r.Policy.MaxCRLAge = in.Policy.MaxCRLAge.String()
	}
	for _, c := range i.Checks {
		group := &r.Electronic
		switch c.Code {
		case MRZMatch, ChipExpected, PortraitMatch, PortraitMorph:
			group = &r.Combined // they compare what two sides say
		case SealSignature, SealValidity:
			group = &r.Optical
		case MRZFormat, MRZCheckDigits:
			if in.Lines != nil || i.Data.MRZ == nil { // else the zone is that of DG1
				group = &r.Optical
			}
		case DocumentExpiry:
			if i.Data.MRZ == nil {
				group = &r.Optical
			}
		}
		group.Checks = append(group.Checks, reportCheck(c))
	}
	var all []ReportResult
	for _, group := range []*ReportGroup{&r.Optical, &r.Electronic, &r.Combined} {
		results := make([]ReportResult, 0, len(group.Checks))
		for _, c := range group.Checks {
			results = append(results, c.Result)
		}
		group.Result = fold(results)
		all = append(all, group.Result)
	}
	r.Overall = fold(all)
	return r
}

func reportCheck(c Check) ReportCheck {
	results := map[Result]ReportResult{Pass: ReportSuccessful, Fail: ReportFailed, NotAssessable: ReportUndetermined, NotPerformed: ReportNotPerformed}
	result, ok := results[c.Result]
	if !ok {
		result = ReportUndetermined // nobody has judged: never a success
	}
	return ReportCheck{Code: c.Code, Performed: result != ReportNotPerformed, Result: result, Reason: c.Reason, Clause: c.Clause}
}

func fold(results []ReportResult) ReportResult {
	worst := ReportNotPerformed
	rank := []ReportResult{ReportNotPerformed, ReportSuccessful, ReportUndetermined, ReportFailed}
	for _, r := range results {
		for n := len(rank) - 1; rank[n] != worst; n-- {
			if rank[n] == r {
				worst = r
				break
			}
		}
	}
	return worst
}

// String keeps personal data out of the fmt verbs.
func (r Report) String() string { return "report (redacted)" }

// LogValue keeps personal data out of logs: codes and results only.
func (r Report) LogValue() slog.Value {
	var attrs []slog.Attr
	for _, g := range []ReportGroup{r.Optical, r.Electronic, r.Combined} {
		for _, c := range g.Checks {
			attrs = append(attrs, slog.String(string(c.Code), string(c.Result)))
		}
	}
	return slog.GroupValue(attrs...)
}
