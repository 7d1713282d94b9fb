package inspect

import (
	"slices"
	"sort"
	"strings"

	"github.com/watchpost/watchpost/device/document/lds"
	"github.com/watchpost/watchpost/device/document/mrz"
	"github.com/watchpost/watchpost/device/fault"
)

// readZone reads DG1, on which other checks rest.
func (j *judge) readZone() {
	raw, ok := j.in.Files[lds.Group(1)]
	if !ok {
		return
	}
	if j.zone, j.dg1err = lds.ParseDG1(raw, j.in.now()); j.dg1err != nil {
		j.zone = nil
		return
	}
	z := j.zone
	j.data.MRZ = &Zone{Format: z.Format.String(), Lines: z.Lines, Fields: z.Fields(), CheckDigits: z.Digits(), Valid: z.Valid()}
}

// opticalZone judges the zone that was read from the page, and compares it
// with DG1. Without one, form and check digits are those of DG1.
func (j *judge) opticalZone() {
	if j.in.Lines == nil {
		if j.zone != nil {
			j.judgeDigits(j.zone, reasonDG1)
		}
		return
	}
	z, err := mrz.Parse(j.in.Lines, j.in.now())
	if err != nil {
		j.set(MRZFormat, Fail, string(fault.CodeOf(err)))
		j.notPerformed("zone_unreadable", MRZCheckDigits, MRZMatch)
		return
	}
	j.judgeDigits(z, "")
	if j.zone == nil {
		j.notPerformed(reasonNoDG1, MRZMatch)
		return
	}
	if different := differences(z, j.zone); len(different) > 0 {
		j.set(MRZMatch, Fail, "different: "+strings.Join(different, " "))
		return
	}
	j.set(MRZMatch, Pass, "")
}

func (j *judge) judgeDigits(z *mrz.Zone, reason string) {
	if len(z.Problems) > 0 {
		words := make([]string, 0, len(z.Problems))
		for _, p := range z.Problems {
			words = append(words, string(p))
		}
		reason := "problems: " + strings.Join(words, " ")
		if slices.Contains(z.Problems, mrz.ProblemCharacter) {
			j.set(MRZFormat, Fail, reason)
		} else {
			j.set(MRZFormat, Pass, reason) // issuers and dates that the standard does not know occur in real documents
		}
	} else {
		j.set(MRZFormat, Pass, reason)
	}
	var wrong []string
	for _, d := range z.CheckDigits {
		if !d.Right {
			wrong = append(wrong, string(d.Name))
		}
	}
	if len(wrong) > 0 {
		j.set(MRZCheckDigits, Fail, "wrong: "+strings.Join(wrong, " "))
		return
	}
	j.set(MRZCheckDigits, Pass, reason)
}

// differences names the fields in which two zones differ, "lines" where only
// fillers or check digits do.
func differences(a, b *mrz.Zone) []string {
	if a.Format != b.Format {
		return []string{"format"}
	}
	if slices.Equal(a.Lines, b.Lines) {
		return nil
	}
	var names []string
	other := b.Fields()
	for name, value := range a.Fields() {
		if other[name] != value {
			names = append(names, name)
		}
	}
	if names == nil {
		return []string{"lines"}
	}
	sort.Strings(names)
	return names
}

// expiry judges the document's own date, from DG1 or else from the page.
func (j *judge) expiry() {
	z := j.zone
	if z == nil && j.in.Lines != nil {
		z, _ = mrz.Parse(j.in.Lines, j.in.now()) // an unreadable zone has been said in mrz.format
	}
	if z == nil {
		return
	}
	end, known := z.Expiry.End()
	switch {
	case !known:
		j.set(DocumentExpiry, NotAssessable, "date_unknown")
	case j.in.At.IsZero():
		j.set(DocumentExpiry, NotAssessable, reasonNoClock)
	case !j.in.At.Before(end):
		j.set(DocumentExpiry, Fail, reasonExpired)
	default:
		j.set(DocumentExpiry, Pass, "")
	}
}
