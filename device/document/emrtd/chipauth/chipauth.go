package chipauth

import (
	"context"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/watchpost/watchpost/device/document/emrtd/apdu"
	"github.com/watchpost/watchpost/device/document/emrtd/sm"
	"github.com/watchpost/watchpost/device/document/lds"
	"github.com/watchpost/watchpost/device/fault"
)

// Ways for Chip Authentication to fail, beside ErrKey.
var (
	ErrRefused = &fault.Error{Code: "ca.refused"} // a step answered with an error status
	ErrAnswer  = &fault.Error{Code: "ca.answer"}  // an answer that is not empty dynamic authentication data
	ErrNoKey   = &fault.Error{Code: "ca.no_key"}  // no key that is offered can be used
)

// Offer is one static key with the protocol to use it by.
type Offer struct {
	Key   *Key
	Suite sm.Suite
	oid   string // of the protocol
	keyID int    // -1 where the chip has one key only
}

// Detail names algorithm and domain, for people.
func (o Offer) Detail() string {
	name := "ECDH "
	if o.Key.curve == nil {
		name = "DH "
	}
	return name + o.Key.Domain() + " " + o.Suite.String()
}

// oidProtocol and oidKey are id-CA and id-PK (Doc 9303-11, 9.2.7);
// the agreement follows as one arc (1 DH, 2 ECDH), then the cipher.
const (
	oidProtocol = "0.4.0.127.0.7.2.2.3."
	oidKey      = "0.4.0.127.0.7.2.2.1."
)

var suites = map[string]sm.Suite{"1": sm.TripleDES, "2": sm.AES128, "3": sm.AES192, "4": sm.AES256}

// Offers returns the keys in SecurityInfos that can be used, the one with the
// strongest cipher first. A key without a ChipAuthenticationInfo of its own
// is used with 3DES, as documents of BSI TR-03110 v1.11 (2008) mean it. The error is nil, ErrNoKey where
// there is no key at all, or the reason why the last of them is unusable.
func Offers(infos []lds.SecurityInfo) ([]Offer, error) {
	var offers []Offer
	reason := error(fault.New(ErrNoKey.Code, "no public key info"))
	for _, k := range infos {
		if k.Kind != lds.InfoChipAuthenticationKey {
			continue
		}
		key, err := ParseKey(k.Required)
		if err != nil {
			reason = err
			continue
		}
		agreement := strings.TrimPrefix(k.OID, oidKey)
		if elliptic := key.curve != nil; elliptic != (agreement == "2") {
			reason = fault.New(ErrKey.Code, "key of another kind than its identifier says")
			continue
		}
		best := Offer{Key: key, Suite: sm.TripleDES, oid: oidProtocol + agreement + ".1", keyID: k.Parameter}
		for _, i := range infos {
			if i.Kind != lds.InfoChipAuthentication || i.Version != 1 || i.Parameter != k.Parameter {
				continue
			}
			arcs := strings.Split(strings.TrimPrefix(i.OID, oidProtocol), ".")
			if len(arcs) == 2 && arcs[0] == agreement && suites[arcs[1]] > best.Suite {
				best.Suite, best.oid = suites[arcs[1]], i.OID
			}
		}
		at := len(offers)
		for at > 0 && offers[at-1].Suite < best.Suite {
			at--
		}
		offers = append(offers[:at], append([]Offer{best}, offers[at:]...)...)
	}
	if len(offers) == 0 {
		return nil, reason
	}
	return offers, nil
}

// Run agrees new session keys. The chip has switched to them once Run returns
// without an error: the next exchange must use the session returned, and
// proves the chip or not.
func (o Offer) Run(ctx context.Context, exchange apdu.Exchange, random io.Reader) (*Result, error) {
	keys, err := o.Key.agree(random)
	if err != nil {
		return nil, err
	}
	defer clear(keys.secret)
	if o.Suite == sm.TripleDES {
		// Some chips know 3DES by MSE:Set AT only (Doc 9303-11, 8.5, note 1).
		if err = o.setKAT(ctx, exchange, keys.public); errors.Is(err, ErrRefused) {
			if again := o.setAT(ctx, exchange, keys.public); !errors.Is(again, ErrRefused) {
				err = again
			}
		}
	} else {
		err = o.setAT(ctx, exchange, keys.public)
	}
	if err != nil {
		return nil, err
	}
	session, err := sm.FromSecret(o.Suite, keys.secret)
	if err != nil {
		return nil, err
	}
	return &Result{Session: session, Ephemeral: keys.compressed}, nil
}

// Result is what Chip Authentication has agreed.
type Result struct {
	Session *sm.Session
	// Ephemeral is our public key in the form in which Terminal Authentication
	// signs it (BSI TR-03110-3 v2.21, A.2.2.3).
	Ephemeral []byte
}

func (o Offer) keyReference() []byte {
	if o.keyID < 0 {
		return nil
	}
	id := []byte{byte(o.keyID)}
	for v := o.keyID >> 8; v > 0; v >>= 8 {
		id = append([]byte{byte(v)}, id...)
	}
	return apdu.AppendTLV(nil, 0x84, id)
}

// setKAT is MSE:Set KAT, which 3DES uses (Doc 9303-11, 6.2.4.1).
func (o Offer) setKAT(ctx context.Context, exchange apdu.Exchange, public []byte) error {
	data := append(apdu.AppendTLV(nil, 0x91, public), o.keyReference()...)
	r, err := exchange(ctx, apdu.Command{INS: 0x22, P1: 0x41, P2: 0xA6, Data: data})
	return refused("MSE:Set KAT", r, err)
}

// setAT is MSE:Set AT and GENERAL AUTHENTICATE (Doc 9303-11, 6.2.4.2).
func (o Offer) setAT(ctx context.Context, exchange apdu.Exchange, public []byte) error {
	data := append(apdu.AppendTLV(nil, 0x80, apdu.OID(o.oid)), o.keyReference()...)
	r, err := exchange(ctx, apdu.Command{INS: 0x22, P1: 0x41, P2: 0xA4, Data: data})
	if err := refused("MSE:Set AT", r, err); err != nil {
		return err
	}
	data = apdu.AppendTLV(nil, 0x7C, apdu.AppendTLV(nil, 0x80, public))
	r, err = exchange(ctx, apdu.Command{INS: 0x86, Data: data, Ne: apdu.MaxShortLe})
	if err := refused("GENERAL AUTHENTICATE", r, err); err != nil {
		return err
	}
	if len(r.Data) == 0 {
		return nil // some chips leave the empty object out
	}
	if tag, _, rest, err := apdu.NextTLV(r.Data); err != nil || tag != 0x7C || len(rest) != 0 {
		return fault.New(ErrAnswer.Code, "%d octets", len(r.Data))
	}
	return nil
}

func refused(step string, r apdu.Response, err error) error {
	if err != nil {
		return err
	}
	if r.Status != apdu.StatusOK {
		return fault.Wrap(ErrRefused.Code, &apdu.StatusError{Step: step, Status: r.Status})
	}
	return nil
}

// KeyID returns the identifier of the key, "" where the chip has one only.
func (o Offer) KeyID() string {
	if o.keyID < 0 {
		return ""
	}
	return strconv.Itoa(o.keyID)
}
