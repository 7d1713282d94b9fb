package record

import (
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"
)

var update = flag.Bool("update", false, "write the published schema anew")

// published makes the schema from the Go form; words come from their table.
func published(t testing.TB) string {
	t.Helper()
	word := func(of string) *jsonschema.Schema {
		s := &jsonschema.Schema{Type: "string"}
		for _, w := range words[of] {
			s.Enum = append(s.Enum, w)
		}
		return s
	}
	s, err := jsonschema.For[Record](&jsonschema.ForOptions{TypeSchemas: map[reflect.Type]*jsonschema.Schema{
		reflect.TypeFor[Sex]():            word("sex"),
		reflect.TypeFor[NameKind]():       word("kind"),
		reflect.TypeFor[NameQuality]():    word("quality"),
		reflect.TypeFor[Precision]():      word("precision"),
		reflect.TypeFor[DocumentStatus](): word("status"),
		reflect.TypeFor[FingerFormat]():   word("format"),
		reflect.TypeFor[FingerPressing](): word("impression"),
		reflect.TypeFor[Action]():         word("action"),
		reflect.TypeFor[[]byte]():         {Type: "string", ContentEncoding: "base64"},
		reflect.TypeFor[Vector](): {
			Description: "unit length; base64 of little-endian float32 values, or the values",
			OneOf: []*jsonschema.Schema{
				{Type: "string", ContentEncoding: "base64"},
				{Type: "array", Items: &jsonschema.Schema{Type: "number"}},
			},
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	s.Schema = "https://json-schema.org/draft/2020-12/schema"
	s.Title = "Watchpost watchlist record, version 1"
	raw, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(raw) + "\n"
}

func TestSchemaIsTheGoForm(t *testing.T) {
	want := published(t)
	if *update {
		if err := os.WriteFile("record.schema.json", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if Schema() != want {
		t.Error("record.schema.json is not the Go form; after a wanted change run: go test -run Schema -update")
	}
}

func TestSchemaAcceptsWhatWeWrite(t *testing.T) {
	var s jsonschema.Schema
	if err := json.Unmarshal([]byte(Schema()), &s); err != nil {
		t.Fatal(err)
	}
	resolved, err := s.Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	check := func(r *Record, edit func(map[string]any)) error {
		raw, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var m map[string]any
		if err := json.Unmarshal(raw, &m); err != nil {
			t.Fatal(err)
		}
		edit(m)
		return resolved.Validate(m)
	}
	if err := check(full(), func(map[string]any) {}); err != nil {
		t.Errorf("schema refuses a full record: %v", err)
	}
	if check(full(), func(m map[string]any) { m["extra"] = 1 }) == nil {
		t.Error("schema accepts an unknown key")
	}
	if check(full(), func(m map[string]any) { m["sex"] = "male" }) == nil {
		t.Error("schema accepts an unknown word")
	}
	if check(full(), func(m map[string]any) { delete(m, "id") }) == nil {
		t.Error("schema accepts a record without id")
	}
}
