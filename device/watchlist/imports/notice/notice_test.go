package notice_test

import (
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/watchlist/imports"
	"github.com/watchpost/watchpost/device/watchlist/imports/importtest"
	"github.com/watchpost/watchpost/device/watchlist/imports/notice"
)

func read(t testing.TB, in io.Reader, name func(string) string) (*importtest.Got, error) {
	return importtest.Run(t, imports.Spec{}, func(m *imports.Maker, take imports.Take) error { return notice.Reader(name)(in, m, take) })
}

func TestWhole(t *testing.T) {
	got, err := read(t, strings.NewReader("Notice ID,Family name,Forename,Alias,Original name,Date of birth,Place of birth,Country of birth,Sex,Nationalities,Passport,Issuing state,Charges\n"+
		"2020/123,MUSTER,Anna,Ana MUSTR; The Pattern,Анна Мустер,1961/03/07,Amaurot,Utopia,F,\"UT O, Kenya; FR\",L898902C3,UTO,\"a,\nb\"\n"), nil)
	if err != nil || len(got.Records) != 1 || len(got.Broken) != 0 || strings.Join(got.Notes, "|") != "2 nationalities" {
		t.Fatalf("%+v %v", got, err)
	}
	raw, err := json.Marshal(got.Records[0])
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"schema":1,"id":"2020/123","edition":1,"names":[{"primary":"MUSTER","secondary":"Anna","script":"Latn","kind":"primary","quality":"good"},` +
		`{"full":"Анна Мустер","script":"Cyrl","kind":"primary","quality":"good"},{"primary":"MUSTR","secondary":"Ana","script":"Latn","kind":"alias","quality":"unknown"},` +
		`{"full":"The Pattern","script":"Latn","kind":"alias","quality":"unknown"}],"births":[{"date":"1961-03-07","precision":"day","place":"Amaurot","country":"UTO"}],` +
		`"sex":"F","nationalities":["KEN","FRA"],"documents":[{"type":"P","issuer":"UTO","number":"L898902C3","status":"of-subject"}]}`
	if string(raw) != want {
		t.Errorf("got  %s\nwant %s", raw, want)
	}
}

func TestParts(t *testing.T) {
	named := func(string) string { return "made" }
	for _, tc := range []struct {
		name, in      string
		key           func(string) string
		broken, notes string
		record        string // its id and name
	}{
		{"address of a notice", "name,red notice\nAnna MUSTER,https://example.org/wanted/2009-437\n", nil, "", "", "2009-437 MUSTER/Anna"},
		{"address of none", "name,red notice\nAnna MUSTER,https://example.org/wanted/list\n", nil, "2 import.id", "", ""},
		{"identifier made", "name\nAnna MUSTER\n", named, "", "", "made MUSTER/Anna"},
		{"family name first", "id,name\n1,MUSTER VAN Anna Maria\n", nil, "", "", "1 MUSTER VAN/Anna Maria"},
		{"capitals in the middle", "id,name\n1,Anna MUSTER Maria\n", nil, "", "", "1 Anna MUSTER Maria"},
		{"all capitals", "id,name\n1,ANNA MUSTER\n", nil, "", "", "1 ANNA MUSTER"},
		{"no identifier", "name\nAnna MUSTER\n", nil, "2 import.id", "", ""},
		{"no name", "id,name\n1,\n", nil, "2 import.name", "", ""},
		{"a field missing", "id,name\n1\n", nil, "2 import.row", "", ""},
		{"a field too many", "id,name\n1,Anna,x\n", nil, "2 import.row", "", ""},
		{"quote open", "id,name\n1,\"Anna\n", nil, "2 import.row", "", ""},
		{"twice", "id,name\n1,Anna M\n1,Eva M\n", nil, "3 import.duplicate", "", "1 Anna M"},
		{"date", "id,name,born\n1,Anna M,07/03/1961\n", nil, "", "2 births", "1 Anna M"},
		{"sex", "id,name,sex\n1,Anna M,yes\n", nil, "", "2 sex", "1 Anna M"},
		{"issuer", "id,name,passport,document issuer\n1,Anna M,K1,Nowhere\n", nil, "", "2 documents.issuer", "1 Anna M"},
		{"document type", "id,name,document number,document type\n1,Anna M,K1,passport\n", nil, "2 record.word", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := read(t, strings.NewReader(tc.in), tc.key)
			if err != nil || strings.Join(got.Broken, "|") != tc.broken || strings.Join(got.Notes, "|") != tc.notes {
				t.Fatalf("%+v %v", got, err)
			}
			var is string
			if len(got.Records) > 0 {
				r := got.Records[0]
				is = r.ID + " " + r.Names[0].Full
				if r.Names[0].Full == "" {
					is += r.Names[0].Primary + "/" + r.Names[0].Secondary
				}
			}
			if is != tc.record {
				t.Errorf("%q, want %q", is, tc.record)
			}
		})
	}
	for _, in := range []string{"", "a,b\n1,2\n", "\"name\n"} {
		if _, err := read(t, strings.NewReader(in), nil); fault.CodeOf(err) != "import.format" {
			t.Errorf("%q: %v", in, err)
		}
	}
}

// TestRealTable imports the published table: no row of it is broken.
func TestRealTable(t *testing.T) {
	got, err := read(t, importtest.Real(t, "watchlist/interpol/Fugitives.csv"), func(person string) string { return person })
	if err != nil || len(got.Broken) != 0 || len(got.Records) != 95 {
		t.Fatalf("%d records, broken %v: %v", len(got.Records), got.Broken, err)
	}
	t.Logf("notices: %d records, 0 broken, %d fields left out", len(got.Records), len(got.Notes))
}

func FuzzRead(f *testing.F) {
	f.Add("id,name,born,nationality\n1,Anna MUSTER,circa 1961,\"Kenya, Chad\"\n")
	f.Fuzz(func(t *testing.T, in string) { _, _ = read(t, strings.NewReader(in), nil) })
}
