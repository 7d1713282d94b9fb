package plain_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/watchpost/watchpost/device/watchlist/imports/plain"
)

func TestCharset(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"ISO-8859-1": {"M\xfcller\x92", "Müller’"}, "Windows-1252": {"\x80", "€"}, "iso-8859-15": {"\xa4", "€"}, "ISO-8859-2": {"\xb1", "ą"},
		"windows-1251": {"\xc0\xed\xed\xe0", "Анна"}, "KOI8-R": {"\xe1", "А"}, "windows-1254": {"\xf0", "ğ"}, "ISO-8859-6": {"\xc7", "ا"},
		" utf-8 ": {"ü", "ü"}, "US-ASCII": {"a", "a"}, "latin1": {strings.Repeat("\xe9", 10000), strings.Repeat("é", 10000)},
	} {
		r, ok := plain.Charset(name, iotest.OneByteReader(strings.NewReader(c.in)))
		if !ok {
			t.Errorf("%q is not known", name)
			continue
		}
		if got, err := io.ReadAll(r); err != nil || string(got) != c.want {
			t.Errorf("%s: %.40q, %v", name, got, err)
		}
	}
	for _, name := range []string{"", "utf-7", "EBCDIC-CP-US", "iso-8859-1\x00", "Shift_JIS", "../latin1"} {
		if _, ok := plain.Charset(name, strings.NewReader("")); ok {
			t.Errorf("%q is taken", name)
		}
	}
	broken := errors.New("gone")
	r, _ := plain.Charset("latin1", io.MultiReader(strings.NewReader("\xe9"), iotest.ErrReader(broken)))
	if got, err := io.ReadAll(r); string(got) != "é" || !errors.Is(err, broken) {
		t.Errorf("%q, %v", got, err)
	}
}
