package pace

import (
	"bytes"
	"context"
	"crypto/subtle"
	"io"
	"math/big"
	"math/bits"

	"github.com/watchpost/watchpost/device/document/emrtd/apdu"
	"github.com/watchpost/watchpost/device/document/emrtd/sm"
	"github.com/watchpost/watchpost/device/document/pki/curve"
	"github.com/watchpost/watchpost/device/fault"
)

// Ways for PACE to fail, beside ErrKey. Errors of the channel pass through.
var (
	ErrRefused  = &fault.Error{Code: "pace.refused"}        // a step answered with an error status
	ErrPassword = &fault.Error{Code: "pace.wrong_password"} // the chip did not accept our token
	ErrAnswer   = &fault.Error{Code: "pace.answer"}         // an answer that is not the object expected
	ErrNonce    = &fault.Error{Code: "pace.nonce"}          // nonce of a length that cannot be, or useless
	ErrToken    = &fault.Error{Code: "pace.token"}          // the chip's token is not authentic
	ErrChipData = &fault.Error{Code: "pace.chip_data"}      // chip authentication data missing or malformed
)

// Password is a PACE password: K of Doc 9303-11, 9.7.3, and its reference
// (1 MRZ, 2 CAN).
type Password struct {
	Reference byte
	K         []byte
}

// Result is an established connection.
type Result struct {
	Session *sm.Session

	// ChipID is the chip's ephemeral key in the form by which Terminal
	// Authentication names the chip (BSI TR-03110-3 v2.21, A.2.2.3).
	ChipID []byte
	// Authorities are the references of verifying authorities that came with
	// the token, the newest first; nil where none did, as is usual.
	Authorities []string

	variant     Variant
	chipMap     element  // the chip's public key of the mapping
	chipData    *big.Int // chip authentication mapping: CA-IC; nil where it did not come
	chipDataErr error    // why it did not
}

// Options of one run. NameParameters sends the domain parameter reference
// (DO'84') at once; it is needed where one protocol is offered with several
// parameters, and otherwise sent only once the chip has refused to do
// without, which some do.
type Options struct {
	NameParameters bool
	Random         io.Reader
}

// Tags of dynamic authentication data (Doc 9303-11, 4.4.4.2).
const (
	tagDynamic      = 0x7C
	tagNonce        = 0x80
	tagMapOwn       = 0x81
	tagMapChip      = 0x82
	tagKeyOwn       = 0x83
	tagKeyChip      = 0x84
	tagTokenOwn     = 0x85
	tagTokenChip    = 0x86
	tagAuthorities  = 0x87 // certification authority references, newest first
	tagAuthorities2 = 0x88
	tagChipData     = 0x8A
)

// maxReference bounds a certification authority reference in octets.
const maxReference = 16

// maxNonce bounds the encrypted nonce; it is one or two cipher blocks.
const maxNonce = 64

// Run establishes a connection. The card must have no other session.
func (v Variant) Run(ctx context.Context, exchange apdu.Exchange, pw Password, o Options) (*Result, error) {
	p := &protocol{variant: v, exchange: exchange, random: o.Random}
	if err := p.selectProtocol(ctx, pw.Reference, o.NameParameters); err != nil {
		return nil, err
	}
	kPi := v.Suite.Derive(pw.K, sm.CounterPassword)
	defer clear(kPi)
	nonce, err := p.nonce(ctx, kPi)
	if err != nil {
		return nil, err
	}
	defer clear(nonce)
	generator, chipMap, err := p.mapNonce(ctx, nonce)
	if err != nil {
		return nil, err
	}
	keys, err := p.exchangeKeys(ctx, "key agreement", tagKeyOwn, tagKeyChip, generator)
	if err != nil {
		return nil, err
	}
	secret := p.variant.group.secret(keys.shared)
	defer clear(secret)
	result, err := p.authenticate(ctx, keys, secret)
	if err != nil {
		return nil, err
	}
	result.chipMap = chipMap
	return result, nil
}

// protocol is one run.
type protocol struct {
	variant  Variant
	exchange apdu.Exchange
	random   io.Reader
}

// selectProtocol is MSE:Set AT. A status 63Cx warns of used-up attempts and
// is no refusal.
func (p *protocol) selectProtocol(ctx context.Context, reference byte, nameParameters bool) error {
	data := apdu.AppendTLV(nil, 0x80, apdu.OID(p.variant.OID))
	data = apdu.AppendTLV(data, 0x83, []byte{reference})
	named := data
	if id := p.variant.ParameterID; id >= 0 {
		named = apdu.AppendTLV(bytes.Clone(data), 0x84, big.NewInt(int64(id)).FillBytes(make([]byte, max(1, (bits.Len(uint(id))+7)/8))))
	} else {
		nameParameters = true // there is no reference to try with
	}
	if nameParameters {
		data = named
	}
	set := apdu.Command{INS: 0x22, P1: 0xC1, P2: 0xA4, Data: data}
	r, err := p.exchange(ctx, set)
	if err != nil {
		return err
	}
	if !accepted(r.Status) && !nameParameters {
		set.Data = named
		if r, err = p.exchange(ctx, set); err != nil {
			return err
		}
	}
	if !accepted(r.Status) {
		return fault.Wrap(ErrRefused.Code, &apdu.StatusError{Step: "MSE:Set AT", Status: r.Status})
	}
	return nil
}

func accepted(s apdu.Status) bool {
	left, counted := s.Retries()
	return s == apdu.StatusOK || counted && left > 0
}

// nonce fetches and deciphers the nonce.
func (p *protocol) nonce(ctx context.Context, kPi []byte) ([]byte, error) {
	got, err := p.step(ctx, "nonce", 0, nil, false)
	if err != nil {
		return nil, err
	}
	z := got[tagNonce]
	block := p.variant.Suite.BlockLen()
	if len(z) < 16 || len(z) > maxNonce || len(z)%block != 0 {
		return nil, fault.New(ErrNonce.Code, "%d octets", len(z))
	}
	if p.variant.Mapping == Integrated && len(z) < p.variant.Suite.KeyLen() {
		return nil, fault.New(ErrNonce.Code, "%d octets for the integrated mapping", len(z)) // it becomes a key (Doc 9303-11, 4.4.3.3.2)
	}
	return p.variant.Suite.DecryptCBC(kPi, nil, z)
}

// mapNonce turns the nonce into the generator of the key agreement.
func (p *protocol) mapNonce(ctx context.Context, nonce []byte) (generator, chipMap element, err error) {
	g := p.variant.group
	if p.variant.Mapping == Integrated {
		t := make([]byte, p.variant.Suite.KeyLen())
		if _, err := io.ReadFull(p.random, t); err != nil {
			return element{}, element{}, fault.Wrap("system.random", err)
		}
		if _, err := p.step(ctx, "mapping", tagMapOwn, t, false); err != nil {
			return element{}, element{}, err
		}
		number, err := pseudoRandom(p.variant.Suite, nonce, t, g.fieldBits())
		if err != nil {
			return element{}, element{}, err
		}
		generator, err = g.embed(number)
		return generator, element{}, err
	}
	keys, err := p.exchangeKeys(ctx, "mapping", tagMapOwn, tagMapChip, g.generator())
	if err != nil {
		return element{}, element{}, err
	}
	s := new(big.Int).SetBytes(nonce)
	generator = g.combine(g.power(g.generator(), s), keys.shared)
	if g.encode(generator) == nil || isOne(generator) {
		return element{}, element{}, fault.New(ErrNonce.Code, "mapped to the neutral element")
	}
	return generator, keys.chip, nil
}

func isOne(e element) bool { return e.value != nil && e.value.Cmp(big.NewInt(1)) == 0 }

// authenticate exchanges the tokens and starts the session.
func (p *protocol) authenticate(ctx context.Context, keys exchanged, secret []byte) (*Result, error) {
	suite := p.variant.Suite
	kMAC := suite.Derive(secret, sm.CounterMAC)
	defer clear(kMAC)
	ours, err := p.token(kMAC, keys.chipSent)
	if err != nil {
		return nil, err
	}
	theirs, err := p.token(kMAC, keys.own)
	if err != nil {
		return nil, err
	}
	got, err := p.step(ctx, "mutual authentication", tagTokenOwn, ours, true)
	if err != nil {
		return nil, err
	}
	if subtle.ConstantTimeCompare(got[tagTokenChip], theirs) != 1 {
		return nil, fault.New(ErrToken.Code, "mutual authentication")
	}
	result := &Result{variant: p.variant, ChipID: p.variant.group.compress(keys.chip, keys.chipSent)}
	for _, tag := range []byte{tagAuthorities, tagAuthorities2} {
		if name := got[tag]; len(name) > 0 && len(name) <= maxReference {
			result.Authorities = append(result.Authorities, string(name))
		}
	}
	if p.variant.Mapping == ChipAuth {
		result.chipData, result.chipDataErr = p.chipData(secret, got[tagChipData])
	}
	result.Session, err = sm.FromSecret(suite, secret)
	return result, err
}

// token is the authentication token over a public key (Doc 9303-11, 4.4.3.4).
func (p *protocol) token(kMAC, key []byte) ([]byte, error) {
	body := apdu.AppendTLV(nil, 0x06, apdu.OID(p.variant.OID))
	body = apdu.AppendTLV(body, p.variant.group.keyTag(), key)
	return p.variant.Suite.MAC(kMAC, apdu.AppendTLV(nil, 0x7F49, body))
}

// chipData deciphers the chip authentication data (Doc 9303-11, 4.4.3.5.2).
func (p *protocol) chipData(secret, cryptogram []byte) (*big.Int, error) {
	suite := p.variant.Suite
	block := suite.BlockLen()
	if len(cryptogram) == 0 || len(cryptogram)%block != 0 || len(cryptogram) > 256 {
		return nil, fault.New(ErrChipData.Code, "%d octets", len(cryptogram))
	}
	kEnc := suite.Derive(secret, sm.CounterEnc)
	defer clear(kEnc)
	iv, err := suite.EncryptBlock(kEnc, bytes.Repeat([]byte{0xFF}, block))
	if err != nil {
		return nil, err
	}
	padded, err := suite.DecryptCBC(kEnc, iv, cryptogram)
	if err != nil {
		return nil, err
	}
	plain, ok := sm.Unpad(padded, block)
	if !ok {
		return nil, fault.New(ErrChipData.Code, "badly padded")
	}
	return new(big.Int).SetBytes(plain), nil
}

// ErrProof: the chip's mapping key was not made with the private key of its
// chip authentication key.
var ErrProof = &fault.Error{Code: "pace.cam_proof"}

// ProveKey checks that the chip showed, by chip authentication mapping, that
// it holds the private key of the given point: its mapping key is the point
// times CA-IC (Doc 9303-11, 4.4.3.5.2). nil is proof; ErrChipData says that
// nothing usable came with the token.
func (r *Result) ProveKey(c *curve.Curve, key curve.Point) error {
	if r.chipDataErr != nil {
		return r.chipDataErr
	}
	g, ok := r.variant.group.(elliptic)
	if !ok || r.chipData == nil {
		return fault.New(ErrChipData.Code, "not the chip authentication mapping")
	}
	if c == nil || g.c.Name != c.Name || !c.IsOnCurve(key) {
		return fault.New(ErrProof.Code, "key is on another curve")
	}
	if r.chipData.Sign() <= 0 || r.chipData.Cmp(c.N) >= 0 {
		return fault.New(ErrChipData.Code, "number out of range")
	}
	if !c.ScalarMult(key, r.chipData).Equal(r.chipMap.point) {
		return fault.New(ErrProof.Code, "mapping key does not fit")
	}
	return nil
}

// step is one GENERAL AUTHENTICATE. tag 0 sends empty dynamic authentication
// data; last marks the end of the chain. It returns the objects of the answer.
func (p *protocol) step(ctx context.Context, name string, tag byte, value []byte, last bool) (map[byte][]byte, error) {
	var inner []byte
	if tag != 0 {
		inner = apdu.AppendTLV(nil, uint16(tag), value)
	}
	c := apdu.Command{INS: 0x86, Data: apdu.AppendTLV(nil, tagDynamic, inner), Ne: apdu.MaxShortLe}
	if !last {
		c = c.Chained()
	}
	if len(c.Data) > apdu.MaxShortData {
		c.Ne = apdu.MaxExtendedLe // a group whose elements outgrow short lengths in both directions
	}
	r, err := p.exchange(ctx, c)
	if err != nil {
		return nil, err
	}
	if r.Status != apdu.StatusOK {
		cause := &apdu.StatusError{Step: "GENERAL AUTHENTICATE, " + name, Status: r.Status}
		_, counted := r.Status.Retries()
		if last && (counted || r.Status == apdu.StatusAuthFailed || r.Status == apdu.StatusBlocked) {
			return nil, fault.Wrap(ErrPassword.Code, cause)
		}
		return nil, fault.Wrap(ErrRefused.Code, cause)
	}
	return p.dynamic(name, r.Data)
}

// dynamic takes dynamic authentication data apart. Objects that no step knows
// are refused, and so is any that comes twice.
func (p *protocol) dynamic(name string, data []byte) (map[byte][]byte, error) {
	tag, inner, rest, err := apdu.NextTLV(data)
	if err != nil || tag != tagDynamic || len(rest) != 0 {
		return nil, fault.New(ErrAnswer.Code, "%s: not dynamic authentication data", name)
	}
	objects := map[byte][]byte{}
	for len(inner) > 0 {
		var value []byte
		if tag, value, inner, err = apdu.NextTLV(inner); err != nil {
			return nil, fault.New(ErrAnswer.Code, "%s: malformed object", name)
		}
		if _, twice := objects[tag]; twice {
			return nil, fault.New(ErrAnswer.Code, "%s: object %02X twice", name, tag)
		}
		switch tag {
		case tagNonce, tagMapChip, tagKeyChip, tagTokenChip, tagChipData, tagAuthorities, tagAuthorities2:
		default:
			return nil, fault.New(ErrAnswer.Code, "%s: object %02X", name, tag)
		}
		objects[tag] = value
	}
	return objects, nil
}
