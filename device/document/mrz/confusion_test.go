package mrz

import (
	"slices"
	"testing"
	"time"
)

func TestConfusions(t *testing.T) {
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	const first = "P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<"
	for name, c := range map[string]struct {
		lines []string
		want  Confusion // among what is told; zero for nothing told
	}{
		"all right":            {[]string{first, "L898902C36UTO7408122F1204159ZE184226B<<<<<10"}, Confusion{}},
		"O for 0 in a number":  {[]string{first, "L8989O2C36UTO7408122F1204159ZE184226B<<<<<10"}, Confusion{DigitDocumentNumber, 2, 6, "O", "0"}},
		"B for 8 in a number":  {[]string{first, "LB98902C36UTO7408122F1204159ZE184226B<<<<<10"}, Confusion{DigitDocumentNumber, 2, 2, "B", "8"}},
		"O for 0 in a date":    {[]string{first, "L898902C36UTO74O8122F1204159ZE184226B<<<<<10"}, Confusion{DigitBirthDate, 2, 16, "O", "0"}},
		"S for 5 in a date":    {[]string{first, "L898902C36UTO7408122F1204lS9ZE184226B<<<<<10"}, Confusion{}},
		"Z for 2 in the digit": {[]string{first, "L898902C36UTO740812ZF1204159ZE184226B<<<<<10"}, Confusion{DigitBirthDate, 2, 20, "Z", "2"}},
		"two fields at once":   {[]string{first, "L8989O2C36UTO74O8122F1204159ZE184226B<<<<<10"}, Confusion{DigitBirthDate, 2, 16, "O", "0"}},
		"C for a filler": {[]string{"I<UTOD231458907C<<<<<<<<<<<<<<", "7408122F1204159UTO<<<<<<<<<<<6", "ERIKSSON<<ANNA<MARIA<<<<<<<<<<"},
			Confusion{DigitComposite, 1, 16, "C", "<"}},
		"no look-alike": {[]string{first, "L898902C36UTO7408122F1204159ZE184226B<<<<<11"}, Confusion{}},
		"no zone":       {[]string{"P<UTO"}, Confusion{}},
	} {
		got := Confusions(c.lines, now)
		if (c.want != Confusion{}) != slices.Contains(got, c.want) || (c.want == Confusion{}) && name != "no look-alike" && name != "S for 5 in a date" && len(got) != 0 {
			t.Errorf("%s: %+v", name, got)
		}
		// What is told is never applied, and always mends something.
		z, err := Parse(c.lines, now)
		for _, f := range got {
			if err != nil || z.digitsRight() || f.Position < 1 || f.Line < 1 || f.Line > len(c.lines) {
				t.Errorf("%s: %+v", name, f)
			}
		}
	}
}

func FuzzConfusions(f *testing.F) {
	f.Add("P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<|L8989O2C36UTO7408122F1204159ZE184226B<<<<<10")
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		lines := Clean(text)
		if got := Confusions(lines, now); len(got) > maxConfusions {
			t.Errorf("%d told", len(got))
		}
	})
}
