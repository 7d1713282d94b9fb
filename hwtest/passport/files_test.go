package passport

import (
	"bytes"
	"fmt"
	"maps"
	"testing"
	"time"
)

// openChip has no access control and the files given.
func openChip(t *testing.T, limits Limits, files map[string][]byte) *Chip {
	t.Helper()
	return chipWith(t, func(d *Document) {
		d.Access.Open, d.Limits = true, limits
		maps.Copy(d.Files, files)
	})
}

const selectLDS = "00A4040C07A0000002471001"

func TestReadBinaryForms(t *testing.T) {
	long := bytes.Repeat([]byte{1, 2, 3, 4, 5, 6, 7, 8}, 5000) // 40,000 octets
	com := []byte{0x60, 0x02, 0x5C, 0x00}
	for _, tc := range []struct {
		name            string
		limits          Limits
		command, answer string
	}{
		{"short identifier", Limits{}, "00B09E0002", "60029000"},
		{"short identifier with offset", Limits{}, "00B09E0202", "5C009000"},
		{"more than there is", Limits{}, "00B09E0000", "60025C009000"},
		{"more than there is, chip that says so", Limits{AtEnd: "6282"}, "00B09E0000", "60025C006282"},
		{"behind the end", Limits{}, "00B09E0401", "6B00"},
		{"no Le", Limits{}, "00B09E00", "6700"},
		{"extended Le", Limits{}, "00B09E00000002", "60029000"},
		{"extended Le to a chip without", Limits{NoExtended: true}, "00B09E00000002", "6700"},
		{"unknown short identifier", Limits{}, "00B0840002", "6A82"},
		{"short identifier with a bit too many", Limits{}, "00B0BE0002", "6A86"},
		{"chip without short identifiers", Limits{NoSFI: true}, "00B09E0002", "6A86"},
		{"data where none belong", Limits{}, "00B09E00015502", "6700"},
		{"odd instruction beyond 32,767", Limits{}, "00B1000204540290000A", "53080102030405060708" + "9000"},
		{"odd instruction by identifier", Limits{}, "00B101020454029C3A05", "5303030405" + "9000"},
		{"odd instruction to a chip without", Limits{NoOddINS: true}, "00B10002045402900008", "6D00"},
		{"odd instruction without offset", Limits{}, "00B1000202530008", "6A80"},
		{"odd instruction with offset too long", Limits{}, "00B10002075405000000000008", "6A80"},
		{"odd instruction behind the end", Limits{}, "00B100020454029C4008", "6B00"},
		{"largest read, short answer", Limits{MaxRead: 3}, "00B0820005", "010203" + "9000"},
		{"largest read, wrong length", Limits{MaxRead: 3, OverRead: "6700"}, "00B0820005", "6700"},
		{"largest read, right length told", Limits{MaxRead: 3, OverRead: "6C00"}, "00B0820005", "6C03"},
		{"command too long for the chip", Limits{MaxCommand: 8}, "00B100020454029C4008", "6700"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := openChip(t, tc.limits, map[string][]byte{"COM": com, "DG2": long})
			application := exchange{"application", selectLDS, "9000"}
			if tc.limits.MaxCommand != 0 {
				c.state.files, c.state.inLDS = groupFiles, true
				application = exchange{"master file", "00A4000C", "9000"}
			}
			play(t, c, []exchange{application, {"", tc.command, tc.answer}})
		})
	}
}

func TestLargestAnswerFitsTheReader(t *testing.T) {
	c := openChip(t, Limits{}, map[string][]byte{"DG2": make([]byte, 70_000)})
	play(t, c, []exchange{{"", selectLDS, "9000"}})
	got, err := c.Transmit(unhex(t, "00B08200000000"))
	if err != nil || len(got) != 65535 {
		t.Errorf("%d octets, %v", len(got), err)
	}
}

func TestSelectForms(t *testing.T) {
	for _, tc := range []struct{ command, answer string }{
		{"00A4000C", "9000"}, {"00A4000C023F00", "9000"}, {"00A4020C022F01", "9000"}, {"00A4020C02011C", "6A82"}, // no PACE, no EF.CardAccess
		{"00A4020C020101", "6A82"}, // not in the master file
		{"00A4080C023F00", "6A86"}, {"00A402FF022F01", "6A86"}, {"00A4020C0101", "6A82"}, {"00A4020C", "6A82"},
	} {
		play(t, openChip(t, Limits{}, nil), []exchange{{tc.command, tc.command, tc.answer}})
	}
}

func TestMessagingDamages(t *testing.T) {
	good := reading[1].answer
	const at = 5 // select, challenge, authenticate, select EF.COM, read
	for _, tc := range []struct {
		fault Fault
		want  string // "" is anything but the good answer
	}{
		{Fault{Kind: KindWrongMAC}, good[:len(good)-4-16] + "ac55cc17140b2ded9000"},
		{Fault{Kind: KindDropMAC}, "8709019FF0EC34F9922651990290009000"},
		{Fault{Kind: KindDropStatus}, ""},
		{Fault{Kind: KindInnerStatus, Status: "6A82"}, ""},
		{Fault{Kind: KindPlainStatus, Status: "6988"}, "6988"},
		{Fault{Kind: KindPlainAnswer}, "60145F019000"},
		{Fault{Kind: KindBadPadding}, ""},
		{Fault{Kind: KindSkipCounter}, ""},
		{Fault{Kind: KindStatus, Status: "6A88"}, ""},
		{Fault{Kind: KindEmptyRead}, ""},
		{Fault{Kind: KindShortRead, Bytes: 1}, ""},
		{Fault{Kind: KindSilence}, "-"},
	} {
		t.Run(string(tc.fault.Kind), func(t *testing.T) {
			c := exampleChip(t)
			tc.fault.At = at
			if err := checkFaults([]Fault{tc.fault}); err != nil {
				t.Fatal(err)
			}
			c.faults = faultState{faults: []Fault{tc.fault}, shown: []int{0}}
			play(t, c, opening)
			play(t, c, reading[:1])
			got, err := c.Transmit(unhex(t, reading[1].command))
			if err != nil {
				t.Fatal(err)
			}
			switch tc.want {
			case "":
				if bytes.Equal(got, unhex(t, good)) || len(got) < 4 {
					t.Errorf("answer %X", got)
				}
			case "-":
				if len(got) != 0 {
					t.Errorf("answer %X", got)
				}
			default:
				if !bytes.Equal(got, unhex(t, tc.want)) {
					t.Errorf("answer %X, want %s", got, tc.want)
				}
			}
		})
	}
}

func TestFaultsChooseTheirCommands(t *testing.T) {
	refused, fine := []byte{0x69, 0x82}, []byte{0x90, 0x00}
	for _, tc := range []struct {
		name  string
		fault Fault
		want  [][]byte // answers to MF, LDS, MF, LDS
	}{
		{"one command", Fault{At: 2}, [][]byte{fine, refused, fine, fine}},
		{"one step", Fault{Step: "select:MF"}, [][]byte{refused, fine, refused, fine}},
		{"a step once", Fault{Step: "select:LDS", Times: 1}, [][]byte{fine, refused, fine, fine}},
		{"every command twice", Fault{Times: 2}, [][]byte{refused, refused, fine, fine}},
		{"a step at another command", Fault{Step: "select:LDS", At: 3}, [][]byte{fine, fine, fine, fine}},
	} {
		tc.fault.Kind, tc.fault.Status = KindStatus, "6982"
		c := chipWith(t, func(d *Document) { d.Faults = []Fault{tc.fault} })
		for i, want := range tc.want {
			command := []string{"00A4000C", selectLDS}[i%2]
			got, err := c.Transmit(unhex(t, command))
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: answer %d is %X, error %v", tc.name, i+1, got, err)
			}
		}
	}
}

func TestEndlessRead(t *testing.T) {
	c := chipWith(t, func(d *Document) {
		d.Access.Open, d.Faults = true, []Fault{{Kind: KindEndlessRead, Step: "read:DG1"}}
	})
	play(t, c, []exchange{{"", selectLDS, "9000"}, {"", "00B0810000", "009000"}, {"", "00B07FFF00", "009000"}})
}

func TestPACEPointFaults(t *testing.T) {
	offer := PACE{Suite: "aes128", Parameter: 12}
	for _, kind := range []Kind{KindOffCurve, KindInfinity, KindEchoKey} {
		c := chipWith(t, func(d *Document) {
			d.Access.PACE, d.Faults = []PACE{offer}, []Fault{{Kind: kind, Step: "pace-2"}}
		})
		point := "046B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C2964FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5"
		play(t, c, []exchange{{"", selection(offer, "01"), "9000"}})
		if _, err := c.Transmit(unhex(t, "10860000027C0000")); err != nil {
			t.Fatal(err)
		}
		got, err := c.Transmit(unhex(t, fmt.Sprintf("10860000457C438141%s00", point)))
		if err != nil {
			t.Fatal(err)
		}
		o, _, _ := nextObject(got)
		inner, _, ok := nextObject(o.value)
		if !ok || inner.tag != 0x82 {
			t.Fatalf("%s: answer %X", kind, got)
		}
		sound := len(inner.value) == 65 && !bytes.Equal(inner.value, unhex(t, point))
		switch kind {
		case KindOffCurve:
			if !sound {
				t.Errorf("%s: point %X", kind, inner.value)
			}
		default:
			if sound {
				t.Errorf("%s: point %X", kind, inner.value)
			}
		}
	}
}

func TestAirTime(t *testing.T) {
	for _, tc := range []struct {
		air               Air
		command, response int
		want              time.Duration
	}{
		{Air{}, 5, 258, 0},
		{Air{CommandMillis: 3}, 5, 258, 3 * time.Millisecond},
		// (5+3)*9+2 bits out; 258 octets in two blocks and an acknowledgement: (258+3*3)*9+3*2.
		{Air{KbitPerSecond: 106}, 5, 258, time.Duration(74+2409) * time.Millisecond / 106},
		{Air{KbitPerSecond: 424, CommandMillis: 3}, 5, 2, 3*time.Millisecond + time.Duration(74+47)*time.Millisecond/424},
	} {
		if got := tc.air.Duration(tc.command, tc.response); got != tc.want {
			t.Errorf("%+v: %v, want %v", tc.air, got, tc.want)
		}
	}
	if got := (Air{StepMillis: map[string]int{"pace-3": 500}}).stepTime("pace-3"); got != 500*time.Millisecond {
		t.Errorf("slow step takes %v", got)
	}
}
