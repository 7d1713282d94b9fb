package imports_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/watchlist/imports"
	"github.com/watchpost/watchpost/device/watchlist/record"
)

func TestBorn(t *testing.T) {
	for text, want := range map[string]record.Birth{
		"07 Mar 1961":                {Date: "1961-03-07", Precision: record.ToDay},
		"7 March 1961.":              {Date: "1961-03-07", Precision: record.ToDay},
		"1961-03-07":                 {Date: "1961-03-07", Precision: record.ToDay},
		"1961/03/07":                 {Date: "1961-03-07", Precision: record.ToDay},
		"7.3.1961":                   {Date: "1961-03-07", Precision: record.ToDay},
		"Mar 1961":                   {Date: "1961-03", Precision: record.ToMonth},
		"1961-03":                    {Date: "1961-03", Precision: record.ToMonth},
		" 1961 ":                     {Date: "1961", Precision: record.ToYear},
		"circa 1961":                 {Date: "1961", Precision: record.Circa},
		"Approximately 1961-03-07":   {Date: "1961-03-07", Precision: record.Circa},
		"1961 to 1963":               {Date: "1961", Until: "1963", Precision: record.Range},
		"1961-1963":                  {Date: "1961", Until: "1963", Precision: record.Range},
		"circa 1961-1963":            {Date: "1961", Until: "1963", Precision: record.Range},
		"Between 1961 and 1963":      {Date: "1961", Until: "1963", Precision: record.Range},
		"00 Mar 1961":                {Date: "1961-03", Precision: record.ToMonth},
		"0 March 1961":               {Date: "1961-03", Precision: record.ToMonth},
		"1961-03-00":                 {Date: "1961-03", Precision: record.ToMonth},
		"03/1961":                    {Date: "1961-03", Precision: record.ToMonth},
		"1961-00-00":                 {Date: "1961", Precision: record.ToYear},
		"19610000":                   {Date: "1961", Precision: record.ToYear},
		"00/00/1961":                 {Date: "1961", Precision: record.ToYear},
		"circa 00 Mar 1961":          {Date: "1961-03", Precision: record.Circa},
		"1961-3-7":                   {Date: "1961-03-07", Precision: record.ToDay},
		"19610307":                   {Date: "1961-03-07", Precision: record.ToDay},
		"07-MAR-1961":                {Date: "1961-03-07", Precision: record.ToDay},
		"March 7, 1961":              {Date: "1961-03-07", Precision: record.ToDay},
		"1961-03-07T00:00:00Z":       {Date: "1961-03-07", Precision: record.ToDay},
		"1961-03-07 00:00:00":        {Date: "1961-03-07", Precision: record.ToDay},
		"~1961":                      {Date: "1961", Precision: record.Circa},
		"1961 ?":                     {Date: "1961", Precision: record.Circa},
		"1961 or 1962":               {Date: "1961", Until: "1962", Precision: record.Range},
		"late 1960s":                 {Date: "1960", Until: "1969", Precision: record.Range},
		"1960s":                      {Date: "1960", Until: "1969", Precision: record.Range},
		"01 Jan 1961 to 30 Jun 1962": {Date: "1961-01-01", Until: "1962-06-30", Precision: record.Range},
	} {
		if got, ok := imports.Born(text); !ok || got != want {
			t.Errorf("%q: %+v %v", text, got, ok)
		}
	}
	for _, text := range []string{
		"", "unknown", "07/03/1961", "31 Feb 1961", "1961-13-01", "61", "07031961", "20011962", "1963 to 1961", "1961 to Mar 1963",
		"circa", "circa circa", "between 1961", "1961 to", "1723", "1961 or", "1961-00-07", "00/03/1961", "00 00 1961", "0000-00-00", "19611300", "?", "~", "1961s", "1961-03-07T", strings.Repeat("circa ", 1000) + "x",
	} {
		if got, ok := imports.Born(text); ok {
			t.Errorf("%q was read as %+v", text, got)
		}
	}
}

func TestNames(t *testing.T) {
	for text, script := range map[string]string{
		"Anna Muster": "Latn", "Анна Мустер": "Cyrl", "آنا موستر": "Arab", "安娜": "Hani", "Άννα": "Grek", "12 -": "Zyyy", "": "Zyyy", "Анна M.": "Cyrl",
	} {
		if got := imports.Script(text); got != script {
			t.Errorf("%q: %s", text, got)
		}
	}
	n, ok := imports.FamilyFirst(" MUSTER  VAN ,  Anna Maria", record.NamePrimary, record.NameGood)
	if !ok || n.Primary != "MUSTER VAN" || n.Secondary != "Anna Maria" || n.Full != "" {
		t.Errorf("%+v %v", n, ok)
	}
	for _, text := range []string{"MUSTER", "MUSTER,", ", Anna"} {
		if n, ok := imports.FamilyFirst(text, record.NamePrimary, record.NameGood); !ok || n.Full == "" || strings.Contains(n.Full, ",") {
			t.Errorf("%q: %+v %v", text, n, ok)
		}
	}
	for _, text := range []string{"", ",", "-", "123", " , "} {
		if n, ok := imports.FamilyFirst(text, record.NamePrimary, record.NameGood); ok {
			t.Errorf("%q was taken as %+v", text, n)
		}
	}
}

// TestRow holds what makes a record unfit, and what is only left out of it.
func TestRow(t *testing.T) {
	good := func() *record.Record {
		n, _ := imports.Whole("Anna Muster", record.NamePrimary, record.NameGood)
		return &record.Record{ID: "1", Names: []record.Name{n}}
	}
	m := imports.NewMaker(imports.Spec{List: "test", Owner: "us"})
	row := m.Row(7, good(), nil)
	if row.Broken() || row.Line != 7 || row.Record.List != "test" || row.Record.Owner != "us" || row.Record.LegalBasis != "" || row.Record.Expires != nil {
		t.Fatalf("%+v %v", row.Record, row.Problems)
	}
	if row := m.Row(8, good(), nil); !row.Broken() || row.Problems[0].Code != "import.duplicate" {
		t.Errorf("the same identifier again: %+v", row)
	}
	for name, change := range map[string]func(*record.Record){
		"no id":              func(r *record.Record) { r.ID = "" },
		"long id":            func(r *record.Record) { r.ID = strings.Repeat("x", 200) },
		"nothing to match":   func(r *record.Record) { r.Names = nil },
		"control characters": func(r *record.Record) { r.Names[0].Full = "A\x00B" },
		"not UTF-8":          func(r *record.Record) { r.Names[0].Full = "A\xffB" },
		"nationality":        func(r *record.Record) { r.Nationalities = []string{"Utopia"} },
		"only a bad number": func(r *record.Record) {
			r.Names = nil
			r.Documents = []record.Document{{Number: "---", Status: "stolen"}}
		},
		"status": func(r *record.Record) { r.Documents = []record.Document{{Number: "1", Status: "borrowed"}} },
		"type": func(r *record.Record) {
			r.Documents = []record.Document{{Number: "1", Type: "passport", Status: "lost"}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := good()
			r.ID = name
			change(r)
			if row := m.Row(1, r, nil); !row.Broken() || len(row.Problems) == 0 || row.Problems[0].Reason == "" {
				t.Errorf("%+v", row)
			}
		})
	}
	r := good()
	r.ID = "2"
	r.Documents = []record.Document{{Number: strings.Repeat("9", 50), Status: "lost"}, {Number: "K1", Status: "lost"}}
	if row := m.Row(1, r, nil); row.Broken() || len(row.Record.Documents) != 1 || len(row.Problems) != 1 {
		t.Errorf("one number too long: %+v", row)
	}
}

// TestRowBornLater holds that a birth still to come is left out and told, and
// that the record and its other births stay.
func TestRowBornLater(t *testing.T) {
	year := func(n int) string { return time.Now().AddDate(n, 0, 0).Format("2006") }
	born := func(date, until string, p record.Precision) record.Birth {
		return record.Birth{Date: date, Until: until, Precision: p, Place: "Amaurot"}
	}
	m := imports.NewMaker(imports.Spec{})
	for i, c := range []struct {
		births []record.Birth
		kept   int
	}{
		{[]record.Birth{born("1961-03-07", "", record.ToDay), born(year(0), "", record.ToYear), born(time.Now().Format(time.DateOnly), "", record.ToDay)}, 3},
		{[]record.Birth{born(year(2), "", record.ToYear)}, 0},
		{[]record.Birth{born(year(2)+"-01", "", record.ToMonth), born("1961", "", record.Circa)}, 1},
		{[]record.Birth{born("1961", year(2), record.Range), born(year(2)+"-12-31", "", record.ToDay)}, 1},
		{[]record.Birth{born(year(2), year(3), record.Range), born(year(2), "", record.Circa)}, 0},
		{[]record.Birth{born(time.Now().AddDate(0, 0, 3).Format(time.DateOnly), "", record.ToDay)}, 0},
	} {
		n, _ := imports.Whole("Anna Muster", record.NamePrimary, record.NameGood)
		lost := len(c.births) - c.kept
		row := m.Row(1, &record.Record{ID: fmt.Sprint(i), Names: []record.Name{n}, Births: c.births}, nil)
		if row.Broken() || len(row.Record.Births) != c.kept || len(row.Problems) != lost {
			t.Errorf("%d: %+v", i, row)
			continue
		}
		for _, p := range row.Problems {
			if p.Field != "births" || p.Code != "import.field" || strings.Contains(p.Reason, year(2)) {
				t.Errorf("%d: %+v", i, p)
			}
		}
	}
}

func FuzzBorn(f *testing.F) {
	f.Add("circa 1961 to 1963")
	f.Add("between 7.3.1961 and 8.3.1961")
	f.Fuzz(func(t *testing.T, text string) {
		b, ok := imports.Born(text)
		if !ok {
			return
		}
		n, _ := imports.Whole("Anna Muster", record.NamePrimary, record.NameGood)
		row := imports.NewMaker(imports.Spec{}).Row(1, &record.Record{ID: "1", Names: []record.Name{n}, Births: []record.Birth{b}}, nil)
		if row.Broken() {
			t.Errorf("%q became %+v: %v", text, b, row.Problems)
		}
	})
}
