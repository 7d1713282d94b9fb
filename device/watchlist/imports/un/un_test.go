package un_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/watchlist/imports"
	"github.com/watchpost/watchpost/device/watchlist/imports/importtest"
	"github.com/watchpost/watchpost/device/watchlist/imports/un"
)

const open, shut = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<CONSOLIDATED_LIST>\n<INDIVIDUALS>\n", "</INDIVIDUALS>\n</CONSOLIDATED_LIST>\n"

func individual(parts string) string {
	return "<INDIVIDUAL><DATAID>1</DATAID><REFERENCE_NUMBER>TSi.001</REFERENCE_NUMBER><FIRST_NAME>ANNA</FIRST_NAME><SECOND_NAME>MUSTER</SECOND_NAME>" +
		parts + "</INDIVIDUAL>\n"
}

func read(t testing.TB, in io.Reader, organisations bool) (*importtest.Got, error) {
	return importtest.Run(t, imports.Spec{Organisations: organisations}, func(m *imports.Maker, take imports.Take) error { return un.Read(in, m, take) })
}

func TestWhole(t *testing.T) {
	got, err := read(t, strings.NewReader(open+individual(`
<LISTED_ON>2020-05-06</LISTED_ON><GENDER>Female</GENDER><NAME_ORIGINAL_SCRIPT>Анна Мустер</NAME_ORIGINAL_SCRIPT>
<NATIONALITY><VALUE>Utopia</VALUE><VALUE>Iran (Islamic Republic of)</VALUE></NATIONALITY>
<LAST_DAY_UPDATED><VALUE>2021-01-02</VALUE><VALUE>2022-01-02</VALUE></LAST_DAY_UPDATED>
<INDIVIDUAL_ALIAS><QUALITY>Good</QUALITY><ALIAS_NAME>Ana Mustr; Anni M</ALIAS_NAME></INDIVIDUAL_ALIAS>
<INDIVIDUAL_ALIAS><QUALITY>Low</QUALITY><ALIAS_NAME>The Pattern</ALIAS_NAME></INDIVIDUAL_ALIAS>
<INDIVIDUAL_ALIAS><QUALITY/><ALIAS_NAME/></INDIVIDUAL_ALIAS>
<INDIVIDUAL_DATE_OF_BIRTH><TYPE_OF_DATE>EXACT</TYPE_OF_DATE><DATE>1961-03-07Z</DATE></INDIVIDUAL_DATE_OF_BIRTH>
<INDIVIDUAL_DATE_OF_BIRTH><TYPE_OF_DATE>APPROXIMATELY</TYPE_OF_DATE><YEAR>1960</YEAR></INDIVIDUAL_DATE_OF_BIRTH>
<INDIVIDUAL_DATE_OF_BIRTH><TYPE_OF_DATE>BETWEEN</TYPE_OF_DATE><FROM_YEAR>1958</FROM_YEAR><TO_YEAR>1962</TO_YEAR></INDIVIDUAL_DATE_OF_BIRTH>
<INDIVIDUAL_PLACE_OF_BIRTH><CITY>Amaurot</CITY><COUNTRY>Utopia</COUNTRY></INDIVIDUAL_PLACE_OF_BIRTH>
<INDIVIDUAL_DOCUMENT><TYPE_OF_DOCUMENT>Passport</TYPE_OF_DOCUMENT><NUMBER>L898902C3</NUMBER><ISSUING_COUNTRY>Utopia</ISSUING_COUNTRY></INDIVIDUAL_DOCUMENT>
<INDIVIDUAL_DOCUMENT><TYPE_OF_DOCUMENT>National Identification Number</TYPE_OF_DOCUMENT><NUMBER>12-3</NUMBER></INDIVIDUAL_DOCUMENT>
<INDIVIDUAL_DOCUMENT/>`)+shut), false)
	if err != nil || len(got.Records) != 1 || len(got.Broken)+len(got.Notes) != 0 {
		t.Fatalf("%+v %v", got, err)
	}
	raw, err := json.Marshal(got.Records[0])
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"schema":1,"id":"TSi.001","edition":1,"issued":"2022-01-02T00:00:00Z","names":[` +
		`{"full":"ANNA MUSTER","script":"Latn","kind":"primary","quality":"good"},{"full":"Анна Мустер","script":"Cyrl","kind":"primary","quality":"good"},` +
		`{"full":"Ana Mustr","script":"Latn","kind":"alias","quality":"good"},{"full":"Anni M","script":"Latn","kind":"alias","quality":"good"},` +
		`{"full":"The Pattern","script":"Latn","kind":"alias","quality":"low"}],` +
		`"births":[{"date":"1961-03-07","precision":"day","place":"Amaurot","country":"UTO"},{"date":"1960","precision":"circa"},{"date":"1958","until":"1962","precision":"range"}],` +
		`"sex":"F","nationalities":["UTO","IRN"],"documents":[{"type":"P","issuer":"UTO","number":"L898902C3","status":"of-subject"},{"type":"ID","number":"12-3","status":"of-subject"}]}`
	if string(raw) != want {
		t.Errorf("got  %s\nwant %s", raw, want)
	}
}

func TestParts(t *testing.T) {
	for _, tc := range []struct {
		name, in      string
		records       int
		broken, notes string
	}{
		{"no name", open + "<INDIVIDUAL><DATAID>1</DATAID></INDIVIDUAL>" + shut, 0, "4 import.name", ""},
		{"no identifier", open + "<INDIVIDUAL><FIRST_NAME>A</FIRST_NAME></INDIVIDUAL>" + shut, 0, "4 record.required", ""},
		{"number where there is no reference", open + "<INDIVIDUAL><DATAID>1</DATAID><FIRST_NAME>A</FIRST_NAME></INDIVIDUAL>" + shut, 1, "", ""},
		{"twice", open + individual("") + individual("") + shut, 1, "5 import.duplicate", ""},
		{"the next is read after a broken one", open + "<INDIVIDUAL/>\n" + individual("") + shut, 1, "4 import.name", ""},
		{"nationality", open + individual("<NATIONALITY><VALUE>Nowhere at all</VALUE></NATIONALITY>") + shut, 1, "", "4 nationalities"},
		{"date", open + individual("<INDIVIDUAL_DATE_OF_BIRTH><DATE>someday</DATE></INDIVIDUAL_DATE_OF_BIRTH>") + shut, 1, "", "4 births"},
		{"years turned", open + individual("<INDIVIDUAL_DATE_OF_BIRTH><FROM_YEAR>1970</FROM_YEAR><TO_YEAR>1960</TO_YEAR></INDIVIDUAL_DATE_OF_BIRTH>") + shut, 1, "", "4 births"},
		{"document without number", open + individual("<INDIVIDUAL_DOCUMENT><TYPE_OF_DOCUMENT>Passport</TYPE_OF_DOCUMENT></INDIVIDUAL_DOCUMENT>") + shut, 1, "", "4 documents"},
		{"sex", open + individual("<GENDER>Other</GENDER>") + shut, 1, "", "4 sex"},
		{"place without date", open + individual("<INDIVIDUAL_PLACE_OF_BIRTH><CITY>Amaurot</CITY></INDIVIDUAL_PLACE_OF_BIRTH>") + shut, 1, "", "4 births.place"},
		{"empty list", open + shut, 0, "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := read(t, strings.NewReader(tc.in), false)
			if err != nil || len(got.Records) != tc.records || strings.Join(got.Broken, "|") != tc.broken || strings.Join(got.Notes, "|") != tc.notes {
				t.Errorf("%+v %v", got, err)
			}
		})
	}
}

func TestOrganisations(t *testing.T) {
	in := "<CONSOLIDATED_LIST><ENTITIES><ENTITY><REFERENCE_NUMBER>TSe.1</REFERENCE_NUMBER><FIRST_NAME>PATTERN WORKS</FIRST_NAME></ENTITY></ENTITIES></CONSOLIDATED_LIST>"
	if got, err := read(t, strings.NewReader(in), false); err != nil || got.Skipped != 1 || len(got.Records) != 0 {
		t.Errorf("%+v %v", got, err)
	}
	if got, err := read(t, strings.NewReader(in), true); err != nil || len(got.Records) != 1 {
		t.Errorf("%+v %v", got, err)
	}
}

// A list that a publisher or an editor has saved as UTF-16 is the same list.
func TestWide(t *testing.T) {
	body := `<CONSOLIDATED_LIST>` + "\n<INDIVIDUALS>\n" + individual("<INDIVIDUAL_DATE_OF_BIRTH><YEAR>1961</YEAR></INDIVIDUAL_DATE_OF_BIRTH>") + "</INDIVIDUALS></CONSOLIDATED_LIST>"
	want, err := read(t, strings.NewReader(body), false)
	if err != nil || len(want.Records) != 1 {
		t.Fatalf("%+v %v", want, err)
	}
	for _, declared := range []string{"UTF-16", "utf-16le", "UTF-8"} {
		in := []byte("\xff\xfe")
		for _, u := range utf16.Encode([]rune(`<?xml version="1.0" encoding="` + declared + `"?>` + body)) {
			in = append(in, byte(u), byte(u>>8))
		}
		got, err := read(t, bytes.NewReader(in), false)
		if err != nil || !reflect.DeepEqual(got.Records, want.Records) {
			t.Errorf("%s: %+v %v", declared, got, err)
		}
		if got, err = read(t, bytes.NewReader(in[:len(in)/2]), false); fault.CodeOf(err) != "import.format" {
			t.Errorf("%s, cut: %+v %v", declared, got, err)
		}
	}
}

// TestEncodings reads one list as its publisher may have saved it.
func TestEncodings(t *testing.T) {
	body := `<CONSOLIDATED_LIST><INDIVIDUALS>` + individual("<INDIVIDUAL_ALIAS><ALIAS_NAME>J\u00fcrg M\u00f6ller</ALIAS_NAME><QUALITY>Good</QUALITY></INDIVIDUAL_ALIAS>") + `</INDIVIDUALS></CONSOLIDATED_LIST>`
	want, err := read(t, strings.NewReader(body), false)
	if err != nil || len(want.Records) != 1 || len(want.Records[0].Names) < 2 {
		t.Fatalf("%+v %v", want, err)
	}
	for _, name := range []string{"ISO-8859-1", "iso-8859-15", "Windows-1252"} {
		var in []byte
		for _, r := range `<?xml version="1.0" encoding="` + name + `"?>` + body {
			in = append(in, byte(r)) // Latin-1 has the first 256 characters of Unicode
		}
		got, err := read(t, bytes.NewReader(in), false)
		if err != nil || !reflect.DeepEqual(got.Records, want.Records) {
			t.Errorf("%s: %+v %v", name, got, err)
		}
	}
}

// TestAttackXML holds that a hostile file is refused and takes no memory.
func TestAttackXML(t *testing.T) {
	for _, tc := range []struct {
		name string
		in   io.Reader
		code fault.Code
	}{
		{"empty", strings.NewReader(""), "import.format"},
		{"another document", strings.NewReader("<html><body/></html>"), "import.format"},
		{"entity declared", strings.NewReader(`<!DOCTYPE x [<!ENTITY a "aaaa">]><CONSOLIDATED_LIST/>`), "import.format"},
		{"external entity", strings.NewReader(`<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>` + open + individual("<GENDER>&a;</GENDER>") + shut), "import.format"},
		{"entity used", strings.NewReader(open + individual("<GENDER>&bomb;</GENDER>") + shut), "import.format"},
		{"declared inside an entry", strings.NewReader(open + individual("<!DOCTYPE x>") + shut), "import.format"},
		{"cut off", strings.NewReader(open + individual("")), "import.format"},
		{"cut inside an entry", strings.NewReader((open + individual(""))[:120]), "import.format"},
		{"tags crossed", strings.NewReader(open + "<INDIVIDUAL><A></B></A></INDIVIDUAL>"), "import.format"},
		{"another encoding", strings.NewReader(`<?xml version="1.0" encoding="EBCDIC-CP-US"?><CONSOLIDATED_LIST/>`), "import.format"},
		{"endless text of another encoding", io.MultiReader(strings.NewReader(`<?xml version="1.0" encoding="ISO-8859-1"?>`+open[strings.Index(open, "<CONS"):]+"<INDIVIDUAL><A>"), endless('\xfc')), "import.limit"},
		{"another encoding cut off", strings.NewReader(`<?xml version="1.0" encoding="ISO-8859-1"?><CONSOLIDATED_LIST><INDIVIDUALS><INDIVIDUAL>M\xfc`), "import.format"},
		{"not UTF-8", strings.NewReader(open + individual("<GENDER>\xff\xfe</GENDER>") + shut), "import.format"},
		{"deep", strings.NewReader(open + "<INDIVIDUAL>" + strings.Repeat("<A>", 100)), "import.limit"},
		{"many elements", strings.NewReader(open + "<INDIVIDUAL>" + strings.Repeat("<A/>", 5000)), "import.limit"},
		{"endless text", io.MultiReader(strings.NewReader(open+"<INDIVIDUAL><A>"), endless('x')), "import.limit"},
		{"endless comment", io.MultiReader(strings.NewReader(open+"<!--"), endless(' ')), "import.limit"},
		{"endless name", io.MultiReader(strings.NewReader("<"), endless('x')), "import.limit"},
		{"endless space after the list", io.MultiReader(strings.NewReader(open+shut), endless('\n')), "import.limit"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := read(t, tc.in, false)
			if !errors.Is(err, &fault.Error{Code: tc.code}) && fault.CodeOf(err) != tc.code {
				t.Errorf("%v, want %s", err, tc.code)
			}
			if len(got.Records) > 1 {
				t.Errorf("%d records", len(got.Records))
			}
		})
	}
}

type endless byte

func (e endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(e)
	}
	return len(p), nil
}

// TestRealList imports the published list: no entry of it is broken.
func TestRealList(t *testing.T) {
	got, err := read(t, importtest.Real(t, "watchlist/un/UN_consolidated.xml"), true)
	if err != nil || len(got.Broken) != 0 || len(got.Records) != 1003 {
		t.Fatalf("%d records, broken %v: %v", len(got.Records), got.Broken, err)
	}
	t.Logf("UN list: %d records, 0 broken, %d fields left out", len(got.Records), len(got.Notes))
}

func FuzzRead(f *testing.F) {
	f.Add(open + individual("<NATIONALITY><VALUE>Utopia</VALUE></NATIONALITY>") + shut)
	f.Add("<CONSOLIDATED_LIST><A><ENTITY>")
	f.Fuzz(func(t *testing.T, in string) { _, _ = read(t, strings.NewReader(in), true) })
}
