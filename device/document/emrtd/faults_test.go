package emrtd_test

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/watchpost/watchpost/device/document/emrtd"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/hwtest/passport"
)

// TestTornAtEveryCommand takes the card away at command n, for every n of a
// whole reading: it ends, with the channel's code, and what came before stays.
func TestTornAtEveryCommand(t *testing.T) {
	p := withPortrait(1500)
	whole := newVirtual(t, p)
	whole.maxResponse = 258
	if _, err := read(t, whole, p); err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= len(whole.commands); n++ {
		torn := p
		torn.Faults = []passport.Fault{{Kind: passport.KindTear, At: n}}
		v := newVirtual(t, torn)
		v.maxResponse = 258
		r, err := read(t, v, p)
		if fault.CodeOf(err) != "card.removed" {
			t.Errorf("command %d: %v", n, err)
		}
		if len(v.commands) != n {
			t.Errorf("command %d: %d were sent", n, len(v.commands))
		}
		if n == len(whole.commands) && len(r.Files["DG1"]) == 0 {
			t.Error("what was read is lost")
		}
	}
}

// TestReaderFailures: whatever the channel reports comes through with its
// code, at every command, and is never taken for an answer of the chip.
func TestReaderFailures(t *testing.T) {
	p := withPortrait(300)
	plain := errors.New("some driver's error")
	for _, tc := range []struct {
		err  error
		want fault.Code
	}{
		{fault.New("reader.lost", "unplugged"), "reader.lost"},
		{fault.New("card.timeout", "no answer"), "card.timeout"},
		{plain, emrtd.ErrChannel.Code},
	} {
		for n := 1; n < 14; n++ {
			v := newVirtual(t, p)
			v.before = func(i int, _ []byte) ([]byte, error) {
				if i == n {
					return nil, tc.err
				}
				return nil, nil
			}
			if _, err := read(t, v, p); fault.CodeOf(err) != tc.want {
				t.Errorf("command %d: %v, want %s", n, err, tc.want)
			}
		}
	}
}

func TestCanceledAndOutOfTime(t *testing.T) {
	p := withPortrait(300)
	for n := 1; n < 12; n++ {
		ctx, cancel := context.WithCancel(t.Context())
		v := newVirtual(t, p)
		v.before = func(i int, _ []byte) ([]byte, error) {
			if i == n {
				cancel()
				return nil, context.Canceled
			}
			return nil, nil
		}
		if _, err := emrtd.Read(ctx, v, emrtd.Options{Passwords: []emrtd.Password{mrzPassword(t, p.Person().Key())}}); !errors.Is(err, emrtd.ErrCanceled) {
			t.Errorf("canceled at %d: %v", n, err)
		}
		cancel()
	}
	hangs := newVirtual(t, p)
	hangs.before = func(i int, _ []byte) ([]byte, error) {
		if i == 7 {
			// A channel honours the context; this one has it from outside.
			time.Sleep(60 * time.Millisecond)
			return nil, context.DeadlineExceeded
		}
		return nil, nil
	}
	if _, err := read(t, hangs, p, func(o *emrtd.Options) { o.Budget = 50 * time.Millisecond }); !errors.Is(err, emrtd.ErrTime) {
		t.Errorf("out of time: %v", err)
	}
}

// TestFaultsOfMessaging spoils answers in the session. A fault that shows once
// costs a session, one that stays costs the reading, with the code of what was
// wrong.
func TestFaultsOfMessaging(t *testing.T) {
	for _, tc := range []struct {
		name  string
		fault passport.Fault
		want  fault.Code // innermost code of the lost session
	}{
		{"wrong MAC", passport.Fault{Kind: passport.KindWrongMAC}, "sm.mac_wrong"},
		{"no MAC", passport.Fault{Kind: passport.KindDropMAC}, "sm.mac_missing"},
		{"no status", passport.Fault{Kind: passport.KindDropStatus}, "sm.status_missing"},
		{"status differs", passport.Fault{Kind: passport.KindInnerStatus, Status: "6282"}, "sm.status_differs"},
		{"plain 6987", passport.Fault{Kind: passport.KindPlainStatus, Status: "6987"}, "sm.plain_status"},
		{"plain 6988", passport.Fault{Kind: passport.KindPlainStatus, Status: "6988"}, "sm.plain_status"},
		{"plain 9000", passport.Fault{Kind: passport.KindPlainStatus, Status: "9000"}, "sm.plain_status"},
		{"plain 6700", passport.Fault{Kind: passport.KindPlainStatus, Status: "6700"}, "sm.plain_status"},
		{"plain 6C10", passport.Fault{Kind: passport.KindPlainStatus, Status: "6C10"}, "sm.plain_status"},
		{"data in plain", passport.Fault{Kind: passport.KindPlainAnswer}, ""},
		{"bad padding", passport.Fault{Kind: passport.KindBadPadding}, "sm.padding"},
		{"counter ahead", passport.Fault{Kind: passport.KindSkipCounter}, "sm.mac_wrong"},
		{"nothing at all", passport.Fault{Kind: passport.KindSilence}, "card.malformed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := withPortrait(2000)
			once := tc.fault
			once.Step, once.Times = "read:DG2", 1
			p.Faults = []passport.Fault{once}
			v := newVirtual(t, p)
			for _, channel := range []emrtd.Channel{v, noReset{newVirtual(t, p)}} {
				r, err := read(t, channel, p)
				if err != nil || r.Access.Sessions != 2 {
					t.Fatalf("once: %v, %d sessions", err, r.Access.Sessions)
				}
				sameFiles(t, r, p, "DG1", "DG2")
			}

			ever := tc.fault
			ever.Step = "read:DG1"
			p.Faults = []passport.Fault{ever}
			v = newVirtual(t, p)
			r, err := read(t, v, p)
			if err == nil && r.Unread["DG1"] == tc.want {
				sameFiles(t, r, p, "COM", "DG2") // given up before the sessions ran out
				return
			}
			if !errors.Is(err, emrtd.ErrSession) || len(r.Files["DG1"]) != 0 {
				t.Fatalf("always: %v", err)
			}
			if tc.want != "" && !hasCode(err, tc.want) {
				t.Errorf("always: %v, want %s inside", err, tc.want)
			}
			sameFiles(t, r, p, "COM")
			if r.Unread["DG2"] != emrtd.ErrFileNotTried.Code {
				t.Errorf("unread %v", r.Unread)
			}
			if len(v.commands) > 200 {
				t.Errorf("%d commands", len(v.commands))
			}
		})
	}
}

// hasCode reports whether any coded error in err's chain has the code.
func hasCode(err error, code fault.Code) bool {
	for err != nil {
		var e *fault.Error
		if !errors.As(err, &e) {
			return false
		}
		if e.Code == code {
			return true
		}
		err = e.Cause
	}
	return false
}

// TestFaultsOfReading: one file that cannot be read never loses the others.
func TestFaultsOfReading(t *testing.T) {
	for _, tc := range []struct {
		name  string
		fault passport.Fault
		want  fault.Code // "" where the file is read all the same
	}{
		{"short once", passport.Fault{Kind: passport.KindShortRead, Bytes: 10, Times: 1}, ""},
		{"short always", passport.Fault{Kind: passport.KindShortRead, Bytes: 100}, ""},
		{"two octets a time", passport.Fault{Kind: passport.KindShortRead, Bytes: 2}, "file.endless"},
		{"one octet a time, for ever", passport.Fault{Kind: passport.KindEndlessRead}, "file.blank"},
		{"empty once", passport.Fault{Kind: passport.KindEmptyRead, Times: 1}, ""},
		{"empty always", passport.Fault{Kind: passport.KindEmptyRead}, "file.truncated"},
		{"6700 always", passport.Fault{Kind: passport.KindStatus, Status: "6700"}, "file.refused"},
		{"6700 once", passport.Fault{Kind: passport.KindStatus, Status: "6700", Times: 1}, ""},
		{"6282 once", passport.Fault{Kind: passport.KindStatus, Status: "6282", Times: 1}, ""},
		{"6282 always", passport.Fault{Kind: passport.KindStatus, Status: "6282"}, "file.truncated"},
		{"6C20 once", passport.Fault{Kind: passport.KindStatus, Status: "6C20", Times: 1}, ""},
		{"6C20 always", passport.Fault{Kind: passport.KindStatus, Status: "6C20"}, "file.refused"},
		{"6F00 once", passport.Fault{Kind: passport.KindStatus, Status: "6F00", Times: 1}, ""},
		{"6F00 always", passport.Fault{Kind: passport.KindStatus, Status: "6F00"}, "file.refused"},
		{"6982", passport.Fault{Kind: passport.KindStatus, Status: "6982"}, "file.denied"},
		{"6985", passport.Fault{Kind: passport.KindStatus, Status: "6985"}, "file.denied"},
		{"6A82", passport.Fault{Kind: passport.KindStatus, Status: "6A82"}, "file.missing"},
		{"6D00", passport.Fault{Kind: passport.KindStatus, Status: "6D00"}, "file.refused"},
		{"6100 for ever", passport.Fault{Kind: passport.KindStatus, Status: "6100"}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := withPortrait(2000)
			p.FileData["DG11"] = append([]byte{0x6B, 0x81, 200}, bytes.Repeat([]byte{7}, 200)...)
			p.FileData["COM"] = comOf(0x61, 0x6B, 0x75)
			tc.fault.Step = "read:DG2"
			p.Faults = []passport.Fault{tc.fault}
			for _, response := range []int{258, 65_538} {
				v := newVirtual(t, p)
				v.maxResponse = response
				r, err := read(t, v, p)
				if tc.name == "6100 for ever" {
					if err == nil && r.Unread["DG2"] == "" {
						t.Errorf("read from a chip that always has more to say")
					}
					sameFiles(t, r, p, "DG1")
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				sameFiles(t, r, p, "DG1", "DG11")
				if tc.want == "" {
					sameFiles(t, r, p, "DG2")
				}
				if r.Unread["DG2"] != tc.want {
					t.Errorf("reader %d: DG2 %q, want %q", response, r.Unread["DG2"], tc.want)
				}
			}
		})
	}
}

// TestHostileFiles: lengths that lie.
func TestHostileFiles(t *testing.T) {
	for name, tc := range map[string]struct {
		file []byte
		want fault.Code
	}{
		"indefinite length":   {[]byte{0x75, 0x80, 1, 2, 0, 0}, "file.length"},
		"length of 5 octets":  {[]byte{0x75, 0x85, 0, 0, 0, 0, 1, 0}, "file.length"},
		"4 GB":                {[]byte{0x75, 0x84, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0}, "file.too_large"},
		"16 MB":               {[]byte{0x75, 0x83, 0xFF, 0xFF, 0xFF, 0, 0}, "file.too_large"},
		"object over the end": {append([]byte{0x75, 0x82, 0x10, 0x00}, make([]byte, 100)...), "file.truncated"},
		"one octet":           {[]byte{0x75}, "file.truncated"},
		"tag of two octets":   {[]byte{0x7F, 0x61, 2, 1, 1}, ""},
		"another tag":         {[]byte{0x61, 2, 1, 1}, ""},
		"unwritten memory":    {bytes.Repeat([]byte{0xFF}, 300), "file.blank"},
		"zeros":               {make([]byte, 300), "file.blank"},
		"empty object":        {[]byte{0x75, 0}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := passport.Profile{Seed: 3, FileData: map[string][]byte{"DG2": tc.file, "COM": comOf(0x61, 0x75)}}
			r, err := read(t, newVirtual(t, p), p)
			if err != nil || r.Unread["DG2"] != tc.want {
				t.Errorf("%v, %q, want %q", err, r.Unread["DG2"], tc.want)
			}
			sameFiles(t, r, p, "DG1")
			if tc.want == "" {
				sameFiles(t, r, p, "DG2")
			}
		})
	}
}

// TestOddAnswersBeforeAccess: EF.CardAccess, EF.ATR/INFO and the master file
// refused in every way that chips are known for.
func TestOddAnswersBeforeAccess(t *testing.T) {
	for _, status := range []string{"6982", "6985", "6A86", "6A87", "6A82", "6283", "6D00", "6700", "6B00", "6F00", "6999", "6C05", "6300"} {
		for _, steps := range [][]string{
			{"read:CardAccess", "select:CardAccess"},
			{"read:CardAccess", "select:CardAccess", "select:MF"},
			{"read:ATR_INFO", "select:ATR_INFO"},
		} {
			p := withPortrait(300)
			for _, s := range steps {
				p.Faults = append(p.Faults, passport.Fault{Kind: passport.KindStatus, Step: s, Status: status})
			}
			r, err := read(t, newVirtual(t, p), p)
			if err != nil {
				t.Errorf("%s at %v: %v", status, steps, err)
				continue
			}
			sameFiles(t, r, p, "DG1", "DG2")
		}
	}
}

func TestRefusalsOfAccess(t *testing.T) {
	for _, tc := range []struct {
		step, status string
		want         fault.Code
	}{
		{"select:LDS", "6A82", "chip.no_application"},
		{"select:LDS", "6999", "chip.no_application"},
		{"get-challenge", "6982", "access.failed"},
		{"get-challenge", "6D00", "access.failed"},
		{"external-authenticate", "6300", "access.wrong_password"},
		{"external-authenticate", "63C1", "access.wrong_password"},
		{"external-authenticate", "6988", "access.wrong_password"},
		{"external-authenticate", "6982", "access.wrong_password"},
		{"external-authenticate", "6F00", "access.failed"},
		{"external-authenticate", "9000", "access.failed"},
	} {
		p := withPortrait(100)
		p.Faults = []passport.Fault{{Kind: passport.KindStatus, Step: tc.step, Status: tc.status}}
		if r, err := read(t, newVirtual(t, p), p); fault.CodeOf(err) != tc.want || len(r.Files["DG1"]) != 0 {
			t.Errorf("%s %s: %v, want %s", tc.step, tc.status, err, tc.want)
		}
	}
	p := withPortrait(100)
	p.Faults = []passport.Fault{{Kind: passport.KindStatus, Step: "select:LDS", Status: "6A86", Times: 1}}
	if _, err := read(t, newVirtual(t, p), p); err != nil {
		t.Errorf("a chip that wants P2 00: %v", err)
	}
}

// FuzzAnswers has the chip answer anything at one command of a reading.
func FuzzAnswers(f *testing.F) {
	f.Add(uint8(1), []byte{0x90, 0x00})
	f.Add(uint8(6), []byte{0x61, 0x00})
	f.Add(uint8(9), []byte{0x99, 0x02, 0x90, 0x00, 0x90, 0x00})
	f.Add(uint8(3), []byte{0x31, 0x84, 0xFF, 0xFF, 0xFF, 0xFF, 0x90, 0x00})
	p := withPortrait(400)
	f.Fuzz(func(t *testing.T, n uint8, answer []byte) {
		v := newVirtual(t, p)
		v.before = func(i int, _ []byte) ([]byte, error) {
			if i%32 == int(n%32) {
				return append([]byte{}, answer...), nil
			}
			return nil, nil
		}
		r, err := read(t, v, p)
		if err != nil && fault.CodeOf(err) == fault.Unknown {
			t.Fatalf("error without a code: %v", err)
		}
		if len(v.commands) > 20_000 {
			t.Fatal("endless")
		}
		_ = r.LogValue()
	})
}
