package expected

import (
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/document/trust"
)

func day(s string) time.Time {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		panic(err)
	}
	return t
}

func TestTable(t *testing.T) {
	rows, err := Table()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for issuer, kinds := range rows {
		if trust.Countries(issuer) == nil {
			t.Errorf("%s is no issuer", issuer)
		}
		for kind, r := range kinds {
			n++
			switch {
			case kind != "P" && kind != "PD" && kind != "PS" && kind != "ID",
				r.Confidence != High && r.Confidence != Medium && r.Confidence != Low,
				r.From.Before(day("1998-01-01")), r.From.After(day("2026-12-31")), r.Source == "":
				t.Errorf("%+v", r)
			}
		}
	}
	if n < 250 || len(rows) < 150 {
		t.Errorf("%d rows of %d issuers", n, len(rows))
	}
}

func TestLookup(t *testing.T) {
	for _, tc := range []struct {
		issuer, code string
		want         bool
	}{
		{"D<<", "P", true}, {"DEU", "P<", true}, {"AUT", "PD", true}, {"AUT", "PO", true}, {"AUT", "PM", true}, {"AUT", "ID", true}, {"GBD", "P", true},
		{"AGO", "PD", false}, {"UTO", "P", false}, {"", "P", false}, {"AUT", "V", false}, {"AUT", "", false}, {"AUT", "AC", false}, {"XXX", "P", false},
	} {
		if _, ok := Lookup(tc.issuer, tc.code); ok != tc.want {
			t.Errorf("%s %s: %v", tc.issuer, tc.code, ok)
		}
	}
}

func TestJudge(t *testing.T) {
	sure := Row{From: day("2006-06-16"), Confidence: High}
	unsure, beside := sure, sure
	unsure.Confidence, beside.ChiplessBeside = Low, true
	var none time.Time
	for name, tc := range map[string]struct {
		row             Row
		issued, expires time.Time
		want            Judgement
	}{
		"issued after":                  {sure, day("2010-01-01"), none, Expected},
		"first day":                     {sure, day("2006-06-16"), none, Expected},
		"day before":                    {sure, day("2006-06-15"), none, Older},
		"issue tells more than expiry":  {sure, day("2006-06-15"), day("2016-06-14"), Older},
		"expires late":                  {sure, none, day("2030-01-01"), Expected},
		"expires so that it may be old": {sure, none, day("2016-06-15"), Perhaps},
		"expired before":                {sure, none, day("2006-06-01"), Older},
		"no date":                       {sure, none, none, Perhaps},
		"unsure":                        {unsure, day("2010-01-01"), none, Perhaps},
		"chipless beside":               {beside, day("2010-01-01"), none, Perhaps},
	} {
		if got := tc.row.Judge(tc.issued, tc.expires); got != tc.want {
			t.Errorf("%s: %d", name, got)
		}
	}
	for s, want := range map[string]string{"2005": "2005-12-31", "2016-02": "2016-02-29", "2006-06-16": "2006-06-16"} {
		if got, err := lastDay(s); err != nil || got.Format(time.DateOnly) != want {
			t.Errorf("%s: %v %v", s, got, err)
		}
	}
	for _, s := range []string{"", "06", "2006-13", "2006-02-30", "sometime"} {
		if _, err := lastDay(s); err == nil {
			t.Errorf("%q is read", s)
		}
	}
}
