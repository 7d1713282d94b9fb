package pace_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"testing"

	"github.com/watchpost/watchpost/device/document/emrtd/apdu"
	"github.com/watchpost/watchpost/device/document/emrtd/pace"
	"github.com/watchpost/watchpost/device/document/emrtd/sm"
	"github.com/watchpost/watchpost/device/document/pki/curve"
	"github.com/watchpost/watchpost/device/fault"
)

// affine is textbook arithmetic on a curve, apart from the package under test.
type affine struct{ c *curve.Curve }

func (a affine) add(p, q curve.Point) curve.Point {
	if p.IsInfinity() {
		return q
	}
	if q.IsInfinity() {
		return p
	}
	slope := new(big.Int)
	if p.X.Cmp(q.X) == 0 {
		if new(big.Int).Add(p.Y, q.Y).Cmp(a.c.P) == 0 {
			return curve.Point{}
		}
		slope.Mul(p.X, p.X).Mul(slope, big.NewInt(3)).Add(slope, a.c.A)
		slope.Mul(slope, new(big.Int).ModInverse(new(big.Int).Lsh(p.Y, 1), a.c.P))
	} else {
		dx := new(big.Int).Sub(q.X, p.X)
		slope.Sub(q.Y, p.Y).Mul(slope, dx.ModInverse(dx.Mod(dx, a.c.P), a.c.P))
	}
	x := new(big.Int).Mul(slope, slope)
	x.Sub(x, p.X).Sub(x, q.X).Mod(x, a.c.P)
	y := new(big.Int).Sub(p.X, x)
	y.Mul(y, slope).Sub(y, p.Y).Mod(y, a.c.P)
	return curve.Point{X: x, Y: y}
}

func (a affine) mul(p curve.Point, k *big.Int) curve.Point {
	var sum curve.Point
	for i := k.BitLen() - 1; i >= 0; i-- {
		sum = a.add(sum, sum)
		if k.Bit(i) == 1 {
			sum = a.add(sum, p)
		}
	}
	return sum
}

// chip is the card's side of generic and chip authentication mapping over a
// curve, with a place to spoil each answer.
type chip struct {
	affine
	suite    sm.Suite
	oid      string
	password []byte
	static   *big.Int // private key of chip authentication mapping, nil for generic
	zeroLead bool     // choose the ephemeral key so that the secret starts with 00
	spoil    func(step int, answer apdu.Response) apdu.Response

	step      int
	nonce     []byte
	mapKey    *big.Int
	generator curve.Point
	secret    []byte
	own, peer []byte
	commands  []apdu.Command
}

func (c *chip) private() *big.Int {
	k, err := rand.Int(rand.Reader, new(big.Int).Sub(c.c.N, big.NewInt(1)))
	if err != nil {
		panic(err)
	}
	return k.Add(k, big.NewInt(1))
}

func (c *chip) exchange(_ context.Context, cmd apdu.Command) (apdu.Response, error) {
	c.commands = append(c.commands, cmd)
	ok := func(tag uint16, value []byte, more ...byte) apdu.Response {
		return apdu.Response{Data: apdu.AppendTLV(nil, 0x7C, append(apdu.AppendTLV(nil, tag, value), more...)), Status: apdu.StatusOK}
	}
	_, inner, _, err := apdu.NextTLV(cmd.Data)
	if err != nil {
		return apdu.Response{}, err
	}
	var value []byte
	if cmd.INS == 0x86 && len(inner) > 0 {
		if _, value, _, err = apdu.NextTLV(inner); err != nil {
			return apdu.Response{}, err
		}
	}
	var answer apdu.Response
	switch c.step {
	case 0:
		answer.Status = apdu.StatusOK
	case 1:
		c.nonce = make([]byte, 16)
		rand.Read(c.nonce)
		z, err := c.suite.EncryptCBC(c.suite.Derive(c.password, sm.CounterPassword), nil, c.nonce)
		if err != nil {
			return answer, err
		}
		answer = ok(0x80, z)
	case 2:
		peer, err := c.c.Unmarshal(value)
		if err != nil {
			return answer, err
		}
		c.mapKey = c.private()
		h := c.mul(peer, c.mapKey)
		c.generator = c.add(c.mul(c.c.G, new(big.Int).SetBytes(c.nonce)), h)
		answer = ok(0x82, c.c.Marshal(c.mul(c.c.G, c.mapKey)))
	case 3:
		peer, err := c.c.Unmarshal(value)
		if err != nil {
			return answer, err
		}
		k := c.private()
		if c.zeroLead {
			k.SetInt64(1) // counting up from here searches faster than fresh keys
			wide := (c.c.P.BitLen() - 1) / 8 * 8
			for p := peer; p.X.BitLen() > wide; p = c.add(p, peer) {
				k.Add(k, big.NewInt(1))
			}
		}
		shared := c.mul(peer, k)
		c.secret = shared.X.FillBytes(make([]byte, (c.c.P.BitLen()+7)/8))
		c.own, c.peer = c.c.Marshal(c.mul(c.generator, k)), value
		answer = ok(0x84, c.own)
	case 4:
		kMAC := c.suite.Derive(c.secret, sm.CounterMAC)
		if !bytes.Equal(value, c.token(kMAC, c.own)) {
			answer.Status = apdu.StatusAuthFailed
			break
		}
		var more []byte
		if c.static != nil {
			more = apdu.AppendTLV(nil, 0x8A, c.chipData())
		}
		answer = ok(0x86, c.token(kMAC, c.peer), more...)
	}
	if c.spoil != nil {
		answer = c.spoil(c.step, answer)
	}
	c.step++
	return answer, nil
}

func (c *chip) token(kMAC, key []byte) []byte {
	body := append(apdu.AppendTLV(nil, 0x06, apdu.OID(c.oid)), apdu.AppendTLV(nil, 0x86, key)...)
	out, err := c.suite.MAC(kMAC, apdu.AppendTLV(nil, 0x7F49, body))
	if err != nil {
		panic(err)
	}
	return out
}

func (c *chip) chipData() []byte {
	kEnc := c.suite.Derive(c.secret, sm.CounterEnc)
	iv, err := c.suite.EncryptBlock(kEnc, bytes.Repeat([]byte{0xFF}, 16))
	if err != nil {
		panic(err)
	}
	data := new(big.Int).ModInverse(c.static, c.c.N)
	data.Mul(data, c.mapKey).Mod(data, c.c.N)
	out, err := c.suite.EncryptCBC(kEnc, iv, sm.Pad(data.FillBytes(make([]byte, c.c.OrderBytes())), 16))
	if err != nil {
		panic(err)
	}
	return out
}

func newChip(t testing.TB, mapping string, cipher, parameter int) (*chip, pace.Variant) {
	t.Helper()
	oid := fmt.Sprintf("0.4.0.127.0.7.2.2.4.%s.%d", mapping, cipher)
	v, ok := pace.Lookup(oid, parameter)
	if !ok {
		t.Fatalf("%s with %d is not supported", oid, parameter)
	}
	return &chip{affine: affine{curve.ByName(v.Domain())}, suite: v.Suite, oid: oid, password: []byte("012345")}, v
}

var password = pace.Password{Reference: 2, K: []byte("012345")}

func TestEveryCurveAndCipher(t *testing.T) {
	for parameter := 8; parameter <= 18; parameter++ {
		cipher := 1 + parameter%4
		c, v := newChip(t, "2", cipher, parameter)
		c.zeroLead = true
		r, err := v.Run(t.Context(), c.exchange, password, pace.Options{Random: rand.Reader})
		if err != nil {
			t.Fatalf("%s: %v", v, err)
		}
		if c.secret[0] != 0 {
			t.Fatalf("%s: the secret was meant to start with 00", v)
		}
		// The session's first command authenticates under the chip's key.
		wrapped, err := r.Session.Wrap(apdu.Command{INS: 0xB0, Ne: 8})
		if err != nil {
			t.Fatal(err)
		}
		other, err := sm.FromSecret(c.suite, c.secret)
		if err != nil {
			t.Fatal(err)
		}
		want, err := other.Wrap(apdu.Command{INS: 0xB0, Ne: 8})
		if err != nil || !bytes.Equal(wrapped.Data, want.Data) {
			t.Errorf("%s: the two sides have different keys", v)
		}
	}
}

func TestChipAuthenticationMapping(t *testing.T) {
	c, v := newChip(t, "6", 2, 12)
	c.static = c.private()
	r, err := v.Run(t.Context(), c.exchange, password, pace.Options{Random: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	key := c.mul(c.c.G, c.static)
	if err := r.ProveKey(c.c, key); err != nil {
		t.Error(err)
	}
	for name, tc := range map[string]struct {
		c    *curve.Curve
		key  curve.Point
		want error
	}{
		"another key":   {c.c, c.add(key, c.c.G), pace.ErrProof},
		"infinity":      {c.c, curve.Point{}, pace.ErrProof},
		"another curve": {curve.ByName("brainpoolP256r1"), curve.ByName("brainpoolP256r1").G, pace.ErrProof},
		"no curve":      {nil, key, pace.ErrProof},
	} {
		if err := r.ProveKey(tc.c, tc.key); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, spoil := range map[string]func([]byte) []byte{
		"missing":      func(b []byte) []byte { return b[:12] },
		"half a block": func(b []byte) []byte { return append(b[:12:12], 0x8A, 8, 1, 2, 3, 4, 5, 6, 7, 8) },
		"altered":      func(b []byte) []byte { b[len(b)-20] ^= 1; return b },
	} {
		c, v := newChip(t, "6", 2, 12)
		c.static = c.private()
		c.spoil = func(step int, a apdu.Response) apdu.Response {
			if step == 4 {
				a.Data = spoil(bytes.Clone(a.Data))
				a.Data[1] = byte(len(a.Data) - 2)
			}
			return a
		}
		r, err := v.Run(t.Context(), c.exchange, password, pace.Options{Random: rand.Reader})
		if err != nil {
			t.Fatalf("%s: the connection itself stands: %v", name, err)
		}
		if err := r.ProveKey(c.c, c.mul(c.c.G, c.static)); !errors.Is(err, pace.ErrChipData) && !errors.Is(err, pace.ErrProof) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestChipThatMisbehaves(t *testing.T) {
	object := func(tag uint16, value []byte) apdu.Response {
		return apdu.Response{Data: apdu.AppendTLV(nil, 0x7C, apdu.AppendTLV(nil, tag, value)), Status: apdu.StatusOK}
	}
	status := func(s apdu.Status) apdu.Response { return apdu.Response{Status: s} }
	for name, tc := range map[string]struct {
		step   int
		answer func(c *chip) apdu.Response
		want   *fault.Error
	}{
		"protocol refused": {0, func(*chip) apdu.Response { return status(apdu.StatusWrongData) }, pace.ErrRefused},
		"password blocked": {0, func(*chip) apdu.Response { return status(0x63C0) }, pace.ErrRefused},
		"nonce refused":    {1, func(*chip) apdu.Response { return status(apdu.StatusSecurity) }, pace.ErrRefused},
		"nonce absent":     {1, func(*chip) apdu.Response { return object(0x81, nil) }, pace.ErrAnswer},
		"nonce empty":      {1, func(*chip) apdu.Response { return object(0x80, nil) }, pace.ErrNonce},
		"nonce of 15":      {1, func(*chip) apdu.Response { return object(0x80, make([]byte, 15)) }, pace.ErrNonce},
		"nonce of 8":       {1, func(*chip) apdu.Response { return object(0x80, make([]byte, 8)) }, pace.ErrNonce},
		"nonce huge":       {1, func(*chip) apdu.Response { return object(0x80, make([]byte, 8192)) }, pace.ErrNonce},
		"no dynamic data":  {1, func(*chip) apdu.Response { return status(apdu.StatusOK) }, pace.ErrAnswer},
		"trailing octets":  {1, func(*chip) apdu.Response { return apdu.Response{Data: []byte{0x7C, 0, 0}, Status: apdu.StatusOK} }, pace.ErrAnswer},
		"object twice": {1, func(*chip) apdu.Response {
			return apdu.Response{Data: []byte{0x7C, 4, 0x80, 0, 0x80, 0}, Status: apdu.StatusOK}
		}, pace.ErrAnswer},
		"object cut off":              {1, func(*chip) apdu.Response { return apdu.Response{Data: []byte{0x7C, 2, 0x80, 9}, Status: apdu.StatusOK} }, pace.ErrAnswer},
		"map key absent":              {2, func(*chip) apdu.Response { return apdu.Response{Data: []byte{0x7C, 0}, Status: apdu.StatusOK} }, pace.ErrKey},
		"map key off the curve":       {2, func(c *chip) apdu.Response { return object(0x82, offCurve(c.c)) }, pace.ErrKey},
		"map key infinity":            {2, func(*chip) apdu.Response { return object(0x82, []byte{0}) }, pace.ErrKey},
		"map key compressed":          {2, func(c *chip) apdu.Response { return object(0x82, append([]byte{2}, c.c.CoordinateBytes(c.c.G.X)...)) }, pace.ErrKey},
		"map key short":               {2, func(c *chip) apdu.Response { return object(0x82, c.c.Marshal(c.c.G)[:64]) }, pace.ErrKey},
		"map key over the prime":      {2, func(c *chip) apdu.Response { return object(0x82, overPrime(c.c)) }, pace.ErrKey},
		"map key is ours":             {2, func(c *chip) apdu.Response { return object(0x82, ours(c)) }, pace.ErrKey},
		"agreement key off the curve": {3, func(c *chip) apdu.Response { return object(0x84, offCurve(c.c)) }, pace.ErrKey},
		"agreement key is ours":       {3, func(c *chip) apdu.Response { return object(0x84, ours(c)) }, pace.ErrKey},
		"agreement key infinity":      {3, func(*chip) apdu.Response { return object(0x84, []byte{0}) }, pace.ErrKey},
		"agreement refused":           {3, func(*chip) apdu.Response { return status(apdu.StatusAuthFailed) }, pace.ErrRefused},
		"token refused 6300":          {4, func(*chip) apdu.Response { return status(apdu.StatusAuthFailed) }, pace.ErrPassword},
		"token refused 63C1":          {4, func(*chip) apdu.Response { return status(0x63C1) }, pace.ErrPassword},
		"token refused 6A80":          {4, func(*chip) apdu.Response { return status(apdu.StatusWrongData) }, pace.ErrRefused},
		"token wrong":                 {4, func(*chip) apdu.Response { return object(0x86, make([]byte, 8)) }, pace.ErrToken},
		"token short":                 {4, func(*chip) apdu.Response { return object(0x86, make([]byte, 4)) }, pace.ErrToken},
		"token absent":                {4, func(*chip) apdu.Response { return apdu.Response{Data: []byte{0x7C, 0}, Status: apdu.StatusOK} }, pace.ErrToken},
		"our token back":              {4, func(c *chip) apdu.Response { return object(0x86, sent(c)) }, pace.ErrToken},
	} {
		c, v := newChip(t, "2", 2, 12)
		c.spoil = func(step int, a apdu.Response) apdu.Response {
			if step >= tc.step {
				return tc.answer(c)
			}
			return a
		}
		if r, err := v.Run(t.Context(), c.exchange, password, pace.Options{Random: rand.Reader}); !errors.Is(err, tc.want) || r != nil {
			t.Errorf("%s: %v, want %s", name, err, tc.want.Code)
		}
	}
}

func offCurve(c *curve.Curve) []byte {
	b := c.Marshal(c.G)
	b[len(b)-1] ^= 1
	return b
}

func overPrime(c *curve.Curve) []byte {
	b := c.Marshal(c.G)
	for i := 1; i <= c.FieldBytes(); i++ {
		b[i] = 0xFF
	}
	return b
}

// sent is the value of the object that the reader sent last.
func sent(c *chip) []byte {
	_, inner, _, _ := apdu.NextTLV(c.commands[len(c.commands)-1].Data)
	_, value, _, _ := apdu.NextTLV(inner)
	return value
}

func ours(c *chip) []byte { return sent(c) }

func TestWrongPassword(t *testing.T) {
	for _, mapping := range []string{"2", "6"} {
		c, v := newChip(t, mapping, 2, 12)
		c.static = c.private()
		if _, err := v.Run(t.Context(), c.exchange, pace.Password{Reference: 2, K: []byte("543210")}, pace.Options{Random: rand.Reader}); !errors.Is(err, pace.ErrPassword) {
			t.Errorf("mapping %s: %v", mapping, err)
		}
	}
}

// TestParameterReference: DO'84' is left out, sent when the chip refuses to do
// without, and sent at once where the caller says so.
func TestParameterReference(t *testing.T) {
	named := func(c apdu.Command) bool { return bytes.HasSuffix(c.Data, []byte{0x84, 1, 12}) }
	c, v := newChip(t, "2", 2, 12)
	if _, err := v.Run(t.Context(), c.exchange, password, pace.Options{Random: rand.Reader}); err != nil || named(c.commands[0]) {
		t.Errorf("not asked for: %v", err)
	}
	c, v = newChip(t, "2", 2, 12)
	if _, err := v.Run(t.Context(), c.exchange, password, pace.Options{Random: rand.Reader, NameParameters: true}); err != nil || !named(c.commands[0]) {
		t.Errorf("asked for: %v", err)
	}
	c, v = newChip(t, "2", 2, 12)
	refused := false
	c.spoil = func(_ int, a apdu.Response) apdu.Response {
		if len(c.commands) == 1 {
			refused = true
			c.step--
			return apdu.Response{Status: apdu.StatusNcInconsistent}
		}
		return a
	}
	if _, err := v.Run(t.Context(), c.exchange, password, pace.Options{Random: rand.Reader}); err != nil || !refused || !named(c.commands[1]) {
		t.Errorf("a chip that wants it: %v", err)
	}
}

func TestLookup(t *testing.T) {
	for _, oid := range []string{"", "0.4.0.127.0.7.2.2.4", "0.4.0.127.0.7.2.2.4.2", "0.4.0.127.0.7.2.2.4.5.2", "0.4.0.127.0.7.2.2.4.2.5",
		"0.4.0.127.0.7.2.2.4.6.1", "0.4.0.127.0.7.2.2.4.2.2.1", "0.4.0.127.0.7.2.2.42.2", "0.4.0.127.0.7.2.2.4.1.2"} {
		if v, ok := pace.Lookup(oid, 13); ok {
			t.Errorf("%q gives %s", oid, v)
		}
	}
	for _, parameter := range []int{-1, 0, 2, 3, 7, 19, 31, 32, 1 << 20} {
		if v, ok := pace.Lookup("0.4.0.127.0.7.2.2.4.2.2", parameter); ok {
			t.Errorf("parameters %d give %s", parameter, v)
		}
	}
	if _, ok := pace.Lookup("0.4.0.127.0.7.2.2.4.4.2", 10); ok {
		t.Error("integrated mapping on P-224, whose prime is 1 modulo 4")
	}
	if _, ok := pace.Lookup("0.4.0.127.0.7.2.2.4.4.2", 13); !ok {
		t.Error("integrated mapping on brainpoolP256r1")
	}
	for parameter := range 3 {
		if _, ok := pace.Lookup("0.4.0.127.0.7.2.2.4.1.4", parameter); !ok {
			t.Errorf("DH with parameters %d", parameter)
		}
	}
}

func FuzzDynamicData(f *testing.F) {
	f.Add(uint8(1), []byte{0x7C, 2, 0x80, 0})
	f.Add(uint8(4), []byte{0x7C, 0x0A, 0x86, 8, 1, 2, 3, 4, 5, 6, 7, 8})
	f.Fuzz(func(t *testing.T, at uint8, data []byte) {
		c, v := newChip(t, "2", 2, 8)
		c.spoil = func(step int, a apdu.Response) apdu.Response {
			if step == int(at%5) && step > 0 {
				a.Data = data
			}
			return a
		}
		if _, err := v.Run(t.Context(), c.exchange, password, pace.Options{Random: rand.Reader}); err != nil && fault.CodeOf(err) == fault.Unknown {
			// The chip of this test gives errors of its own where it is sent nonsense.
			if c.step < 5 {
				t.Skip()
			}
			t.Fatal(err)
		}
	})
}
