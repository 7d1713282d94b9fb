package own_test

import (
	"strings"
	"testing"

	"github.com/watchpost/watchpost/device/watchlist/imports"
	"github.com/watchpost/watchpost/device/watchlist/imports/importtest"
	"github.com/watchpost/watchpost/device/watchlist/imports/own"
	"github.com/watchpost/watchpost/device/watchlist/record"
)

const good = `{"schema":1,"id":"1","edition":3,"owner":"them","documents":[{"number":"K1","status":"lost"}]}` + "\n"

func read(t testing.TB, in string) *importtest.Got {
	got, err := importtest.Run(t, imports.Spec{List: "test", Owner: "us"}, func(m *imports.Maker, take imports.Take) error {
		return own.Read(strings.NewReader(in), m, take)
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestRead(t *testing.T) {
	got := read(t, "\n"+strings.TrimSpace(good))
	if len(got.Records) != 1 || got.Records[0].List != "test" || got.Records[0].Owner != "them" || got.Records[0].Edition != 3 {
		t.Errorf("%+v", got)
	}
	for name, tc := range map[string]struct{ line, code string }{
		"not JSON":        {"{", "record.format"},
		"a list":          {"[]", "record.format"},
		"unknown key":     {`{"schema":1,"id":"2","colour":1}`, "record.format"},
		"key twice":       {`{"schema":1,"id":"2","id":"3"}`, "record.format"},
		"another version": {strings.Replace(good[:len(good)-1], `"schema":1`, `"schema":2`, 1), "record.range"},
		"nothing in it":   {`{"schema":1,"id":"2","edition":1}`, "record.required"},
		"twice":           {good[:len(good)-1], "import.duplicate"},
		"too long":        {strings.Repeat("x", record.MaxSize+100), "import.row"},
	} {
		t.Run(name, func(t *testing.T) {
			got := read(t, good+tc.line+"\n"+strings.Replace(good, `"id":"1"`, `"id":"9"`, 1))
			if len(got.Records) != 2 || strings.Join(got.Broken, "|") != "2 "+tc.code {
				t.Errorf("%+v", got)
			}
		})
	}
}

func FuzzRead(f *testing.F) {
	f.Add(good + good)
	f.Fuzz(func(t *testing.T, in string) { read(t, in) })
}
