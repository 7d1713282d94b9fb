package inspect

import "log/slog"

// Check is one check of an inspection.
type Check struct {
	Code   Code   `json:"code"`
	Result Result `json:"result"`
	Reason string `json:"reason"` // stable word or error code, "" only for a plain pass; names after a colon ("unlisted: dg4 dg5")
	Clause string `json:"clause"` // the rule judged by: standard and clause
}

// Document says which document it is, as far as it could be read. It holds
// personal data.
type Document struct {
	Format      string `json:"format"`      // TD1, TD2, TD3, "" when DG1 could not be read
	Type        string `json:"type"`        // document code of the zone, "P", "ID"
	Issuer      string `json:"issuer"`      // issuing state or organization, three letters or "D"
	Number      string `json:"number"`      // document number
	Nationality string `json:"nationality"` // of the holder
	Expiry      string `json:"expiry"`      // YYYY-MM-DD, unknown parts as "XX"
	Vouched     bool   `json:"vouched"`     // DG1 is vouched for by a trusted signature
}

// Access says how the chip was reached.
type Access struct {
	Protocol  string   `json:"protocol"`            // "pace", "bac", "none" (the chip gave its files to anyone), "" where no chip was opened
	Offered   []string `json:"offered,omitempty"`   // protocols that the chip offered
	Mapping   string   `json:"mapping,omitempty"`   // PACE: "gm", "im", "cam"
	Cipher    string   `json:"cipher,omitempty"`    // of secure messaging: "3des", "aes-128"
	Downgrade string   `json:"downgrade,omitempty"` // why a stronger protocol that was offered was not used
}

// Inspection is what is known about one document after reading and judging
// it. It holds personal data: nothing of it but codes and results may be
// logged.
type Inspection struct {
	Document Document `json:"document"`
	Access   Access   `json:"access"`
	Checks   []Check  `json:"checks"`
	Data     Data     `json:"data"`
}

// Result returns the result of a check, NotPerformed if the inspection has no
// such check.
func (i *Inspection) Result(code Code) Result {
	if c, ok := i.Check(code); ok {
		return c.Result
	}
	return NotPerformed
}

// Check returns the check of that code.
func (i *Inspection) Check(code Code) (Check, bool) {
	for _, c := range i.Checks {
		if c.Code == code {
			return c, true
		}
	}
	return Check{}, false
}

// LogValue keeps personal data out of logs: codes and results only.
func (i Inspection) LogValue() slog.Value {
	attrs := make([]slog.Attr, 0, len(i.Checks))
	for _, c := range i.Checks {
		attrs = append(attrs, slog.String(string(c.Code), c.Result.String()))
	}
	return slog.GroupValue(attrs...)
}

// String is LogValue for the fmt verbs.
func (i Inspection) String() string { return "inspection (redacted)" }
