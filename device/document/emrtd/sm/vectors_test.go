package sm_test

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/watchpost/watchpost/device/document/emrtd/apdu"
	"github.com/watchpost/watchpost/device/document/emrtd/sm"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestDoc9303SecureMessaging runs the exchange of Doc 9303-11 (2021),
// appendix D.4, and the key derivation of D.1.
func TestDoc9303SecureMessaging(t *testing.T) {
	seed := unhex(t, "239ab9cb282daf66231dc5a4df6bfbae")
	if got := sm.TripleDES.Derive(seed, sm.CounterEnc); !bytes.Equal(got, unhex(t, "ab94fdecf2674fdfb9b391f85d7f76f2")) {
		t.Errorf("enciphering key %X", got)
	}
	if got := sm.TripleDES.Derive(seed, sm.CounterMAC); !bytes.Equal(got, unhex(t, "7962d9ece03d1acd4c76089dce131543")) {
		t.Errorf("authentication key %X", got)
	}
	s, err := sm.NewSession(sm.TripleDES, unhex(t, "979ec13b1cbfe9dcd01ab0fed307eae5"),
		unhex(t, "f1cb1f1fb5adf208806b89dc579dc1f8"), unhex(t, "887022120c06c226"))
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		plain                            apdu.Command
		command, response, plainResponse string
	}{
		{apdu.Command{INS: 0xA4, P1: 2, P2: 0x0C, Data: []byte{1, 0x1E}},
			"0ca4020c158709016375432908c044f68e08bf8b92d635ff24f800", "990290008e08fa855a5d4c50a8ed9000", ""},
		{apdu.Command{INS: 0xB0, Ne: 4},
			"0cb000000d9701048e08ed6705417e96ba5500", "8709019ff0ec34f9922651990290008e08ad55cc17140b2ded9000", "60145f01"},
		{apdu.Command{INS: 0xB0, P2: 4, Ne: 18},
			"0cb000040d9701128e082ea28a70f3c7b53500",
			"871901fb9235f4e4037f2327dcc8964f1f9b8c30f42c8e2fff224a990290008e08c8b2787eaea07d749000",
			"04303130365f36063034303030305c026175"},
	} {
		wrapped, err := s.Wrap(step.plain)
		if err != nil {
			t.Fatal(err)
		}
		encoded, err := wrapped.Encode(false)
		if err != nil || !bytes.Equal(encoded, unhex(t, step.command)) {
			t.Fatalf("%X, %v, want %s", encoded, err, step.command)
		}
		r, err := apdu.ParseResponse(unhex(t, step.response))
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.Unwrap(r)
		if err != nil || !bytes.Equal(got.Data, unhex(t, step.plainResponse)) {
			t.Fatalf("%X, %v", got.Data, err)
		}
	}
}
