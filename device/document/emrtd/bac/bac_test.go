package bac_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/watchpost/watchpost/device/document/emrtd/apdu"
	"github.com/watchpost/watchpost/device/document/emrtd/bac"
	"github.com/watchpost/watchpost/device/fault"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The exchange of Doc 9303-11 (2021), appendix D.3.
const (
	seed      = "239ab9cb282daf66231dc5a4df6bfbae"
	challenge = "4608f91988702212"
	ownNonce  = "781723860c06c226"
	ownKey    = "0b795240cb7049b01c19b33e32804f0b"
	command   = "72c29c2371cc9bdb65b779b8e8d37b29ecc154aa56a8799fae2f498f76ed92f25f1448eea8ad90a7"
	answer    = "46b9342a41396cd7386bf5803104d7cedc122b9132139baf2eedc94ee178534f2f2d235d074d7449"
)

// run plays the example with the given answers to its two commands.
func run(t testing.TB, first, second apdu.Response) error {
	t.Helper()
	step := 0
	exchange := func(_ context.Context, c apdu.Command) (apdu.Response, error) {
		step++
		if step == 1 {
			if encoded, err := c.Encode(false); err != nil || !bytes.Equal(encoded, unhex(t, "0084000008")) {
				t.Errorf("GET CHALLENGE %X, %v", encoded, err)
			}
			return first, nil
		}
		if encoded, err := c.Encode(false); err == nil && bytes.Equal(first.Data, unhex(t, challenge)) &&
			!bytes.Equal(encoded, unhex(t, "0082000028"+command+"28")) {
			t.Errorf("EXTERNAL AUTHENTICATE %X", encoded)
		}
		return second, nil
	}
	s, err := bac.Run(t.Context(), exchange, unhex(t, seed), bytes.NewReader(unhex(t, ownNonce+ownKey)))
	if (s == nil) == (err == nil) {
		t.Fatalf("session %v with error %v", s, err)
	}
	if err != nil {
		return err
	}
	// The first command of D.4 shows that keys and counter are the example's.
	wrapped, err := s.Wrap(apdu.Command{INS: 0xA4, P1: 2, P2: 0x0C, Data: []byte{1, 0x1E}})
	if err != nil {
		t.Fatal(err)
	}
	if encoded, err := wrapped.Encode(false); err != nil || !bytes.Equal(encoded, unhex(t, "0ca4020c158709016375432908c044f68e08bf8b92d635ff24f800")) {
		t.Errorf("first command %X, %v", encoded, err)
	}
	return nil
}

func TestDoc9303Exchange(t *testing.T) {
	if err := run(t, apdu.Response{Data: unhex(t, challenge), Status: apdu.StatusOK}, apdu.Response{Data: unhex(t, answer), Status: apdu.StatusOK}); err != nil {
		t.Fatal(err)
	}
}

func TestBadAnswers(t *testing.T) {
	good := apdu.Response{Data: unhex(t, challenge), Status: apdu.StatusOK}
	right := unhex(t, answer)
	altered := func(i int) apdu.Response {
		b := bytes.Clone(right)
		b[i] ^= 1
		return apdu.Response{Data: b, Status: apdu.StatusOK}
	}
	for name, tc := range map[string]struct {
		first, second apdu.Response
		want          *fault.Error
	}{
		"no challenge":              {apdu.Response{Status: apdu.StatusSecurity}, apdu.Response{}, bac.ErrRefused},
		"empty challenge":           {apdu.Response{Status: apdu.StatusOK}, apdu.Response{}, bac.ErrAnswer},
		"challenge of seven":        {apdu.Response{Data: good.Data[:7], Status: apdu.StatusOK}, apdu.Response{}, bac.ErrAnswer},
		"challenge with a warning":  {apdu.Response{Data: good.Data, Status: apdu.StatusEndOfFile}, apdu.Response{}, bac.ErrRefused},
		"6300":                      {good, apdu.Response{Status: apdu.StatusAuthFailed}, bac.ErrPassword},
		"63C2":                      {good, apdu.Response{Status: 0x63C2}, bac.ErrPassword},
		"6988":                      {good, apdu.Response{Status: apdu.StatusSMIncorrect}, bac.ErrPassword},
		"6982":                      {good, apdu.Response{Status: apdu.StatusSecurity}, bac.ErrPassword},
		"6D00":                      {good, apdu.Response{Status: apdu.StatusInstructionUnknown}, bac.ErrRefused},
		"6300 with the answer":      {good, apdu.Response{Data: right, Status: apdu.StatusAuthFailed}, bac.ErrPassword},
		"no answer":                 {good, apdu.Response{Status: apdu.StatusOK}, bac.ErrAnswer},
		"short answer":              {good, apdu.Response{Data: right[:39], Status: apdu.StatusOK}, bac.ErrAnswer},
		"long answer":               {good, apdu.Response{Data: append(bytes.Clone(right), 0), Status: apdu.StatusOK}, bac.ErrAnswer},
		"our own cryptogram":        {good, apdu.Response{Data: unhex(t, command), Status: apdu.StatusOK}, bac.ErrNonce},
		"code altered":              {good, altered(39), bac.ErrMAC},
		"cryptogram altered":        {good, altered(0), bac.ErrMAC},
		"answer to another command": {apdu.Response{Data: make([]byte, 8), Status: apdu.StatusOK}, apdu.Response{Data: right, Status: apdu.StatusOK}, bac.ErrNonce},
	} {
		if err := run(t, tc.first, tc.second); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %s", name, err, tc.want.Code)
		}
	}
}

func TestChannelErrorsPassThrough(t *testing.T) {
	gone := &fault.Error{Code: "card.removed"}
	_, err := bac.Run(t.Context(), func(context.Context, apdu.Command) (apdu.Response, error) { return apdu.Response{}, gone },
		unhex(t, seed), bytes.NewReader(unhex(t, ownNonce+ownKey)))
	if !errors.Is(err, gone) {
		t.Error(err)
	}
	if _, err := bac.Run(t.Context(), nil, []byte{1}, nil); err == nil {
		t.Error("a seed of one octet")
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8}, make([]byte, 40))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		err := run(t, apdu.Response{Data: first, Status: apdu.StatusOK}, apdu.Response{Data: second, Status: apdu.StatusOK})
		if err == nil && hex.EncodeToString(second) != answer {
			t.Fatal("accepted what the chip's key did not make")
		}
	})
}
