package emrtd_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/watchpost/watchpost/device/document/emrtd"
	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/hwtest/passport"
)

func withPortrait(n int) passport.Profile {
	return passport.Profile{Seed: 7, FileData: map[string][]byte{"DG2": portrait(n), "COM": comOf(0x61, 0x75)}}
}

// comOf is an EF.COM that lists tags.
func comOf(tags ...byte) []byte {
	body := []byte{0x5F, 0x01, 4, '0', '1', '0', '7', 0x5F, 0x36, 6, '0', '4', '0', '0', '0', '0', 0x5C, byte(len(tags))}
	body = append(body, tags...)
	return append([]byte{0x60, byte(len(body))}, body...)
}

func TestReadsOverBAC(t *testing.T) {
	p := withPortrait(18_000)
	r, err := read(t, newVirtual(t, p), p)
	if err != nil {
		t.Fatal(err)
	}
	sameFiles(t, r, p, "COM", "DG1", "DG2")
	if r.Access.Protocol != emrtd.ProtocolBAC || r.Access.Cipher != "3des" || r.Access.Password != emrtd.PasswordMRZ || r.Access.Sessions != 1 {
		t.Errorf("access %+v", r.Access)
	}
	if len(r.Unread) != 0 {
		t.Errorf("unread %v", r.Unread)
	}
}

// TestBlockSizes reads from chips of every narrowness, with readers of both
// kinds. A chip that answers a length error in plain ends the session.
func TestBlockSizes(t *testing.T) {
	for _, tc := range []struct {
		limits   passport.Limits
		response int // of the reader
	}{
		{passport.Limits{}, 65_538},
		{passport.Limits{NoExtended: true}, 65_538},
		{passport.Limits{NoExtended: true, MaxRead: 231, OverRead: "6700"}, 258},
		{passport.Limits{MaxRead: 1000, OverRead: "short"}, 65_538},
		{passport.Limits{MaxRead: 1000, OverRead: "6700"}, 65_538},
		{passport.Limits{MaxRead: 160, OverRead: "6282"}, 258},
		{passport.Limits{MaxRead: 160, OverRead: "6700"}, 258},
		{passport.Limits{MaxRead: 127, OverRead: "6700"}, 258},
		{passport.Limits{MaxRead: 100, OverRead: "6C00"}, 258},
		{passport.Limits{MaxRead: 64, OverRead: "6700"}, 65_538},
		{passport.Limits{MaxRead: 33, OverRead: "6B00"}, 258},
		{passport.Limits{MaxRead: 100, OverRead: "short"}, 258},
		{passport.Limits{NoSFI: true}, 258},
		{passport.Limits{NoSFI: true, AtEnd: "6282"}, 65_538},
		{passport.Limits{AtEnd: "6282"}, 65_538},
	} {
		t.Run(fmt.Sprintf("%+v reader %d", tc.limits, tc.response), func(t *testing.T) {
			p := withPortrait(3_000)
			p.Limits = tc.limits
			v := newVirtual(t, p)
			v.maxResponse = tc.response
			r, err := read(t, v, p)
			if err != nil {
				t.Fatal(err)
			}
			sameFiles(t, r, p, "COM", "DG1", "DG2")
			if r.Access.Sessions > 4 {
				t.Errorf("%d sessions", r.Access.Sessions)
			}
		})
	}
}

// TestLargeFiles crosses offset 32,767, where the even instruction ends, and
// the length forms 81 to 83.
func TestLargeFiles(t *testing.T) {
	for _, size := range []int{100, 127, 128, 200, 255, 256, 32_767, 33_000, 65_536, 200_000} {
		for _, short := range []bool{true, false} {
			if short && size > 100_000 {
				continue // TestHugePortrait reads that
			}
			p := withPortrait(size)
			v := newVirtual(t, p)
			if short {
				v.maxResponse = 258
			}
			r, err := read(t, v, p)
			if err != nil {
				t.Fatalf("%d octets: %v", size, err)
			}
			sameFiles(t, r, p, "DG2")
			for _, c := range v.commands {
				// In plain or protected: an even READ BINARY with bit 8 of P1 must be meant.
				if c[1] == 0xB0 && c[2]&0x80 != 0 && (c[3] != 0 || c[2]&0x60 != 0) {
					t.Fatalf("%d octets: READ BINARY %X", size, c[:4])
				}
			}
		}
	}
}

func TestNoOddInstruction(t *testing.T) {
	p := withPortrait(40_000)
	p.Limits.NoOddINS = true
	v := newVirtual(t, p)
	v.maxResponse = 258
	r, err := read(t, v, p)
	if err != nil || r.Unread["DG2"] != emrtd.ErrFileRefused.Code {
		t.Errorf("%v, %v", err, r.Unread)
	}
	sameFiles(t, r, p, "DG1")
}

// TestLongerThanItsObject: the EF has room behind the data object.
func TestLongerThanItsObject(t *testing.T) {
	p := withPortrait(500)
	whole := p.FileData["DG2"]
	p.FileData["DG2"] = append(slices.Clone(whole), make([]byte, 900)...)
	for _, response := range []int{258, 65_538} {
		v := newVirtual(t, p)
		v.maxResponse = response
		r, err := read(t, v, p)
		if err != nil || !slices.Equal(r.Files["DG2"], whole) {
			t.Errorf("%v: %d octets, want %d", err, len(r.Files["DG2"]), len(whole))
		}
	}
}

func TestWrongPassword(t *testing.T) {
	p := withPortrait(100)
	other := passport.Profile{Seed: 99}
	r, err := emrtd.Read(t.Context(), newVirtual(t, p), emrtd.Options{Passwords: []emrtd.Password{mrzPassword(t, other.Person().Key())}})
	if !errors.Is(err, emrtd.ErrPassword) || len(r.Files["DG1"]) != 0 {
		t.Errorf("%v", err)
	}
	if fault.CodeOf(err) != "access.wrong_password" {
		t.Errorf("code %s", fault.CodeOf(err))
	}
	// A second password is tried.
	r, err = read(t, newVirtual(t, p), p, func(o *emrtd.Options) {
		o.Passwords = append([]emrtd.Password{mrzPassword(t, other.Person().Key())}, o.Passwords...)
	})
	if err != nil {
		t.Error(err)
	}
	sameFiles(t, r, p, "DG1")
}

func TestPasswords(t *testing.T) {
	p := withPortrait(100)
	can, err := emrtd.FromCAN("123456")
	if err != nil {
		t.Fatal(err)
	}
	for name, pws := range map[string][]emrtd.Password{"none": nil, "zero": {{}}, "can on a BAC chip": {can}} {
		if _, err := emrtd.Read(t.Context(), newVirtual(t, p), emrtd.Options{Passwords: pws}); !errors.Is(err, emrtd.ErrNoPassword) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, bad := range []string{"", "12345", "12345a", "123 456", "12345678901234567"} {
		if _, err := emrtd.FromCAN(bad); fault.CodeOf(err) != "access.can" {
			t.Errorf("CAN %q: %v", bad, err)
		}
	}
	if _, err := emrtd.FromMRZ("", "740812", "120415"); err == nil {
		t.Error("no document number")
	}
	if got := fmt.Sprintf("%v %+v %#v", can, can, can); got != "password of kind can password of kind can password of kind can" {
		t.Errorf("prints %q", got)
	}
	can.Wipe()
	if can.Kind() != emrtd.PasswordUnknown {
		t.Error("wiped")
	}
}

func TestOpenChip(t *testing.T) {
	p := withPortrait(300)
	p.Access.Open = true
	for name, pws := range map[string][]emrtd.Password{"no password": nil, "password": {mrzPassword(t, p.Person().Key())}} {
		r, err := emrtd.Read(t.Context(), newVirtual(t, p), emrtd.Options{Passwords: pws})
		if err != nil || (r.Access.Protocol != emrtd.ProtocolNone && name == "no password") {
			t.Fatalf("%s: %v %+v", name, err, r.Access)
		}
		sameFiles(t, r, p, "DG1", "DG2")
	}
}

func TestOnlyWantedFiles(t *testing.T) {
	p := withPortrait(3000)
	r, err := read(t, newVirtual(t, p), p, func(o *emrtd.Options) { o.Files = []string{"DG1"} })
	if err != nil || r.Files["DG2"] != nil {
		t.Errorf("%v, %d octets of DG2", err, len(r.Files["DG2"]))
	}
	sameFiles(t, r, p, "DG1")
}
