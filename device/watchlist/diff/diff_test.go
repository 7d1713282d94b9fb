package diff_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/watchlist/diff"
)

func person(id, name, more string) string {
	return fmt.Sprintf(`{"schema":1,"id":%q,"edition":1,"names":[{"full":%q,"script":"Latn","kind":"primary","quality":"good"}]%s}`+"\n", id, name, more)
}

// compare returns the differences as words and the broken lines as words.
func compare(t *testing.T, old, next string, ignore ...string) (changes, broken []string, counts diff.Counts) {
	t.Helper()
	counts, err := diff.Compare(t.Context(), strings.NewReader(old), int64(len(old)), strings.NewReader(next), ignore, diff.Handler{
		Change: func(c diff.Change) error {
			changes = append(changes, fmt.Sprint(c.ID, " ", c.Kind, " ", strings.Join(c.Fields, ",")))
			if (c.Old != nil) != (c.Kind != diff.Added) || (c.New != nil) != (c.Kind != diff.Removed) {
				t.Errorf("%s: old and new do not go with %s", c.ID, c.Kind)
			}
			return nil
		},
		Broken: func(b diff.Broken) error {
			broken = append(broken, fmt.Sprint(b.Edition, " ", b.Line, " ", b.Code))
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return changes, broken, counts
}

func TestCompare(t *testing.T) {
	a, b, c := person("a", "Ada One", ""), person("b", "Bo Two", ""), person("c", "Cy Three", "")
	for _, tc := range []struct {
		name, old, next string
		ignore          []string
		changes, broken []string
	}{
		{name: "the same", old: a + b, next: a + b},
		{name: "another order", old: a + b, next: b + a},
		{name: "added after, removed before", old: b + a, next: c + a, changes: []string{"c added ", "b removed "}},
		{name: "a name", old: a, next: person("a", "Ada Uno", ""), changes: []string{"a changed names"}},
		{name: "a field comes", old: a, next: person("a", "Ada One", `,"sex":"F"`), changes: []string{"a changed sex"}},
		{name: "two fields, sorted", old: person("a", "Ada", `,"sex":"F"`), next: person("a", "Eda", ""), changes: []string{"a changed names,sex"}},
		{name: "ignored", old: a, next: strings.Replace(a, `"edition":1`, `"edition":2`, 1), ignore: []string{"edition"}},
		{name: "not ignored", old: a, next: strings.Replace(a, `"edition":1`, `"edition":2`, 1), changes: []string{"a changed edition"}},
		{name: "spacing", old: a, next: strings.ReplaceAll(a, ",", " , ")},
		{name: "no line end, empty lines", old: "\n" + a, next: "\r\n\n" + strings.TrimSpace(a)},
		{name: "nothing at all"},
		{name: "all go", old: a + b, changes: []string{"a removed ", "b removed "}},
		{name: "broken old", old: "{\n" + a, next: a, broken: []string{"old 1 record.format"}},
		{name: "broken new", old: a, next: a + `{"schema":1,"surprise":2}` + "\n", broken: []string{"new 2 record.format"}},
		{name: "no id", old: a, next: a + `{"schema":1,"id":"","edition":1}`, broken: []string{"new 2 record.required"}},
		{name: "twice in old", old: a + a, next: a, broken: []string{"old 2 diff.duplicate"}},
		{name: "twice in new", old: a, next: a + a, broken: []string{"new 2 diff.duplicate"}},
		{name: "added twice", next: a + a, changes: []string{"a added "}, broken: []string{"new 2 diff.duplicate"}},
		{name: "too long", old: a, next: a + `{"id":"` + strings.Repeat("x", 3<<20) + "\"}\n" + b, changes: []string{"b added "}, broken: []string{"new 2 record.format"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			changes, broken, counts := compare(t, tc.old, tc.next, tc.ignore...)
			if !reflect.DeepEqual(changes, tc.changes) || !reflect.DeepEqual(broken, tc.broken) {
				t.Errorf("changes %q, broken %q\nwant    %q, broken %q", changes, broken, tc.changes, tc.broken)
			}
			if counts.Added+counts.Removed+counts.Changed != len(changes) || counts.Broken != len(broken) {
				t.Errorf("counts %+v do not add up", counts)
			}
		})
	}
}

// TestStops holds that whoever listens can end a comparison, and so can time.
func TestStops(t *testing.T) {
	a := person("a", "Ada One", "")
	full := errors.New("full")
	h := diff.Handler{Change: func(diff.Change) error { return full }, Broken: func(diff.Broken) error { return full }}
	for _, next := range []string{"", "{\n", person("b", "Bo", "")} {
		if _, err := diff.Compare(t.Context(), strings.NewReader(a), int64(len(a)), strings.NewReader(next), nil, h); !errors.Is(err, full) {
			t.Errorf("%.10q: %v", next, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := diff.Compare(ctx, strings.NewReader(a), int64(len(a)), strings.NewReader(""), nil, h)
	if !errors.Is(err, &fault.Error{Code: "diff.stopped"}) {
		t.Errorf("cancelled: %v", err)
	}
}

func FuzzCompare(f *testing.F) {
	f.Add(person("a", "Ada", ""), person("b", "Bo", ""))
	f.Add("{\n", "[]")
	f.Fuzz(func(t *testing.T, old, next string) {
		_, _, counts := compare(t, old, next)
		_, _, back := compare(t, next, old)
		if counts.Added != back.Removed || counts.Same != back.Same {
			// With doubled identifiers the first one counts, on either side.
			t.Errorf("there %+v, back %+v", counts, back)
		}
	})
}
