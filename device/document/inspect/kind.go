package inspect

import (
	"strings"
	"time"

	"github.com/watchpost/watchpost/device/document/deviation"
	"github.com/watchpost/watchpost/device/document/expected"
	"github.com/watchpost/watchpost/device/document/mrz"
	"github.com/watchpost/watchpost/device/document/trust"
	"github.com/watchpost/watchpost/device/fault"
)

// chipExpected judges whether a document of this issuer, kind and date should
// have a chip, and has. Only where a chip was looked for and none answered can
// it fail.
func (j *judge) chipExpected() {
	if j.in.Access != nil && j.in.Access.Protocol != "" {
		j.set(ChipExpected, Pass, "")
		return
	}
	if !j.in.NoChip {
		return
	}
	j.set(ChipPresent, Fail, "no_answer")
	z := j.zone
	if z == nil {
		var err error
		if z, err = mrz.Parse(j.in.Lines, j.in.now()); err != nil {
			j.set(ChipExpected, NotPerformed, "no_zone")
			return
		}
	}
	row, ok := expected.Lookup(z.Issuer, z.DocumentCode)
	if !ok {
		j.set(ChipExpected, NotAssessable, "not_in_table")
		return
	}
	about := "since: " + row.Since + " confidence: " + string(row.Confidence)
	if row.ChiplessBeside {
		about += " chipless_beside"
	}
	expires, _ := z.Expiry.End()
	switch row.Judge(j.issued(), expires) {
	case expected.Expected:
		j.set(ChipExpected, Fail, about)
	case expected.Older:
		j.set(ChipExpected, Pass, "none_expected "+about)
	default:
		j.set(ChipExpected, NotAssessable, about)
	}
}

// issued is the date of issue that DG12 gives, zero where it gives none.
func (j *judge) issued() time.Time {
	t, err := time.Parse(time.DateOnly, j.data.Issue["date_of_issue"])
	if err != nil {
		return time.Time{}
	}
	return t
}

// deviationStore is a Trust that holds deviation lists by the country that
// published them, nil where it holds none of it.
type deviationStore interface {
	Deviations(country string) (*deviation.List, error)
}

// deviations asks the issuer's deviation list about this document. A list that
// names it explains what else may have failed; it passes nothing.
func (j *judge) deviations() {
	store, ok := j.in.Trust.(deviationStore)
	if !ok {
		return
	}
	if j.zone == nil {
		j.notPerformed(reasonNoDG1, DocumentDeviation)
		return
	}
	for _, country := range trust.Countries(j.zone.Issuer) {
		list, err := store.Deviations(country)
		if err != nil {
			j.set(DocumentDeviation, NotAssessable, string(fault.CodeOf(err)))
			return
		}
		if list == nil {
			continue
		}
		match, found := list.Find(deviation.Document{
			Type: j.zone.DocumentCode, Number: j.zone.DocumentNumber, Signer: j.signer.Certificate, Issued: j.issued(),
		})
		if !found {
			j.set(DocumentDeviation, Pass, "list_of: "+country)
			continue
		}
		types := make([]string, 0, len(match.Types))
		for _, t := range match.Types {
			types = append(types, deviation.Word(t))
		}
		reason := "listed: " + strings.Join(types, " ")
		if match.Possible {
			j.set(DocumentDeviation, NotAssessable, "perhaps_"+reason)
			return
		}
		j.set(DocumentDeviation, Fail, reason)
		return
	}
}
