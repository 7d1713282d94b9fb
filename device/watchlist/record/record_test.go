package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/fault"
)

// full is a record with every field filled.
func full() *Record {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	end := at.AddDate(2, 0, 0)
	vector := make(Vector, 128)
	for i := range vector {
		vector[i] = float32(i%7) - 3
	}
	var sum float64
	for _, x := range vector {
		sum += float64(x) * float64(x)
	}
	for i := range vector {
		vector[i] /= float32(math.Sqrt(sum))
	}
	return &Record{
		Schema: 1, ID: "QX-1", Edition: 3, List: "bench", Owner: "Bench authority", LegalBasis: "act 1", Purpose: "border",
		Handling: Handling{Action: Refer, Confirm: true, Contact: "desk 7"}, Issued: &at, Review: &end, Expires: &end,
		Names: []Name{
			{Primary: "Vardanossi", Secondary: "Ilmatar", Script: "Latn", Language: "en", Kind: NamePrimary, Quality: NameGood},
			{Full: "Вардан", Script: "Cyrl", Kind: NameAlias, Quality: NameLow},
		},
		Births:        []Birth{{Date: "1970-05-06", Precision: ToDay, Place: "Somewhere", Country: "UTO"}, {Date: "1969", Until: "1972", Precision: Range}},
		Sex:           Female,
		Nationalities: []string{"UTO", "D"},
		Documents:     []Document{{Type: "P", Issuer: "UTO", Number: "AB 12345", Status: DocumentStolen}},
		Faces:         []Face{{Model: "dlib-resnet", Version: "1", Vector: vector, Images: 2, Quality: 55, Captured: &at}},
		Fingers:       []Finger{{Position: 2, Format: MinutiaeISO19794, Template: append([]byte("FMR\x00 20\x00"), make([]byte, 30)...), Quality: 60, Impress: PressedLive}},
		Redress:       []Redress{{ID: "r-1", Kind: "suppress", Expires: end}},
		Photographs:   []Photograph{{Image: []byte("\xff\xd8\xff a picture"), Captured: &at}, {SHA256: make([]byte, 32)}},
	}
}

func TestRoundTrip(t *testing.T) {
	want := full()
	raw, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Decode(raw)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("came back as %+v", *got)
	}
	// No field may be forgotten by this test: each top field is filled.
	v := reflect.ValueOf(*want)
	for i := range v.NumField() {
		if name := v.Type().Field(i).Name; v.Field(i).IsZero() && name != "Prints" { // which no list holds
			t.Errorf("field %s is not filled in the test's record", v.Type().Field(i).Name)
		}
	}
}

func TestVectorAsArray(t *testing.T) {
	var v Vector
	if err := json.Unmarshal([]byte(`[0.6,0.8]`), &v); err != nil || !slices.Equal(v, Vector{0.6, 0.8}) || !v.unitLength() {
		t.Errorf("%v, %v", v, err)
	}
	for _, bad := range []string{`"AAA="`, `{}`, `["x"]`, `[1e60]`, `7`, `"!"`} {
		if err := json.Unmarshal([]byte(bad), &v); err == nil {
			t.Errorf("%s was read", bad)
		}
	}
}

func TestRefusedForms(t *testing.T) {
	raw, err := json.Marshal(full())
	if err != nil {
		t.Fatal(err)
	}
	good := string(raw)
	for name, text := range map[string]string{
		"empty":           "",
		"not an object":   `[]`,
		"null":            `null`,
		"cut":             good[:len(good)-1],
		"trailing":        good + "{}",
		"unknown key":     strings.Replace(good, `{"schema"`, `{"extra":1,"schema"`, 1),
		"unknown inside":  strings.Replace(good, `{"full"`, `{"extra":1,"full"`, 1),
		"other case":      strings.Replace(good, `"owner"`, `"Owner"`, 1),
		"doubled key":     strings.Replace(good, `{"schema"`, `{"schema":1,"schema"`, 1),
		"doubled escaped": strings.Replace(good, `{"schema"`, `{"\u0073chema":1,"schema"`, 1),
		"wrong type":      strings.Replace(good, `"edition":3`, `"edition":"3"`, 1),
		"negative":        strings.Replace(good, `"edition":3`, `"edition":-3`, 1),
		"deep":            strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100),
		"huge":            `{"id":"` + strings.Repeat("x", MaxSize) + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			if text == good {
				t.Fatal("the case does not change the record")
			}
			r, err := Decode([]byte(text))
			if r != nil || (!errors.Is(err, ErrFormat) && !errors.Is(err, ErrInvalid)) {
				t.Errorf("got %v, %v", r, err)
			}
		})
	}
}

func TestRefusedValues(t *testing.T) {
	for _, c := range []struct {
		field string
		code  fault.Code
		edit  func(r *Record)
	}{
		{"schema", "record.range", func(r *Record) { r.Schema = 2 }},
		{"id", "record.required", func(r *Record) { r.ID = "" }},
		{"id", "record.text", func(r *Record) { r.ID = strings.Repeat("x", 129) }},
		{"edition", "record.range", func(r *Record) { r.Edition = 0 }},
		{"list", "record.required", func(r *Record) { r.List = "" }},
		{"owner", "record.required", func(r *Record) { r.Owner = "" }},
		{"owner", "record.text", func(r *Record) { r.Owner = "a\nb" }},
		{"owner", "record.text", func(r *Record) { r.Owner = "a\xff" }},
		{"legal_basis", "record.required", func(r *Record) { r.LegalBasis = "" }},
		{"purpose", "record.required", func(r *Record) { r.Purpose = "" }},
		{"handling.action", "record.required", func(r *Record) { r.Handling.Action = "" }},
		{"handling.action", "record.word", func(r *Record) { r.Handling.Action = "shoot" }},
		{"handling.contact", "record.conflict", func(r *Record) { r.Handling.Contact = "" }},
		{"expires", "record.required", func(r *Record) { r.Expires = nil }},
		{"expires", "record.conflict", func(r *Record) { early := r.Issued.AddDate(-1, 0, 0); r.Expires = &early }},
		{"sex", "record.word", func(r *Record) { r.Sex = "m" }},
		{"names[0].full", "record.required", func(r *Record) { r.Names[0] = Name{Script: "Latn", Kind: NameAlias, Quality: NameLow} }},
		{"names[0].script", "record.required", func(r *Record) { r.Names[0].Script = "" }},
		{"names[0].script", "record.word", func(r *Record) { r.Names[0].Script = "latin" }},
		{"names[1].kind", "record.word", func(r *Record) { r.Names[1].Kind = "aka" }},
		{"names[1].quality", "record.required", func(r *Record) { r.Names[1].Quality = "" }},
		{"names", "record.too_many", func(r *Record) { r.Names = make([]Name, 257) }},
		{"births[0].date", "record.date", func(r *Record) { r.Births[0].Date = "1970-02-30" }},
		{"births[0].date", "record.date", func(r *Record) { r.Births[0].Date = "70-05-06" }},
		{"births[0].date", "record.date", func(r *Record) { r.Births[0].Date = "" }},
		{"births[0].precision", "record.conflict", func(r *Record) { r.Births[0].Date = "1970" }},
		{"births[1].until", "record.conflict", func(r *Record) { r.Births[1].Until = "" }},
		{"births[1].until", "record.conflict", func(r *Record) { r.Births[1].Until = "1960" }},
		{"births[1].until", "record.date", func(r *Record) { r.Births[1].Until = "soon" }},
		{"nationalities[0]", "record.word", func(r *Record) { r.Nationalities[0] = "Utopia" }},
		{"documents[0].number", "record.required", func(r *Record) { r.Documents[0].Number = "" }},
		{"documents[0].type", "record.word", func(r *Record) { r.Documents[0].Type = "passport" }},
		{"documents[0].issuer", "record.word", func(r *Record) { r.Documents[0].Issuer = "UT" }},
		{"documents[0].status", "record.required", func(r *Record) { r.Documents[0].Status = "" }},
		{"faces[0].vector", "record.template", func(r *Record) { r.Faces[0].Vector = nil }},
		{"faces[0].vector", "record.template", func(r *Record) { r.Faces[0].Vector = Vector{1, 1} }},
		{"faces[0].vector", "record.template", func(r *Record) { r.Faces[0].Vector = Vector{float32(math.NaN())} }},
		{"faces[0].model", "record.required", func(r *Record) { r.Faces[0].Model = "" }},
		{"faces[0].images", "record.range", func(r *Record) { r.Faces[0].Images = 0 }},
		{"faces[0].quality", "record.range", func(r *Record) { r.Faces[0].Quality = math.NaN() }},
		{"fingers[0].position", "record.range", func(r *Record) { r.Fingers[0].Position = 11 }},
		{"fingers[0].template", "record.template", func(r *Record) { r.Fingers[0].Template = []byte("FMR") }},
		{"fingers[0].template", "record.template", func(r *Record) { r.Fingers[0].Template[0] = 'X' }},
		{"fingers[0].impression", "record.word", func(r *Record) { r.Fingers[0].Impress = "inked" }},
		{"redress[0].kind", "record.word", func(r *Record) { r.Redress[0].Kind = "forget" }},
		{"redress[0].expires", "record.required", func(r *Record) { r.Redress[0].Expires = time.Time{} }},
		{"prints", "record.picture", func(r *Record) { r.Prints = []Print{{Position: 1, Image: []byte("x")}} }},
		{"photographs", "record.too_many", func(r *Record) { r.Photographs = make([]Photograph, 5) }},
		{"photographs[0].file", "record.picture", func(r *Record) { r.Photographs[0] = Photograph{File: "a.jpg"} }},
		{"photographs[0].image", "record.conflict", func(r *Record) { r.Photographs[0].Image = nil }},
		{"photographs[0].image", "record.conflict", func(r *Record) { r.Photographs[0].SHA256 = make([]byte, 32) }},
		{"photographs[0].image", "record.picture", func(r *Record) { r.Photographs[0].Image = []byte("GIF89a") }},
		{"photographs[0].image", "record.picture", func(r *Record) {
			r.Photographs[0].Image = append([]byte("\xff\xd8\xff"), make([]byte, MaxPhotograph)...)
		}},
		{"photographs[1].digest", "record.range", func(r *Record) { r.Photographs[1].SHA256 = make([]byte, 20) }},
		{"names", "record.required", func(r *Record) { r.Names, r.Documents, r.Faces, r.Fingers = nil, nil, nil, nil }},
	} {
		t.Run(c.field+" "+string(c.code), func(t *testing.T) {
			r := full()
			c.edit(r)
			err := r.Validate()
			var found Problems
			if !errors.Is(err, ErrInvalid) || !errors.As(err, &found) || len(found) != 1 || found[0] != (Problem{c.field, c.code}) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestNothingOfTheSubjectIsPrinted(t *testing.T) {
	r := full()
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "record", *r, "pointer", r)
	fmt.Fprintf(&log, "%v %s %v", *r, r, []*Record{r})
	broken := full()
	broken.Names[0].Kind = "Vardanossi"
	broken.Sex = "Ilmatar"
	fmt.Fprint(&log, broken.Validate())
	_, err := Decode([]byte(`{"id":"QX-1","sex":["Vardanossi"]}`))
	fmt.Fprint(&log, err)
	_, err = Decode([]byte(`{"vardanossi":1}`))
	fmt.Fprint(&log, err)
	for _, secret := range []string{"ardanossi", "Ilmatar", "12345", "1970", "Вардан"} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("%q is in: %s", secret, log.String())
		}
	}
	if !strings.Contains(log.String(), "QX-1") {
		t.Error("the record's id is not in the log: the test logs nothing")
	}
}

func TestExpiry(t *testing.T) {
	r := full()
	if r.Expired(r.Expires.Add(-1)) || !r.Expired(*r.Expires) {
		t.Error("a record counts until its expiry, not at it")
	}
}

func FuzzDecode(f *testing.F) {
	// Small on purpose: the fuzzer spends its time on shrinking large finds.
	small := full()
	small.Faces[0].Vector = Vector{0.6, 0.8}
	small.Fingers, small.Redress, small.Names = nil, nil, small.Names[:1]
	raw, err := json.Marshal(small)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte(`{"schema":1,"id":"x","births":[{"date":"19"}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := Decode(raw)
		if err != nil {
			if fault.CodeOf(err) == fault.Unknown || r != nil {
				t.Fatalf("%v, %v", r, err)
			}
			return
		}
		again, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Decode(again); err != nil {
			t.Fatalf("what was read cannot be written and read again: %v", err)
		}
	})
}

func TestLocalFile(t *testing.T) {
	for name, want := range map[string]bool{
		"a.jpg": true, "faces/a.jpg": true, "..a/b": true,
		"": false, ".": false, "..": false, "../a": false, "/a": false, "a/../../b": false, "a//b": false, "./a": false,
		"a\x00b": false, "a\nb": false, `..\a`: false, strings.Repeat("a", 513): false,
	} {
		if LocalFile(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	raw, err := json.Marshal(full())
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		if _, err := Parse(raw); err != nil {
			b.Fatal(err)
		}
	}
}
