package examine_test

import (
	"testing"

	"github.com/watchpost/watchpost/device/document/emrtd/termauth/labkey"
	"github.com/watchpost/watchpost/device/document/inspect"
	"github.com/watchpost/watchpost/hwtest/gen/cvc"
	"github.com/watchpost/watchpost/hwtest/passport"
	chip "github.com/watchpost/watchpost/hwtest/passport/lds"
)

// guarded makes the passport one whose fingerprints and irises are for
// terminals; its files are signed anew. change alters chip and terminal, whose
// key the reader has.
func guarded(change func(b *bench, terminal *cvc.Spec)) func(testing.TB, *bench) {
	return func(t testing.TB, b *bench) {
		var terminal cvc.Spec
		b.p.Groups = passport.Groups{Fingers: 1, Irises: 1}
		b.p.Terminal = &passport.Terminal{}
		if change != nil {
			change(b, &terminal)
		}
		h, err := cvc.New(terminal)
		if err != nil {
			t.Fatal(err)
		}
		if b.isKey, err = labkey.Parse(h.PEM()); err != nil {
			t.Fatal(err)
		}
	}
}

// terminalCases are what can be wrong between terminal and chip.
var terminalCases = []negative{
	{"proof", "terminal nobody signs for", func(t testing.TB, b *bench) {
		guarded(nil)(t, b)
		b.isKey = nil
	}, "terminal.authentication not-performed ta.no_key"},
	{"proof", "terminal of another state", guarded(func(_ *bench, s *cvc.Spec) { s.Country = "XX" }), "terminal.authentication not-performed ta.no_chain"},
	{"proof", "terminal's certificate is not the verifier's", guarded(func(_ *bench, s *cvc.Spec) { s.Defects.ForeignTerminal = true }), "terminal.authentication fail ta.certificate_refused"},
	{"proof", "terminal signs with another key", guarded(func(_ *bench, s *cvc.Spec) { s.Defects.OtherKey = true }), "terminal.authentication fail ta.signature_refused"},
	{"proof", "chip does not know the authority that it names", guarded(func(b *bench, _ *cvc.Spec) { b.p.Faults = []passport.Fault{status("ta-dst", "6A88")} }), "terminal.authentication fail ta.authority_refused"},
	{"proof", "terminal's key not taken", guarded(func(b *bench, _ *cvc.Spec) { b.p.Faults = []passport.Fault{status("ta-select", "6A88")} }), "terminal.authentication fail ta.key_refused"},
	{"proof", "no challenge for the terminal", guarded(func(b *bench, _ *cvc.Spec) { b.p.Faults = []passport.Fault{status("ta-challenge", "6985")} }), "terminal.authentication fail ta.challenge"},
	{"proof", "chip names no authority", guarded(func(b *bench, _ *cvc.Spec) { b.p.FileData = map[string][]byte{"CVCA": make([]byte, 36)} }), "terminal.authentication not-performed ta.no_authority"},
	{"proof", "terminal asked before the chip has proven itself", guarded(func(b *bench, _ *cvc.Spec) { b.p.Authenticity.ChipKeys = nil }), "terminal.authentication not-performed ta.no_chip_authentication"},
	{"proof", "session dies during terminal authentication", guarded(func(b *bench, _ *cvc.Spec) {
		b.p.Faults = []passport.Fault{{Kind: passport.KindWrongMAC, Step: "ta-verify", Times: 1}}
	}), "terminal.authentication fail sm.mac_wrong"},
	{"proof", "no right to irises", guarded(func(_ *bench, s *cvc.Spec) { s.Rights = "finger" }), "dg4.hash not-performed file.denied"},
}

// TestGuardedGroups: with a terminal that the chip accepts, DG3 and DG4 are
// read and judged as any other group.
func TestGuardedGroups(t *testing.T) {
	for _, encoding := range []chip.Encoding{chip.Encoding19794, chip.Encoding39794} {
		b := sound(t)
		guarded(nil)(t, b)
		b.p.Groups.Encoding = encoding
		i, err := b.run(t)
		if err != nil {
			t.Fatal(err)
		}
		for _, code := range []inspect.Code{inspect.TerminalAuth, inspect.GroupHash(2), inspect.GroupHash(3), inspect.GroupHash(4), inspect.GroupFormat(2), inspect.GroupFormat(3), inspect.GroupFormat(4)} {
			if i.Result(code) != inspect.Pass {
				c, _ := i.Check(code)
				t.Errorf("%s: %+v", encoding, c)
			}
		}
		if len(i.Data.Finger) != 1 || len(i.Data.Iris) != 1 || i.Data.Finger[0].Position != 2 || i.Data.Iris[0].Position != 1 {
			t.Errorf("%s: %d fingers, %d irises", encoding, len(i.Data.Finger), len(i.Data.Iris))
		}
	}
}

// TestEveryGroup: a chip that has every data group is read and judged whole,
// in both encodings, and with EF.SOD as the first documents had it.
func TestEveryGroup(t *testing.T) {
	for name, change := range map[string]func(*bench){
		"19794":             func(*bench) {},
		"39794":             func(b *bench) { b.p.Groups.Encoding = "39794" },
		"indefinite length": func(b *bench) { b.p.Issuer.Indefinite = true },
		"old content type":  func(b *bench) { b.p.Issuer.SODContentType = "1.3.27.1.1.1" },
		"Dutch content type": func(b *bench) {
			b.p.Issuer.SODContentType, b.p.Issuer.Indefinite = "1.2.528.1.1006.1.20.1", true
		},
	} {
		b := sound(t)
		guarded(nil)(t, b)
		b.p.Groups = passport.Groups{Fingers: 2, Irises: 2, Displayed: true, Signature: true, Features: true, Person: true, Issue: true, Optional: "anything", Notify: 2}
		change(b)
		i, err := b.run(t)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, n := range []int{1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16} {
			for _, code := range []inspect.Code{inspect.GroupHash(n), inspect.GroupFormat(n)} {
				if c, _ := i.Check(code); c.Result != inspect.Pass {
					t.Errorf("%s: %+v", name, c)
				}
			}
		}
		for _, code := range []inspect.Code{inspect.SODFormat, inspect.SODSignature, inspect.DSChain, inspect.COMMatch, inspect.DGUnlisted} {
			if c, _ := i.Check(code); c.Result != inspect.Pass {
				t.Errorf("%s: %+v", name, c)
			}
		}
		if d := i.Data; len(d.Face) != 1 || len(d.Displayed) != 2 || len(d.Notify) != 2 || d.Person["full_name"] == "" || d.Issue["authority"] == "" {
			t.Errorf("%s: %d faces, %d displayed, %d to notify, %d and %d details", name, len(d.Face), len(d.Displayed), len(d.Notify), len(d.Person), len(d.Issue))
		}
	}
}
