package persona

import (
	"bytes"
	"errors"
	"fmt"
	"image/jpeg"
	"strings"
	"testing"

	"github.com/watchpost/watchpost/device/fault"
)

// specimen is the holder of the examples in Doc 9303 parts 4 to 6 (2021).
func specimen() Person {
	return Person{
		Surname: "ERIKSSON", GivenNames: "ANNA MARIA", Sex: "F", Born: "1974-08-12", Nationality: "UTO", Issuer: "UTO",
		DocumentCode: "P", DocumentNumber: "L898902C3", Expires: "2012-04-15", OptionalData: "ZE184226B",
	}
}

func TestMRZOfTheStandardsExamples(t *testing.T) {
	// Doc 9303-4 (2021), appendix B; Doc 9303-5, appendix B; Doc 9303-6, appendix B.
	card := specimen()
	card.DocumentCode, card.DocumentNumber, card.OptionalData = "I", "D23145890", ""
	for _, tc := range []struct {
		format Format
		person Person
		want   []string
	}{
		{TD3, specimen(), []string{"P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "L898902C36UTO7408122F1204159ZE184226B<<<<<10"}},
		{TD1, card, []string{"I<UTOD231458907<<<<<<<<<<<<<<<", "7408122F1204159UTO<<<<<<<<<<<6", "ERIKSSON<<ANNA<MARIA<<<<<<<<<<"}},
		{TD2, card, []string{"I<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<", "D231458907UTO7408122F1204159<<<<<<<6"}},
	} {
		got, err := tc.person.MRZ(tc.format)
		if err != nil {
			t.Fatalf("%s: %v", tc.format, err)
		}
		if strings.Join(got, "\n") != strings.Join(tc.want, "\n") {
			t.Errorf("%s:\n%s\nwant\n%s", tc.format, strings.Join(got, "\n"), strings.Join(tc.want, "\n"))
		}
	}
}

func TestLongNumberGoesToOptionalData(t *testing.T) {
	// Doc 9303-11 (2021), appendix D.2, the example of a TD1 with a long number.
	p := Person{
		Surname: "STEVENSON", GivenNames: "PETER", Sex: "M", Born: "1934-07-12", Nationality: "UTO", Issuer: "UTO",
		DocumentCode: "I", DocumentNumber: "D23145890734", Expires: "1995-07-12",
	}
	lines, err := p.MRZ(TD1)
	if err != nil {
		t.Fatal(err)
	}
	want := "I<UTOD23145890<7349<<<<<<<<<<<\n3407127M9507122UTO<<<<<<<<<<<2\nSTEVENSON<<PETER<<<<<<<<<<<<<<"
	if got := strings.Join(lines, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got, want := p.AccessInfo(), "D23145890734934071279507122"; got != want {
		t.Errorf("access info %s, want %s", got, want)
	}
}

func TestAccessInfoOfTheStandardsExample(t *testing.T) {
	p := specimen()
	p.DocumentNumber, p.Born, p.Expires = "L898902C", "1969-08-06", "1994-06-23"
	if got, want := p.AccessInfo(), "L898902C<369080619406236"; got != want { // Doc 9303-11 (2021), appendix D.2
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestPartialDates(t *testing.T) {
	for in, want := range map[string]string{"1974-08": "7408<<", "1974": "74<<<<", "": "<<<<<<", "1974-8-1": "", "740812": "", "1974-08-xx": ""} {
		if got := mrzDate(in); got != want {
			t.Errorf("%q gave %q, want %q", in, got, want)
		}
	}
}

func TestRefusals(t *testing.T) {
	for name, change := range map[string]func(*Person){
		"no surname":             func(p *Person) { p.Surname = "" },
		"lower case":             func(p *Person) { p.GivenNames = "Anna" },
		"digit in name":          func(p *Person) { p.Surname = "ERIKSSON2" },
		"long issuer":            func(p *Person) { p.Issuer = "UTOP" },
		"no number":              func(p *Person) { p.DocumentNumber = "" },
		"long number on TD3":     func(p *Person) { p.DocumentNumber = "L898902C31" },
		"number with a space":    func(p *Person) { p.DocumentNumber = "L89 902C3" },
		"no date":                func(p *Person) { p.Born = "12.8.1974" },
		"long optional data":     func(p *Person) { p.OptionalData = strings.Repeat("A", 15) },
		"sex of two characters":  func(p *Person) { p.Sex = "FM" },
		"document code too long": func(p *Person) { p.DocumentCode = "PAX" },
	} {
		p := specimen()
		change(&p)
		if _, err := p.MRZ(TD3); !errors.Is(err, &fault.Error{Code: codeInvalid}) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := specimen().MRZ("td4"); !errors.Is(err, &fault.Error{Code: codeInvalid}) {
		t.Errorf("unknown format: got %v", err)
	}
}

func TestInventedPeopleHaveValidZones(t *testing.T) {
	seen := map[string]bool{}
	for seed := range uint64(500) {
		p := Invent(seed)
		for format, widths := range map[Format][]int{TD3: {44, 44}, TD2: {36, 36}, TD1: {30, 30, 30}} {
			lines, err := p.MRZ(format)
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			for i, w := range widths {
				if len(lines[i]) != w {
					t.Fatalf("seed %d: %s line %d has %d characters", seed, format, i+1, len(lines[i]))
				}
			}
		}
		seen[p.DocumentNumber] = true
		if Invent(seed) != p {
			t.Fatalf("seed %d: not the same person twice", seed)
		}
	}
	if len(seen) < 495 {
		t.Errorf("only %d document numbers in 500 people", len(seen))
	}
}

func TestPersonDoesNotPrintItself(t *testing.T) {
	p := specimen()
	if out := fmt.Sprintf("%v %s", p, p.LogValue()); strings.Contains(out, "ERIKSSON") {
		t.Errorf("printed as %q", out)
	}
}

func TestPortraitsAreDrawings(t *testing.T) {
	a, err := Portrait(1)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Portrait(1)
	if err != nil {
		t.Fatal(err)
	}
	other, err := Portrait(2)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a, again) || bytes.Equal(a, other) {
		t.Error("a portrait is not a function of its seed")
	}
	config, err := jpeg.DecodeConfig(bytes.NewReader(a))
	if err != nil || config.Width != portraitWidth || config.Height != portraitHeight {
		t.Errorf("%+v, %v", config, err)
	}
	if len(a) < 10_000 || len(a) > 30_000 {
		t.Errorf("%d octets, a passport's portrait has 10,000 to 30,000", len(a))
	}
}
