package pace_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"os"
	"path/filepath"
	"testing"

	"github.com/watchpost/watchpost/device/document/emrtd/apdu"
	"github.com/watchpost/watchpost/device/document/emrtd/chipauth"
	"github.com/watchpost/watchpost/device/document/emrtd/pace"
	"github.com/watchpost/watchpost/device/document/lds"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// example is one worked example of Doc 9303-11.
type example struct {
	ID       string                     `json:"id"`
	Inputs   map[string]json.RawMessage `json:"inputs"`
	Expected map[string]json.RawMessage `json:"expected"`
	APDUs    []struct {
		Command  string `json:"command"`
		Response string `json:"response"`
	} `json:"apdus"`
}

func (e example) bytes(t testing.TB, from map[string]json.RawMessage, name string) []byte {
	t.Helper()
	var s string
	if err := json.Unmarshal(from[name], &s); err != nil {
		t.Fatalf("%s: %s: %v", e.ID, name, err)
	}
	return unhex(t, s)
}

func examples(t *testing.T) map[string]example {
	t.Helper()
	dir := os.Getenv("WATCHPOST_DATA")
	if dir == "" {
		t.Skip("WATCHPOST_DATA is not set: the worked examples of Doc 9303-11 are not checked")
	}
	data, err := os.ReadFile(filepath.Join(dir, "emrtd/doc9303/worked_examples.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Examples []example `json:"examples"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	out := map[string]example{}
	for _, e := range file.Examples {
		out[e.ID] = e
	}
	return out
}

// replay answers exactly the commands of an example.
func replay(t *testing.T, e example) apdu.Exchange {
	n := 0
	return func(_ context.Context, c apdu.Command) (apdu.Response, error) {
		c.Ne = min(c.Ne, apdu.MaxShortLe)
		got, err := c.Encode(c.NeedsExtended())
		if err != nil {
			t.Fatal(err)
		}
		if n == len(e.APDUs) {
			t.Fatalf("%s: more commands than the example has: %X", e.ID, got)
		}
		if want := unhex(t, e.APDUs[n].Command); !bytes.Equal(got, want) {
			t.Fatalf("%s: command %d\n got %X\nwant %X", e.ID, n+1, got, want)
		}
		n++
		return apdu.ParseResponse(unhex(t, e.APDUs[n-1].Response))
	}
}

// TestExchangesOfDoc9303 replays the examples that print their commands: with
// the private keys of the example every octet sent must be the printed one,
// and the chip's token must verify.
func TestExchangesOfDoc9303(t *testing.T) {
	all := examples(t)
	for id, oid := range map[string]string{
		"pace_gm_ecdh":  "0.4.0.127.0.7.2.2.4.2.2",
		"pace_gm_dh":    "0.4.0.127.0.7.2.2.4.1.2",
		"pace_cam_ecdh": "0.4.0.127.0.7.2.2.4.6.2",
	} {
		e, ok := all[id]
		if !ok {
			t.Fatalf("no example %s", id)
		}
		var parameter int
		if err := json.Unmarshal(e.Inputs["parameter_id"], &parameter); err != nil {
			t.Fatal(err)
		}
		v, ok := pace.Lookup(oid, parameter)
		if !ok {
			t.Fatalf("%s: not supported", id)
		}
		random := bytes.NewReader(append(e.bytes(t, e.Inputs, "map_ifd_private"), e.bytes(t, e.Inputs, "ifd_private")...))
		result, err := v.Run(t.Context(), replay(t, e), pace.Password{Reference: 1, K: e.bytes(t, e.Expected, "k")}, pace.Options{Random: random})
		if err != nil {
			t.Fatalf("%s: %v", id, err)
		}
		if result.Session == nil {
			t.Fatalf("%s: no session", id)
		}
		if id != "pace_cam_ecdh" {
			continue
		}
		info := e.bytes(t, e.Inputs, "ca_public_key_info")
		infos, err := lds.ParseSecurityInfos(apdu.AppendTLV(nil, 0x31, info))
		if err != nil {
			t.Fatal(err)
		}
		offers, err := chipauth.Offers(infos)
		if err != nil {
			t.Fatal(err)
		}
		c, point := offers[0].Key.Elliptic()
		if err := result.ProveKey(c, point); err != nil {
			t.Errorf("%s: %v", id, err)
		}
		if err := result.ProveKey(c, c.Add(point, c.G)); err == nil {
			t.Errorf("%s: another key is proven too", id)
		}
	}
}

// TestIntegratedMappingOfDoc9303 plays the chip of the examples of integrated
// mapping, which print values and no commands.
func TestIntegratedMappingOfDoc9303(t *testing.T) {
	all := examples(t)
	for id, tc := range map[string]struct {
		oid   string
		point bool
	}{
		"pace_im_ecdh": {"0.4.0.127.0.7.2.2.4.4.2", true},
		"pace_im_dh":   {"0.4.0.127.0.7.2.2.4.3.2", false},
	} {
		e := all[id]
		var parameter int
		if err := json.Unmarshal(e.Inputs["parameter_id"], &parameter); err != nil {
			t.Fatal(err)
		}
		v, ok := pace.Lookup(tc.oid, parameter)
		if !ok {
			t.Fatalf("%s: not supported", id)
		}
		key := func(name string) []byte {
			b := e.bytes(t, e.Expected, name)
			if tc.point {
				return append([]byte{4}, b...)
			}
			return b
		}
		nonce := e.bytes(t, e.Inputs, "t")
		steps := []struct {
			wantTag  byte
			want     []byte
			tag      uint16
			response []byte
		}{
			{0, nil, 0x80, e.bytes(t, e.Expected, "z")},
			{0x81, nonce, 0x82, nil},
			{0x83, key("ifd_public"), 0x84, key("ic_public")},
			{0x85, e.bytes(t, e.Expected, "t_ifd"), 0x86, e.bytes(t, e.Expected, "t_ic")},
		}
		n := -1
		exchange := func(_ context.Context, c apdu.Command) (apdu.Response, error) {
			if n++; n == 0 {
				return apdu.Response{Status: apdu.StatusOK}, nil
			}
			s := steps[n-1]
			var inner []byte
			if s.wantTag != 0 {
				inner = apdu.AppendTLV(nil, uint16(s.wantTag), s.want)
			}
			if want := apdu.AppendTLV(nil, 0x7C, inner); !bytes.Equal(c.Data, want) {
				t.Fatalf("%s, step %d\n got %X\nwant %X", id, n, c.Data, want)
			}
			return apdu.Response{Data: apdu.AppendTLV(nil, 0x7C, apdu.AppendTLV(nil, s.tag, s.response)), Status: apdu.StatusOK}, nil
		}
		private := e.bytes(t, e.Inputs, "ifd_private")
		if !tc.point {
			// The example's exponents are longer than the order of the group; ours are below it.
			var domain struct{ Q string }
			if err := json.Unmarshal(e.Inputs["domain_parameters"], &domain); err != nil {
				t.Fatal(err)
			}
			q := new(big.Int).SetBytes(unhex(t, domain.Q))
			k := new(big.Int).SetBytes(private)
			private = k.Mod(k, q).FillBytes(make([]byte, len(q.Bytes())))
		}
		random := bytes.NewReader(append(bytes.Clone(nonce), private...))
		if _, err := v.Run(t.Context(), exchange, pace.Password{Reference: 2, K: []byte("123456")}, pace.Options{Random: random}); err != nil {
			t.Fatalf("%s: %v", id, err)
		}
	}
}
