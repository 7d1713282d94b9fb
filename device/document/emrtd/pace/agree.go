package pace

import (
	"bytes"
	"context"
	"math/big"

	"github.com/watchpost/watchpost/device/fault"
)

// maxRedraws bounds the draws of an ephemeral key without a leading zero; one in
// 256 has one.
const maxRedraws = 16

// exchanged is one exchange of ephemeral keys.
type exchanged struct {
	own, chipSent []byte  // public keys as they were sent
	chip          element // the chip's
	shared        element
}

// exchangeKeys exchanges ephemeral keys over base.
func (p *protocol) exchangeKeys(ctx context.Context, name string, ownTag, chipTag byte, base element) (exchanged, error) {
	g := p.variant.group
	own, private, err := p.ephemeral(base)
	if err != nil {
		return exchanged{}, err
	}
	got, err := p.step(ctx, name, ownTag, own, false)
	if err != nil {
		return exchanged{}, err
	}
	chip, err := g.decode(got[chipTag])
	if err != nil {
		return exchanged{}, err
	}
	if bytes.Equal(g.encode(chip), own) {
		return exchanged{}, fault.New(ErrKey.Code, "%s: the chip sent our own key back", name)
	}
	return exchanged{own: own, chipSent: got[chipTag], chip: chip, shared: g.power(chip, private)}, nil
}

// ephemeral draws a key over base and encodes its public part. Numbers are sent
// at the prime's length by some and without leading zeros by others (unsigned
// integers of BSI TR-03110-3 v2.21, D.2.1.1), and tokens hash them as they were
// sent; one that begins with no zero means the same to all.
func (p *protocol) ephemeral(base element) (public []byte, private *big.Int, err error) {
	for redraws := maxRedraws; ; redraws-- {
		if private, err = Scalar(p.random, p.variant.group.order()); err != nil {
			return nil, nil, err
		}
		if public = p.variant.group.encode(p.variant.group.power(base, private)); public[0] != 0 || redraws == 0 {
			return public, private, nil
		}
	}
}
