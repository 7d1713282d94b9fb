package sm_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"

	"github.com/watchpost/watchpost/device/document/emrtd/apdu"
	"github.com/watchpost/watchpost/device/document/emrtd/sm"
	"github.com/watchpost/watchpost/device/fault"
)

var suites = []sm.Suite{sm.TripleDES, sm.AES128, sm.AES192, sm.AES256}

// far is the chip's end of a session, composed here from the suite's parts
// and not from Session, so that each response can be spoilt.
type far struct {
	suite      sm.Suite
	kEnc, kMAC []byte
	ssc        []byte
}

func newPair(t testing.TB, suite sm.Suite) (*sm.Session, *far) {
	t.Helper()
	secret := []byte("a shared secret of some length")
	near, err := sm.FromSecret(suite, secret)
	if err != nil {
		t.Fatal(err)
	}
	return near, &far{
		suite: suite, ssc: make([]byte, suite.BlockLen()),
		kEnc: suite.Derive(secret, sm.CounterEnc), kMAC: suite.Derive(secret, sm.CounterMAC),
	}
}

func (f *far) count() {
	n := binary.BigEndian.Uint64(f.ssc[len(f.ssc)-8:])
	binary.BigEndian.PutUint64(f.ssc[len(f.ssc)-8:], n+1)
}

func (f *far) iv() []byte {
	if f.suite == sm.TripleDES {
		return nil
	}
	iv, err := f.suite.EncryptBlock(f.kEnc, f.ssc)
	if err != nil {
		panic(err)
	}
	return iv
}

func (f *far) cryptogram(plain []byte) []byte {
	out, err := f.suite.EncryptCBC(f.kEnc, f.iv(), plain)
	if err != nil {
		panic(err)
	}
	return out
}

func (f *far) mac(objects []byte) []byte {
	input := append(append([]byte(nil), f.ssc...), objects...)
	if f.suite != sm.TripleDES {
		input = sm.Pad(input, f.suite.BlockLen())
	}
	out, err := f.suite.MAC(f.kMAC, input)
	if err != nil {
		panic(err)
	}
	return out
}

// seal closes objects with their code.
func (f *far) seal(objects []byte, status apdu.Status) apdu.Response {
	return apdu.Response{Data: apdu.AppendTLV(objects, 0x8E, f.mac(objects)), Status: status}
}

func status(s apdu.Status) []byte { return []byte{0x99, 2, s.SW1(), s.SW2()} }

func (f *far) answer(plain []byte, tag uint16, s apdu.Status) apdu.Response {
	var objects []byte
	if plain != nil {
		value := f.cryptogram(sm.Pad(plain, f.suite.BlockLen()))
		if tag == 0x87 {
			value = append([]byte{1}, value...)
		}
		objects = apdu.AppendTLV(nil, tag, value)
	}
	return f.seal(append(objects, status(s)...), s)
}

func TestRoundTripEveryLength(t *testing.T) {
	for _, suite := range suites {
		near, chip := newPair(t, suite)
		for n := range 70 {
			data := bytes.Repeat([]byte{byte(n)}, n)
			cmd, err := near.Wrap(apdu.Command{INS: 0xA4, Data: data, Ne: 256})
			if err != nil {
				t.Fatal(err)
			}
			chip.count()
			if got := unwrapCommand(t, chip, cmd); !bytes.Equal(got, data) {
				t.Fatalf("%s: command data %X", suite, got)
			}
			chip.count()
			got, err := near.Unwrap(chip.answer(data, 0x87, apdu.StatusEndOfFile))
			if err != nil || !bytes.Equal(got.Data, data) || got.Status != apdu.StatusEndOfFile {
				t.Fatalf("%s, %d octets: %v %v", suite, n, got.Status, err)
			}
		}
	}
}

func unwrapCommand(t *testing.T, chip *far, cmd apdu.Command) []byte {
	t.Helper()
	var plain, before []byte
	for rest := cmd.Data; len(rest) > 0; {
		tag, value, next, err := apdu.NextTLV(rest)
		if err != nil {
			t.Fatal(err)
		}
		switch tag {
		case 0x87:
			padded, err := chip.suite.DecryptCBC(chip.kEnc, chip.iv(), value[1:])
			if err != nil || value[0] != 1 {
				t.Fatal(err)
			}
			var ok bool
			if plain, ok = sm.Unpad(padded, chip.suite.BlockLen()); !ok {
				t.Fatal("padding of the command")
			}
		case 0x8E:
			head := sm.Pad([]byte{cmd.CLA, cmd.INS, cmd.P1, cmd.P2}, chip.suite.BlockLen())
			if !bytes.Equal(value, chip.mac(append(head, before...))) {
				t.Fatal("code of the command")
			}
		}
		before = cmd.Data[:len(cmd.Data)-len(next)]
		rest = next
	}
	return plain
}

func TestOddInstructionUsesDO85(t *testing.T) {
	for _, suite := range suites {
		near, chip := newPair(t, suite)
		cmd, err := near.Wrap(apdu.Command{INS: 0xB1, Data: []byte{0x54, 2, 0x80, 0}, Ne: 1000})
		if err != nil || cmd.Data[0] != 0x85 || cmd.Ne != apdu.MaxExtendedLe {
			t.Fatalf("%s: %X, Ne %d, %v", suite, cmd.Data[:1], cmd.Ne, err)
		}
		chip.count()
		chip.count()
		got, err := near.Unwrap(chip.answer([]byte{0x53, 1, 7}, 0x85, apdu.StatusOK))
		if err != nil || !bytes.Equal(got.Data, []byte{0x53, 1, 7}) {
			t.Fatalf("%s: %v", suite, err)
		}
	}
}

func TestBadResponsesKillTheSession(t *testing.T) {
	ok := status(apdu.StatusOK)
	cases := map[string]struct {
		spoil func(f *far) apdu.Response
		want  *fault.Error
	}{
		"plain 6987": {func(*far) apdu.Response { return apdu.Response{Status: apdu.StatusSMMissing} }, sm.ErrPlainStatus},
		"plain 6988": {func(*far) apdu.Response { return apdu.Response{Status: apdu.StatusSMIncorrect} }, sm.ErrPlainStatus},
		"plain 9000": {func(*far) apdu.Response { return apdu.Response{Status: apdu.StatusOK} }, sm.ErrPlainStatus},
		"wrong code": {func(f *far) apdu.Response {
			r := f.answer([]byte{1}, 0x87, apdu.StatusOK)
			r.Data[len(r.Data)-1] ^= 1
			return r
		}, sm.ErrMACWrong},
		"altered cryptogram": {func(f *far) apdu.Response {
			r := f.answer([]byte{1}, 0x87, apdu.StatusOK)
			r.Data[4] ^= 1
			return r
		}, sm.ErrMACWrong},
		"counter not moved": {func(f *far) apdu.Response {
			f.ssc[len(f.ssc)-1]--
			return f.answer([]byte{1}, 0x87, apdu.StatusOK)
		}, sm.ErrMACWrong},
		"no code":   {func(*far) apdu.Response { return apdu.Response{Data: ok, Status: apdu.StatusOK} }, sm.ErrMACMissing},
		"no status": {func(f *far) apdu.Response { return f.seal(nil, apdu.StatusOK) }, sm.ErrStatusMissing},
		"status differs": {func(f *far) apdu.Response {
			return f.seal(status(apdu.StatusEndOfFile), apdu.StatusOK)
		}, sm.ErrStatusDiffers},
		"failure sent as success": {func(f *far) apdu.Response {
			return f.seal(status(apdu.StatusFileNotFound), apdu.StatusOK)
		}, sm.ErrStatusDiffers},
		"bad padding": {func(f *far) apdu.Response {
			block := f.cryptogram(make([]byte, f.suite.BlockLen()))
			return f.seal(append(apdu.AppendTLV(nil, 0x87, append([]byte{1}, block...)), ok...), apdu.StatusOK)
		}, sm.ErrPadding},
		"padding longer than a block": {func(f *far) apdu.Response {
			long := make([]byte, 2*f.suite.BlockLen())
			long[f.suite.BlockLen()-1] = 0x80
			return f.seal(append(apdu.AppendTLV(nil, 0x87, append([]byte{1}, f.cryptogram(long)...)), ok...), apdu.StatusOK)
		}, sm.ErrPadding},
		"empty DO87":     {func(f *far) apdu.Response { return f.seal(append([]byte{0x87, 0}, ok...), apdu.StatusOK) }, sm.ErrCryptogram},
		"indicator only": {func(f *far) apdu.Response { return f.seal(append([]byte{0x87, 1, 1}, ok...), apdu.StatusOK) }, sm.ErrCryptogram},
		"indicator 02": {func(f *far) apdu.Response {
			block := f.cryptogram(sm.Pad([]byte{1}, f.suite.BlockLen()))
			return f.seal(append(apdu.AppendTLV(nil, 0x87, append([]byte{2}, block...)), ok...), apdu.StatusOK)
		}, sm.ErrCryptogram},
		"broken block": {func(f *far) apdu.Response {
			return f.seal(append([]byte{0x87, 4, 1, 1, 2, 3}, ok...), apdu.StatusOK)
		}, sm.ErrCryptogram},
		"DO85 for even INS": {func(f *far) apdu.Response { return f.answer([]byte{1}, 0x85, apdu.StatusOK) }, sm.ErrStructure},
		"status before data": {func(f *far) apdu.Response {
			block := f.cryptogram(sm.Pad([]byte{1}, f.suite.BlockLen()))
			return f.seal(apdu.AppendTLV(append([]byte(nil), ok...), 0x87, append([]byte{1}, block...)), apdu.StatusOK)
		}, sm.ErrStructure},
		"status twice":   {func(f *far) apdu.Response { return f.seal(append(append([]byte(nil), ok...), ok...), apdu.StatusOK) }, sm.ErrStructure},
		"unknown object": {func(f *far) apdu.Response { return f.seal(append([]byte{0x81, 1, 1}, ok...), apdu.StatusOK) }, sm.ErrStructure},
		"trailing object": {func(f *far) apdu.Response {
			r := f.seal(ok, apdu.StatusOK)
			r.Data = append(r.Data, 0x81, 0)
			return r
		}, sm.ErrStructure},
		"truncated": {func(f *far) apdu.Response {
			r := f.answer([]byte{1}, 0x87, apdu.StatusOK)
			r.Data = r.Data[:len(r.Data)-1]
			return r
		}, sm.ErrStructure},
		"short code": {func(f *far) apdu.Response {
			return apdu.Response{Data: apdu.AppendTLV(append([]byte(nil), ok...), 0x8E, make([]byte, 4)), Status: apdu.StatusOK}
		}, sm.ErrStructure},
		"status of one octet": {func(f *far) apdu.Response { return f.seal([]byte{0x99, 1, 0x90}, apdu.StatusOK) }, sm.ErrStructure},
	}
	for name, tc := range cases {
		for _, suite := range suites {
			near, chip := newPair(t, suite)
			if _, err := near.Wrap(apdu.Command{INS: 0xB0, Ne: 16}); err != nil {
				t.Fatal(err)
			}
			chip.count()
			chip.count()
			if _, err := near.Unwrap(tc.spoil(chip)); !errors.Is(err, tc.want) {
				t.Errorf("%s, %s: %v", name, suite, err)
			}
			if _, err := near.Wrap(apdu.Command{INS: 0xB0, Ne: 16}); !errors.Is(err, sm.ErrDead) {
				t.Errorf("%s, %s: the session lives on: %v", name, suite, err)
			}
		}
	}
}

func TestOrderOfUse(t *testing.T) {
	near, chip := newPair(t, sm.AES128)
	if _, err := near.Unwrap(chip.answer(nil, 0, apdu.StatusOK)); !errors.Is(err, sm.ErrDead) {
		t.Error("answer before a command:", err)
	}
	near, _ = newPair(t, sm.AES128)
	if _, err := near.Wrap(apdu.Command{}); err != nil {
		t.Fatal(err)
	}
	if _, err := near.Wrap(apdu.Command{}); !errors.Is(err, sm.ErrDead) {
		t.Error("second command before an answer:", err)
	}
	near, _ = newPair(t, sm.AES128)
	near.Close()
	if _, err := near.Wrap(apdu.Command{}); !errors.Is(err, sm.ErrDead) {
		t.Error("after Close:", err)
	}
}

func TestKeysOfWrongSize(t *testing.T) {
	for _, suite := range append([]sm.Suite{sm.SuiteUnknown, 99}, suites...) {
		k := make([]byte, suite.KeyLen())
		if _, err := sm.NewSession(suite, append(k, 0), k, nil); !errors.Is(err, sm.ErrKey) {
			t.Errorf("%s: long key: %v", suite, err)
		}
		if _, err := sm.NewSession(suite, k, k, []byte{1}); !errors.Is(err, sm.ErrKey) {
			t.Errorf("%s: short counter: %v", suite, err)
		}
		if _, err := suite.MAC(nil, []byte{1}); !errors.Is(err, sm.ErrKey) {
			t.Errorf("%s: MAC without a key: %v", suite, err)
		}
		if _, err := suite.EncryptCBC(k, nil, []byte{1}); !errors.Is(err, sm.ErrKey) {
			t.Errorf("%s: part of a block: %v", suite, err)
		}
	}
}

func TestMaxPlainIsTight(t *testing.T) {
	for _, suite := range suites {
		for _, total := range []int{128, 160, 255, 256, 258, 261, 1024, 32768, 65536, 65538} {
			near, chip := newPair(t, suite)
			n := near.MaxPlain(total)
			fits := len(chip.answer(make([]byte, n), 0x87, apdu.StatusOK).Data) + 2
			over := len(chip.answer(make([]byte, n+1), 0x87, apdu.StatusOK).Data) + 2
			if n == 0 || fits > total || over <= total {
				t.Errorf("%s, %d octets: %d plain make %d, one more %d", suite, total, n, fits, over)
			}
		}
	}
	near, _ := newPair(t, sm.AES128)
	if n := near.MaxPlain(20); n != 0 {
		t.Errorf("20 octets hold %d", n)
	}
}

func TestKeysStayOutOfText(t *testing.T) {
	near, chip := newPair(t, sm.AES256)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		if text := fmt.Sprintf(verb, near); bytes.Contains([]byte(text), fmt.Appendf(nil, "%x", chip.kEnc)) || len(text) > 80 {
			t.Errorf("%s prints %q", verb, text)
		}
	}
}

func FuzzUnwrap(f *testing.F) {
	for _, suite := range suites {
		_, chip := newPair(f, suite)
		chip.count()
		chip.count()
		f.Add(byte(suite), chip.answer([]byte{1, 2, 3}, 0x87, apdu.StatusOK).Data, uint16(0x9000))
	}
	f.Fuzz(func(t *testing.T, kind byte, data []byte, sw uint16) {
		suite := suites[int(kind)%len(suites)]
		near, chip := newPair(t, suite)
		if _, err := near.Wrap(apdu.Command{INS: 0xB0, Ne: 16}); err != nil {
			t.Fatal(err)
		}
		chip.count()
		chip.count()
		got, err := near.Unwrap(apdu.Response{Data: data, Status: apdu.Status(sw)})
		if err != nil {
			return
		}
		// Whoever gets through must have known the key: the code holds over
		// everything before it, and the status is the one sent.
		if len(data) < 14 || !bytes.Equal(data[len(data)-8:], chip.mac(data[:len(data)-10])) {
			t.Fatalf("accepted %X as %X", data, got.Data)
		}
	})
}
