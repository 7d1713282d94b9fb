package pace_test

import (
	"errors"
	"math/big"
	"testing"

	"github.com/watchpost/watchpost/device/document/emrtd/pace"
	"github.com/watchpost/watchpost/hwtest/gen/curve"
	"github.com/watchpost/watchpost/hwtest/gen/der"
	"github.com/watchpost/watchpost/hwtest/gen/dh"
	"github.com/watchpost/watchpost/hwtest/gen/pki"
)

const (
	ecdhGM = "0.4.0.127.0.7.2.2.4.2.2"
	dhGM   = "0.4.0.127.0.7.2.2.4.1.2"
	ecdhIM = "0.4.0.127.0.7.2.2.4.4.2"
)

func ecDomain(t testing.TB, change func(c *curve.Curve)) []byte {
	t.Helper()
	known, err := curve.ByName("brainpoolP256r1")
	if err != nil {
		t.Fatal(err)
	}
	c := *known
	if change != nil {
		change(&c)
	}
	return der.Seq(der.OID("1.2.840.10045.2.1"), pki.ECParameters(&c))
}

func dhDomain(t testing.TB, change func(p, g, q *big.Int)) []byte {
	t.Helper()
	known, err := dh.ByPACE(0)
	if err != nil {
		t.Fatal(err)
	}
	p, g, q := new(big.Int).Set(known.P), new(big.Int).Set(known.G), new(big.Int).Set(known.Q)
	if change != nil {
		change(p, g, q)
	}
	return der.Seq(der.OID("1.2.840.10046.2.1"), der.Seq(der.Int(p), der.Int(g), der.Int(q)))
}

func TestProprietary(t *testing.T) {
	for name, tc := range map[string]struct {
		oid       string
		algorithm []byte
		domain    string
		elliptic  bool
	}{
		"curve written out": {ecdhGM, ecDomain(t, nil), "brainpoolP256r1", true},
		"curve by name":     {ecdhGM, der.Seq(der.OID("1.2.840.10045.2.1"), der.OID("1.3.36.3.3.2.8.1.1.7")), "brainpoolP256r1", true},
		"standardized":      {ecdhIM, der.Seq(der.OID("0.4.0.127.0.7.1.2"), der.SmallInt(13)), "brainpoolP256r1", true},
		"group written out": {dhGM, dhDomain(t, nil), "modp1024-160", false},
	} {
		v, err := pace.Proprietary(tc.oid, 40, tc.algorithm)
		if err != nil || v.Domain() != tc.domain || v.Elliptic() != tc.elliptic || v.ParameterID != 40 {
			t.Errorf("%s: %v, %v", name, v, err)
		}
	}
	one := big.NewInt(1)
	for name, tc := range map[string]struct {
		oid       string
		algorithm []byte
	}{
		"another prime":             {ecdhGM, ecDomain(t, func(c *curve.Curve) { c.P = new(big.Int).Add(c.P, one) })},
		"another a":                 {ecdhGM, ecDomain(t, func(c *curve.Curve) { c.A = new(big.Int).Add(c.A, one) })},
		"another b":                 {ecdhGM, ecDomain(t, func(c *curve.Curve) { c.B = new(big.Int).Add(c.B, one) })},
		"another generator":         {ecdhGM, ecDomain(t, func(c *curve.Curve) { c.G = c.Mul(big.NewInt(2), c.G) })},
		"another order":             {ecdhGM, ecDomain(t, func(c *curve.Curve) { c.N = new(big.Int).Sub(c.N, one) })},
		"curve for numbers":         {dhGM, ecDomain(t, nil)},
		"numbers for a curve":       {ecdhGM, dhDomain(t, nil)},
		"group of the chip's own":   {dhGM, dhDomain(t, func(p, g, q *big.Int) { g.Mul(g, g).Mod(g, p) })},
		"another modulus":           {dhGM, dhDomain(t, func(p, g, q *big.Int) { p.Add(p, one) })},
		"another subgroup":          {dhGM, dhDomain(t, func(p, g, q *big.Int) { q.Sub(q, one) })},
		"small group":               {dhGM, der.Seq(der.OID("1.2.840.10046.2.1"), der.Seq(der.SmallInt(23), der.SmallInt(2), der.SmallInt(11)))},
		"huge group":                {dhGM, dhDomain(t, func(p, g, q *big.Int) { p.SetBit(p, 9000, 1) })},
		"no parameters":             {ecdhGM, der.Seq(der.OID("1.2.840.10045.2.1"))},
		"standardized that is none": {ecdhGM, der.Seq(der.OID("0.4.0.127.0.7.1.2"), der.SmallInt(7))},
		"mapping not on this curve": {ecdhIM, der.Seq(der.OID("0.4.0.127.0.7.1.2"), der.SmallInt(10))},
		"unknown algorithm":         {ecdhGM, der.Seq(der.OID("1.2.840.113549.1.1.1"), der.Null())},
		"unknown curve":             {ecdhGM, der.Seq(der.OID("1.2.840.10045.2.1"), der.OID("1.3.132.0.1"))},
		"nothing":                   {ecdhGM, nil},
		"something after":           {ecdhGM, append(ecDomain(t, nil), 0)},
		"no protocol":               {"1.2.3", ecDomain(t, nil)},
	} {
		if v, err := pace.Proprietary(tc.oid, -1, tc.algorithm); !errors.Is(err, pace.ErrDomain) {
			t.Errorf("%s: %v, %v", name, v, err)
		}
	}
}

func FuzzProprietary(f *testing.F) {
	f.Add(ecDomain(f, nil))
	f.Add(dhDomain(f, nil))
	f.Add(der.Seq(der.OID("0.4.0.127.0.7.1.2"), der.SmallInt(13)))
	f.Fuzz(func(t *testing.T, algorithm []byte) {
		for _, oid := range []string{ecdhGM, dhGM} {
			v, err := pace.Proprietary(oid, 32, algorithm)
			if err != nil && !errors.Is(err, pace.ErrDomain) || err == nil && v.OID != oid {
				t.Errorf("%v", err)
			}
		}
	})
}
