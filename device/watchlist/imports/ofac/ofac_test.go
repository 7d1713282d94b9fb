package ofac_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/watchlist/imports"
	"github.com/watchpost/watchpost/device/watchlist/imports/importtest"
	"github.com/watchpost/watchpost/device/watchlist/imports/ofac"
)

// row is one row of the main file.
func row(id, name, kind, remarks string) string {
	return id + `,"` + name + `",` + kind + `,"TEST",` + strings.Repeat("-0- ,", 7) + remarks + "\r\n"
}

func read(t testing.TB, organisations bool, files ...string) (*importtest.Got, error) {
	var open []ofac.File
	for i, f := range files {
		open = append(open, ofac.File{Name: string(rune('a' + i)), In: strings.NewReader(f)})
	}
	return importtest.Run(t, imports.Spec{Organisations: organisations}, func(m *imports.Maker, take imports.Take) error {
		return ofac.Read(open, m, take)
	})
}

func TestWhole(t *testing.T) {
	main := row("7", "MUSTER, Anna", `"individual"`, `"DOB 07 Mar 1961; alt. DOB circa 1960; POB Amaurot, Utopia; alt. POB Pyongyang, Korea, North; nationality Utopia; alt. nationality Kenya; `+
		`Gender Female; Passport L898902C3 (Utopia) issued 01 Jan 2001 expires 01 Jan 2011; alt. National ID No. 12 34 (Kenya); Driver's License No. D-1; `+
		`a.k.a. 'THE PATTERN'; Linked To: PATTERN WORKS; Tax ID No. 555 (Kenya)."`) + row("8", "PATTERN WORKS", "-0- ", "-0- ") + "\x1a"
	alt := "7,1,\"aka\",\"MUSTR, Ana\",-0- \r\n7,2,\"fka\",\"VORHER, Anna\",-0- \r\n"
	add := "7,1,\"Street 1\",\"Amaurot\",\"Utopia\",-0- \r\n"
	got, err := read(t, false, alt, main, add)
	if err != nil || len(got.Records) != 1 || got.Skipped != 1 || len(got.Broken)+len(got.Notes) != 0 {
		t.Fatalf("%+v %v", got, err)
	}
	raw, err := json.Marshal(got.Records[0])
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"schema":1,"id":"7","edition":1,"names":[` +
		`{"primary":"MUSTER","secondary":"Anna","script":"Latn","kind":"primary","quality":"good"},{"primary":"MUSTR","secondary":"Ana","script":"Latn","kind":"alias","quality":"good"},` +
		`{"primary":"VORHER","secondary":"Anna","script":"Latn","kind":"former","quality":"good"},{"full":"THE PATTERN","script":"Latn","kind":"alias","quality":"low"}],` +
		`"births":[{"date":"1961-03-07","precision":"day","place":"Amaurot","country":"UTO"},{"date":"1960","precision":"circa","place":"Pyongyang","country":"PRK"}],` +
		`"sex":"F","nationalities":["UTO","KEN"],"documents":[{"type":"P","issuer":"UTO","number":"L898902C3","status":"of-subject"},` +
		`{"type":"ID","issuer":"KEN","number":"12 34","status":"of-subject"},{"number":"D-1","status":"of-subject"}]}`
	if string(raw) != want {
		t.Errorf("got  %s\nwant %s", raw, want)
	}
	if got, err := read(t, true, main, alt); err != nil || len(got.Records) != 2 || got.Skipped != 0 {
		t.Errorf("with organisations: %+v %v", got, err)
	}
}

func TestParts(t *testing.T) {
	anna := row("7", "MUSTER, Anna", `"individual"`, "-0- ")
	remark := func(text string) string { return row("7", "MUSTER, Anna", `"individual"`, `"`+text+`"`) }
	for _, tc := range []struct {
		name          string
		files         []string
		records       int
		broken, notes string
	}{
		{"columns missing", []string{anna + "8,\"X, Y\",\"individual\"\r\n" + row("9", "B, C", "individual", "-0-")}, 2, "2 import.row", ""},
		{"quote open", []string{anna + "8,\"X\r\n" + row("9", "B, C", "individual", "-0-")}, 2, "2 import.row", ""},
		{"entry number", []string{anna + row("8x", "B, C", "individual", "-0-")}, 1, "2 import.id", ""},
		{"entry twice", []string{anna + anna}, 1, "2 import.duplicate", ""},
		{"no name", []string{anna + row("8", "-", "individual", "-0-")}, 1, "2 import.name", ""},
		{"not UTF-8", []string{anna + row("8", "M\xfcLLER, X", "individual", "-0-")}, 1, "2 record.text", ""},
		{"name of nobody", []string{anna, "9,1,\"aka\",\"X, Y\",-0- \r\n"}, 1, "1 import.orphan", ""},
		{"address of nobody", []string{anna, "9,1,\"S\",\"C\",\"Kenya\",-0- \r\n"}, 1, "1 import.orphan", ""},
		{"bad row of names", []string{anna, "7,1,\"aka\",\"X, Y\",-0- \r\n7,2\r\n"}, 1, "2 import.row", ""},
		{"date", []string{remark("DOB someday")}, 1, "", "1 births"},
		{"date turned", []string{remark("DOB 1970 to 1960")}, 1, "", "1 births"},
		{"nationality", []string{remark("nationality Nowhere")}, 1, "", "1 nationalities"},
		{"gender", []string{remark("Gender Other")}, 1, "", "1 sex"},
		{"passport without number", []string{remark("Passport unknown")}, 1, "", "1 documents"},
		{"passport of nowhere", []string{remark("Passport K1 (Nowhere)")}, 1, "", "1 documents.issuer"},
		{"a hundred thousand names", []string{anna, manyNames()}, 0, "1 record.too_many", ""},
		{"comment goes on", []string{remark("DOB 19"), "7,\"61; Gender Male.\"\r\n"}, 1, "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := read(t, false, tc.files...)
			if err != nil || len(got.Records) != tc.records || strings.Join(got.Broken, "|") != tc.broken || strings.Join(got.Notes, "|") != tc.notes {
				t.Errorf("%+v %v", got, err)
			}
		})
	}
}

func manyNames() string {
	var b strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&b, "7,%d,\"aka\",\"NAME%d, X\",-0-\n", i, i)
	}
	return b.String()
}

func TestRefused(t *testing.T) {
	anna := row("7", "MUSTER, Anna", `"individual"`, "-0- ")
	for name, files := range map[string][]string{
		"empty": {""}, "two main files": {anna, anna}, "no main file": {"7,1,\"aka\",\"X, Y\",-0- \r\n"}, "another table": {"a,b,c\r\n"}, "damaged at once": {"\"a\r\n"},
	} {
		if _, err := read(t, false, files...); fault.CodeOf(err) != "import.format" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRealLists imports both published lists: no entry of them is broken.
func TestRealLists(t *testing.T) {
	for _, tc := range []struct {
		main, alt, add string
		want           int
	}{{"sdn", "alt", "add", 7379}, {"cons_prim", "cons_alt", "cons_add", 442}} {
		var open []ofac.File
		for _, name := range []string{tc.main, tc.alt, tc.add} {
			open = append(open, ofac.File{Name: name, In: importtest.Real(t, "watchlist/ofac/"+name+".csv")})
		}
		got, err := importtest.Run(t, imports.Spec{Organisations: true}, func(m *imports.Maker, take imports.Take) error { return ofac.Read(open, m, take) })
		if err != nil || len(got.Broken) != 0 || len(got.Records) != tc.want {
			t.Errorf("%s: %d records, broken %v: %v", tc.main, len(got.Records), got.Broken, err)
		}
		t.Logf("OFAC %s: %d records, %d broken, %d fields left out", tc.main, len(got.Records), len(got.Broken), len(got.Notes))
	}
}

func FuzzRead(f *testing.F) {
	f.Add(row("7", "MUSTER, Anna", `"individual"`, `"DOB 1961; POB A, Korea, North; Passport K1 (Kenya)."`), "7,1,aka,\"X, Y\",-0-")
	f.Add(row("7", "M", `"vessel"`, `", , "`), "7,\"; POB ,\"")
	f.Fuzz(func(t *testing.T, main, other string) { _, _ = read(t, true, main, other) })
}
