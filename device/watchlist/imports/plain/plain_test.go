package plain_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/watchpost/watchpost/device/watchlist/imports/plain"
)

// wide returns text in UTF-16.
func wide(text string, big bool) []byte {
	var out []byte
	for _, u := range utf16.Encode([]rune(text)) {
		if big {
			out = append(out, byte(u>>8), byte(u))
		} else {
			out = append(out, byte(u), byte(u>>8))
		}
	}
	return out
}

func TestText(t *testing.T) {
	const text = "id,name\r\n1,Žofie 安娜 \U0001F600\n"
	long := strings.Repeat(text, 9000)
	for name, c := range map[string]struct{ in, want string }{
		"UTF-8":                        {text, text},
		"UTF-8 with a mark":            {"\ufeff" + text, "\ufeff" + text},
		"little end":                   {string(wide("\ufeff"+text, false)), text},
		"big end":                      {string(wide("\ufeff"+text, true)), text},
		"little end, no mark":          {string(wide(text, false)), text},
		"big end, no mark":             {string(wide(text, true)), text},
		"long":                         {string(wide("\ufeff"+long, false)), long},
		"carriage returns":             {"id,name\r1,A\r", "id,name\n1,A\n"},
		"carriage returns, little end": {string(wide("\ufeffid\r1\r", false)), "id\n1\n"},
		"one carriage return inside":   {"id\n1\r2\n", "id\n1\r2\n"},
		"odd byte at the end":          {string(wide("\ufeffab", false)) + "c", "ab\ufffd"},
		"half a pair":                  {"\xff\xfe\x3d\xd8a\x00", "\ufffda"},
		"half a pair at the end":       {"\xff\xfea\x00\x3d\xd8", "a\ufffd"},
		"second half first":            {"\xff\xfe\x00\xdea\x00", "\ufffda"},
		"mark alone":                   {"\xff\xfe", ""},
		"nothing":                      {"", ""},
		"one byte":                     {"a", "a"},
		"zero bytes are no UTF-16":     {"\x00\x00\x00\x00", "\x00\x00\x00\x00"},
	} {
		for kind, in := range map[string]io.Reader{
			"whole": strings.NewReader(c.in), "a byte at a time": iotest.OneByteReader(strings.NewReader(c.in)),
		} {
			got, err := io.ReadAll(plain.Text(in))
			if err != nil || string(got) != c.want {
				t.Errorf("%s, %s: %.80q, %v", name, kind, got, err)
			}
		}
	}
}

// A source that breaks off is no end of the file.
func TestTextBroken(t *testing.T) {
	gone := errors.New("gone")
	for _, start := range []string{"", "a,b\n", "\xff\xfea\x00", "\xff\xfea", "\xff\xfe\x3d\xd8"} {
		if _, err := io.ReadAll(plain.Text(io.MultiReader(strings.NewReader(start), iotest.ErrReader(gone)))); !errors.Is(err, gone) {
			t.Errorf("%q: %v", start, err)
		}
	}
}

func FuzzText(f *testing.F) {
	f.Add([]byte("id,name\r1,A"))
	f.Add(wide("\ufeffid\r\n1\n", true))
	f.Fuzz(func(t *testing.T, in []byte) {
		got, err := io.ReadAll(plain.Text(bytes.NewReader(in)))
		if err != nil {
			t.Fatal(err)
		}
		if len(got) > 2*len(in)+utf8.UTFMax {
			t.Fatalf("%d bytes of %d", len(got), len(in))
		}
		if utf8.Valid(in) && bytes.IndexByte(in, 0) < 0 && bytes.IndexByte(in, '\r') < 0 && !bytes.Equal(got, in) {
			t.Fatalf("%q became %q", in, got)
		}
	})
}
