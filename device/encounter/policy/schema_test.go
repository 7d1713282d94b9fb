package policy

import (
	"encoding/json"
	"os"
	"reflect"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/jsonschema-go/jsonschema"

	"github.com/watchpost/watchpost/device/biometric/pad"
	"github.com/watchpost/watchpost/device/document/inspect"
)

// published makes the schema from the Go form.
func published(t *testing.T) *jsonschema.Schema {
	t.Helper()
	word := func(words ...any) *jsonschema.Schema { return &jsonschema.Schema{Type: "string", Enum: words} }
	s, err := jsonschema.For[Policy](&jsonschema.ForOptions{TypeSchemas: map[reflect.Type]*jsonschema.Schema{
		reflect.TypeFor[Workplace]():        word("desk", "gate", "field"),
		reflect.TypeFor[Severity]():         word("ignore", "notice", "refer"),
		reflect.TypeFor[MinorRule]():        word("no_1n", "search"),
		reflect.TypeFor[PresentationMode](): word("off", "advise", "require"),
		reflect.TypeFor[pad.Kind]():         word("flash", "turn", "blink"),
		reflect.TypeFor[Act]():              word("confirm_candidate", "override"),
		reflect.TypeFor[Duration]():         {Type: "string", Description: "duration with unit, as 1m30s", Pattern: `^([0-9.]+(h|m|s|ms))+$`},
		reflect.TypeFor[inspect.Code]():     {Type: "string"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	codes := &jsonschema.Schema{Type: "string"}
	for _, c := range inspect.Codes() {
		codes.Enum = append(codes.Enum, string(c))
	}
	s.Properties["severities"].PropertyNames = codes
	s.Schema = "https://json-schema.org/draft/2020-12/schema"
	s.Title = "Watchpost policy, version 1"
	return s
}

func TestSchemaIsTheGoForm(t *testing.T) {
	raw, err := json.MarshalIndent(published(t), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	want := string(raw) + "\n"
	if *update {
		if err := os.WriteFile("policy.schema.json", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if Schema() != want {
		t.Error("policy.schema.json is not the Go form; after a wanted change run: go test -run Schema -update")
	}
}

func TestSchemaAcceptsTheDefaultsAndRefusesOthers(t *testing.T) {
	var s jsonschema.Schema
	if err := json.Unmarshal([]byte(Schema()), &s); err != nil {
		t.Fatal(err)
	}
	resolved, err := s.Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	check := func(edit func(map[string]any)) error {
		raw, err := Encode(Default(Gate))
		if err != nil {
			t.Fatal(err)
		}
		var doc map[string]any
		if err := yaml.Unmarshal(raw, &doc); err != nil {
			t.Fatal(err)
		}
		edit(doc)
		return resolved.Validate(doc)
	}
	if err := check(func(map[string]any) {}); err != nil {
		t.Errorf("the default is refused: %v", err)
	}
	for name, edit := range map[string]func(map[string]any){
		"unknown key":   func(m map[string]any) { m["colour"] = "red" },
		"workplace":     func(m map[string]any) { m["workplace"] = "bar" },
		"check code":    func(m map[string]any) { m["severities"] = map[string]any{"ds.chains": map[string]any{}} },
		"severity":      func(m map[string]any) { m["severities"] = map[string]any{"ds.chain": map[string]any{"fail": "shoot"}} },
		"bare duration": func(m map[string]any) { m["deadlines"].(map[string]any)["answer"] = 1 },
		"no edition":    func(m map[string]any) { delete(m, "edition") },
	} {
		if err := check(edit); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}
