package table_test

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/watchpost/watchpost/device/watchlist/imports/table"
)

// rows reads all; a damaged row is "!" with its line.
func rows(t testing.TB, in string, multiline bool) []string {
	t.Helper()
	var out []string
	r := table.New(strings.NewReader(in), multiline)
	for {
		line, fields, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			return out
		case errors.Is(err, table.ErrRow):
			out = append(out, fmt.Sprint(line, "!"))
		case err != nil:
			t.Fatal(err)
		default:
			out = append(out, fmt.Sprint(line, ":", strings.Join(fields, "|")))
		}
	}
}

func TestRows(t *testing.T) {
	for _, tc := range []struct {
		name, in  string
		multiline bool
		want      []string
	}{
		{"plain", "a,b\nc,d\n", false, []string{"1:a|b", "2:c|d"}},
		{"no end, DOS ends, empty lines, Ctrl-Z", "a,b\r\n\r\nc,d\r\n\x1a", false, []string{"1:a|b", "3:c|d"}},
		{"byte order mark", "\xef\xbb\xbfa,b", false, []string{"1:a|b"}},
		{"UTF-16", "\xff\xfea\x00,\x00b\x00\r\x00\n\x00c\x00", false, []string{"1:a|b", "2:c"}},
		{"carriage returns end the lines", "a,b\rc,d\r\re,f", false, []string{"1:a|b", "2:c|d", "4:e|f"}},
		{"semicolons", "a;b,c\nd;e", false, []string{"1:a|b,c", "2:d|e"}},
		{"tabs", "a\tb;c\n", false, []string{"1:a|b;c"}},
		{"quotes", `"a,1","say ""x""" ,-0- ,""` + "\n", false, []string{`1:a,1|say "x"|-0- |`}},
		{"quote inside", `a"b,c`, false, []string{`1:a"b|c`}},
		{"open quote damages one line", "a,b\n\"c,d\ne,f", false, []string{"1:a|b", "2!", "3:e|f"}},
		{"text after a quote", "\"a\"b,c\nd,e", false, []string{"1!", "2:d|e"}},
		{"over lines", "a,\"b\nc\"\nd,e", true, []string{"1:a|b\nc", "3:d|e"}},
		{"open over lines to the end", "a,b\nc,\"d\ne,f", true, []string{"1:a|b", "2!", "3:e|f"}},
		{"open, and a quote in the next row", "a,\"b\n\"c\",d\n\"e\ne\",f", true, []string{"1!", "2:c|d", "3:e\ne|f"}},
		{"open, and open again", "a,\"b\nc,\"d\ne,f\n\"\"\"g\"\n", true, []string{"1!", "2!", "3:e|f", `4:"g`}},
		{"open before one too long", "a,\"b\n" + strings.Repeat("x", table.MaxRow+10) + "\nc,d", true, []string{"1!", "2!", "3:c|d"}},
		{"open before two of half the size", "a,\"b\n" + strings.Repeat("x", table.MaxRow/2) + "\n" + strings.Repeat("y", table.MaxRow/2) + "\"", true,
			[]string{"1!", "2:" + strings.Repeat("x", table.MaxRow/2), "3:" + strings.Repeat("y", table.MaxRow/2) + `"`}},
		{"too long, the next is read", "a,b\n" + strings.Repeat("x", table.MaxRow+10) + "\nc,d", false, []string{"1:a|b", "2!", "3:c|d"}},
		{"too many fields", strings.Repeat(",", 600) + "\na,b", false, []string{"1!", "2:a|b"}},
		{"nothing", "", false, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := rows(t, tc.in, tc.multiline); !reflect.DeepEqual(got, tc.want) {
				t.Errorf("got %.300q, want %q", got, tc.want)
			}
		})
	}
}

// TestOpenQuoteTakesNothingAlong holds that quotes that never close cost the
// lines they stand on, however many lines follow and however many there are.
func TestOpenQuoteTakesNothingAlong(t *testing.T) {
	const lines = 1000
	in := "\"open\n" + strings.Repeat("line,x\n", lines) + strings.Repeat("a\",\"b\n", lines) + "a,b\n"
	got := rows(t, in, true)
	if len(got) != 2*lines+2 || got[0] != "1!" || got[lines] != fmt.Sprintf("%d:line|x", lines+1) || got[lines+1] != fmt.Sprintf("%d!", lines+2) ||
		got[2*lines] != fmt.Sprintf("%d!", 2*lines+1) || got[2*lines+1] != fmt.Sprintf("%d:a|b", 2*lines+2) {
		t.Errorf("%d rows, first %q, last %q", len(got), got[0], got[len(got)-1])
	}
}

// FuzzRows compares with encoding/csv wherever that takes the whole file.
func FuzzRows(f *testing.F) {
	f.Add("a,b\n\"c\"\"\",d\n")
	f.Add("\"a\nb\",c")
	f.Fuzz(func(t *testing.T, in string) {
		got := rows(t, in, true)
		if strings.ContainsAny(in, "\r;\t\x1a \x00") || strings.HasPrefix(in, "\xef") || len(in) > 1000 {
			return
		}
		c := csv.NewReader(bytes.NewReader([]byte(in)))
		c.FieldsPerRecord = -1
		want, err := c.ReadAll()
		if err != nil {
			return
		}
		if len(got) != len(want) {
			t.Fatalf("%d rows, encoding/csv has %d", len(got), len(want))
		}
		for i, fields := range want {
			if _, row, _ := strings.Cut(got[i], ":"); row != strings.Join(fields, "|") {
				t.Errorf("row %d: %q, encoding/csv has %q", i, got[i], fields)
			}
		}
	})
}
