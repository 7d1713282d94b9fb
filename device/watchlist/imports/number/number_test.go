package number_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/watchlist/imports"
	"github.com/watchpost/watchpost/device/watchlist/imports/importtest"
	"github.com/watchpost/watchpost/device/watchlist/imports/number"
)

func named(document string) string { return fmt.Sprintf("n%x", document) }

func read(t testing.TB, in io.Reader, o number.Options) (*importtest.Got, error) {
	if o.Status == "" {
		o.Status = "stolen"
	}
	return importtest.Run(t, imports.Spec{}, func(m *imports.Maker, take imports.Take) error {
		return number.Reader(o)(in, m, take)
	})
}

func TestRows(t *testing.T) {
	for _, tc := range []struct {
		name, in string
		o        number.Options
		want     string // documents, then broken
	}{
		{"plain text", "K0001\nK0002\n", number.Options{Name: named, Type: "P", Issuer: "UTO"}, "P UTO K0001 stolen|P UTO K0002 stolen||"},
		{"order without header", "K0001,KEN,ID,lost,a7\n", number.Options{}, "ID KEN K0001 lost||"},
		{"header", "Issuing state;Document number;id\nKenya;K0001;1\n", number.Options{}, " KEN K0001 stolen||"},
		{"columns said", "x,K0001,1\n", number.Options{Columns: []string{"", "number", "id"}}, "  K0001 stolen||"},
		{"case of words", "K0001,ken,p,LOST,1\n", number.Options{}, "P KEN K0001 lost||"},
		{"no number", ",KEN,P,lost,1\nK2,KEN,P,lost,2\n", number.Options{}, "P KEN K2 lost||1 import.document"},
		{"no identifier, no key", "K1\n", number.Options{}, "||1 import.id"},
		{"state", "K1,Nowhere,P,lost,1\n", number.Options{}, "||1 import.country"},
		{"status", "K1,KEN,P,borrowed,1\n", number.Options{}, "||1 record.word"},
		{"type", "K1,KEN,passport,lost,1\n", number.Options{}, "||1 record.word"},
		{"only marks", "---,KEN,P,lost,1\n", number.Options{}, "||1 import.document"},
		{"too long", strings.Repeat("9", 70) + ",KEN,P,lost,1\n", number.Options{}, "||1 import.document"},
		{"too many fields", "K1,KEN,P,lost,1,2\n", number.Options{}, "||1 import.row"},
		{"quote", "\"K1\nK2,KEN,P,lost,2\n", number.Options{}, "P KEN K2 lost||1 import.row"},
		{"not UTF-8", "K\xff1,KEN,P,lost,1\n", number.Options{}, "||1 record.text"},
		{"the same document printed in two ways", "AB 1234\nab-1234\n", number.Options{Name: named}, "  AB 1234 stolen||2 import.duplicate"},
		{"a header in the middle is a row", "K1\nnumber\n", number.Options{Name: named}, "  K1 stolen|  number stolen||"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := read(t, strings.NewReader(tc.in), tc.o)
			if err != nil {
				t.Fatal(err)
			}
			var docs []string
			for _, r := range got.Records {
				d := r.Documents[0]
				docs = append(docs, fmt.Sprintf("%s %s %s %s", d.Type, d.Issuer, d.Number, d.Status))
			}
			if all := strings.Join(docs, "|") + "||" + strings.Join(got.Broken, "|"); all != tc.want {
				t.Errorf("got  %s\nwant %s", all, tc.want)
			}
		})
	}
}

func TestColumns(t *testing.T) {
	for _, bad := range [][]string{{"id"}, {"number", "colour"}, {}} {
		if err := number.CheckColumns(bad); !errors.Is(err, &fault.Error{Code: "usage"}) && fault.CodeOf(err) != "usage" {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if err := number.CheckColumns([]string{"", "number"}); err != nil {
		t.Error(err)
	}
}

// TestSoakMillion imports rows as a stream and prints the time: 1,000,000 with
// WATCHPOST_SOAK=1, else a tenth of that.
func TestSoakMillion(t *testing.T) {
	n := 100_000
	if os.Getenv("WATCHPOST_SOAK") != "" {
		n *= 10
	}
	in, out := io.Pipe()
	go func() {
		for i := range n {
			if _, err := fmt.Fprintf(out, "K%08d,UTO,P,stolen,%d\n", i, i); err != nil {
				return
			}
		}
		out.Close()
	}()
	start, count := time.Now(), 0
	err := number.Reader(number.Options{})(in, imports.NewMaker(imports.Spec{}), func(r imports.Row) error {
		if r.Broken() {
			return fmt.Errorf("line %d is broken", r.Line)
		}
		count++
		return nil
	})
	if err != nil || count != n {
		t.Fatalf("%d rows: %v", count, err)
	}
	t.Logf("%d document numbers read and checked in %.1f s", n, time.Since(start).Seconds())
}

func FuzzRead(f *testing.F) {
	f.Add("number;issuer\nK1;KEN\n")
	f.Add("\"K1\",KEN,P,lost,1\n")
	f.Fuzz(func(t *testing.T, in string) {
		if _, err := read(t, strings.NewReader(in), number.Options{Name: named}); err != nil {
			t.Error(err)
		}
	})
}
