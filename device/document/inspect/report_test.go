package inspect

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/document/lds"
	"github.com/watchpost/watchpost/hwtest/gen/pki"
)

func TestReport(t *testing.T) {
	utopia := issuer(t, pki.Spec{})
	sound := files(t, utopia, lines(t, nil))
	crl, err := utopia.CRL(at.AddDate(0, 0, -10))
	if err != nil {
		t.Fatal(err)
	}
	changed := files(t, utopia, lines(t, nil))
	changed[lds.Group(2)] = append([]byte(nil), changed[lds.Group(2)]...)
	changed[lds.Group(2)][40] ^= 1
	page := lines(t, nil)
	for name, c := range map[string]struct {
		in                                     Input
		optical, electronic, combined, overall ReportResult
	}{
		"files alone, all in order": {Input{Files: sound, At: at, Trust: store(t, utopia.CSCA.DER, crl)}, ReportNotPerformed, ReportSuccessful, ReportNotPerformed, ReportSuccessful},
		"with the page":             {Input{Files: sound, At: at, Trust: store(t, utopia.CSCA.DER, crl), Lines: page}, ReportSuccessful, ReportSuccessful, ReportSuccessful, ReportSuccessful},
		"no revocation list":        {Input{Files: sound, At: at, Trust: store(t, utopia.CSCA.DER), Lines: page}, ReportSuccessful, ReportUndetermined, ReportSuccessful, ReportUndetermined},
		"a group changed":           {Input{Files: changed, At: at, Trust: store(t, utopia.CSCA.DER), Lines: page}, ReportSuccessful, ReportFailed, ReportSuccessful, ReportFailed},
		"another page":              {Input{Files: sound, At: at, Trust: store(t, utopia.CSCA.DER, crl), Lines: []string{page[0], strings.Replace(page[1], "XT1234567", "XT1234568", 1)}}, ReportFailed, ReportSuccessful, ReportFailed, ReportFailed},
		"no chip, and one was due":  {Input{NoChip: true, Lines: page, At: at}, ReportSuccessful, ReportFailed, ReportUndetermined, ReportFailed},
		"no clock":                  {Input{Files: sound, Trust: store(t, utopia.CSCA.DER, crl)}, ReportNotPerformed, ReportUndetermined, ReportNotPerformed, ReportUndetermined},
		"nothing at all":            {Input{At: at}, ReportNotPerformed, ReportNotPerformed, ReportNotPerformed, ReportNotPerformed},
	} {
		i := Judge(c.in)
		r := i.Report(c.in)
		if r.Optical.Result != c.optical || r.Electronic.Result != c.electronic || r.Combined.Result != c.combined || r.Overall != c.overall {
			t.Errorf("%s: optical %s, electronic %s, combined %s, overall %s", name, r.Optical.Result, r.Electronic.Result, r.Combined.Result, r.Overall)
		}
		if n := len(r.Optical.Checks) + len(r.Electronic.Checks) + len(r.Combined.Checks); n != len(i.Checks) {
			t.Errorf("%s: %d checks of %d", name, n, len(i.Checks))
		}
		for _, g := range []ReportGroup{r.Optical, r.Electronic, r.Combined} {
			for _, k := range g.Checks {
				was := i.Result(k.Code)
				if k.Performed != (was == Pass || was == Fail || was == NotAssessable) || (k.Result == ReportSuccessful) != (was == Pass) || (k.Result == ReportFailed) != (was == Fail) {
					t.Errorf("%s: %s was %s and is reported as %+v", name, k.Code, was, k)
				}
			}
		}
		raw, err := json.Marshal(r)
		if err != nil || !strings.HasPrefix(string(raw), `{"form":"watchpost tr03135 1","judged_at":`) {
			t.Errorf("%s: %v %.80s", name, err, raw)
		}
		if s := fmt.Sprint(r, r.LogValue()); strings.Contains(s, "XT123") || strings.Contains(s, "TESTER") {
			t.Errorf("%s: personal data in %s", name, s)
		}
	}
}

// A result that nobody gave is never reported as a success.
func TestReportOfUnknown(t *testing.T) {
	i := Inspection{Checks: []Check{{Code: SODSignature, Result: Unknown}}}
	if r := i.Report(Input{}); r.Overall != ReportUndetermined || r.Electronic.Checks[0].Result != ReportUndetermined {
		t.Errorf("%+v", r)
	}
}

func TestRevocationListByAge(t *testing.T) {
	utopia := issuer(t, pki.Spec{})
	good, err := utopia.CRL(at.AddDate(0, 0, -40))
	if err != nil {
		t.Fatal(err)
	}
	bad, err := utopia.CRL(at.AddDate(0, 0, -40), utopia.DS.Template.Serial)
	if err != nil {
		t.Fatal(err)
	}
	const day = 24 * time.Hour
	made := at.AddDate(0, 0, -40).Format(time.RFC3339)
	for name, c := range map[string]struct {
		crl   []byte
		limit time.Duration
		want  string
	}{
		"no limit":                     {good, 0, "pass list_of: " + made},
		"younger than the limit":       {good, 41 * day, "pass list_of: " + made},
		"older than the limit":         {good, 39 * day, "not-assessable list_old: " + made},
		"older, and naming the signer": {bad, 39 * day, "fail revoked"},
	} {
		in := Input{Files: files(t, utopia, lines(t, nil)), At: at, Trust: store(t, utopia.CSCA.DER, c.crl), Policy: Policy{MaxCRLAge: c.limit}}
		i := Judge(in)
		t.Run(name, func(t *testing.T) { compare(t, i, expect{DSRevocation: c.want}) })
	}
}
