package mrz

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/fault"
)

var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// sealed returns the lines with their check digits put in; positions as
// field, first and last position, digit position.
func sealed(t *testing.T, line string, fields ...[3]int) string {
	t.Helper()
	b := []byte(line)
	for _, f := range fields {
		d, err := CheckDigit(string(b[f[0]-1 : f[1]]))
		if err != nil {
			t.Fatal(err)
		}
		b[f[2]-1] = d
	}
	return string(b)
}

func pad(s string, n int) string { return s + strings.Repeat("<", n-len(s)) }

// passport makes a TD3 zone of our own with right check digits.
func passport(t *testing.T, number, nationality, birth, sex, expiry, personal string) []string {
	t.Helper()
	l := pad(number, 9) + "?" + pad(nationality, 3) + birth + "?" + sex + expiry + "?" + pad(personal, 14) + "??"
	l = sealed(t, l, [3]int{1, 9, 10}, [3]int{14, 19, 20}, [3]int{22, 27, 28}, [3]int{29, 42, 43})
	d, err := CheckDigit(l[0:10] + l[13:20] + l[21:43])
	if err != nil {
		t.Fatal(err)
	}
	return []string{pad("P<XOMVAN<DER<TEST<<JO<ANNE", 44), l[:43] + string(rune(d))}
}

func TestPassport(t *testing.T) {
	z, err := Parse(passport(t, "TEST12", "D", "850229", "F", "300101", "77"), now)
	if err != nil {
		t.Fatal(err)
	}
	// 29 February 1985 does not exist: the digits are right, the date is not.
	if !z.Valid() || !z.has(ProblemBirthDate) || len(z.Problems) != 1 {
		t.Errorf("valid %v, problems %v", z.Valid(), z.Problems)
	}
	if z.Format != TD3 || z.Surname != "VAN DER TEST" || z.GivenNames != "JO ANNE" || z.NamesTruncated ||
		z.Issuer != "XOM" || z.Nationality != "D" || z.DocumentNumber != "TEST12" || z.Sex != Female ||
		z.Expiry != (Date{2030, 1, 1}) || z.PersonalNumber != "77" {
		t.Errorf("%v", z.Fields())
	}
}

// Each single wrong character under a check digit must be told, by its name.
func TestEveryWrongCharacterIsTold(t *testing.T) {
	lines := passport(t, "AB1234567", "UTO", "850228", "M", "300101", "1234567890")
	covers := func(pos int) []Digit {
		switch {
		case pos <= 10:
			return []Digit{DigitDocumentNumber, DigitComposite}
		case pos >= 14 && pos <= 20:
			return []Digit{DigitBirthDate, DigitComposite}
		case pos >= 22 && pos <= 28:
			return []Digit{DigitExpiryDate, DigitComposite}
		case pos >= 29 && pos <= 43:
			return []Digit{DigitPersonalNumber, DigitComposite}
		case pos == 44:
			return []Digit{DigitComposite}
		}
		return nil
	}
	for pos := 1; pos <= 44; pos++ {
		b := []byte(lines[1])
		// One more or less always changes the sum: no weight shares a factor with 10.
		if b[pos-1] == '9' || b[pos-1] == '<' || b[pos-1] == 'Z' {
			b[pos-1] = '1'
		} else {
			b[pos-1]++
		}
		z, err := Parse([]string{lines[0], string(b)}, now)
		if err != nil {
			t.Fatal(err)
		}
		wrong := map[Digit]bool{}
		for _, d := range z.CheckDigits {
			if !d.Right {
				wrong[d.Name] = true
			}
		}
		want := covers(pos)
		if len(wrong) != len(want) && !(len(wrong) == 1 && pos != 10 && len(want) == 2) {
			t.Errorf("position %d: wrong digits %v, want %v", pos, wrong, want)
		}
		for _, d := range want[:min(1, len(want))] {
			if !wrong[d] {
				t.Errorf("position %d: %s still counts as right", pos, d)
			}
		}
		if z.Valid() != (len(want) == 0) {
			t.Errorf("position %d: valid is %v", pos, z.Valid())
		}
	}
}

func TestLongDocumentNumber(t *testing.T) {
	number := "X1234567890123"
	d, err := CheckDigit(number)
	if err != nil {
		t.Fatal(err)
	}
	first := pad("I<BEL"+number[:9]+"<"+number[9:]+string(rune(d)), 30)
	second := sealed(t, "850101?X300101?BEL<<<<<<<<<<<?", [3]int{1, 6, 7}, [3]int{9, 14, 15})
	c, err := CheckDigit(first[5:30] + second[0:7] + second[8:15] + second[18:29])
	if err != nil {
		t.Fatal(err)
	}
	second = second[:29] + string(rune(c))
	second = strings.Replace(second, "X", "<", 1)
	z, err := Parse([]string{first, second, pad("PEETERS<<AN", 30)}, now)
	if err != nil {
		t.Fatal(err)
	}
	if z.DocumentNumber != number || !z.Valid() || z.OptionalData != "" || z.Sex != Unspecified {
		t.Errorf("%v %v", z.Fields(), z.Digits())
	}
	seed, err := z.KeySeed()
	if err != nil {
		t.Fatal(err)
	}
	if want := number + string(rune(d)) + second[0:7] + second[8:15]; seed != want {
		t.Errorf("seed %q, want %q", seed, want)
	}
	broken, err := Parse([]string{strings.Replace(first, number[9:], "0"+number[10:], 1), second, pad("PEETERS<<AN", 30)}, now)
	if err != nil {
		t.Fatal(err)
	}
	if broken.Digits()["document_number"] {
		t.Error("a wrong character in the overflow went unseen")
	}
}

func TestFrenchCard(t *testing.T) {
	// Card of our own making in the form of 1988: number 12 + digit, given names 14.
	second := sealed(t, pad("9912753XXXXX?TESTE<<AMANDIN", 27)+"850101?F?", [3]int{1, 12, 13}, [3]int{28, 33, 34})
	first := pad("IDFRAMODELE", 30) + "753075"
	c, err := CheckDigit(first + second[:35])
	if err != nil {
		t.Fatal(err)
	}
	second = second[:35] + string(rune(c))
	if len(second) != 36 {
		t.Fatalf("line of %d", len(second))
	}
	z, err := Parse([]string{first, second}, now)
	if err != nil {
		t.Fatal(err)
	}
	if z.Format != IDFRA || !z.Valid() || z.Surname != "MODELE" || z.Office != "753075" || z.Birth != (Date{1985, 1, 1}) {
		t.Errorf("%v %v %v", z.Format, z.Fields(), z.Digits())
	}
	if _, err := z.KeySeed(); fault.CodeOf(err) != "mrz.no_chip" {
		t.Errorf("a card without chip gave a key seed: %v", err)
	}
	// The same letters on a card in true TD2 form stay TD2.
	td2 := sealed(t, "AB1234567?FRA850101?F300101?<<<<<<<?", [3]int{1, 9, 10}, [3]int{14, 19, 20}, [3]int{22, 27, 28})
	d, err := CheckDigit(td2[0:10] + td2[13:20] + td2[21:35])
	if err != nil {
		t.Fatal(err)
	}
	z, err = Parse([]string{pad("IDFRAMODELE<<ANNE", 36), td2[:35] + string(rune(d))}, now)
	if err != nil || z.Format != TD2 || !z.Valid() {
		t.Errorf("%v %v", z, err)
	}
}

func TestDates(t *testing.T) {
	for _, c := range []struct {
		raw    string
		birth  string
		expiry string
	}{
		{"261121", "2026-11-21", "2026-11-21"},
		{"261122", "1926-11-22", "2026-11-22"},
		{"850228", "1985-02-28", "1985-02-28"},
		{"760101", "1976-01-01", "1976-01-01"},
		{"750101", "1975-01-01", "2075-01-01"},
		{"8512<<", "1985-12-XX", "1985-12-XX"},
		{"85<<<<", "1985-XX-XX", "1985-XX-XX"},
		{"<<<<<<", "XXXX-XX-XX", "XXXX-XX-XX"},
		{"000229", "2000-02-29", "2000-02-29"},
	} {
		b, okB := birthDate(c.raw, now)
		e, okE := expiryDate(c.raw, now)
		if b.String() != c.birth || e.String() != c.expiry || !okB || !okE {
			t.Errorf("%s: born %v %v, expires %v %v", c.raw, b, okB, e, okE)
		}
	}
	for _, bad := range []string{"", "85010", "8501011", "851301", "850001", "850100", "850132", "850230", "8<0101", "8501<1", "ABCDEF", "85O101", "é101", " 50101", "+10101"} {
		if d, ok := birthDate(bad, now); ok {
			t.Errorf("%q was read as %v", bad, d)
		}
	}
}

func TestDateEnd(t *testing.T) {
	for in, want := range map[Date]string{
		{2024, 2, 29}: "2024-03-01", {2024, 12, 31}: "2025-01-01", {2024, 12, 0}: "2025-01-01", {2024, 0, 0}: "2025-01-01",
	} {
		if got, ok := in.End(); !ok || got.Format(time.DateOnly) != want {
			t.Errorf("%v ends %v", in, got)
		}
	}
	if _, ok := (Date{}).End(); ok {
		t.Error("an unknown date ended")
	}
}

func TestShapesRefused(t *testing.T) {
	for _, bad := range [][]string{
		nil, {""}, {pad("P<", 44)}, {pad("P<", 44), pad("X", 43)}, {pad("P<", 45), pad("X", 45)},
		{pad("I<", 30), pad("1", 30)}, {pad("I<", 30), pad("1", 30), pad("N", 29)},
		{pad("I<", 36), pad("1", 36), pad("N", 36)}, {pad("P<", 44), pad("X", 36)},
		{strings.Repeat("P", 1<<16)},
	} {
		if z, err := Parse(bad, now); !errors.Is(err, ErrFormat) {
			t.Errorf("%d lines were read as %v, %v", len(bad), z, err)
		}
	}
}

func TestProblems(t *testing.T) {
	good := passport(t, "AB1234567", "UTO", "850228", "M", "300101", "")
	change := func(line, from int, with string) []string {
		l := append([]string(nil), good...)
		l[line] = l[line][:from-1] + with + l[line][from-1+len(with):]
		return l
	}
	wide := append([]string(nil), good...)
	wide[0] = strings.Replace(wide[0], "TEST", "TÉST", 1)
	for _, c := range []struct {
		lines []string
		want  ProblemCode
	}{
		{change(0, 6, "<"), ProblemNames},
		{change(0, 6, strings.Repeat("<", 39)), ProblemNames},
		{change(0, 10, "7"), ProblemNames},
		{change(0, 3, "1"), ProblemIssuer},
		{change(0, 3, "<<<"), ProblemIssuer},
		{change(1, 11, "<"), ProblemNationality},
		{change(1, 21, "Q"), ProblemSex},
		{change(1, 14, "9913"), ProblemBirthDate},
		{change(1, 22, "ABCDEF"), ProblemExpiryDate},
		{change(0, 8, "a"), ProblemCharacter},
		{wide, ProblemCharacter},
	} {
		z, err := Parse(c.lines, now)
		if err != nil || !z.has(c.want) {
			t.Errorf("want %s, have %v (%v)", c.want, z.Problems, err)
		}
		if c.want == ProblemCharacter && z.Valid() {
			t.Error("a zone with a foreign character counts as valid")
		}
	}
	full := change(0, 6, "A<<"+strings.Repeat("B", 36))
	if z, err := Parse(full, now); err != nil || !z.NamesTruncated || z.Surname != "A" {
		t.Errorf("a full name field: %v %v", z, err)
	}
	if z, err := Parse(good, now); err != nil || len(z.Problems) != 0 || !z.Digits()["personal_number"] {
		t.Errorf("%v %v", z.Problems, err)
	}
}

func TestKeySeedRefuses(t *testing.T) {
	for _, c := range [][3]string{
		{"", "850101", "300101"}, {strings.Repeat("A", 23), "850101", "300101"}, {"AB12", "85010", "300101"},
		{"AB12", "850101", "30010"}, {"ab12", "850101", "300101"}, {"AB 12", "850101", "300101"}, {"AB12", "8501é", "300101"},
	} {
		if seed, err := KeySeed(c[0], c[1], c[2]); err == nil {
			t.Errorf("%q gave a seed of %d characters", c, len(seed))
		} else if fault.CodeOf(err) == fault.Unknown {
			t.Errorf("%q: uncoded error", c)
		}
	}
}

func TestClean(t *testing.T) {
	good := passport(t, "AB1234567", "UTO", "850228", "M", "300101", "")
	want := strings.Join(good, "\n")
	for _, text := range []string{
		want, good[0] + "|" + good[1], good[0] + `\n` + good[1], good[0] + "\r\n" + good[1] + "\r\n", good[0] + good[1],
		"  " + strings.ToLower(good[0]) + "\n\n " + good[1][:20] + " " + good[1][20:], good[0] + " " + good[1],
		strings.ReplaceAll(good[0], "<<", "«") + "|" + good[1],
	} {
		if got := strings.Join(Clean(text), "\n"); got != want {
			t.Errorf("%q became %q", text, got)
		}
	}
	if got := Clean(strings.Repeat("A", 1<<20)); len(got) != 1 || len(got[0]) > maxText {
		t.Error("no limit")
	}
	if got := Clean(" \n | "); len(got) != 0 {
		t.Errorf("nothing became %q", got)
	}
}

func TestNoPersonalDataInLogs(t *testing.T) {
	z, err := Parse(passport(t, "AB1234567", "UTO", "850228", "M", "300101", ""), now)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("read", "zone", z, "value", *z)
	fmt.Fprintf(&log, "%v %+v %s %v", z, z, z, *z)
	for _, secret := range []string{"AB1234567", "TEST", "850228", "1985"} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log holds %s: %s", secret, log.String())
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(pad("P<UTOTEST<<A", 44)+"|"+pad("AB12345671UTO8501011F3001011", 44), int64(0))
	f.Add(pad("I<UTOAB1234567<123", 30)+"|"+pad("8501011F", 30)+"|"+pad("A<<B", 30), int64(1<<40))
	f.Add(pad("IDFRATEST", 36)+"|"+pad("é", 36), int64(-1))
	f.Fuzz(func(t *testing.T, text string, seconds int64) {
		at := time.Unix(seconds%(1<<35), 0)
		lines := Clean(text)
		z, err := Parse(lines, at)
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Fatalf("error %v", err)
			}
			return
		}
		if len(z.CheckDigits) == 0 || z.Format == FormatUnknown {
			t.Fatal("a zone without format or check digits")
		}
		if z.Valid() {
			if strings.Join(Clean(strings.Join(z.Lines, "|")), "|") != strings.Join(z.Lines, "|") {
				t.Fatal("cleaning changes a valid zone")
			}
		}
		z.Fields()
		if seed, err := z.KeySeed(); err == nil && len(seed) < 24 {
			t.Fatalf("seed of %d characters", len(seed))
		}
	})
}
