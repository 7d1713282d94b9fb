package audit

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"
)

// actions are all constants of type Action in this package's source.
func actions(t *testing.T) map[string]string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "audit.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	ast.Inspect(f, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if name, ok := v.Type.(*ast.Ident); ok && name.Name == "Action" {
			all[v.Names[0].Name] = strings.Trim(v.Values[0].(*ast.BasicLit).Value, `"`)
		}
		return true
	})
	return all
}

func TestTableOfEventsIsComplete(t *testing.T) {
	all := actions(t)
	if len(all) < 30 {
		t.Fatalf("%d actions found: has the file moved?", len(all))
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[Action]bool{}
	for _, e := range Events() {
		if seen[e.Action] || e.Tells == "" || e.Kind == "" {
			t.Errorf("%s stands twice, or says nothing", e.Action)
		}
		seen[e.Action] = true
		if !strings.Contains(string(readme), "| `"+string(e.Action)+"` | "+e.Tells+" |") {
			t.Errorf("README.md does not have the row: | `%s` | %s |", e.Action, e.Tells)
		}
	}
	words := map[string]bool{}
	for name, word := range all {
		if !seen[Action(word)] {
			t.Errorf("%s (%s) is not in the table", name, word)
		}
		if words[word] {
			t.Errorf("%s is the word of two actions", word)
		}
		words[word] = true
	}
}
