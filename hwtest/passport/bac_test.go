package passport

import (
	"bytes"
	"encoding/hex"
	"errors"
	"maps"
	"sync"
	"testing"

	"github.com/watchpost/watchpost/hwtest/gen/persona"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// exampleDocument is the document of Doc 9303-11 (2021), appendix D. Making one
// costs signatures, so the tests share it.
var exampleDocument = sync.OnceValues(func() (*Document, error) {
	return Personalise(Profile{
		Holder: persona.Person{
			Surname: "ERIKSSON", GivenNames: "ANNA MARIA", Sex: "F", Born: "1969-08-06", Nationality: "UTO", Issuer: "UTO",
			DocumentCode: "P", DocumentNumber: "L898902C", Expires: "1994-06-23",
		},
	})
})

// chipWith is a chip of the example's document with changes.
func chipWith(t testing.TB, change func(*Document)) *Chip {
	t.Helper()
	made, err := exampleDocument()
	if err != nil {
		t.Fatal(err)
	}
	doc := *made
	doc.Files = maps.Clone(made.Files)
	change(&doc)
	c, err := NewChip(&doc)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// exampleChip is the chip of appendix D with the random octets of the example.
func exampleChip(t testing.TB) *Chip {
	t.Helper()
	c := chipWith(t, func(d *Document) { d.Files["COM"] = unhex(t, "60145F0104303130365F36063034303030305C026175") })
	c.rand = bytes.NewReader(unhex(t, "4608F919887022120B4F80323EB3191CB04970CB4052790B"))
	return c
}

// exchange is one command and its whole answer, in hexadecimal.
type exchange struct{ name, command, answer string }

func play(t *testing.T, c *Chip, script []exchange) {
	t.Helper()
	for _, e := range script {
		got, err := c.Transmit(unhex(t, e.command))
		if err != nil {
			t.Fatalf("%s: %v", e.name, err)
		}
		if want := unhex(t, e.answer); !bytes.Equal(got, want) {
			t.Fatalf("%s: got %X, want %X", e.name, got, want)
		}
	}
}

// opening is the example's way to a session: D.3.
var opening = []exchange{
	{"select application", "00A4040C07A0000002471001", "9000"},
	{"get challenge", "0084000008", "4608F919887022129000"},
	{"external authenticate", "0082000028" +
		"72C29C2371CC9BDB65B779B8E8D37B29ECC154AA56A8799FAE2F498F76ED92F25F1448EEA8AD90A728",
		"46B9342A41396CD7386BF5803104D7CEDC122B9132139BAF2EEDC94EE178534F2F2D235D074D74499000"},
}

// reading is the example's protected reading of EF.COM: D.4.
var reading = []exchange{
	{"select EF.COM", "0CA4020C158709016375432908C044F68E08BF8B92D635FF24F800", "990290008E08FA855A5D4C50A8ED9000"},
	{"read 4 octets", "0CB000000D9701048E08ED6705417E96BA5500", "8709019FF0EC34F9922651990290008E08AD55CC17140B2DED9000"},
	{"read 18 octets", "0CB000040D9701128E082EA28A70F3C7B53500",
		"871901FB9235F4E4037F2327DCC8964F1F9B8C30F42C8E2FFF224A990290008E08C8B2787EAEA07D749000"},
}

func TestBasicAccessOfTheStandardsExample(t *testing.T) {
	c := exampleChip(t)
	play(t, c, opening)
	play(t, c, reading)
}

func TestBasicAccessRefusals(t *testing.T) {
	authenticate := opening[2].command
	for _, tc := range []struct {
		name   string
		script []exchange
	}{
		{"file before access", []exchange{opening[0], {"", "00A4020C02011E", "6982"}}},
		{"short identifier before access", []exchange{opening[0], {"", "00B09E0004", "6982"}}},
		{"challenge outside the application", []exchange{{"", "0084000008", "6985"}}},
		{"no challenge asked", []exchange{opening[0], {"", authenticate, "6985"}}},
		{"checksum off by a bit", []exchange{opening[0], opening[1], {"", authenticate[:len(authenticate)-4] + "A628", "6300"}}},
		{"challenge used twice", []exchange{opening[0], opening[1],
			{"", authenticate[:len(authenticate)-4] + "A628", "6300"}, {"", authenticate, "6985"}}},
		{"too little room", []exchange{opening[0], opening[1], {"", authenticate[:len(authenticate)-2] + "20", "6700"}}},
		{"data too short", []exchange{opening[0], opening[1], {"", "008200000401020304" + "28", "6700"}}},
		{"protected before access", []exchange{opening[0], {"", reading[0].command, "6987"}}},
		{"class", []exchange{{"", "80A4000C", "6E00"}}},
		{"instruction", []exchange{{"", "00CA0000", "6D00"}}},
		{"Lc longer than the command", []exchange{{"", "00A4040C08A0000002471001", "6700"}}},
		{"other application", []exchange{{"", "00A4040C07A0000002471002", "6A82"}}},
		{"no file selected", []exchange{{"", "00B0000004", "6986"}}},
	} {
		t.Run(tc.name, func(t *testing.T) { play(t, exampleChip(t), tc.script) })
	}
}

func TestSessionEnds(t *testing.T) {
	for name, breaker := range map[string]exchange{
		"plain command":         {"", "00B0000004", "6982"},
		"checksum wrong":        {"", "0CB000000D9701048E08ED6705417E96BA5600", "6988"},
		"checksum missing":      {"", "0CB000000397010400", "6987"},
		"object out of order":   {"", "0CB000000D8E08ED6705417E96BA5597010400", "6988"},
		"object unknown":        {"", "0CB000000380010400", "6988"},
		"object longer than it": {"", "0CB000000397050400", "6988"},
	} {
		t.Run(name, func(t *testing.T) {
			c := exampleChip(t)
			play(t, c, opening)
			play(t, c, reading[:1])
			play(t, c, []exchange{breaker, {"the session is gone", reading[1].command, "6987"}})
			play(t, c, []exchange{{"and so is the access", "00A4020C02011E", "6982"}})
		})
	}
}

func TestResetForgets(t *testing.T) {
	c := exampleChip(t)
	play(t, c, opening)
	c.Reset()
	play(t, c, []exchange{{"", reading[0].command, "6987"}, {"", "00A4020C02011E", "6A82"}})
}

func TestTornCard(t *testing.T) {
	c := exampleChip(t)
	c.faults = faultState{faults: []Fault{{Kind: KindTear, At: 2}}, shown: []int{0}}
	play(t, c, opening[:1])
	for range 2 {
		if _, err := c.Transmit(unhex(t, opening[1].command)); !errors.Is(err, ErrTorn) {
			t.Fatalf("got %v", err)
		}
	}
	c.Reset()
	play(t, c, opening[:1])
}

func TestATRAnswersWhileACommandRuns(t *testing.T) {
	c := exampleChip(t)
	c.mu.Lock() // as a running command does
	defer c.mu.Unlock()
	if atr := c.ATR(); len(atr) == 0 || atr[0] != 0x3B {
		t.Errorf("ATR %X", atr)
	}
}

func FuzzTransmit(f *testing.F) {
	for _, e := range append(append([]exchange{}, opening...), reading...) {
		f.Add(unhex(f, e.command))
	}
	f.Add([]byte{0x00, 0xB1, 0x00, 0x01, 0x00, 0x00, 0x04, 0x54, 0x02, 0x00, 0x01, 0x00, 0x00})
	f.Fuzz(func(t *testing.T, raw []byte) {
		c := chipWith(t, func(d *Document) { d.Access.Open = true })
		for range 2 {
			answer, err := c.Transmit(raw)
			if err != nil || len(answer) < 2 {
				t.Fatalf("answer %X, error %v", answer, err)
			}
		}
	})
}
