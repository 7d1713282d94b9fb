package officer

import (
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
)

var update = flag.Bool("update", false, "write the schemas from the code")

func TestSchemasAreTheGoForm(t *testing.T) {
	options := &jsonschema.ForOptions{TypeSchemas: map[reflect.Type]*jsonschema.Schema{
		reflect.TypeFor[Role]():      {Type: "string", Enum: []any{"officer", "supervisor", "administrator", "auditor"}},
		reflect.TypeFor[time.Time](): {Type: "string", Format: "date-time"},
		reflect.TypeFor[[]byte]():    {Type: "string", ContentEncoding: "base64"},
	}}
	accounts, err := jsonschema.For[Accounts](options)
	if err != nil {
		t.Fatal(err)
	}
	accounts.Title = "Watchpost accounts, version 1"
	signed, err := jsonschema.For[Signed](options)
	if err != nil {
		t.Fatal(err)
	}
	signed.Title = "Watchpost signed accounts, form 1"
	target, err := jsonschema.For[Target](options)
	if err != nil {
		t.Fatal(err)
	}
	signed.Properties["target"].ContentMediaType = "application/json"
	signed.Properties["target"].ContentSchema = target
	heldAccounts, heldSigned := Schemas()
	for name, c := range map[string]struct {
		schema *jsonschema.Schema
		held   string
	}{"accounts.schema.json": {accounts, heldAccounts}, "signed.schema.json": {signed, heldSigned}} {
		c.schema.Schema = "https://json-schema.org/draft/2020-12/schema"
		raw, err := json.MarshalIndent(c.schema, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		want := string(raw) + "\n"
		if *update {
			if err := os.WriteFile(name, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		} else if c.held != want {
			t.Errorf("%s is not the Go form: go test ./device/officer -run Schemas -update", name)
		}
	}
}
