package linkv1

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
)

// Limits of an order.
const (
	MaxOrder      = 512 << 10 // bytes of SignedOrder.content
	MaxTargets    = 4096
	MaxSignatures = 8
	MaxOrders     = 16 // in a HelloResponse
	MaxReceipts   = 64 // in a HelloRequest
	MaxHeld       = 256
	maxReason     = 256 // bytes
	maxOrderName  = 128 // bytes of a list, record or signer
)

// CentralSigner is the name under which central signs an order.
const CentralSigner = "central"

const orderContext = "watchpost/link/1/order\x00"

// What is wrong with an order. A post gives each its own code.
var (
	ErrOrderForm    = errors.New("link: order is not of the contract's form")
	ErrOrderSigner  = errors.New("link: order signed by somebody who is not named")
	ErrOrderForged  = errors.New("link: signature of the order does not verify")
	ErrOrderTwice   = errors.New("link: the same signer twice")
	ErrOrderTooFew  = errors.New("link: too few signatures for this order")
	ErrOrderForeign = errors.New("link: order is for other posts")
)

// OrderContent serialises an order as it is signed. ErrOrderForm for one that
// no post would take.
func OrderContent(o *Order) ([]byte, error) {
	if err := checkOrder(o); err != nil {
		return nil, err
	}
	raw, err := serial(o)
	if err == nil && len(raw) > MaxOrder {
		err = ErrSize
	}
	return raw, err
}

// SignOrder is the signature over an order's content by key.
func SignOrder(content []byte, key ed25519.PrivateKey) []byte {
	return ed25519.Sign(key, append([]byte(orderContext), content...))
}

// CheckOrderSignature reports whether signature is key's over content.
func CheckOrderSignature(content []byte, key ed25519.PublicKey, signature []byte) bool {
	return len(key) == ed25519.PublicKeySize && ed25519.Verify(key, append([]byte(orderContext), content...), signature)
}

// OrderDigest is what a receipt names an order by.
func OrderDigest(content []byte) []byte {
	sum := sha256.Sum256(content)
	return sum[:]
}

// ReadOrder reads content without judging signatures: for who is asked to sign.
func ReadOrder(content []byte) (*Order, error) {
	if len(content) > MaxOrder {
		return nil, ErrSize
	}
	o := new(Order)
	if parse(content, o) != nil {
		return nil, ErrOrderForm
	}
	return o, checkOrder(o)
}

// OpenOrder judges an order's signatures and returns it with the number that
// it has at post. keyOf gives the key of a signer, nil for one who is not
// named. It does not look at the number or at the clock: the post's ledger
// does.
func OpenOrder(s *SignedOrder, post string, keyOf func(by string) ed25519.PublicKey) (*Order, uint64, error) {
	if len(s.GetContent()) > MaxOrder || len(s.GetSignatures()) > MaxSignatures {
		return nil, 0, ErrSize
	}
	by := make(map[string]bool, len(s.Signatures))
	keys := make(map[string]bool, len(s.Signatures))
	for _, sig := range s.Signatures {
		key := keyOf(sig.GetBy())
		switch {
		case key == nil:
			return nil, 0, ErrOrderSigner
		case by[sig.By] || keys[string(key)]:
			return nil, 0, ErrOrderTwice
		case !CheckOrderSignature(s.Content, key, sig.Signature):
			return nil, 0, ErrOrderForged
		}
		by[sig.By], keys[string(key)] = true, true
	}
	// Nothing of the content is looked at before somebody known has signed it.
	if len(by) == 0 {
		return nil, 0, ErrOrderTooFew
	}
	o, err := ReadOrder(s.Content)
	if err != nil {
		return nil, 0, err
	}
	if !enough(o, by) {
		return nil, 0, ErrOrderTooFew
	}
	for _, t := range o.Targets {
		if t.Post == post {
			return o, t.Number, nil
		}
	}
	return nil, 0, ErrOrderForeign
}

// enough says whether by may give the order: two owners, or central alone for
// what only shuts and can be undone by whoever unlocks.
func enough(o *Order, by map[string]bool) bool {
	owners := len(by)
	if by[CentralSigner] {
		owners--
	}
	return owners >= 2 || (o.GetLock() != nil && by[CentralSigner])
}

func checkOrder(o *Order) error {
	if len(o.GetId()) != idBytes || len(o.Targets) == 0 || len(o.Targets) > MaxTargets || len(o.Reason) > maxReason || o.Reason == "" ||
		o.IssuedMs <= 0 || o.ExpiresMs <= o.IssuedMs {
		return fmt.Errorf("%w: id, targets, reason or times", ErrOrderForm)
	}
	seen := make(map[string]bool, len(o.Targets))
	for _, t := range o.Targets {
		if !ValidPost(t.GetPost()) || t.Number == 0 || t.Number > 1<<62 || seen[t.Post] {
			return fmt.Errorf("%w: target", ErrOrderForm)
		}
		seen[t.Post] = true
	}
	switch what := o.What.(type) {
	case *Order_Recall:
		if !named(what.Recall.GetList()) || !named(what.Recall.GetRecord()) {
			return fmt.Errorf("%w: recall", ErrOrderForm)
		}
	case *Order_Rekey:
		if !named(what.Rekey.GetList()) || len(what.Rekey.GetWrapped()) == 0 || len(what.Rekey.Wrapped) > MaxTargets {
			return fmt.Errorf("%w: rekey", ErrOrderForm)
		}
		for to, wrapped := range what.Rekey.Wrapped {
			if !named(to) || len(wrapped) == 0 || len(wrapped) > 256 {
				return fmt.Errorf("%w: rekey", ErrOrderForm)
			}
		}
	case *Order_Lock, *Order_Unlock, *Order_Wipe:
	default:
		return fmt.Errorf("%w: what", ErrOrderForm)
	}
	return nil
}

func named(s string) bool { return s != "" && len(s) <= maxOrderName }
